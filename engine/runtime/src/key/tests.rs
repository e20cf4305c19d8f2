use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int32Array, ListArray,
    StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::Int32Type;
use proptest::prelude::*;

use super::index::Index;
use super::*;
use crate::slots::{Selection, slot};

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

/// A clickstream's values: most come again and again.
fn values() -> impl Strategy<Value = Vec<(Option<String>, u32)>> {
    proptest::collection::vec((proptest::option::of("[a-c]{0,4}"), 0_u32..3), 0..1_500)
}

proptest! {
    #[test]
    fn keys_have_the_numbers_in_which_they_came(batches in proptest::collection::vec(values(), 1..4)) {
        let mut table = KeyTable::default();
        let mut model: HashMap<(Option<String>, u32), u32> = HashMap::new();
        for values in batches {
            let column: StringArray = values.iter().map(|(value, _)| value.as_deref()).collect();
            let (_, keys) = encoded(&[Arc::new(column)]);
            let slots = values.iter().map(|(_, slot)| *slot).collect();
            let selection = Selection { rows: (0..slot(values.len())).collect(), slots };
            let mut told = Vec::new();
            table.find_or_add_all(&keys, &selection, |row, slot, number, is_new| {
                told.push((row, slot, number, is_new));
            });
            let expected = values.into_iter().enumerate().map(|(row, value)| {
                let (slot, count) = (value.1, model.len());
                let number = *model.entry(value).or_insert(crate::slots::slot(count));
                (row, slot, number, model.len() > count)
            });
            let expected: Vec<_> = expected.collect();
            prop_assert_eq!(told, expected);
        }
        // What a restored table finds is what the first one does.
        let store = table.store();
        let column = StringArray::from_iter_values((0..store.count()).map(|row| row.to_string()));
        let (_, keys) = encoded(&[Arc::new(column)]);
        let slots: Vec<u32> = store.slots().collect();
        let mut restored = KeyTable::default();
        restored.add_all(&keys, &slots);
        for (row, slot) in slots.iter().enumerate() {
            let found = restored.find_or_add(keys.hash(row), *slot, keys.bytes(row));
            prop_assert_eq!(found, (crate::slots::slot(row), false));
        }
    }

    #[test]
    fn an_index_finds_each_of_many_keys_of_few_hashes(
        hashes in proptest::collection::vec(
            prop_oneof![Just(0), Just(u64::MAX), Just(u64::MAX << 32), 0_u64..9, any::<u64>()],
            1..300,
        ),
    ) {
        let mut index = Index::default();
        for (number, hash) in hashes.iter().enumerate() {
            let number = slot(number);
            let mut candidates = Vec::new();
            let found = index.find(*hash, |candidate| {
                candidates.push(candidate);
                candidate == number
            });
            prop_assert_eq!(found, None);
            let same = hashes[..number as usize].iter().filter(|other| *other == hash).count();
            prop_assert!(candidates.len() >= same);
            if !index.has_room(1) {
                index.rebuild(number as usize + 1, hashes[..number as usize].iter().copied());
            }
            index.add(*hash, number);
        }
        for (number, hash) in hashes.iter().enumerate() {
            let number = slot(number);
            prop_assert_eq!(index.find(*hash, |candidate| candidate == number), Some(number));
        }
    }
}
