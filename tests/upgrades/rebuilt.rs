//! Edits after which a model is built up again, and new models.

use crate::shop::{EARLY, LATE, MINUTES, Shop, all, edited, first, from_scratch, sorted};

/// Another GROUP BY for `minutes`.
fn by_country() -> Vec<(&'static str, String)> {
    edited("minutes", "GROUP BY k,", "GROUP BY k, country,")
}

/// The rows of windows that were closed before the edit.
fn closed(lines: &[String]) -> Vec<String> {
    lines.iter().filter(|line| line.contains("T00:00:00")).cloned().collect()
}

/// The rows of windows that were not.
fn open(lines: &[String]) -> Vec<String> {
    lines.iter().filter(|line| !line.contains("T00:00:00")).cloned().collect()
}

#[test]
fn other_groups_are_refused_with_models_reasons_and_flags() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    shop.run(&[]);
    shop.become_of(&by_country());
    let err = shop.refused();
    for part in [
        "minutes: rebuild, GROUP BY gained `country`",
        "--rebuild MODEL",
        "--re-emit",
        "--fresh",
        "engine plan",
    ] {
        assert!(err.contains(part), "{part}\n{err}");
    }
    assert!(!err.contains("copies:"), "{err}");
    // Nothing was done: the old project goes on.
    shop.become_of(&first());
    shop.click(&LATE);
    shop.close();
    assert_eq!(shop.lines("minutes"), from_scratch(&first(), &all(), "minutes"));
}

#[test]
fn a_rebuilt_model_goes_on_as_if_it_had_always_been_so() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    shop.run(&[]);
    let before = shop.lines("minutes");
    shop.become_of(&by_country());
    shop.click(&LATE);
    shop.run(&["--rebuild", "minutes"]);
    shop.close();
    let whole = from_scratch(&by_country(), &all(), "minutes");
    // What was written stays and is not written again; what was open is as from the start.
    assert_eq!(shop.lines("minutes"), sorted([before, open(&whole)].concat()));
    assert_eq!(shop.lines("copies").len(), 10, "the others write nothing twice");
}

#[test]
fn with_re_emit_all_its_rows_are_written_again() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    shop.run(&[]);
    let before = shop.lines("minutes");
    assert_eq!(before, closed(&before));
    shop.become_of(&by_country());
    shop.click(&LATE);
    shop.run(&["--accept-plan", "--re-emit"]);
    // The flags of a start that has been done do nothing: they may stay in a unit file.
    shop.run(&["--accept-plan", "--re-emit", "--close-windows"]);
    let whole = from_scratch(&by_country(), &all(), "minutes");
    assert_eq!(shop.lines("minutes"), sorted([before, whole].concat()));
    assert_eq!(shop.lines("copies").len(), 10);
}

#[test]
fn an_unchanged_model_is_rebuilt_when_it_is_named() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    shop.run(&[]);
    shop.click(&LATE);
    shop.run(&["--rebuild", "minutes"]);
    shop.close();
    assert_eq!(shop.lines("minutes"), from_scratch(&first(), &all(), "minutes"));
    let output = shop.try_run(&["--rebuild", "minuets"]);
    assert_eq!(output.code, 2);
    assert!(output.err.contains("the models are copies, minutes"), "{}", output.err);
}

#[test]
fn a_new_model_reads_what_is_there_and_the_others_go_on() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    shop.run(&[]);
    let mut models = first();
    models.push((
        "countries",
        MINUTES.replace("SELECT k,", "SELECT country AS k,").replace("BY k,", "BY country,"),
    ));
    models.push(("loud", "SELECT k, total FROM {{ ref(\"minutes\") }} WHERE total > 3".to_owned()));
    shop.become_of(&models);
    let plan = shop.folder.succeed(&["plan"]);
    assert!(plan.contains("countries  added"), "{plan}");
    assert!(plan.contains("reads 6 records again"), "{plan}");
    shop.click(&LATE);
    shop.close();
    for topic in ["copies", "minutes", "countries", "loud"] {
        assert_eq!(shop.lines(topic), from_scratch(&models, &all(), topic), "{topic}");
    }
}

#[test]
fn what_reads_a_rebuilt_model_is_rebuilt_with_it() {
    let mut models = first();
    models.push(("loud", "SELECT k, clicks FROM {{ ref(\"minutes\") }}".to_owned()));
    let shop = Shop::new(&models);
    shop.click(&EARLY);
    shop.run(&[]);
    let before = shop.lines("loud");
    models[1] = by_country().remove(1);
    shop.become_of(&models);
    let err = shop.refused();
    assert!(err.contains("loud: rebuild, it reads `minutes`, which is rebuilt"), "{err}");
    shop.click(&LATE);
    shop.run(&["--rebuild", "minutes", "--re-emit"]);
    shop.close();
    let whole = from_scratch(&models, &all(), "loud");
    assert_eq!(shop.lines("loud"), sorted([before, whole].concat()));
}

#[test]
fn late_and_bad_records_are_not_dead_lettered_again_by_a_rebuild() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    let bad = b"not json\n{\"k\":\"a\",\"n\":1}\n";
    assert_eq!(shop.folder.engine_with(&["topic", "produce", "clicks"], bad).code, 0);
    shop.run(&[]);
    let dead = shop.dead_letters();
    let before = shop.lines(&dead);
    assert_eq!(before.len(), 2, "{before:?}");
    shop.become_of(&by_country());
    shop.run(&["--accept-plan", "--re-emit"]);
    assert_eq!(shop.lines(&dead), before);
}

#[test]
fn a_record_that_was_replayed_counts_once_in_a_rebuild() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    let ahead = b"{\"k\":\"a\",\"n\":1,\"at\":\"2035-01-01T00:00:00Z\",\"country\":\"de\"}\n";
    let output = shop.folder.engine_with(&["topic", "produce", "clicks", "-k", "k"], ahead);
    assert_eq!(output.code, 0, "{}", output.err);
    shop.run(&[]);
    // Now it may be so far ahead.
    let path = shop.folder.path().join("sources/s.yml");
    let text = std::fs::read_to_string(path).expect("the sources");
    let patient = text
        .replace("    topic: clicks\n", "    topic: clicks\n    event_time: {max_future: 5000d}\n");
    assert_ne!(text, patient);
    shop.folder.write("sources/s.yml", patient);
    shop.folder.succeed(&["dlq", "replay"]);
    shop.run(&["--accept-plan"]);
    assert_eq!(shop.lines("copies").len(), EARLY.len() + 1);
    shop.become_of(&by_country());
    shop.run(&["--rebuild", "minutes"]);
    shop.close();
    let ahead: Vec<String> =
        shop.lines("minutes").into_iter().filter(|line| line.contains("2035")).collect();
    assert_eq!(ahead.len(), 1, "{ahead:?}");
    assert!(ahead[0].contains("\"clicks\":1"), "{ahead:?}");
}
