//! The example project, ready to run, and what it writes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use broker::{Broker, BrokerConfig, Port};

use crate::command::Folder;
use crate::folder_copy::copy;
use crate::reader::committed_values;

const OUTPUTS: [&str; 4] = [
    "ecom.events-clean.v1",
    "ecom.events-enriched.v1",
    "ecom.user-sessions.v1",
    "ecom.product-popularity.v1",
];

/// How a run finishes it.
pub(crate) const FINISH: [&str; 5] =
    ["run", "--once", "--close-windows", "--commit-interval", "10ms"];

/// By output and row how often it is there.
pub(crate) type Rows = BTreeMap<(&'static str, String), u64>;

/// A folder to begin with.
pub(crate) struct Template {
    pub(crate) folder: Folder,
    /// What a run that nothing disturbs writes.
    pub(crate) expected: Rows,
}

impl Template {
    pub(crate) fn new(folder: Folder) -> Self {
        let undisturbed = Folder::new();
        copy(folder.path(), undisturbed.path());
        undisturbed.succeed(&FINISH);
        let expected = rows(undisturbed.path());
        for output in OUTPUTS {
            assert!(expected.keys().any(|(topic, _)| *topic == output), "{output} has rows");
        }
        Self { folder, expected }
    }
}

/// The example: its products have been read, its clicks wait.
pub(crate) fn prepared() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = with_products();
        folder.succeed(&["run", "--once"]);
        produce_clicks(&folder, "data/clickstream.jsonl");
        Template::new(folder)
    })
}

/// Some of the rows that are too few, and too many.
pub(crate) fn difference(expected: &Rows, found: &Rows) -> (Vec<String>, Vec<String>) {
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

pub(crate) fn with_products() -> Folder {
    let folder = Folder::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ecommerce");
    copy(&example, folder.path());
    for (topic, partitions) in [("ecom.clickstream.v1", "2"), ("ecom.products.v1", "1")] {
        folder.succeed(&["topic", "create", topic, "--partitions", partitions]);
    }
    let products = ["ecom.products.v1", "data/products.jsonl", "-k", "product_id"];
    let dated = ["--timestamp", "updated_at"];
    folder.succeed(&[&["topic", "produce"][..], &products, &dated].concat());
    folder
}

pub(crate) fn produce_clicks(folder: &Folder, file: &str) {
    folder.succeed(&["topic", "produce", "ecom.clickstream.v1", file, "-k", "session_id"]);
}

pub(crate) fn open_broker(folder: &Path) -> Broker {
    let config = BrokerConfig { port: Port::Any, ..BrokerConfig::new(folder.join(".engine")) };
    Broker::open(&config).expect("the project's broker opens")
}

/// The committed rows of all models.
pub(crate) fn rows(folder: &Path) -> Rows {
    let broker = open_broker(folder);
    let mut rows = Rows::new();
    let values = committed_values(&broker.address().to_string(), &OUTPUTS);
    for (topic, values) in OUTPUTS.into_iter().zip(values) {
        for value in values {
            *rows.entry((topic, value)).or_default() += 1;
        }
    }
    rows
}
