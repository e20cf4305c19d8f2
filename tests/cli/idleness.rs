//! What a run says of sources that are silent, and of transactions that hold them back.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::command::Folder;
use crate::running::Running;

/// Long enough for a loaded machine; nothing waits that long when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

/// Windows of a minute over a topic whose partitions count as idle after a tenth of a second.
fn project() -> Folder {
    let folder = Folder::new();
    folder.write(
        "stream_project.yml",
        "project: {name: idle}\nruntime:\n  engine: {idle_timeout: 100ms, commit_interval: 50ms}\n",
    );
    folder.write(
        "sources/s.yml",
        "sources:\n  - name: clicks\n    topic: clicks\n    columns:\n      - name: k\n      - name: at\n",
    );
    folder.write(
        "models/m.yml",
        "models:\n  - name: minutes\n    sql: |\n      SELECT k, COUNT(*) AS clicks FROM {{ source(\"clicks\") }}\n      GROUP BY k, TUMBLE(at, INTERVAL '1' MINUTE)\n",
    );
    folder
}

fn started_broker(folder: &Folder) -> (Running, String) {
    let mut broker = folder.start(&["broker"]);
    let line = broker.line();
    (broker, line.strip_prefix("listening on ").expect("its address").to_owned())
}

fn producer(address: &str, settings: &[(&str, &str)]) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address);
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.create().expect("a producer")
}

fn click(producer: &BaseProducer, partition: i32, second: u32) {
    let (minute, second) = (second / 60, second % 60);
    let value = format!("{{\"k\":\"a\",\"at\":\"2026-01-01T00:{minute:02}:{second:02}Z\"}}");
    let record = BaseRecord::<str, str>::to("clicks").partition(partition).payload(&value);
    producer.send(record).map_err(|(error, _)| error).expect("room in the queue");
    producer.flush(PATIENCE).expect("delivered");
}

#[test]
fn an_open_transaction_holds_its_partition_and_is_named() {
    let folder = project();
    let (broker, address) = started_broker(&folder);
    folder.succeed(&["topic", "create", "clicks", "--partitions", "2"]);
    let plain = producer(&address, &[]);
    click(&plain, 0, 10);
    click(&plain, 0, 200);
    let transactional = producer(&address, &[("transactional.id", "slow")]);
    transactional.init_transactions(PATIENCE).expect("a producer id");
    transactional.begin_transaction().expect("a transaction");
    click(&transactional, 1, 20);
    let mut run = folder.start(&["run", "--progress", "plain"]);
    let told = run.wait_for("held by an open transaction");
    assert!(told.contains("clicks") && told.contains("partition 1"), "{told}");
    // More than a second has passed, ten times what makes an empty partition idle.
    assert_eq!(folder.lines("minutes"), Vec::<String>::new());
    transactional.commit_transaction(PATIENCE).expect("committed");
    // Its row belongs to the window that would have been closed by now.
    let closed = r#"{"k":"a","clicks":2}"#;
    while folder.lines("minutes").is_empty() {}
    assert_eq!(folder.lines("minutes"), [closed]);
    run.signal("TERM");
    assert_eq!(run.end().code, 0);
    broker.signal("TERM");
    assert_eq!(broker.end().code, 0);
}

#[test]
fn once_does_not_pass_over_an_open_transaction() {
    let folder = project();
    let (broker, address) = started_broker(&folder);
    folder.succeed(&["topic", "create", "clicks", "--partitions", "2"]);
    let plain = producer(&address, &[]);
    click(&plain, 0, 10);
    click(&plain, 0, 200);
    let transactional = producer(&address, &[("transactional.id", "slow")]);
    transactional.init_transactions(PATIENCE).expect("a producer id");
    transactional.begin_transaction().expect("a transaction");
    click(&transactional, 1, 20);
    let out = folder.succeed(&["run", "--once"]);
    assert!(out.contains("model=minutes read=2 wrote=0 late=0"), "{out}");
    transactional.abort_transaction(PATIENCE).expect("aborted");
    let out = folder.succeed(&["run", "--once"]);
    assert!(out.contains("model=minutes read=0 wrote=1 late=0"), "{out}");
    broker.signal("TERM");
    assert_eq!(broker.end().code, 0);
}

#[test]
fn an_open_window_of_a_silent_source_is_explained() {
    let folder = project();
    folder.engine_with(
        &["topic", "produce", "clicks"],
        b"{\"k\":\"a\",\"at\":\"2026-01-01T00:00:10Z\"}\n",
    );
    let once = folder.engine(&["run", "--once"]);
    let left = "note: minutes keeps windows open, the first until 2026-01-01 00:01:00:";
    assert!(once.err.contains(left), "{}", once.err);
    let mut run = folder.start(&["run", "--progress", "plain"]);
    let told = run.wait_for("model=minutes");
    assert!(
        told.contains(
            "waits=\"open until 2026-01-01 00:01:00, newest event 2026-01-01 00:00:10; closes with \
             a clicks event at or after 2026-01-01 00:01:05 (silent for "
        ),
        "{told}"
    );
    assert!(told.contains(" lag=0 watermark=2026-01-01T00:00:05.000Z "), "{told}");
    run.signal("TERM");
    assert_eq!(run.end().code, 0);
}
