use std::ops::Range;

use arrow_kafka::{Format, Headers, NullValue};

use super::*;

const NUMBERS: [Option<&str>; 9] = [
    Some(r#"{"n":1}"#),
    None,
    Some("no JSON"),
    Some(r#"{"n":2}"#),
    Some(r#"{"n":3}"#),
    Some(r#"{"n":"x"}"#),
    None,
    None,
    Some(r#"{"n":4}"#),
];

/// Between two records lies an offset that is none: a mark of a transaction.
const OFFSETS_PER_RECORD: i64 = 2;

fn decoder() -> SliceDecoder {
    let column = ColumnSpec {
        name: "n".to_owned(),
        data_type: DataType::Int64,
        source: ColumnSource::Value("n".to_owned()),
    };
    SliceDecoder::new(&SourceSpec {
        source: "numbers".to_owned(),
        topic: "numbers".to_owned(),
        decode: DecodeSpec {
            format: Format::Json,
            columns: vec![column],
            null_value: NullValue::Skip,
        },
        is_carrying: false,
    })
    .expect("it can be read")
}

fn messages(range: Range<usize>) -> impl Iterator<Item = Message<'static>> {
    (0..).zip(NUMBERS).skip(range.start).take(range.len()).map(|(number, value)| Message {
        key: None,
        payload: value.map(str::as_bytes),
        partition: 3,
        offset: number * OFFSETS_PER_RECORD,
        timestamp_ms: Some(0),
        headers: Headers::NONE,
    })
}

/// Everything that a slice says.
#[derive(Debug, PartialEq)]
struct Told {
    numbers: Vec<i64>,
    offsets: Vec<i64>,
    rejected: Vec<(i64, String)>,
    nulls_skipped: u64,
}

fn told(rows: &SliceRows) -> Told {
    let origin = rows.batch.origin.as_ref().expect("rows have origins");
    let rejected = rows.rejected.iter();
    Told {
        numbers: rows.batch.rows.column(0).as_primitive::<Int64Type>().values().to_vec(),
        offsets: origin.offset.values().to_vec(),
        rejected: rejected.map(|one| (one.offset, one.detail.clone())).collect(),
        nulls_skipped: rows.nulls_skipped,
    }
}

#[test]
fn cut_rows_are_those_of_slices_that_were_decoded_one_by_one() {
    let mut decoder = decoder();
    let count = NUMBERS.len();
    for length in 1..=count {
        let mut decoded = (decoder.decode(|| messages(0..count)).expect("decoded"), 0);
        for from in (0..count).step_by(length) {
            let to = count.min(from + length);
            let end = i64::try_from(to).expect("small") * OFFSETS_PER_RECORD;
            let cut = decoder.cut(&mut decoded, end, || messages(from..to));
            let alone = decoder.decode(|| messages(from..to)).expect("decoded");
            assert_eq!(told(&cut), told(&alone), "{from} to {to}");
        }
    }
}
