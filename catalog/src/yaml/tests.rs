use super::*;
use crate::place::Files;

/// Aligns the value of `k` in `text` and finds `part` of it again at the same place in `text`.
fn check(text: &str, part: &str, expected_written: &str) {
    let mut files = Files::default();
    let file = files.add("x.yml", text);
    let mut mistakes = Vec::new();
    let root = parse(file, text, &mut mistakes).expect("readable");
    assert_eq!(mistakes, Vec::new());
    let Data::Mapping(entries) = root.data else { panic!("not a mapping") };
    let entry = entries.iter().find(|entry| entry.key == "k").expect("has k");
    let Data::Scalar(scalar) = &entry.value.data else { panic!("not a scalar") };
    let start = scalar.text.find(part).expect("part is in the value");
    let alignment = Alignment::new(&entry.value, scalar, text);
    let place = alignment.place(start..start + part.len());
    assert_eq!(files.quote(&place), expected_written, "in {text:?}");
    if expected_written == part {
        assert_eq!(text.find(part), Some(place.range.start), "in {text:?}");
    }
}

#[test]
fn literal_block_maps_line_by_line() {
    check("é: x\nk: |\n  a b\n\n    cd é\n  ef\nz: 1\n", "cd é", "cd é");
    check("k: |\n  a b\n\n    cd é\n  ef\n", "ef", "ef");
    check("k: |2-  # note\n    a\n   b\n", "b", "b");
    check("k: |+\n\n  a\n   b\n\n", "b", "b");
    check("k: |\r\n  a b\r\n  cd\r\n", "cd", "cd");
}

#[test]
fn folded_block_maps_over_folds() {
    check("k: >\n  a b\n  cd\n\n  ef\n", "cd", "cd");
    check("k: >\n  a b\n  cd\n\n  ef\n", "ef", "ef");
    check("k: >\n  a b\n  cd\n\n  ef\n", "b cd", "b\n  cd");
    check("k: >-\n  a\n    more\n  cd\n", "cd", "cd");
}

#[test]
fn plain_and_quoted_scalars_map_over_escapes_and_folds() {
    check("k: select a from b\n", "from", "from");
    check("k: select a\n   from b\n", "from", "from");
    check("k: select a\n\n   from b\n", "from", "from");
    check("k: 'it''s here'\n", "here", "here");
    check("k: \"a \\\"b\\\" cd\"\n", "cd", "cd");
    check("k: \"a\\n\\u00e9 cd\"\n", "cd", "cd");
    check("k: \"a\n   cd \\\n   ef\"\n", "ef", "ef");
    check("k: !!str &x cd\n", "cd", "cd");
}

/// The message of the only mistake in `text`.
fn check_mistake(text: &str, expected: &str) {
    let mut files = Files::default();
    let file = files.add("x.yml", text);
    let mut mistakes = Vec::new();
    parse(file, text, &mut mistakes);
    let messages: Vec<String> = mistakes
        .iter()
        .map(|mistake| {
            let place = mistake.primary_place().expect("in the file");
            let (line, column) = files.line_and_column(place);
            format!("{line}:{column} {} {}", mistake.code, mistake.message)
        })
        .collect();
    assert_eq!(messages, [expected], "in {text:?}");
}

#[test]
fn keys_given_twice_are_found() {
    check_mistake("a: 1\nb:\n  c: 1\n  c: 2\n", "4:3 E0002 the key `c` is given twice");
}

#[test]
fn tags_that_change_the_meaning_are_refused() {
    check_mistake(
        "a: !include x\n",
        "1:4 E0001 the file is not valid YAML: the tag `!include` is not known",
    );
    check_mistake(
        "a: !!binary x\n",
        "1:4 E0001 the file is not valid YAML: the tag `tag:yaml.org,2002:binary` is not known",
    );
    check("k: !!str cd\n", "cd", "cd");
}

#[test]
fn only_mappings_are_merged() {
    check_mistake("a: 1\n<<: [1]\n", "2:6 E0003 `<<` must be a mapping, but is a single value");
}

#[test]
fn bombs_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.extend([format!("a{level}: &a{level} [{aliases}]\n")]);
    }
    check_mistake(
        &bomb,
        "5:45 E0008 the file is refused: its aliases expand to more than 100000 values or 4194304 bytes",
    );
    let deep = "[".repeat(100);
    check_mistake(
        &deep,
        "1:66 E0008 the file is refused: it has more than 64 levels or 100000 values, aliases expanded",
    );
}

#[test]
fn a_second_document_is_refused() {
    check_mistake(
        "a: 1\n---\nb: 2\n",
        "2:1 E0001 the file is not valid YAML: a file holds one YAML document",
    );
}

#[test]
fn merge_keys_give_what_is_missing() {
    let text = "base: &b {x: 1, y: 2}\nk:\n  <<: *b\n  y: 3\n";
    let mut files = Files::default();
    let file = files.add("x.yml", text);
    let root = parse(file, text, &mut Vec::new()).expect("readable");
    let Data::Mapping(entries) = root.data else { panic!("not a mapping") };
    let Data::Mapping(merged) = &entries[1].value.data else { panic!("not a mapping") };
    let keys: Vec<&str> = merged.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(keys, ["y", "x"]);
}
