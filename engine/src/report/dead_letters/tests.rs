use super::*;

fn letter(value: &[u8]) -> DeadLetter {
    DeadLetter {
        offset: 7,
        reason: "undecodable".to_owned(),
        topic: "clicks".to_owned(),
        origin: Some((0, 3)),
        generation: Some(1),
        value: Some(value.to_vec()),
        ..DeadLetter::default()
    }
}

#[test]
fn a_value_cannot_move_the_cursor_nor_hide_what_it_says() {
    let text = letter_text(&letter(b"a\x1b[2Jb\r\n\xff\xe2\x80\xaec"));
    assert!(text.contains("a\\u{1b}[2Jb\\r\\n\u{fffd}\\u{202e}c\n"), "{text}");
    assert!(text.starts_with("#7  undecodable"), "{text}");
    assert!(text.contains("clicks/0@3"), "{text}");
}

#[test]
fn a_long_value_is_cut_and_that_is_told() {
    let text = letter_text(&letter("x".repeat(5_000).as_bytes()));
    assert!(text.contains("cut here: it has 4.9 KiB"), "{text}");
    assert!(text.len() < 3_000, "{}", text.len());
}

#[test]
fn a_mark_counts_for_letters_of_its_generation_only() {
    let mut counts = LetterCounts::default();
    counts.add(&letter(b"one"));
    counts.add(&DeadLetter { generation: Some(2), ..letter(b"one") });
    counts.note_replayed(&letter(b""));
    let line: Value = serde_json::from_str(counts.json().trim()).expect("one line of JSON");
    assert_eq!((&line["count"], &line["replayed"]), (&json!(2), &json!(1)));
}
