use super::*;

/// A batch of `count` records of producer 1.
fn batch(epoch: i16, sequence: i32, count: i32, base_offset: i64) -> BatchHeader {
    BatchHeader {
        base_offset,
        bytes: 100,
        attributes: 0,
        last_offset_delta: count - 1,
        base_timestamp: 0,
        max_timestamp: 0,
        producer_id: 1,
        producer_epoch: epoch,
        base_sequence: sequence,
        record_count: count,
    }
}

fn after(batches: &[BatchHeader]) -> Producers {
    let mut producers = Producers::default();
    for header in batches {
        assert_eq!(producers.judge(header), Verdict::Append);
        producers.appended(header, 0);
    }
    producers
}

#[test]
fn a_repeated_batch_is_told_its_offset() {
    let producers = after(&[batch(0, 0, 10, 100), batch(0, 10, 5, 110)]);
    let facts = [
        (batch(0, 15, 1, 0), Verdict::Append),
        (batch(0, 10, 5, 0), Verdict::Repeated { base_offset: 110 }),
        (batch(0, 0, 10, 0), Verdict::Repeated { base_offset: 100 }),
        (batch(0, 16, 1, 0), Verdict::OutOfOrder),
        (batch(0, 10, 4, 0), Verdict::OutOfOrder),
        (batch(1, 0, 1, 0), Verdict::Append),
        (batch(1, 3, 1, 0), Verdict::OutOfOrder),
    ];
    for (header, expected) in facts {
        assert_eq!(producers.judge(&header), expected, "{header:?}");
    }
}

#[test]
fn a_batch_repeated_long_after_is_known_as_repeated() {
    let batches: Vec<BatchHeader> =
        (0..8).map(|index| batch(0, index, 1, i64::from(index))).collect();
    let producers = after(&batches);
    assert_eq!(producers.judge(&batches[1]), Verdict::RepeatedLongAgo);
    assert_eq!(producers.judge(&batches[4]), Verdict::Repeated { base_offset: 4 });
}

#[test]
fn sequences_go_on_behind_the_greatest() {
    let producers = after(&[batch(0, i32::MAX - 1, 2, 0)]);
    assert_eq!(producers.judge(&batch(0, 0, 1, 0)), Verdict::Append);
    assert_eq!(producers.judge(&batch(0, 1, 1, 0)), Verdict::OutOfOrder);
}

#[test]
fn an_older_epoch_is_fenced() {
    let producers = after(&[batch(4, 0, 1, 0)]);
    assert_eq!(producers.judge(&batch(3, 1, 1, 0)), Verdict::Fenced);
}

#[test]
fn a_marker_ends_the_transaction_and_fences() {
    let transactional = BatchHeader { attributes: 1 << 4, ..batch(0, 0, 3, 20) };
    let mut producers = after(&[transactional]);
    assert_eq!(producers.first_open(), Some(20));
    let marker = BatchHeader { attributes: 3 << 4, base_sequence: -1, ..batch(1, 0, 1, 23) };
    let aborted = producers.ended(&marker, false);
    let expected = AbortedEntry { producer_id: 1, first_offset: 20, marker_offset: 23 };
    assert_eq!(aborted, Some(expected));
    assert_eq!(producers.first_open(), None);
    assert_eq!(producers.judge(&batch(0, 3, 1, 0)), Verdict::Fenced);
    assert_eq!(producers.judge(&batch(1, 0, 1, 0)), Verdict::Append);
}

#[test]
fn a_checkpoint_keeps_everything() {
    let transactional = BatchHeader { attributes: 1 << 4, ..batch(2, 0, 3, 20) };
    let producers = after(&[transactional]);
    let restored = Producers::from_entries(producers.to_entries());
    assert_eq!(restored.to_entries().len(), 1);
    assert_eq!(restored.open(), [(1, 2, 20)]);
    let repeated = Verdict::Repeated { base_offset: 20 };
    assert_eq!(restored.judge(&transactional), repeated);
}

#[test]
fn producers_seen_long_ago_are_forgotten_first() {
    let mut producers = Producers::default();
    let count = i64::try_from(PRODUCERS_MAX).expect("a small number") + 1;
    for id in 0..count {
        producers.appended(&BatchHeader { producer_id: id, ..batch(0, 0, 1, id) }, id);
    }
    let kept = producers.to_entries();
    assert!(kept.len() <= PRODUCERS_MAX, "{}", kept.len());
    assert_eq!(kept.last().map(|entry| entry.id), Some(count - 1));
    assert!(kept.iter().all(|entry| entry.id > 0));
}
