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
