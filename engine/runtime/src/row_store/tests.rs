use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::Int64Type;

use super::*;

fn store() -> RowStore {
    RowStore::new([DataType::Int64].iter())
}

fn numbers(values: impl Iterator<Item = i64>) -> Vec<ArrayRef> {
    vec![Arc::new(values.collect::<Int64Array>())]
}

fn check(store: &RowStore, slots: &[Option<u32>], expected: &[Option<i64>]) {
    let columns = store.gather(slots.iter().copied()).expect("the slots are taken");
    let got: Vec<_> = columns[0].as_primitive::<Int64Type>().iter().collect();
    assert_eq!(got, expected);
}

#[test]
fn rows_are_gathered_in_any_order_and_none_is_null() {
    let mut store = store();
    let first = store.insert(numbers(0..3), 3);
    let second = store.insert(numbers(10..12), 2);
    check(&store, &[Some(second[1]), None, Some(first[2])], &[Some(11), None, Some(2)]);
    check(&store, &[], &[]);
}

#[test]
fn a_batch_leaves_with_its_last_row() {
    let mut store = store();
    let slots = store.insert(numbers(0..3), 3);
    store.free(slots[0]);
    store.free(slots[2]);
    assert_eq!(store.held_rows(), 3);
    store.free(slots[1]);
    assert_eq!(store.held_rows(), 0);
}

#[test]
fn a_sparse_batch_is_copied_and_its_slots_stay() {
    let mut store = store();
    let slots = store.insert(numbers(0..4096), 4096);
    for slot in &slots[1..] {
        store.free(*slot);
    }
    store.tidy().expect("rows of one type are copied");
    assert_eq!((store.live_rows(), store.held_rows()), (1, 1));
    check(&store, &[Some(slots[0])], &[Some(0)]);
}

#[test]
fn a_crowd_of_small_batches_becomes_one() {
    let mut store = store();
    let count = SMALL_CHUNKS_MAX + 1;
    let slots: Vec<u32> = (0..count)
        .map(|value| store.insert(numbers(std::iter::once(i64::from(slot(value)))), 1)[0])
        .collect();
    store.tidy().expect("rows of one type are copied");
    assert_eq!(store.chunks.iter().flatten().count(), 1);
    check(&store, &[Some(slots[64]), Some(slots[3])], &[Some(64), Some(3)]);
}

#[test]
fn a_clone_keeps_what_the_original_frees() {
    let mut store = store();
    let slots = store.insert(numbers(5..7), 2);
    let frozen = store.clone();
    store.free(slots[0]);
    store.free(slots[1]);
    store.insert(numbers(8..10), 2);
    check(&frozen, &[Some(slots[0]), Some(slots[1])], &[Some(5), Some(6)]);
}
