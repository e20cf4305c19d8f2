//! A standby on the embedded broker, which lives in the process that it stands by for.

use std::net::TcpListener;

use crate::command::Folder;
use crate::runs::wait_for_lines;

const FILES: [(&str, &str); 2] = [
    (
        "sources/s.yml",
        "sources:\n  - name: clicks\n    topic: clicks\n    columns: [{name: k}, {name: n, type: BIGINT}, {name: at}]\n  - name: prices\n    topic: prices\n    columns: [{name: item}, {name: price, type: BIGINT}, {name: at}]\n",
    ),
    (
        "models/m.yml",
        "models:\n  - name: priced\n    topic: {name: priced, partitions: 2}\n    key: k\n    sql: |\n      SELECT c.k, c.n, p.price, c.at FROM {{ source(\"clicks\") }} c\n      LEFT JOIN {{ source(\"prices\") }} FOR SYSTEM_TIME AS OF c.at AS p ON c.k = p.item\n",
    ),
];

/// A project whose broker has a port of its own: the next one of the usual ports might be taken by
/// another test before the standby opens the broker anew.
fn project() -> Folder {
    let folder = Folder::new();
    for (path, text) in FILES {
        folder.write(path, text);
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    folder.write(
        "stream_project.yml",
        format!("project: {{name: pair}}\nruntime:\n  broker: {{listen: \"{address}\"}}\n  engine: {{lease: 1s, commit_interval: 50ms}}\n"),
    );
    folder
}

#[track_caller]
fn produce(folder: &Folder, topic: &str, key: &str, lines: &[String]) {
    let arguments = ["topic", "produce", topic, "-k", key, "-t", "at"];
    let output = folder.engine_with(&arguments, lines.join("\n").as_bytes());
    assert_eq!(output.code, 0, "{}", output.err);
}

/// A price from a minute on.
fn price(folder: &Folder, price: u32) {
    let minute = price - 1;
    let line = format!(r#"{{"item":"a","price":{price},"at":"2026-01-01T00:0{minute}:00Z"}}"#);
    produce(folder, "prices", "item", &[line]);
}

/// Two clicks in a minute, numbered 2 * minute + 1 and + 2.
fn clicks(folder: &Folder, minute: u32) {
    let click = |number: u32, second: u32| {
        let number = 2 * minute + number;
        format!(r#"{{"k":"a","n":{number},"at":"2026-01-01T00:0{minute}:{second}Z"}}"#)
    };
    produce(folder, "clicks", "k", &[click(1, 30), click(2, 50)]);
}

/// Prices are carried in the journal, because their topic is compacted: a standby does not read
/// them from the topic until it has taken over.
#[test]
fn a_standby_goes_on_where_the_owner_and_its_broker_were_killed() {
    let folder = project();
    folder.succeed(&["topic", "create", "prices", "--config", "cleanup.policy=compact"]);
    price(&folder, 1);
    clicks(&folder, 0);
    let mut owner = folder.start(&["run"]);
    owner.wait_for("embedded broker");
    // A click leaves when the watermark has passed it.
    wait_for_lines(&folder, "priced", 1);
    let mut standby = folder.start(&["run", "--standby"]);
    standby.wait_for("standby of `");
    let second = folder.engine(&["run", "--standby"]);
    assert_eq!(second.code, 1, "{}", second.err);
    assert!(second.err.contains("one is enough"), "{}", second.err);
    price(&folder, 2);
    clicks(&folder, 1);
    wait_for_lines(&folder, "priced", 3);
    owner.signal("KILL");
    owner.end();
    price(&folder, 3);
    clicks(&folder, 2);
    standby.wait_for("took over from `");
    wait_for_lines(&folder, "priced", 5);
    standby.signal("TERM");
    let ended = standby.end();
    assert_eq!(ended.code, 0, "{}", ended.err);
    folder.succeed(&["run", "--once", "--close-windows"]);
    let expected: Vec<String> = (1..=6)
        .map(|n| {
            let (minute, second) = ((n - 1) / 2, if n % 2 == 1 { 30 } else { 50 });
            let price = minute + 1;
            format!(
                r#"{{"k":"a","n":{n},"price":{price},"at":"2026-01-01T00:0{minute}:{second}Z"}}"#
            )
        })
        .collect();
    let mut found = folder.lines("priced");
    found.sort_by_key(|line| line.split("\"n\":").nth(1).map(str::to_owned));
    assert_eq!(found, expected);
}
