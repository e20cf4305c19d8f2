use super::*;

fn sample() -> (Vec<Diagnostic>, Files) {
    let mut files = Files::default();
    let model =
        files.add("models/m.yml", "models:\n  - name: m\n    sql: |\n      SELECT tyype FROM x\n");
    let source = files.add("sources/s.yml", "sources:\n  - name: x\n");
    let at = Place::new(model, 44..49);
    let declared = Place::new(source, 19..20);
    let diagnostic = Diagnostic {
        code: "E0301",
        alias: Some("COLUMN_NOT_FOUND"),
        level: Level::Error,
        message: "unknown column `tyype`".to_owned(),
        labels: vec![
            Label::primary(&at, "not in source `x`"),
            Label::secondary(&declared, "declared here"),
        ],
        notes: Vec::new(),
        helps: vec!["did you mean `type`?".to_owned()],
    };
    (vec![diagnostic], files)
}

fn check(style: DiagnosticStyle, expected: &str) {
    let (diagnostics, files) = sample();
    assert_eq!(render(&diagnostics, &files, style, false).trim_end(), expected);
}

#[test]
fn carets_stand_under_the_users_text() {
    check(
        DiagnosticStyle::Rustc,
        "\
error[E0301]: unknown column `tyype`
 --> models/m.yml:4:14
  |
4 |       SELECT tyype FROM x
  |              ^^^^^ not in source `x`
  |
 ::: sources/s.yml:2:11
  |
2 |   - name: x
  |           - declared here
  |
  = help: did you mean `type`?
  = note: more: engine explain E0301",
    );
}

#[test]
fn short_form_is_one_line() {
    check(DiagnosticStyle::Short, "models/m.yml:4:14: error[E0301]: unknown column `tyype`");
}

#[test]
fn github_form_is_an_annotation() {
    check(
        DiagnosticStyle::Github,
        "::error file=models/m.yml,line=4,col=14,title=E0301::unknown column `tyype`%0Adid you mean `type`?",
    );
}

#[test]
fn json_form_has_code_place_and_alias() {
    let (diagnostics, files) = sample();
    let text = render(&diagnostics, &files, DiagnosticStyle::Json, false);
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert_eq!(lines[0], json!({"type": "version", "format": "1.0"}));
    assert_eq!(lines[1]["code"], "E0301");
    assert_eq!(lines[1]["alias"], "COLUMN_NOT_FOUND");
    assert_eq!((&lines[1]["line"], &lines[1]["column"]), (&json!(4), &json!(14)));
    assert_eq!(lines[1]["labels"][1]["file"], "sources/s.yml");
}

#[test]
fn a_place_outside_its_text_is_drawn_at_its_end() {
    let mut files = Files::default();
    let file = files.add("a.yml", "name: ä");
    for range in [0..0, 7..7, 8..8, 5..900, 900..901] {
        let place = Place::new(file, range);
        let clamped = clamped(&place, files.text(file));
        assert!(files.text(file).get(clamped).is_some());
    }
}

#[test]
fn escape_codes_from_a_file_do_not_reach_the_terminal() {
    let mut files = Files::default();
    let file = files.add("a.yml", "x: \u{1b}[31m\n");
    let diagnostic = Diagnostic {
        code: "W0013",
        alias: None,
        level: Level::Warning,
        message: "unknown \u{1b}[31m".to_owned(),
        labels: vec![Label::primary(&Place::new(file, 0..1), "\u{1b}[32m")],
        notes: vec!["\u{1b}[33m".to_owned()],
        helps: vec!["\u{1b}[34m".to_owned()],
    };
    for style in [DiagnosticStyle::Rustc, DiagnosticStyle::Short, DiagnosticStyle::Json] {
        let text = render(std::slice::from_ref(&diagnostic), &files, style, false);
        assert!(!text.contains('\u{1b}'), "{style:?}: {text:?}");
    }
}
