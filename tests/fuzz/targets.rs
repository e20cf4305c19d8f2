//! The targets, one function and one constant each.

use std::fs;
use std::path::Path;

use catalog::graph::select;
use catalog::load::{LoadOptions, load_texts};
use catalog::place::{Files, Place};
use catalog::schema;
use planner::plan::{PlanOptions, plan};
use runtime::Entry;

use crate::drive::{Probe, Target, files};

/// YAML, Jinja, `${VAR}`, `.env` files and column types.
pub(crate) const PROJECT: Target = Target {
    name: "project",
    corpus: || [files("project"), example()].concat(),
    pieces: &[
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
    ],
    rounds: 100,
    open: || Box::new(project),
};

/// SQL, from its text to the dataflow.
pub(crate) const QUERY: Target = Target {
    name: "query",
    corpus: || files("query"),
    pieces: &[
        " SELECT ",
        " FROM ",
        " WHERE ",
        " GROUP BY ",
        " JOIN ",
        " UNION ",
        "(",
        ")",
        ",",
        "*",
        " TUMBLE(",
        " ts ",
        " id ",
        " NULL ",
        " CASE ",
        " END ",
        " AS ",
        " INTERVAL '1' DAY ",
        " COUNT(*) ",
        " COLLECT(",
        "1",
        "'x'",
        ".",
        " FOR SYSTEM_TIME AS OF ",
        " HAVING ",
        " CAST(",
        " ARRAY<",
        "`",
        "--",
        ";",
        "9223372036854775808",
    ],
    rounds: 60,
    open: || Box::new(query),
};

/// What stands in a topic: JSON, CSV and raw values as columns of every type.
pub(crate) const RECORD: Target = Target {
    name: "record",
    corpus: || files("record"),
    pieces: &[
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\\u",
        "\\ud83d",
        "null",
        "true",
        "-",
        "1e999",
        "0.1",
        "\n",
        "2026-01-01T00:00:00Z",
        "\u{FEFF}",
        "é",
    ],
    rounds: 100,
    open: || {
        Box::new(|bytes| {
            let _rows = arrow_kafka::fuzz_decode(bytes);
        })
    },
};

/// What a restart reads.
pub(crate) const JOURNAL: Target = Target {
    name: "journal",
    corpus: || files("journal"),
    pieces: &[
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "null",
        "-1",
        "1e9",
        "\"slice\"",
        "\"carried\"",
        "=",
        "18446744073709551616",
    ],
    rounds: 2_000,
    open: || Box::new(journal),
};

/// What any client may send to the embedded broker.
pub(crate) const REQUEST: Target =
    Target { name: "request", corpus: requests, pieces: &[], rounds: 60, open: broker };

/// Loads `bytes` as each kind of file and looks at everything that comes out.
fn project(bytes: &[u8]) {
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
        let has_all = selected
            .is_ok_and(|selection| selection.has_model("none") == project.model("none").is_some());
        assert!(has_all, "`+*+` selects every model");
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

fn example() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ecommerce");
    ["models/events_enriched.yml", "sources/events.yml", "tests/events_tests.yml"]
        .iter()
        .map(|path| fs::read(folder.join(path)).expect("the example is there"))
        .collect()
}

/// Two streams and a versioned table, with columns of several types.
const SHOP: &str = "
sources:
  - name: orders
    topic: orders
    columns:
      - name: id
      - name: item
      - {name: amount, type: INT}
      - {name: price, type: 'DECIMAL(10, 2)'}
      - {name: note, type: STRING}
      - {name: ok, type: BOOLEAN}
      - name: ts
      - {name: at, type: TIMESTAMP(6)}
  - name: items
    topic: items
    key: sku
    columns: [{name: sku}, {name: name}, {name: weight}]
";

/// Plans `bytes` as a model: there is a dataflow, or a reason why not.
fn query(bytes: &[u8]) {
    let sql = String::from_utf8_lossy(bytes).replace('\n', "\n      ");
    let model = format!("models:\n  - name: a\n    sql: |\n      {sql}\n");
    let texts = [("sources/shop.yml", SHOP), ("models/a.yml", model.as_str())];
    if let Some(project) = load_texts(&texts, &LoadOptions::default()).project {
        let planned = plan(&project, &PlanOptions::default());
        assert_eq!(planned.dataflow.is_some(), planned.diagnostics.is_empty());
    }
}

/// Reads `bytes` as an entry; what can be read is written as it was.
fn journal(bytes: &[u8]) {
    let Ok(entry) = Entry::from_bytes(bytes) else { return };
    let written = entry.to_bytes().expect("an entry that was read can be written");
    let again = Entry::from_bytes(&written).expect("an entry that was written can be read");
    assert_eq!(again.header, entry.header);
    assert_eq!(again.items.len(), entry.items.len());
}

/// A broker in a folder of its own, empty at the start.
fn broker() -> Probe {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let target = broker::fuzz_target(folder.path()).expect("the broker opens");
    Box::new(move |bytes| {
        let _kept = &folder;
        target(bytes);
    })
}

/// Lines of `Name version hex`. The broker's own tests write the file, and check that it is
/// complete.
fn requests() -> Vec<Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus/requests.txt");
    let text = fs::read_to_string(path).expect("the corpus is there");
    let bytes = |line: &str| {
        let digits = line.rsplit(' ').next().expect("a line has words").as_bytes();
        let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
        pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
    };
    text.lines().map(bytes).collect()
}
