//! Mutated projects: nothing panics, and every place is one of its file.
//!
//! Seeded, so that a failure comes again; the target is a plain function of bytes, which other
//! fuzzers can call too.

use std::path::Path;

use catalog::graph::select;
use catalog::load::{LoadOptions, load_texts};
use catalog::place::{Files, Place};
use catalog::schema;

/// Rounds a seed is mutated; more by hand.
const ROUNDS: usize = 150;

/// Pieces that are likely to upset a reader of YAML, of Jinja, or of `${VAR}`.
const PIECES: [&str; 28] = [
    "{{ ",
    " }}",
    "{% ",
    " %}",
    "{#",
    "#}",
    "{%- raw %}",
    "${",
    "${A:-",
    "}",
    "|",
    ">-\n",
    "\"",
    "'",
    "&a ",
    "*a",
    "<<: ",
    "- ",
    ": ",
    "[",
    "{",
    "\n  ",
    "\t",
    "é\u{FDD0}",
    "\u{FEFF}",
    "!!str ",
    "null",
    "99999999999999999999",
];

/// Loads `bytes` as each kind of file and looks at everything that comes out.
fn target(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let good = "sources:\n  - {name: s, topic: s}\n";
    let options = LoadOptions::default();
    for path in ["models/m.yml", "stream_project.yml", "macros/m.sql", ".env"] {
        let loaded = load_texts(&[(path, &text), ("sources/s.yml", good)], &options);
        for diagnostic in &loaded.diagnostics {
            for label in &diagnostic.labels {
                check_place(&loaded.files, &label.place);
            }
        }
        let Some(project) = &loaded.project else { continue };
        for model in &project.models {
            let Some(sql) = &model.sql else { continue };
            for reference in &sql.references {
                check_place(&loaded.files, &reference.place);
            }
            let boundaries: Vec<usize> = sql.text.char_indices().map(|(at, _)| at).collect();
            for pair in boundaries.windows(4).step_by(5) {
                check_place(&loaded.files, &sql.place(pair[0]..pair[3]));
                check_place(&loaded.files, &sql.place(pair[0]..pair[0]));
            }
            let end = sql.text.len();
            check_place(&loaded.files, &sql.place(end..end));
            check_place(&loaded.files, &sql.place(end..end + 9));
        }
        let selected = select::select(project, &loaded.files, &["+*+"], &[]);
        assert!(
            selected.is_ok_and(
                |selection| selection.has_model("none") == project.model("none").is_some()
            )
        );
    }
    if let Ok(column_type) = schema::parse(&text) {
        let name = schema::flink_type_name(&column_type.data_type);
        assert_eq!(schema::parse(&name).map(|again| again.data_type), Ok(column_type.data_type));
    }
}

fn check_place(files: &Files, place: &Place) {
    let text = files.text(place.file);
    assert!(text.get(place.range.clone()).is_some(), "{place:?} is no part of {text:?}");
}

/// Xorshift: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (limit.max(1) as u64)).expect("below a usize")
    }
}

fn mutate(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => {
                let end = (at + random.below(20)).min(bytes.len());
                bytes.drain(at..end);
            }
            2 => {
                let piece = PIECES[random.below(PIECES.len())];
                bytes.splice(at..at, piece.bytes());
            }
            3 => {
                let end = (at + random.below(60)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(random.below(256)).expect("below 256");
                }
            }
        }
    }
    bytes
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/ecommerce");
    let mut texts: Vec<Vec<u8>> =
        ["models/events_enriched.yml", "sources/events.yml", "tests/events_tests.yml"]
            .iter()
            .map(|path| std::fs::read(folder.join(path)).expect("the example is there"))
            .collect();
    let templates = [
        "models:\n  - name: a\n    sql: \"{% for x in ['é', 'b'] %}{{ x }}\\u00e9 {% endfor %}{{ source('s') }} ''\"\n",
        "models:\n  - name: a\n    sql: >-\n      {%- if true -%} SELECT\n\n        é {% raw %}{{ }}{% endraw %}\n      {%- endif %} {{ ref('b') }} ${A:-b}\n  - {name: b, sql: 'it''s {{ source(\"s\") }}'}\n",
        "{% macro f(x) %}({{ x }}){% endmacro %}{% macro g() %}{{ f(1) }}{% endmacro %}",
        "runtime: &r\n  kafka: {bootstrap_servers: [h:1], properties: {debug: all}}\nrules: {topics: {naming_pattern: '['}}\nx: *r\n",
        "ROW<a ARRAY<DECIMAL(10, 2) NOT NULL>, `b``c` MAP<STRING, MULTISET<INT>>>",
        "A='b'\nexport C=\"d\\n\"\n",
    ];
    texts.extend(templates.iter().map(|text| text.as_bytes().to_vec()));
    texts
}

#[test]
fn mutated_projects_never_panic_and_keep_their_places() {
    let mut random = Random(0x5EED);
    for text in corpus() {
        target(&text);
        for _ in 0..ROUNDS {
            target(&mutate(&text, &mut random));
        }
    }
}
