//! `engine topic`.

use std::sync::Arc;
use std::time::Duration;

use arrow_kafka::{Producer, Record};

use crate::command::Folder;

#[test]
fn an_existing_topic_is_not_created_again() {
    let folder = Folder::new();
    folder.succeed(&["topic", "create", "events", "--partitions", "3"]);
    let again = folder.engine(&["topic", "create", "events", "--partitions", "3"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("`events` exists already"), "{}", again.err);
    assert!(folder.succeed(&["topic", "describe", "events"]).contains("3 partitions"));
}

#[test]
fn a_list_has_one_topic_a_line_and_whole_names() {
    let folder = Folder::new();
    let long = "a".repeat(240);
    folder.succeed(&["topic", "create", &long]);
    folder.succeed(&["topic", "create", "b"]);
    let list = folder.succeed(&["topic", "list"]);
    let names: Vec<&str> =
        list.lines().map(|line| line.split_whitespace().next().expect("a name")).collect();
    assert_eq!(names, [long.as_str(), "b"]);
}

#[test]
fn values_are_stored_byte_for_byte() {
    let folder = Folder::new();
    folder.succeed(&["topic", "create", "events"]);
    let lines: [&[u8]; 7] = [
        br#"{"k": "a",   "n": 1.50}"#,
        br#"{"k":"\u00e9","x":"  "}  "#,
        b"not json at all",
        br#"{"k":null}"#,
        br#"{"cut":"#,
        "{\"k\":\"Łódź\"}".as_bytes(),
        b"{\"k\":\"\xff\xfe\"}",
    ];
    let mut input = lines.join(&b'\n');
    input.extend_from_slice(b"\n\n");
    let produced = folder.engine_with(&["topic", "produce", "events"], &input);
    assert_eq!((produced.code, produced.out.as_str()), (0, ""), "{}", produced.err);
    let output = folder
        .command(&["topic", "consume", "events", "--until-end"])
        .output()
        .expect("the binary runs");
    assert!(output.status.success());
    let mut expected = lines.join(&b'\n');
    expected.push(b'\n');
    assert_eq!(output.stdout, expected, "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_key_is_the_fields_text() {
    let folder = Folder::new();
    folder.succeed(&["topic", "create", "events"]);
    let file = folder.write(
        "in.jsonl",
        "{\"k\":\"text\",\"v\":1}\n{\"k\":12.50}\n{\"k\":null}\n{\"v\":2}\n{\"k\":true}\n{\"k\":\"\"}\n",
    );
    let file = file.to_string_lossy().into_owned();
    folder.succeed(&["topic", "produce", "events", "--key", "k", &file]);
    let keys = folder.succeed(&["topic", "consume", "events", "--until-end", "-f", "[%k]"]);
    assert_eq!(keys, "[text]\n[12.50]\n[null]\n[null]\n[true]\n[]\n");
}

#[test]
fn a_timestamp_field_becomes_the_records_time_and_stays_in_the_value() {
    let folder = Folder::new();
    folder.succeed(&["topic", "create", "events"]);
    let lines = "{\"at\":\"2026-01-01T00:00:01.500Z\"}\n{\"at\":1767225602500}\n";
    let arguments = ["topic", "produce", "events", "--timestamp", "at"];
    assert_eq!(folder.engine_with(&arguments, lines.as_bytes()).code, 0);
    let times = folder.succeed(&["topic", "consume", "events", "--until-end", "-f", "%T"]);
    assert_eq!(times, "1767225601500\n1767225602500\n");
    assert_eq!(folder.succeed(&["topic", "consume", "events", "--until-end"]), lines);
}

#[test]
fn without_a_timestamp_field_the_clock_counts() {
    let folder = Folder::new();
    folder.succeed(&["topic", "create", "events"]);
    let produced = folder.engine_with(&["topic", "produce", "events"], b"{\"at\":5}\n");
    assert_eq!(produced.code, 0);
    let time = folder.succeed(&["topic", "consume", "events", "--until-end", "-f", "%T"]);
    assert!(time.trim().parse::<u64>().expect("a time") > 1_700_000_000_000, "{time}");
}

#[test]
fn keys_keep_to_one_partition_and_all_partitions_are_read() {
    let folder = Folder::new();
    folder.succeed(&["topic", "create", "events", "--partitions", "6"]);
    let line = |n: u32| format!("{{\"k\":\"k{}\",\"n\":{n}}}", n % 40);
    let mut expected: Vec<String> = (0..600).map(line).collect();
    let input = expected.join("\n");
    let produced = folder.engine_with(&["topic", "produce", "events", "-k", "k"], input.as_bytes());
    assert_eq!(produced.code, 0, "{}", produced.err);
    let text = folder.succeed(&["topic", "consume", "events", "--until-end", "-f", "%k %p"]);
    let mut pairs: Vec<&str> = text.lines().collect();
    assert_eq!(pairs.len(), 600);
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(pairs.len(), 40, "each key is in one partition");
    expected.sort_unstable();
    assert_eq!(folder.lines("events"), expected);
    let counted = folder.succeed(&["topic", "consume", "events", "--until-end", "-n", "7"]);
    assert_eq!(counted.lines().count(), 7);
}

#[test]
fn null_values_and_uncommitted_records_are_not_printed() {
    let folder = Folder::new();
    let mut broker = folder.start(&["broker"]);
    let address = broker.line().replace("listening on ", "");
    folder.succeed(&["topic", "create", "events"]);
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let settings = [
        setting("bootstrap.servers", &address),
        setting("transactional.id", "test"),
        setting("transaction.timeout.ms", "60000"),
    ];
    let producer = Arc::new(Producer::open(&settings).expect("a producer"));
    let limit = Duration::from_secs(20);
    let write = |values: &[Option<&str>]| {
        let topic = producer.topic("events", &[]).expect("a topic");
        for value in values {
            let value = value.map(str::as_bytes);
            let record = Record { key: Some(b"k"), value, ..Record::default() };
            producer.produce(&topic, &record).expect("room in the queue");
        }
    };
    producer.init_transactions(limit).expect("the first of its name");
    producer.begin_transaction().expect("none is open");
    write(&[Some("one"), None, Some("two")]);
    producer.commit_transaction(Some(limit)).expect("nothing failed");
    producer.begin_transaction().expect("none is open");
    write(&[Some("aborted")]);
    producer.flush(limit).expect("the broker answers");
    producer.abort_transaction(Some(limit)).expect("it is open");
    producer.begin_transaction().expect("none is open");
    write(&[Some("open")]);
    producer.flush(limit).expect("the broker answers");
    // Six offsets are before the end of what is committed or aborted.
    let all = ["topic", "consume", "events", "--until-end", "--offset", "-6"];
    assert_eq!(folder.succeed(&all), "one\ntwo\n");
    // What is committed while the end is waited for is shown.
    let mut reader = folder.start(&["topic", "consume", "events", "--until-end"]);
    assert_eq!([reader.line(), reader.line()], ["one", "two"]);
    producer.commit_transaction(Some(limit)).expect("it is open");
    assert_eq!(reader.line(), "open");
    assert_eq!(reader.end().code, 0);
    broker.signal("TERM");
    assert_eq!(broker.end().code, 0);
}

#[test]
fn an_empty_topic_gives_nothing_and_a_missing_one_is_named() {
    let folder = Folder::new();
    folder.succeed(&["topic", "create", "events", "--partitions", "3"]);
    assert_eq!(folder.succeed(&["topic", "consume", "events", "--until-end"]), "");
    for arguments in [
        &["topic", "consume", "missing", "--until-end"][..],
        &["topic", "produce", "missing"],
        &["topic", "describe", "missing"],
    ] {
        let output = folder.engine(arguments);
        assert_eq!((output.code, output.out.as_str()), (1, ""), "{arguments:?}");
        assert!(output.err.contains("topic `missing` does not exist"), "{}", output.err);
        assert!(output.err.contains("next: "), "{}", output.err);
    }
}

#[test]
fn a_missing_file_creates_no_topic() {
    let folder = Folder::new();
    assert_eq!(folder.engine(&["init", ".", "--template", "empty"]).code, 0);
    let output = folder.engine(&["topic", "produce", "events.v1", "missing.jsonl"]);
    assert_eq!(output.code, 1);
    assert!(output.err.contains("missing.jsonl"), "{}", output.err);
    assert_eq!(folder.succeed(&["topic", "list"]), "");
}

#[test]
fn a_broken_pipe_is_no_error() {
    let folder = Folder::new();
    folder.succeed(&["topic", "create", "events"]);
    let input = "{\"filler\":\"0123456789012345678901234567890123456789\"}\n".repeat(100_000);
    assert_eq!(folder.engine_with(&["topic", "produce", "events"], input.as_bytes()).code, 0);
    let mut reader = folder.start(&["topic", "consume", "events", "--until-end"]);
    assert!(reader.line().starts_with("{\"filler\""));
    reader.close_out();
    let output = reader.end();
    assert_eq!((output.code, output.err.as_str()), (0, ""));
}

#[test]
fn a_root_file_alone_says_where_topics_are() {
    let folder = Folder::new();
    let kafka = "project: {name: p}\nruntime: {kafka: {bootstrap_servers: \"127.0.0.1:1\"}}\n";
    folder.write("stream_project.yml", kafka);
    for arguments in [&["topic", "create", "t"][..], &["topic", "list"], &["debug"]] {
        let output = folder.engine(arguments);
        assert_ne!(output.code, 0, "{arguments:?}: {}", output.out);
    }
    assert!(folder.engine(&["debug"]).out.contains("127.0.0.1:1"), "debug says where it looks");
    assert!(!folder.path().join(".engine/broker").exists(), "it is not that of the folder");
}
