use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int32Array, ListArray,
    StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::Int32Type;

use super::*;

fn encoded(columns: &[ArrayRef]) -> (KeyCodec, EncodedKeys) {
    let types: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
    let codec = KeyCodec::new(&types).expect("these types can be keys");
    let keys = codec.encode(columns, columns[0].len()).expect("the types are the codec's");
    (codec, keys)
}

/// Rows with equal numbers in `classes` must have equal keys, all others different ones.
fn check_equality(column: ArrayRef, classes: &[u32]) {
    let (_, keys) = encoded(&[column]);
    for (left, left_class) in classes.iter().enumerate() {
        for (right, right_class) in classes.iter().enumerate() {
            let is_equal = keys.bytes(left) == keys.bytes(right);
            assert_eq!(is_equal, left_class == right_class, "rows {left} and {right}");
            if is_equal {
                assert_eq!(keys.hash(left), keys.hash(right));
            }
        }
    }
}

fn check_round_trip(columns: &[ArrayRef]) {
    let (codec, keys) = encoded(columns);
    let rows = columns.first().map_or(0, |column| column.len());
    let bytes = (0..rows).map(|row| keys.bytes(row)).collect();
    let decoded = codec.decode(bytes).expect("the codec reads what it wrote");
    assert_eq!(&decoded, columns);
}

#[test]
fn floats_are_keys_by_value() {
    let odd_nan = f64::from_bits(0x7ff8_0000_0000_0001);
    let values = [Some(0.0), Some(-0.0), Some(f64::NAN), Some(odd_nan), Some(-f64::NAN), None];
    check_equality(Arc::new(Float64Array::from(values.to_vec())), &[0, 0, 1, 1, 1, 2]);
}

#[test]
fn null_is_a_key_of_its_own() {
    check_equality(
        Arc::new(StringArray::from(vec![None, Some(""), None, Some("null")])),
        &[0, 1, 0, 2],
    );
}

#[test]
fn neighbouring_columns_do_not_run_together() {
    let left: ArrayRef = Arc::new(StringArray::from(vec!["ab", "a"]));
    let right: ArrayRef = Arc::new(StringArray::from(vec!["c", "bc"]));
    let (_, keys) = encoded(&[left, right]);
    assert_ne!(keys.bytes(0), keys.bytes(1));
}

#[test]
fn every_kind_of_column_is_read_again() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let zoned = TimestampMillisecondArray::from(vec![Some(-1), None, Some(5)]).with_timezone("UTC");
    let decimal = Decimal128Array::from(vec![Some(-12), Some(7), None]);
    check_round_trip(&[
        Arc::new(StringArray::from(vec![Some("ä"), None, Some("")])),
        Arc::new(BinaryArray::from(vec![Some(&b"\xff"[..]), None, Some(b"")])),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        Arc::new(Int32Array::from(vec![None, Some(i32::MIN), Some(1)])),
        Arc::new(Float64Array::from(vec![Some(1.5), None, Some(-2.0)])),
        Arc::new(zoned),
        Arc::new(decimal.with_precision_and_scale(10, 2).expect("10 digits hold it")),
        Arc::new(list),
    ]);
}

#[test]
fn a_slice_is_read_at_its_place() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let number: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    check_round_trip(&[text.slice(1, 2), number.slice(1, 2)]);
}

#[test]
fn a_key_is_found_under_its_slot_only() {
    let mut table = KeyTable::default();
    let added = [(0, "a"), (1, "a"), (0, "b"), (1, "a"), (0, "a")]
        .map(|(slot, key)| table.find_or_add(42, slot, key.as_bytes()));
    assert_eq!(added, [(0, true), (1, true), (2, true), (1, false), (0, false)]);
    let (numbers, starts) = table.store().by_slot(3);
    assert_eq!((numbers, starts), (vec![0, 2, 1], vec![0, 2, 3, 3]));
}
