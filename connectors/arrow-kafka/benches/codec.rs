//! How many rows a second does one core decode from JSON, and encode to it?
//!
//! Workload: clickstream events of some 300 bytes with 13 columns (12 STRING, one TIMESTAMP(3)),
//! 4,096 messages a batch, as a file of JSON lines given as argument, else made here from a fixed
//! seed. The bound that no decoder could beat is checking the bytes as UTF-8; that no encoder
//! could beat is copying the values: both are measured beside. Each figure is the mean of
//! several passes, in time on the core, since the machine has other work.
//!
//! `cargo bench -p arrow-kafka --bench codec [-- FILE]`

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use arrow::datatypes::{DataType, TimeUnit};
use arrow::record_batch::RecordBatch;
use arrow_kafka::{
    ColumnSource, ColumnSpec, DecodeSpec, Decoder, EncodeSpec, Encoded, Encoder, Format, Headers,
    Message, NullValue, OwnedMessages,
};

const ROWS: usize = 50_000;
const BATCH: usize = 4_096;
const PASSES: u32 = 40;

const TEXT_FIELDS: [&str; 12] = [
    "event_id",
    "session_id",
    "user_id",
    "anonymous_id",
    "event_type",
    "page_url",
    "referrer_url",
    "product_id",
    "search_query",
    "device_type",
    "browser",
    "country",
];

fn main() {
    // Cargo adds `--bench`; anything else is the file.
    let file = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let lines = match file {
        Some(file) => std::fs::read_to_string(&file).expect("a readable file"),
        None => events(),
    };
    let batches = messages(&lines);
    let rows: usize = batches.iter().map(OwnedMessages::len).sum();
    let bytes: usize = batches.iter().map(OwnedMessages::bytes).sum();
    println!("{rows} events, {} bytes each", bytes / rows.max(1));

    let utf8 = mean(|| {
        for message in batches.iter().flat_map(OwnedMessages::iter) {
            black_box(std::str::from_utf8(message.payload.unwrap_or_default()).is_ok());
        }
    });
    report("check as UTF-8", rows, bytes, utf8);

    let mut decoder = Decoder::new(spec()).expect("supported types");
    let mut decoded: Vec<RecordBatch> = Vec::new();
    let time = mean(|| decoded = batches.iter().map(|batch| decode(&mut decoder, batch)).collect());
    report("decode, all columns", rows, bytes, time);

    let mut few = spec();
    few.columns.retain(|column| ["session_id", "timestamp"].contains(&column.name.as_str()));
    let mut few = Decoder::new(few).expect("supported types");
    let time = mean(|| batches.iter().for_each(|batch| drop(black_box(decode(&mut few, batch)))));
    report("decode, two columns", rows, bytes, time);

    let schema = decoder.schema();
    let keyed = EncodeSpec { key: Some(1), ..EncodeSpec::json(Arc::clone(schema)) };
    let mut encoder = Encoder::new(keyed).expect("supported types");
    let mut encoded = Encoded::default();
    let mut bytes_out = 0;
    let time = mean(|| {
        bytes_out = 0;
        for rows in &decoded {
            encoder.encode_into(rows, &mut encoded).expect("the same schema");
            bytes_out += black_box(&encoded).bytes();
        }
    });
    report("encode, with key", rows, bytes_out, time);

    let mut copy = Vec::with_capacity(bytes);
    let time = mean(|| {
        copy.clear();
        for message in batches.iter().flat_map(OwnedMessages::iter) {
            copy.extend_from_slice(message.payload.unwrap_or_default());
        }
        black_box(&copy);
    });
    report("copy the values", rows, bytes, time);
}

fn decode(decoder: &mut Decoder, batch: &OwnedMessages) -> RecordBatch {
    let mut rejected = Vec::new();
    let decoded = decoder.decode(batch.iter(), &mut rejected).expect("a small batch");
    assert!(rejected.is_empty(), "the workload is well formed");
    decoded.rows
}

fn spec() -> DecodeSpec {
    let column = |name: &str, data_type| ColumnSpec {
        name: name.to_owned(),
        data_type,
        source: ColumnSource::Value(name.to_owned()),
    };
    let mut columns: Vec<_> = TEXT_FIELDS.iter().map(|name| column(name, DataType::Utf8)).collect();
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    columns.push(column("timestamp", time));
    DecodeSpec { format: Format::Json, columns, null_value: NullValue::Skip }
}

/// The mean of the passes after the first, which warms up.
fn mean(mut pass: impl FnMut()) -> Duration {
    pass();
    let start = time();
    (0..PASSES).for_each(|_| pass());
    time().saturating_sub(start) / PASSES
}

/// This thread's time on a core, where Linux tells it, so that other work counts less; else the
/// time since the first call.
fn time() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .map_or_else(|| START.elapsed(), Duration::from_nanos)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn report(what: &str, rows: usize, bytes: usize, time: Duration) {
    let seconds = time.as_secs_f64();
    println!(
        "{what:<22} {:>6.2} M rows/s  {:>6.0} MB/s  {:>5.0} ns a row",
        rows as f64 / seconds / 1e6,
        bytes as f64 / seconds / 1e6,
        seconds * 1e9 / rows as f64,
    );
}

fn messages(lines: &str) -> Vec<OwnedMessages> {
    let lines: Vec<&str> = lines.lines().collect();
    let message = |line: &&str| {
        let mut one = OwnedMessages::new();
        one.push(Message {
            key: None,
            payload: Some(line.as_bytes()),
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            headers: Headers::NONE,
        });
        one
    };
    lines
        .chunks(BATCH)
        .map(|chunk| {
            let mut batch = OwnedMessages::new();
            for line in chunk {
                message(line).iter().for_each(|message| batch.push(message));
            }
            batch
        })
        .collect()
}

/// Events as the example's generator makes them: some fields missing, some null.
fn events() -> String {
    let mut seed = 42_u64;
    let mut pick = |count: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap_or(0) % count
    };
    let mut lines = String::new();
    for id in 0..ROWS {
        let session = pick(30_000);
        let (user, product) = (pick(5_000), pick(5_000));
        let user_id = if pick(3) == 0 { "null".to_owned() } else { format!("\"u{user:06}\"") };
        let kind = ["page_view", "click", "add_to_cart", "purchase", "search"][pick(5)];
        let query = match pick(4) {
            0 => String::new(),
            1 => "\"search_query\":\"running shoes\",".to_owned(),
            _ => "\"search_query\":null,".to_owned(),
        };
        let browser = ["Chrome", "Safari", "Samsung Internet", "Edge"][pick(4)];
        let country = ["US", "DE", "GB", "JP"][pick(4)];
        let (minute, second, milli) = (pick(60), pick(60), pick(1_000));
        writeln!(
            lines,
            "{{\"event_id\":\"e{id:09}\",\"session_id\":\"s{session:07}\",\"user_id\":{user_id},\
             \"anonymous_id\":\"a{user:06}\",\"event_type\":\"{kind}\",\
             \"page_url\":\"/product/p{product:05}\",\"referrer_url\":null,\
             \"product_id\":\"p{product:05}\",{query}\"device_type\":\"desktop\",\
             \"browser\":\"{browser}\",\"country\":\"{country}\",\
             \"timestamp\":\"2026-01-01T00:{minute:02}:{second:02}.{milli:03}Z\"}}",
        )
        .expect("a `String` takes everything");
    }
    lines
}
