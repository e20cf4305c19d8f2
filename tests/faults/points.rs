//! A failure at each step of a commit changes no row of the example.
//!
//! Every point of `stream::failpoint` times panic, abort and error: the process fails there in the
//! epoch that writes the example's rows, a second one finishes, and the outputs are those of a run
//! that nothing disturbed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;

use broker::{Broker, BrokerConfig, Port};
use stream::failpoint::POINTS;

use crate::command::{Folder, Output, finished};
use crate::reader::committed_values;

const OUTPUTS: [&str; 4] = [
    "ecom.events-clean.v1",
    "ecom.events-enriched.v1",
    "ecom.user-sessions.v1",
    "ecom.product-popularity.v1",
];

const FINISH: [&str; 5] = ["run", "--once", "--close-windows", "--commit-interval", "10ms"];

/// So many cases of a test run at a time.
const AT_ONCE: usize = 4;

/// By output and row how often it is there.
type Rows = BTreeMap<(&'static str, String), u64>;

#[test]
fn a_panic_at_each_point_changes_no_row() {
    check_all("panic", 2);
}

#[test]
fn an_abort_at_each_point_changes_no_row() {
    check_all("abort", 2);
}

#[test]
fn an_abort_at_each_point_of_the_first_epoch_changes_no_row() {
    check_all("abort", 1);
}

#[test]
fn an_error_at_each_point_changes_no_row() {
    check_all("error", 2);
}

fn check_all(action: &str, times: u32) {
    let template = template();
    // A case is mostly waiting for brokers that start and end.
    std::thread::scope(|scope| {
        for points in POINTS.chunks(POINTS.len().div_ceil(AT_ONCE)) {
            scope.spawn(move || {
                for point in points {
                    check(template, point, action, times);
                }
            });
        }
    });
}

fn check(template: &Template, point: &str, action: &str, times: u32) {
    let folder = Folder::new();
    copy(template.folder.path(), folder.path());
    let failpoint = format!("{point}={action}@{times}");
    let failed = run(&folder, Some(&failpoint));
    match action {
        "abort" => assert_eq!(failed.code, -1, "{failpoint} is not reached: {}", failed.err),
        _ => assert!(failed.err.contains(point), "{failpoint} is not reached: {}", failed.err),
    }
    let finished = run(&folder, None);
    assert_eq!(finished.code, 0, "after {failpoint}: {}", finished.err);
    let rows = rows(folder.path());
    let (lost, doubled) = difference(&template.expected, &rows);
    assert!(lost.is_empty() && doubled.is_empty(), "{failpoint}: {lost:?} {doubled:?}");
}

/// Some of the rows that are too few, and too many.
fn difference(expected: &Rows, found: &Rows) -> (Vec<String>, Vec<String>) {
    let beyond = |these: &Rows, those: &Rows| {
        these
            .iter()
            .filter(|(row, count)| those.get(*row).copied().unwrap_or_default() < **count)
            .map(|((topic, row), _)| format!("{topic}: {row}"))
            .take(3)
            .collect()
    };
    (beyond(expected, found), beyond(found, expected))
}

fn run(folder: &Folder, failpoint: Option<&str>) -> Output {
    let mut command = folder.command(&FINISH);
    if let Some(failpoint) = failpoint {
        command.env("ENGINE_FAILPOINT", failpoint);
    }
    finished(&command.stdin(Stdio::null()).output().expect("the binary runs"))
}

/// The example: its products have been read, its clicks wait.
struct Template {
    folder: Folder,
    /// What a run that nothing disturbs writes.
    expected: Rows,
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = Folder::new();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ecommerce");
        copy(&example, folder.path());
        for (topic, partitions) in [("ecom.clickstream.v1", "2"), ("ecom.products.v1", "1")] {
            folder.succeed(&["topic", "create", topic, "--partitions", partitions]);
        }
        let products = ["ecom.products.v1", "data/products.jsonl", "-k", "product_id"];
        let dated = ["--timestamp", "updated_at"];
        folder.succeed(&[&["topic", "produce"][..], &products, &dated].concat());
        folder.succeed(&["run", "--once"]);
        let clicks = ["ecom.clickstream.v1", "data/clickstream.jsonl", "-k", "session_id"];
        folder.succeed(&[&["topic", "produce"][..], &clicks].concat());
        let undisturbed = Folder::new();
        copy(folder.path(), undisturbed.path());
        undisturbed.succeed(&FINISH);
        let expected = rows(undisturbed.path());
        for output in OUTPUTS {
            assert!(expected.keys().any(|(topic, _)| *topic == output), "{output} has rows");
        }
        Template { folder, expected }
    })
}

/// The committed rows of all models.
fn rows(folder: &Path) -> Rows {
    let config = BrokerConfig { port: Port::Any, ..BrokerConfig::new(folder.join(".engine")) };
    let broker = Broker::open(&config).expect("the project's broker opens");
    let mut rows = Rows::new();
    let values = committed_values(&broker.address().to_string(), &OUTPUTS);
    for (topic, values) in OUTPUTS.into_iter().zip(values) {
        for value in values {
            *rows.entry((topic, value)).or_default() += 1;
        }
    }
    rows
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file can be copied");
        }
    }
}
