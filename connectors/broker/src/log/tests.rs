use super::*;
use tempfile::TempDir;

const SEGMENT_BYTES: u64 = 1_000;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// A batch of one record, told apart by its producer id (which is none of a real producer).
fn plain(number: i64) -> Vec<u8> {
    // A commit marker without its control bits is as good a batch as any.
    let mut bytes = batch::marker(-number - 1, 0, true, number * 10);
    bytes[21..23].copy_from_slice(&0_i16.to_be_bytes());
    batch::with_append_time(&bytes, number * 10)
}

fn header(bytes: &[u8]) -> BatchHeader {
    BatchHeader::read(bytes).expect("a header")
}

fn append(log: &mut Log, bytes: &[u8]) -> i64 {
    log.append(header(bytes), bytes, SEGMENT_BYTES, 0).expect("the disk works")
}

fn transactional(producer_id: i64, sequence: i32) -> Vec<u8> {
    let mut bytes = batch::marker(producer_id, 0, true, 0);
    bytes[21..23].copy_from_slice(&(1_i16 << 4).to_be_bytes());
    bytes[53..57].copy_from_slice(&sequence.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// Base offsets that a reader from `offset` finds, over all segments.
fn read(log: &mut Log, offset: i64) -> Vec<i64> {
    let (mut found, mut next) = (Vec::new(), offset);
    while let Some(stretch) = log.locate(next).expect("the disk works").expect("in range") {
        let mut walk = walk(&stretch);
        while let Some((header, _)) = walk.next_header().expect("the disk works") {
            if header.base_offset >= next {
                found.push(header.base_offset);
            }
        }
        next = found.last().expect("a batch at the offset") + 1;
    }
    found
}

fn files(folder: &Path, extension: &str) -> usize {
    let entries = fs::read_dir(folder).expect("the folder");
    entries
        .filter(|e| e.as_ref().is_ok_and(|e| e.path().extension().is_some_and(|x| x == extension)))
        .count()
}

#[test]
fn segments_roll_and_are_read_as_one() {
    let folder = folder();
    let mut log = Log::create(folder.path().to_owned(), Durability::Process).expect("a log");
    for number in 0..50 {
        assert_eq!(append(&mut log, &plain(number)), number);
    }
    assert!(files(folder.path(), "log") > 3);
    for offset in [0, 1, 17, 49] {
        assert_eq!(read(&mut log, offset), (offset..50).collect::<Vec<_>>());
    }
    assert_eq!(read(&mut log, 50), [0; 0]);
    assert!(log.locate(51).expect("the disk works").is_err());
}

#[test]
fn a_log_opened_again_is_the_same() {
    for is_closed in [true, false] {
        let folder = folder();
        let mut log = Log::create(folder.path().to_owned(), Durability::Process).expect("a log");
        for number in 0..20 {
            append(&mut log, &plain(number));
        }
        append(&mut log, &transactional(5, 0));
        append(&mut log, &batch::marker(5, 0, false, 0));
        append(&mut log, &transactional(6, 0));
        if is_closed {
            log.close().expect("the disk works");
        }
        drop(log);
        let mut log =
            Log::open(folder.path().to_owned(), Durability::Process, 0).expect("the log opens");
        assert_eq!((log.start_offset(), log.end_offset(), log.stable_offset()), (0, 23, 22));
        let aborted = AbortedEntry { producer_id: 5, first_offset: 20, marker_offset: 21 };
        assert_eq!(log.aborted_between(0, 23), [aborted]);
        assert_eq!(log.open_transactions(), [(6, 0, 22)]);
        assert_eq!(read(&mut log, 3), (3..23).collect::<Vec<_>>());
        assert_eq!(append(&mut log, &plain(23)), 23);
        assert_eq!(log.unchecked_bytes > 78, !is_closed, "a closed log is not scanned");
    }
}

#[test]
fn a_torn_tail_is_cut_at_any_byte() {
    let folder = folder();
    let mut log = Log::create(folder.path().to_owned(), Durability::Process).expect("a log");
    for number in 0..3 {
        log.append(header(&plain(number)), &plain(number), u64::MAX, 0).expect("the disk works");
    }
    drop(log);
    let path = folder.path().join(format!("{:020}.log", 0));
    let whole = fs::read(&path).expect("the segment");
    let size = whole.len() / 3;
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).expect("the segment");
        let mut log =
            Log::open(folder.path().to_owned(), Durability::Process, 0).expect("the log opens");
        let batches = i64::try_from(length / size).expect("a small number");
        assert_eq!(log.end_offset(), batches, "cut at {length}");
        assert_eq!(append(&mut log, &plain(9)), batches);
        drop(log);
        for file in fs::read_dir(folder.path()).expect("the folder") {
            fs::remove_file(file.expect("a file").path()).expect("a file");
        }
    }
}

#[test]
fn segments_behind_a_torn_one_are_removed() {
    let folder = folder();
    let mut log = Log::create(folder.path().to_owned(), Durability::Process).expect("a log");
    for number in 0..50 {
        append(&mut log, &plain(number));
    }
    drop(log);
    let path = folder.path().join(format!("{:020}.log", 0));
    let bytes = fs::read(&path).expect("the segment");
    fs::write(&path, &bytes[..bytes.len() - 1]).expect("the segment");
    let mut log =
        Log::open(folder.path().to_owned(), Durability::Process, 0).expect("the log opens");
    let end = log.end_offset();
    assert!(end < 50 && end > 0, "{end}");
    assert_eq!(files(folder.path(), "log"), 1);
    assert_eq!(read(&mut log, 0), (0..end).collect::<Vec<_>>());
}

#[test]
fn deleted_records_free_segments_and_stay_deleted() {
    let folder = folder();
    let mut log = Log::create(folder.path().to_owned(), Durability::Process).expect("a log");
    for number in 0..50 {
        append(&mut log, &plain(number));
    }
    let before = files(folder.path(), "log");
    log.delete_before(30).expect("the disk works");
    assert!(files(folder.path(), "log") < before);
    drop(log);
    let mut log =
        Log::open(folder.path().to_owned(), Durability::Process, 0).expect("the log opens");
    assert_eq!((log.start_offset(), log.end_offset()), (30, 50));
    assert!(log.locate(29).expect("the disk works").is_err());
    assert_eq!(read(&mut log, 30), (30..50).collect::<Vec<_>>());
    log.delete_before(50).expect("the disk works");
    drop(log);
    let mut log =
        Log::open(folder.path().to_owned(), Durability::Process, 0).expect("the log opens");
    assert_eq!((log.start_offset(), log.end_offset()), (50, 50));
    assert_eq!(append(&mut log, &plain(50)), 50);
}

#[test]
fn a_lost_checkpoint_or_index_costs_time_only() {
    let folder = folder();
    let mut log = Log::create(folder.path().to_owned(), Durability::Process).expect("a log");
    for number in 0..50 {
        append(&mut log, &plain(number));
    }
    log.close().expect("the disk works");
    drop(log);
    for file in fs::read_dir(folder.path()).expect("the folder") {
        let path = file.expect("a file").path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => fs::remove_file(path).expect("a file"),
            Some("index") => fs::write(path, b"rubbish").expect("a file"),
            _ => {}
        }
    }
    let mut log =
        Log::open(folder.path().to_owned(), Durability::Process, 0).expect("the log opens");
    assert_eq!((log.start_offset(), log.end_offset()), (0, 50));
    assert_eq!(read(&mut log, 13), (13..50).collect::<Vec<_>>());
    let found = log.offset_at_time(235).expect("the disk works");
    assert_eq!(found.map(|found| (found.offset, found.timestamp)), Some((24, 240)));
}
