//! Decoders of every format over every type, for [`super::fuzz_decode`].

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use super::{ColumnSource, ColumnSpec, CsvFormat, DecodeSpec, Decoder, Format, NullValue};

/// A column of every type; field `a` of an object is read as each of them.
pub(super) fn data_types() -> Vec<DataType> {
    let utf8 = || DataType::Utf8;
    let entries = Fields::from(vec![
        Field::new("key", utf8(), false),
        Field::new("value", DataType::Int32, false),
    ]);
    let row = Fields::from(vec![
        Field::new("a", DataType::Int64, true),
        Field::new("b", DataType::new_list(DataType::Float64, true), true),
    ]);
    vec![
        utf8(),
        DataType::Binary,
        DataType::Boolean,
        DataType::Int8,
        DataType::Int64,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(10, 2),
        DataType::Date32,
        DataType::Time32(TimeUnit::Millisecond),
        DataType::Timestamp(TimeUnit::Nanosecond, None),
        DataType::new_list(utf8(), true),
        DataType::Struct(row),
        DataType::Map(Field::new("entries", DataType::Struct(entries), false).into(), false),
    ]
}

/// One decoder for each type and format that fit.
pub(super) fn decoders() -> Vec<Decoder> {
    let mut decoders = Vec::new();
    for data_type in data_types() {
        let formats =
            [Format::Json, Format::Csv(CsvFormat::new(vec!["a".to_owned()])), Format::Raw];
        for format in formats {
            let column = |name: &str, data_type: DataType, source| ColumnSpec {
                name: name.to_owned(),
                data_type,
                source,
            };
            let columns = vec![
                column("a", data_type.clone(), ColumnSource::Value("a".to_owned())),
                column("key", DataType::Binary, ColumnSource::Key),
                column("offset", DataType::Int64, ColumnSource::Offset),
            ];
            let null_value = NullValue::Delete { key_column: 0 };
            decoders.extend(Decoder::new(DecodeSpec { format, columns, null_value }));
        }
    }
    decoders
}
