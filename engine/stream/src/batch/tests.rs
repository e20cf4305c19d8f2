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
