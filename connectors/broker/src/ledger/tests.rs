use super::*;

fn entry(group: &str, partition: i32, offset: i64) -> OffsetEntry {
    let key = OffsetKey { group: group.to_owned(), topic: "t".to_owned(), partition };
    OffsetEntry { key, offset, leader_epoch: -1, metadata: "m".repeat(50) }
}

fn open(path: &Path) -> Ledger {
    Ledger::open(path.to_owned(), Durability::Process).expect("the ledger opens")
}

fn offsets(ledger: &Ledger, group: &str) -> Vec<(i32, i64)> {
    ledger.offsets_of(group).iter().map(|entry| (entry.key.partition, entry.offset)).collect()
}

fn decision(offset: i64) -> Decision {
    Decision {
        transactional_id: "id".to_owned(),
        producer_id: 1,
        epoch: 0,
        partitions: vec![],
        offsets: vec![entry("g", 7, offset)],
    }
}

#[test]
fn what_is_written_is_there_again() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("ledger.log");
    let mut ledger = open(&path);
    let first = ledger.next_producer_id().expect("the disk works");
    let records = [
        LedgerRecord::Offsets(vec![entry("g", 0, 1), entry("g", 1, 2), entry("h", 0, 3)]),
        LedgerRecord::Offsets(vec![entry("g", 1, 5)]),
        LedgerRecord::Committed(decision(9)),
        LedgerRecord::OffsetsDeleted(vec![entry("g", 0, 0).key]),
        LedgerRecord::GroupDeleted("h".to_owned()),
    ];
    for record in records {
        ledger.append(record).expect("the disk works");
    }
    for mut ledger in [ledger, open(&path)] {
        assert_eq!(offsets(&ledger, "g"), [(1, 5), (7, 9)]);
        assert_eq!(offsets(&ledger, "h"), []);
        assert_eq!(ledger.groups(), ["g"]);
        assert_eq!(ledger.decisions().len(), 1);
        assert!(ledger.next_producer_id().expect("the disk works") > first);
    }
}

#[test]
fn a_torn_record_is_cut_at_any_byte() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("ledger.log");
    let mut ledger = open(&path);
    ledger.append(LedgerRecord::Offsets(vec![entry("g", 0, 1)])).expect("the disk works");
    let kept = fs::read(&path).expect("the ledger").len();
    ledger.append(LedgerRecord::Offsets(vec![entry("g", 0, 2)])).expect("the disk works");
    drop(ledger);
    let whole = fs::read(&path).expect("the ledger");
    for length in kept..whole.len() {
        // Half written, and half written into a file that had grown already.
        for tail in [0, 64] {
            let mut torn = whole[..length].to_vec();
            torn.extend(vec![0; tail]);
            fs::write(&path, torn).expect("the ledger");
            assert_eq!(offsets(&open(&path), "g"), [(0, 1)], "cut at {length}");
            assert_eq!(fs::read(&path).expect("the ledger").len(), kept);
        }
    }
}

#[test]
fn a_later_version_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("ledger.log");
    let newer = frame(&LedgerRecord::Version(FORMAT_VERSION + 1)).expect("a record");
    fs::write(&path, newer).expect("the ledger");
    let error = Ledger::open(path, Durability::Power).expect_err("a later version");
    assert!(error.to_string().contains("version 2 instead of 1"), "{error}");
}

#[test]
fn the_file_is_written_anew_when_most_of_it_is_old() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("ledger.log");
    let mut ledger = open(&path);
    let many: Vec<OffsetEntry> = (0..2_000).map(|partition| entry("g", partition, 1)).collect();
    for _ in 0..40 {
        ledger.append(LedgerRecord::Offsets(many.clone())).expect("the disk works");
    }
    ledger.append(LedgerRecord::Offsets(vec![entry("g", 0, 77)])).expect("the disk works");
    let bytes = fs::read(&path).expect("the ledger").len() as u64;
    assert!(bytes <= REWRITE_BYTES, "{bytes}");
    assert_eq!(ledger.bytes, bytes);
    drop(ledger);
    let ledger = open(&path);
    assert_eq!(offsets(&ledger, "g").len(), 2_000);
    assert_eq!(ledger.offset(&entry("g", 0, 0).key).map(|entry| entry.offset), Some(77));
}
