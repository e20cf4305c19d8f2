//! The targets, one function and one constant each.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_kafka::{Headers, Message, OwnedMessages};
use catalog::graph::select;
use catalog::load::{LoadOptions, load_texts};
use catalog::place::{Files, Place};
use catalog::schema;
use connectors::SliceDecoder;
use planner::dataflow::Dataflow;
use planner::plan::{PlanOptions, plan};
use runtime::Entry;
use runtime::codec::source_spec;
use runtime::fold::Fold;
use state::{About, Location, Snapshots, Table};
use stream::{Epoch, Fingerprint, Generation, Item, ProcessingTime};

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

/// What a restore reads: manifests, and tables that get as far as the operators.
pub(crate) const SNAPSHOT: Target = Target {
    name: "snapshot",
    corpus: snapshot_files,
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
        "../",
        "18446744073709551616",
    ],
    rounds: 60,
    open: restore,
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

/// Files of a snapshot of [`SHOP`]'s dataflow: its manifest, and its tables as Arrow files.
fn snapshot_files() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let place = Location::Folder(folder.path().to_owned());
    let snapshots = Snapshots::open(&place).expect("a folder holds snapshots");
    let about = About {
        journal_id: "00000000000000aa".to_owned(),
        generation: Generation(1),
        epoch: Epoch(7),
        journal_offset: 3,
        fold_version: 1,
        fingerprint: Fingerprint("f".to_owned()),
        cluster_id: None,
        engine: "0".to_owned(),
        created: ProcessingTime(0),
        readers: Vec::new(),
        project: "project".to_owned(),
    };
    let written = snapshots.write(about, filled_fold().freeze().tables());
    let manifest = written.expect("a snapshot can be written");
    let folder = folder.path().join("snapshots").join(manifest.id.to_string());
    let names = manifest.tables.iter().map(|table| table.file.as_str());
    std::iter::once("manifest.jsonl")
        .chain(names)
        .map(|name| fs::read(folder.join(name)).expect("a file of the snapshot"))
        .collect()
}

/// Puts `bytes`, where they are a table, in the place of each table of the same columns.
fn restore() -> Probe {
    let dataflow = Arc::new(shop_dataflow());
    let whole = filled_fold().snapshot();
    Box::new(move |bytes| {
        let Some(table) = state::fuzz_read(bytes) else { return };
        for operator in 0..whole.len() {
            for at in 0..whole[operator].1.len() {
                let mut tables = whole.clone();
                let place = &mut tables[operator].1[at];
                if place.schema == table.schema {
                    *place = Table { name: place.name.clone(), ..table.clone() };
                    let mut fold = Fold::new(&dataflow).expect("a fold");
                    // Whether it is refused is the operator's to say.
                    let _restored = fold.restore(tables);
                }
            }
        }
    })
}

/// A dataflow with windows and a temporal join.
fn shop_dataflow() -> Dataflow {
    let model = "models:\n  - name: priced\n    sql: |\n      SELECT o.id, o.item, o.amount, o.ts, i.name FROM {{ source(\"orders\") }} o LEFT JOIN {{ source(\"items\") }} FOR SYSTEM_TIME AS OF o.ts AS i ON o.item = i.sku\n  - name: sums\n    sql: |\n      SELECT item, COUNT(*) AS n, COUNT(DISTINCT id) AS ids, SUM(amount) AS total, MAX(name) AS name, AVG(amount) AS mean, TUMBLE_START(ts, INTERVAL '1' MINUTE) AS minute FROM {{ ref(\"priced\") }} GROUP BY item, TUMBLE(ts, INTERVAL '1' MINUTE)\n";
    let texts = [("sources/shop.yml", SHOP), ("models/a.yml", model)];
    let loaded = load_texts(&texts, &LoadOptions::default());
    let project = loaded.project.expect("the project can be read");
    let planned = plan(&project, &PlanOptions::default());
    planned.dataflow.unwrap_or_else(|| panic!("{:?}", planned.diagnostics))
}

/// A fold that has seen rows: some wait for versions, some lie in open windows.
fn filled_fold() -> Fold {
    let dataflow = Arc::new(shop_dataflow());
    let mut fold = Fold::new(&dataflow).expect("a fold");
    let clock = Item::Clock(ProcessingTime(1_800_000_000_000));
    fold.step(&clock, None).expect("a clock");
    for (_, source) in dataflow.sources() {
        let mut decoder = SliceDecoder::new(&source_spec(source, false)).expect("a decoder");
        let texts: Vec<String> = (0..40)
            .map(|number| {
                let item = number % 7;
                format!(r#"{{"id":"o{number}","item":"i{item}","sku":"i{item}","name":"name {number}","amount":{number},"ts":"2026-01-01T00:{number:02}:00Z"}}"#)
            })
            .collect();
        let messages = (0..).zip(&texts).map(|(offset, text)| message(offset, text));
        let records: OwnedMessages = messages.collect();
        let rows = decoder.decode(|| records.iter()).expect("rows");
        let reader = source.reader.clone();
        let slice = Item::Slice { reader, partition: 0, from: 0, to: 40, records: 40 };
        fold.step(&slice, Some(rows)).expect("a slice");
    }
    fold
}

fn message(offset: i64, text: &str) -> Message<'_> {
    Message {
        key: None,
        payload: Some(text.as_bytes()),
        partition: 0,
        offset,
        timestamp_ms: Some(1_767_225_600_000 + offset * 30_000),
        headers: Headers::NONE,
    }
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
