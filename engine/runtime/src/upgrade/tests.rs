use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use state::{Location, PartitionProgress, ReaderProgress, Table};
use stream::Watermark;

use super::course::{Mark, Place, Stand};
use super::*;
use crate::history::tests::about;

fn reader() -> ReaderName {
    ReaderName(Arc::from("clicks"))
}

/// A snapshot in which `clicks` stands at 7 of one partition, and at 0 of another that is idle.
fn write(snapshots: &Snapshots) -> Manifest {
    let partition = |partition, position| PartitionProgress { partition, start: 0, position };
    let progress = ReaderProgress {
        reader: reader(),
        topic: "t".to_owned(),
        watermark: Watermark(70),
        is_carried: false,
        partitions: vec![partition(0, 7), partition(1, 0)],
    };
    let about = about(1, vec![progress]);
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, false);
    let schema = Schema::new(vec![
        field("reader", DataType::Utf8),
        field("partition", DataType::Int32),
        field("watermark", DataType::Int64),
        field("is_idle", DataType::Boolean),
        field("source_watermark", DataType::Int64),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec!["clicks", "clicks"])),
        Arc::new(Int32Array::from(vec![0, 1])),
        Arc::new(Int64Array::from(vec![70, i64::MIN])),
        Arc::new(BooleanArray::from(vec![false, true])),
        Arc::new(Int64Array::from(vec![70, 70])),
    ];
    let sources = RecordBatch::try_new(Arc::new(schema), columns).expect("columns of the schema");
    let whole = (String::new(), vec![Table::of("sources", sources)]);
    snapshots.write(about, std::iter::once(whole)).expect("it can be written")
}

/// A released engine has begun it, which let the others stand still.
#[test]
fn a_rebuild_that_was_written_without_marks_has_them_where_the_others_stand() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let place = Location::Folder(folder.path().to_path_buf());
    let snapshots = Snapshots::open(&place).expect("a folder");
    let manifest = write(&snapshots);
    let history = History::default();
    let known = Known { history: &history, newest: Some(&manifest), snapshots: &snapshots };
    let models = BTreeSet::from(["a".to_owned()]);
    let of = |silent: BTreeSet<String>, marks| Course {
        rebuild: Rebuild { models: models.clone(), silent, readers: BTreeSet::from([reader()]) },
        marks,
    };
    let place = |position, is_idle| Place { position, is_idle };
    let partitions = [(0, place(7, false)), (1, place(0, true))].into();
    let stand = Stand { watermark: Watermark(70), partitions };
    let mark = Mark { models: models.clone(), readers: [(reader(), stand)].into() };
    let marked = |course| marked(course, known).expect("the store answers");
    assert_eq!(marked(of(models.clone(), vec![])), of(models.clone(), vec![mark.clone()]));
    // What has marks keeps them, and what writes needs none.
    let earlier = Mark { readers: BTreeMap::new(), ..mark };
    let kept = of(models.clone(), vec![earlier]);
    assert_eq!(marked(kept.clone()), kept);
    let loud = of(BTreeSet::new(), vec![]);
    assert_eq!(marked(loud.clone()), loud);
}
