//! Edits that keep the state.

use crate::shop::{COPIES, EARLY, LATE, Shop, all, edited, first, from_scratch};

/// What comes after the edit that adds `loud` has it, and nothing else is otherwise.
#[track_caller]
fn goes_on_louder(shop: &Shop) {
    shop.click(&LATE);
    shop.close();
    assert_eq!(shop.lines("minutes"), from_scratch(&first(), &all(), "minutes"));
    let copies = shop.lines("copies");
    assert_eq!(copies.iter().filter(|line| line.contains("loud")).count(), 4, "{copies:?}");
    assert_eq!(copies.len(), 10);
}

#[test]
fn descriptions_formatting_and_topic_settings_change_nothing() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    shop.run(&[]);
    let text = std::fs::read_to_string(shop.folder.path().join("models/m.yml")).expect("a file");
    let text = text
        .replace("    key: k\n", "    description: what it is\n    owner: me\n    key: k\n")
        .replace("SELECT k, n,", "SELECT  k /* the key */, n,")
        .replace("partitions: 1}", "partitions: 1, config: {retention.ms: \"-1\"}}");
    shop.folder.write("models/m.yml", text);
    shop.folder.write(
        "tests/t.yml",
        "tests:\n  - name: t\n    model: copies\n    type: schema\n    assertions:\n      - not_null: {columns: [k]}\n",
    );
    let plan = shop.folder.succeed(&["plan"]);
    assert_eq!(plan.matches("unchanged").count(), 2, "{plan}");
    shop.click(&LATE);
    shop.close();
    assert_eq!(shop.lines("minutes"), from_scratch(&first(), &all(), "minutes"));
    assert_eq!(shop.lines("copies").len(), 10);
}

#[test]
fn a_column_that_is_added_needs_no_flag_and_leaves_other_models_alone() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    shop.run(&[]);
    shop.become_of(&edited("copies", "SELECT k,", "SELECT UPPER(country) AS loud, k,"));
    let plan = shop.folder.succeed(&["plan"]);
    assert!(
        plan.contains("column `loud` is added") && plan.contains("next: engine run\n"),
        "{plan}"
    );
    goes_on_louder(&shop);
}

#[test]
fn an_aggregate_that_is_added_counts_from_here_on_once_it_is_accepted() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    shop.run(&[]);
    shop.become_of(&edited("minutes", "SUM(n) AS total", "MIN(n) AS least, SUM(n) AS total"));
    let err = shop.refused();
    assert!(err.contains("minutes: compatible, aggregate MIN is new"), "{err}");
    shop.click(&LATE);
    shop.run(&["--accept-plan", "--close-windows"]);
    assert_eq!(
        shop.lines("minutes"),
        [
            r#"{"k":"a","minute":"2026-01-01T00:00:00","clicks":2,"total":4}"#,
            r#"{"k":"a","minute":"2026-01-01T00:01:00","clicks":2,"least":7,"total":12}"#,
            r#"{"k":"a","minute":"2026-01-01T00:02:00","clicks":1,"least":9,"total":9}"#,
            r#"{"k":"b","minute":"2026-01-01T00:00:00","clicks":1,"total":2}"#,
            r#"{"k":"b","minute":"2026-01-01T00:01:00","clicks":3,"least":8,"total":18}"#,
            r#"{"k":"b","minute":"2026-01-01T00:03:00","clicks":1,"least":10,"total":10}"#,
        ]
    );
    // The next start knows the plan.
    shop.run(&[]);
}

#[test]
fn an_aggregate_that_is_gone_or_moved_leaves_the_others_their_values() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    shop.run(&[]);
    shop.become_of(&edited(
        "minutes",
        "COUNT(*) AS clicks, SUM(n) AS total",
        "SUM(n) AS total, AVG(n) AS mean",
    ));
    shop.click(&LATE);
    shop.run(&["--accept-plan", "--close-windows"]);
    let lines = shop.lines("minutes");
    assert!(
        lines.contains(
            &r#"{"k":"b","minute":"2026-01-01T00:01:00","total":18,"mean":8}"#.to_owned()
        ),
        "{lines:#?}"
    );
}

#[test]
fn a_changed_filter_is_kept_where_it_is_accepted() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    shop.run(&[]);
    shop.become_of(&edited("copies", "n > 0", "n > 7"));
    let err = shop.refused();
    assert!(err.contains("copies: compatible") && err.contains("minutes: compatible"), "{err}");
    shop.click(&LATE);
    shop.run(&["--accept-plan", "--close-windows"]);
    assert_eq!(shop.lines("copies").len(), 9, "the seventh is filtered");
    let lines = shop.lines("minutes");
    let open = r#"{"k":"a","minute":"2026-01-01T00:01:00","clicks":1,"total":5}"#;
    assert!(lines.contains(&open.to_owned()), "{lines:#?}");
}

#[test]
fn a_model_that_is_gone_is_forgotten_once_that_is_accepted() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    shop.run(&[]);
    let before = shop.lines("minutes");
    shop.become_of(&[("copies", COPIES.to_owned())]);
    let err = shop.refused();
    assert!(
        err.contains("minutes: removed, its state would be forgotten, its topic stays"),
        "{err}"
    );
    shop.click(&LATE);
    shop.run(&["--accept-plan"]);
    assert_eq!(shop.lines("copies").len(), 10);
    assert_eq!(shop.lines("minutes"), before);
    let inspected = shop.folder.succeed(&["state", "inspect"]);
    assert!(!inspected.contains("minutes/"), "{inspected}");
}

#[test]
fn what_a_killed_run_left_is_settled_by_the_plan_that_wrote_it() {
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    let run = shop.start_until(&[], 6);
    run.signal("KILL");
    run.end();
    // The clicks between are the old plan's if it had read them, else the new one's.
    shop.become_of(&edited("copies", "SELECT k,", "SELECT UPPER(country) AS loud, k,"));
    goes_on_louder(&shop);
}

/// The join keeps other columns: some go, and one that is computed comes.
#[test]
fn a_temporal_join_keeps_its_versions_and_the_rows_that_wait() {
    let joined = |columns: &str| {
        let sql = format!(
            "SELECT {columns} FROM {{{{ source(\"clicks\") }}}} AS c LEFT JOIN {{{{ source(\"items\") }}}} FOR SYSTEM_TIME AS OF c.at AS i ON c.country = i.country"
        );
        vec![("joined", sql)]
    };
    let lines = b"{\"country\":\"de\",\"spare\":\"s\",\"name\":\"Germany\",\"since\":\"2026-01-01T00:00:00Z\"}\n{\"country\":\"fr\",\"spare\":\"t\",\"name\":\"France\",\"since\":\"2026-01-01T00:00:00Z\"}\n";
    let with_items = |models: &[(&'static str, String)]| {
        let shop = Shop::new(models);
        assert_eq!(shop.folder.engine_with(&["topic", "produce", "items"], lines).code, 0);
        shop
    };
    let shop = with_items(&joined("c.n AS k, i.spare, c.k AS who, c.at, i.name"));
    shop.click(&EARLY);
    shop.run(&[]);
    let before = shop.lines("joined");
    assert_eq!(before.len(), 5, "one waits for the watermark");
    let narrower = joined("c.k AS k, UPPER(i.name) AS name, c.at");
    shop.become_of(&narrower);
    let err = shop.refused();
    assert!(err.contains("joined: compatible"), "{err}");
    shop.click(&LATE);
    shop.run(&["--accept-plan", "--close-windows"]);
    let scratch = with_items(&narrower);
    scratch.click(&all());
    scratch.close();
    let new: Vec<String> =
        shop.lines("joined").into_iter().filter(|line| !before.contains(line)).collect();
    assert_eq!(new.len(), 5);
    let whole = scratch.lines("joined");
    assert!(new.iter().all(|line| whole.contains(line)), "{new:#?}\n{whole:#?}");
    // What it has not kept, it cannot give.
    shop.become_of(&joined("c.k AS k, i.name, i.spare, c.at"));
    let err = shop.refused();
    assert!(err.contains("joined: rebuild, the temporal join needs `spare`"), "{err}");
}

#[test]
fn without_the_snapshot_at_the_edit_the_old_plan_replays_to_there() {
    let shop = Shop::new(&first());
    shop.click(&EARLY[..3]);
    shop.run(&[]);
    shop.click(&EARLY[3..]);
    shop.run(&[]);
    let snapshots = shop.folder.path().join(".engine/state/default/snapshots");
    let mut folders: Vec<_> = std::fs::read_dir(snapshots)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.sort_unstable();
    let table = folders.last().expect("a snapshot").join("0003.arrow");
    let mut bytes = std::fs::read(&table).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&table, bytes).expect("it can be written");
    shop.become_of(&edited("copies", "SELECT k,", "SELECT UPPER(country) AS loud, k,"));
    shop.click(&LATE);
    let output = shop.run(&["--close-windows"]);
    assert!(output.err.contains("cannot be used"), "{}", output.err);
    assert_eq!(shop.lines("minutes"), from_scratch(&first(), &all(), "minutes"));
    assert_eq!(shop.lines("copies").len(), 10);
}
