use super::*;

#[test]
fn a_marker_is_a_sound_control_batch() {
    for is_commit in [true, false] {
        let bytes = marker(77, 3, is_commit, 1_234);
        let header = BatchHeader::read(&bytes).expect("a header");
        assert!(is_intact(&bytes));
        assert_eq!(header.bytes, bytes.len());
        assert!(header.is_control() && header.is_transactional());
        assert_eq!((header.producer_id, header.producer_epoch), (77, 3));
        assert_eq!((header.last_offset_delta, header.record_count), (0, 1));
        assert_eq!(header.max_timestamp, 1_234);
        assert_eq!(marker_type(&bytes), Some(is_commit));
    }
}

#[test]
fn a_changed_byte_is_noticed() {
    let whole = marker(1, 0, true, 0);
    for at in 17..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        assert!(!is_intact(&changed), "byte {at}");
    }
}

#[test]
fn what_is_no_header_is_refused() {
    let whole = marker(1, 0, true, 0);
    let changed = |at: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let facts = [
        (whole[..HEADER_BYTES - 1].to_vec(), BadHeader::Short),
        (vec![], BadHeader::Short),
        (changed(16, &[1]), BadHeader::OldFormat),
        (changed(8, &(-1_i32).to_be_bytes()), BadHeader::Nonsense),
        (changed(8, &48_i32.to_be_bytes()), BadHeader::Nonsense),
        (changed(23, &(-1_i32).to_be_bytes()), BadHeader::Nonsense),
        (changed(0, &(-1_i64).to_be_bytes()), BadHeader::Nonsense),
    ];
    for (bytes, expected) in facts {
        assert_eq!(BatchHeader::read(&bytes), Err(expected));
    }
}

#[test]
fn a_stamped_batch_is_intact_and_says_so() {
    let stamped = with_append_time(&marker(1, 0, true, 5), 9_999);
    let header = BatchHeader::read(&stamped).expect("a header");
    assert!(is_intact(&stamped));
    assert!(header.is_log_append_time());
    assert_eq!(header.max_timestamp, 9_999);
}

#[test]
fn sequence_numbers_wrap_to_zero() {
    assert_eq!(sequence_after(i32::MAX, 1), 0);
    assert_eq!(sequence_after(i32::MAX - 1, 3), 1);
    assert_eq!(sequence_after(5, 0), 5);
}
