use super::*;

fn check(line: &str, expected: Option<(&str, &str)>) {
    let mut values = BTreeMap::new();
    let mut mistakes = Vec::new();
    read(".env", line, &mut values, &mut mistakes);
    let actual = values.iter().next().map(|(name, value)| (name.as_str(), value.as_str()));
    assert_eq!(actual, expected, "for `{line}`");
    let is_comment = line.trim().is_empty() || line.starts_with('#');
    assert_eq!(mistakes.is_empty(), expected.is_some() || is_comment, "for `{line}`");
}

#[test]
fn assignments_are_read() {
    check("A=b", Some(("A", "b")));
    check(" export A = b c # note", Some(("A", "b c")));
    check("A='b # $x'", Some(("A", "b # $x")));
    check(r#"A="b\n\"c\"" # note"#, Some(("A", "b\n\"c\"")));
    check("A=", Some(("A", "")));
    check("A=b#c", Some(("A", "b#c")));
    check("# A=b", None);
    check("", None);
}

#[test]
fn other_lines_are_mistakes() {
    check("A", None);
    check("1A=b", None);
    check("A='b", None);
    check("=b", None);
}

#[test]
fn a_mistake_quotes_nothing_of_the_line() {
    let mut mistakes = Vec::new();
    read(".env", "\nhunter2", &mut BTreeMap::new(), &mut mistakes);
    assert_eq!(mistakes.len(), 1);
    assert_eq!(mistakes[0].message, "line 2 of `.env` is not `NAME=value`");
    assert_eq!(mistakes[0].labels, []);
}
