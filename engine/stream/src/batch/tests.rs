use std::sync::Arc;

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use proptest::prelude::*;

use super::*;

fn batch(values: &[i64], advances: &[(usize, i64)]) -> Batch {
    let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, false)]));
    let column = Arc::new(Int64Array::from(values.to_vec()));
    let rows = RecordBatch::try_new(schema, vec![column]).unwrap();
    let advances = advances
        .iter()
        .map(|(position, watermark)| Advance {
            position: *position,
            watermark: Watermark(*watermark),
        })
        .collect();
    Batch { advances, ..Batch::of(rows) }
}

fn values(batch: &Batch) -> Vec<i64> {
    batch.rows.column(0).as_primitive::<Int64Type>().values().to_vec()
}

proptest! {
    #[test]
    fn a_filter_keeps_every_advance_between_the_same_rows(
        rows in prop::collection::vec((any::<bool>(), any::<bool>()), 0..40),
    ) {
        let numbers: Vec<i64> = (0..).take(rows.len()).collect();
        let advances: Vec<(usize, i64)> = rows
            .iter()
            .enumerate()
            .filter(|(_, (_, rises))| *rises)
            .map(|(at, _)| (at + 1, i64::try_from(at).unwrap()))
            .collect();
        let keep = BooleanArray::from(rows.iter().map(|(kept, _)| *kept).collect::<Vec<_>>());
        let filtered = batch(&numbers, &advances).filter(&keep).unwrap();
        prop_assert_eq!(filtered.advances.len(), advances.len());
        for advance in &filtered.advances {
            // The watermark's number is the row after which it rose.
            for (position, value) in values(&filtered).into_iter().enumerate() {
                prop_assert_eq!(position >= advance.position, value > advance.watermark.0);
            }
        }
    }
}

#[test]
fn a_null_condition_drops_the_row() {
    let keep = BooleanArray::from(vec![Some(true), None, Some(false)]);
    assert_eq!(values(&batch(&[1, 2, 3], &[]).filter(&keep).unwrap()), [1]);
}

proptest! {
    #[test]
    fn batches_are_put_together_with_every_advance_between_the_same_rows(
        lengths in prop::collection::vec(0..4_usize, 0..6),
    ) {
        let (mut batches, mut next) = (Vec::new(), 0);
        for length in &lengths {
            let numbers: Vec<i64> = (next..).take(*length).collect();
            next += i64::try_from(*length).unwrap();
            // The watermark's number is the first row after it.
            batches.push(batch(&numbers, &[(*length, next)]));
        }
        let Some(whole) = Batch::concat(batches).unwrap() else {
            prop_assert!(lengths.is_empty());
            return Ok(());
        };
        prop_assert_eq!(values(&whole), (0..next).collect::<Vec<_>>());
        prop_assert_eq!(whole.advances.len(), lengths.len());
        for advance in &whole.advances {
            prop_assert_eq!(i64::try_from(advance.position).unwrap(), advance.watermark.0);
        }
    }
}

#[test]
fn kinds_and_origins_are_put_together() {
    let origin = |partition, offset: i64| {
        Some(Origin { partition: vec![partition].into(), offset: vec![offset].into() })
    };
    let first = Batch { origin: origin(0, 7), ..batch(&[1], &[]) };
    let kinds = Some(vec![RowKind::Delete.code()].into());
    let second = Batch { origin: origin(1, 3), kinds, ..batch(&[2], &[]) };
    // Who only says that time passed has no origin, and takes none from others.
    let silent = batch(&[], &[(0, 9)]);
    let whole = Batch::concat(vec![first.clone(), silent, second.clone()]).unwrap().unwrap();
    let kinds = whole.kinds.expect("one batch has kinds");
    assert_eq!(kinds.values(), &[RowKind::Insert.code(), RowKind::Delete.code()]);
    let origin = whole.origin.expect("both have one");
    assert_eq!(origin.partition.values(), &[0, 1]);
    assert_eq!(origin.offset.values(), &[7, 3]);
    let without = Batch::concat(vec![first, Batch { origin: None, ..second }]).unwrap().unwrap();
    assert!(without.origin.is_none());
}
