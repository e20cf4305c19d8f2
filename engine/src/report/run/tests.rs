use super::*;

fn sample() -> Summary {
    let source = SourceCounters { records: 20, rejected: 2, null_time: 1, ..Default::default() };
    let model =
        ModelCounters { rows_in: 17, rows_out: 5, late: 3, failed: 1, ..Default::default() };
    Summary {
        sources: vec![("clicks".to_owned(), source)],
        models: vec![("sessions".to_owned(), model)],
    }
}

#[test]
fn lines_say_read_wrote_late_and_dead_lettered() {
    assert_eq!(
        sample().lines(),
        "source=clicks read=20 rejected=2 null_time=1 dead_lettered=3\n\
         model=sessions read=17 wrote=5 late=3 failed=1 dead_lettered=4\n"
    );
}

#[test]
fn a_late_row_is_a_dead_letter_too() {
    let lines = sample().json();
    assert_eq!((&lines[1]["late"], &lines[1]["dead_lettered"]), (&json!(3), &json!(4)));
}

#[test]
fn rates_are_per_second() {
    assert_eq!(rate(0, 500, Duration::from_millis(500)), "1000");
    assert_eq!(rate(0, 12_400, Duration::from_secs(1)), "12.4k");
    assert_eq!(rate(9, 5, Duration::from_secs(1)), "0");
    assert_eq!(rate(0, 5, Duration::ZERO), "5000");
}

#[test]
fn a_picture_shows_each_reader_and_model_with_its_watermark() {
    let rows = Rows {
        readers: vec![("clicks@k".to_owned(), "clicks".to_owned())],
        models: vec!["sessions".to_owned()],
    };
    let mut now = Status::default();
    now.watermarks.insert("clicks@k".to_owned(), stream::Watermark(1_767_225_601_500));
    now.lag.insert("clicks@k".to_owned(), 7);
    let lines = plain_lines(&now, &rows);
    assert_eq!(
        lines,
        "source=clicks read=0 dead_lettered=0 lag=7 watermark=2026-01-01T00:00:01.500Z epoch=0\n\
         model=sessions read=0 wrote=0 late=0 dead_lettered=0 epoch=0\n"
    );
    let table = status_table(&Status::default(), &now, Duration::from_secs(1), &rows, None);
    assert!(table.contains("sessions") && table.contains("2026-01-01T00:00:01.500Z"), "{table}");
    assert!(table.ends_with("starting · epoch 0 · Ctrl-C stops"), "{table}");
}
