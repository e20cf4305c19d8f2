//! While models are rebuilt, the others go on; and every row is there once, whenever it comes.

use rdkafka::admin::NewPartitions;

use crate::client::{Cluster, options, wait};
use crate::shop::{
    Click, EARLY, LATE, MINUTES, PUT_OFF, Rounds, Shop, all, edited, first, from_scratch, sorted,
};

/// What comes after [`LATE`].
const MORE: [Click; 4] =
    [("a", 11, 210, "fr"), ("b", 12, 250, "de"), ("a", 13, 320, "de"), ("b", 14, 330, "fr")];

/// Another GROUP BY for `minutes`.
fn by_country() -> Vec<(&'static str, String)> {
    edited("minutes", "GROUP BY k,", "GROUP BY k, country,")
}

/// [`by_country`], and a model that is new.
fn with_countries() -> Vec<(&'static str, String)> {
    let mut models = by_country();
    let sql = MINUTES.replace("SELECT k,", "SELECT country AS k,").replace("BY k,", "BY country,");
    models.push(("countries", sql));
    models
}

/// All clicks of this module.
fn everything() -> Vec<Click> {
    [&all()[..], &MORE].concat()
}

/// Lines of windows that begin at this minute or later.
fn since(minute: i64, lines: &[String]) -> Vec<String> {
    let is_since = |line: &&String| (minute..9).any(|minute| line.contains(&window(minute)));
    lines.iter().filter(is_since).cloned().collect()
}

/// How a line shows the minute at which its window begins.
fn window(minute: i64) -> String {
    format!("T00:0{minute}:00")
}

/// A project that has read clicks and was edited then; and what `minutes` had written.
fn shop_edited_after(clicks: &[Click], models: &[(&'static str, String)]) -> (Shop, Vec<String>) {
    let shop = Shop::new(&first());
    // However slow the test is, no partition becomes idle in it.
    let root = "project: {name: shop}\nruntime:\n  engine: {idle_timeout: 1h}\n";
    shop.folder.write("stream_project.yml", root);
    shop.click(clicks);
    shop.run(&[]);
    let before = shop.lines("minutes");
    assert!(!before.is_empty() && since(1, &before).is_empty(), "{before:?}");
    shop.become_of(models);
    (shop, before)
}

/// A project that has read [`EARLY`] and was edited then; and what `minutes` had written.
fn edited_shop(models: &[(&'static str, String)]) -> (Shop, Vec<String>) {
    shop_edited_after(&EARLY, models)
}

/// Feeds clicks while a round waits, and sees that they are copied meanwhile; then lets it read.
#[track_caller]
fn feed(shop: &Shop, rounds: &Rounds, round: usize, clicks: &[Click]) {
    rounds.await_round(round);
    let before = shop.lines("copies").len();
    shop.click(clicks);
    shop.await_lines("copies", before + clicks.len());
    rounds.let_go(round);
}

/// Nine clicks while the others go on, and one more while they wait.
#[track_caller]
fn feed_all(shop: &Shop, flags: &[&str]) {
    let rounds = Rounds::held(4);
    let run = shop.start(flags, Some(&rounds.failpoints()));
    feed(shop, &rounds, 1, &LATE[..3]);
    let further = [&LATE[3..], &MORE].concat();
    feed(shop, &rounds, 2, &further[..1]);
    feed(shop, &rounds, 3, &further[1..2]);
    // One is no less than half of one: the others wait.
    rounds.await_round(4);
    shop.click(&further[2..]);
    rounds.let_go(4);
    shop.await_rebuilt();
    shop.await_lines("copies", everything().len());
    run.signal("TERM");
    assert_eq!(run.end().code, 0);
    shop.close();
    assert_eq!(shop.lines("copies").len(), everything().len());
}

#[test]
fn a_silent_model_writes_what_comes_after_its_former_version_in_every_round() {
    let (shop, before) = edited_shop(&with_countries());
    feed_all(&shop, &["--accept-plan"]);
    let whole = from_scratch(&with_countries(), &everything(), "minutes");
    assert_eq!(shop.lines("minutes"), sorted([before, since(1, &whole)].concat()));
    let countries = from_scratch(&with_countries(), &everything(), "countries");
    assert_eq!(shop.lines("countries"), countries);
}

#[test]
fn what_is_written_again_is_that_of_a_run_from_the_start_whatever_comes_meanwhile() {
    let (shop, before) = edited_shop(&with_countries());
    feed_all(&shop, &["--accept-plan", "--re-emit"]);
    let whole = from_scratch(&with_countries(), &everything(), "minutes");
    assert_eq!(shop.lines("minutes"), sorted([before, whole].concat()));
    let countries = from_scratch(&with_countries(), &everything(), "countries");
    assert_eq!(shop.lines("countries"), countries);
}

#[test]
fn a_rebuild_ends_where_as_much_comes_as_it_reads() {
    let (shop, before) = edited_shop(&by_country());
    let rounds = Rounds::held(4);
    let run = shop.start(&["--accept-plan"], Some(&rounds.failpoints()));
    feed(&shop, &rounds, 1, &LATE[..2]);
    feed(&shop, &rounds, 2, &LATE[2..]);
    rounds.await_round(3);
    shop.click(&MORE[..2]);
    rounds.let_go(3);
    // A fourth round would be held.
    shop.await_rebuilt();
    assert!(!rounds.has_begun(4));
    shop.await_lines("copies", 12);
    run.signal("TERM");
    assert_eq!(run.end().code, 0);
    shop.close();
    let clicks = [&all()[..], &MORE[..2]].concat();
    let whole = from_scratch(&by_country(), &clicks, "minutes");
    assert_eq!(shop.lines("minutes"), sorted([before, since(1, &whole)].concat()));
}

/// The edit that takes the place of [`by_country`] while that is rebuilt.
fn least() -> Vec<(&'static str, String)> {
    let mut models = by_country();
    models[1].1 = models[1].1.replace("COUNT(*) AS clicks", "MIN(n) AS least");
    models
}

#[test]
fn a_model_that_is_edited_while_it_is_silent_keeps_its_mark() {
    let (shop, before) = edited_shop(&by_country());
    let rounds = Rounds::held(1);
    let run = shop.start(&["--accept-plan"], Some(&rounds.failpoints()));
    rounds.await_round(1);
    // `copies` goes beyond the end of a window; `minutes` has written nothing of it.
    shop.click(&LATE);
    shop.await_lines("copies", all().len());
    run.signal("KILL");
    run.end();
    shop.become_of(&least());
    let err = shop.refused();
    assert!(err.contains("its rebuild had not ended when the project was changed"), "{err}");
    shop.run(&["--accept-plan", "--close-windows"]);
    let whole = from_scratch(&least(), &all(), "minutes");
    assert_eq!(shop.lines("minutes"), sorted([before, since(1, &whole)].concat()));
    assert_eq!(shop.lines("copies").len(), all().len());
}

#[test]
fn a_model_that_is_edited_while_it_catches_up_writes_after_what_it_has_written() {
    let (shop, before) = edited_shop(&with_countries());
    let rounds = Rounds::held(3);
    let run = shop.start(&["--accept-plan"], Some(&rounds.failpoints()));
    feed(&shop, &rounds, 1, &LATE);
    feed(&shop, &rounds, 2, &MORE[..2]);
    rounds.await_round(3);
    run.signal("KILL");
    run.end();
    // The second round has read LATE.
    let written = shop.lines("minutes");
    let by_then = minutes_closed_by(&all());
    assert!(written.len() > before.len() && since(by_then, &written).is_empty(), "{written:?}");
    let mut models = least();
    models.push(with_countries().remove(2));
    models[2].1 = models[2].1.replace("SUM(n) AS total", "MAX(n) AS total");
    shop.become_of(&models);
    shop.click(&MORE[2..]);
    shop.run(&["--accept-plan", "--close-windows"]);
    for (topic, written) in [("minutes", written), ("countries", shop_countries(by_then))] {
        let whole = from_scratch(&models, &everything(), topic);
        let expected = sorted([written, since(by_then, &whole)].concat());
        assert_eq!(shop.lines(topic), expected, "{topic}");
    }
    assert_eq!(shop.lines("copies").len(), everything().len());
}

/// What the first version of `countries` gives of windows before a minute.
fn shop_countries(minute: i64) -> Vec<String> {
    let mut lines = from_scratch(&with_countries(), &all(), "countries");
    lines.retain(|line| (0..minute).any(|minute| line.contains(&window(minute))));
    lines
}

/// The first minute that stays open after clicks, all others are closed.
fn minutes_closed_by(clicks: &[Click]) -> i64 {
    let shop = Shop::new(&with_countries());
    shop.click(clicks);
    shop.run(&[]);
    let lines = shop.lines("countries");
    let open = (0..9).find(|minute| !lines.iter().any(|line| line.contains(&window(*minute))));
    open.expect("few minutes")
}

#[test]
fn a_partition_that_was_idle_at_the_mark_holds_no_window_of_what_is_rebuilt() {
    let only = |clicks: &[Click]| -> Vec<Click> {
        clicks.iter().filter(|click| click.0 == "a").copied().collect()
    };
    let (shop, before) = shop_edited_after(&only(&EARLY), &by_country());
    let rounds = Rounds::held(3);
    let run = shop.start(&["--accept-plan"], Some(&rounds.failpoints()));
    feed(&shop, &rounds, 1, &[("a", 7, 90, "fr"), ("a", 9, 130, "de"), ("a", 11, 210, "fr")]);
    feed(&shop, &rounds, 2, &[("a", 13, 320, "de")]);
    rounds.await_round(3);
    // The second round has read up to 210, and the other partition has nothing.
    let written = shop.lines("minutes");
    assert_eq!(since(2, &written).len(), 1, "{written:#?}");
    rounds.let_go(3);
    shop.await_rebuilt();
    run.signal("TERM");
    assert_eq!(run.end().code, 0);
    shop.close();
    let clicks =
        [&only(&EARLY)[..], &[("a", 7, 90, "fr"), ("a", 9, 130, "de")], &only(&MORE)].concat();
    let whole = from_scratch(&by_country(), &clicks, "minutes");
    assert_eq!(shop.lines("minutes"), sorted([before, since(1, &whole)].concat()));
}

/// A partition that comes back from idleness does not move the watermark back, but the records alone
/// do not say how far it was: what is rebuilt would write windows again that its former version wrote.
#[test]
fn the_watermark_of_the_mark_closes_what_the_former_version_has_written() {
    let shop = Shop::new(&first());
    // Old timestamps: both partitions are idle at their ends, and the greater watermark counts.
    shop.click_long_ago(&[("a", 1, 0, "de"), ("a", 2, 50, "fr"), ("d", 3, 70, "de")]);
    shop.click_long_ago(&[("d", 4, 130, "de"), ("d", 5, 190, "fr")]);
    shop.run(&[]);
    let before = shop.lines("minutes");
    assert_eq!(since(2, &before).len(), 1, "{before:#?}");
    // Late, and the end of its partition's idleness.
    shop.click(&[("a", 6, 126, "de")]);
    shop.run(&[]);
    assert_eq!(shop.lines(&shop.dead_letters()).len(), 1);
    assert_eq!(shop.lines("minutes"), before);
    shop.become_of(&by_country());
    shop.run(&["--accept-plan"]);
    let later = [("a", 7, 195, "fr"), ("d", 8, 250, "de")];
    shop.click(&later);
    shop.close();
    let clicks = [&[("d", 5, 190, "fr")][..], &later].concat();
    let expected = from_scratch(&by_country(), &clicks, "minutes");
    assert_eq!(shop.lines("minutes"), sorted([before, expected].concat()));
}

#[test]
fn partitions_that_come_during_a_rebuild_are_read_by_all() {
    let (shop, before) = edited_shop(&with_countries());
    let rounds = Rounds::held(2);
    let run = shop.start(&["--accept-plan"], Some(&rounds.failpoints()));
    rounds.await_round(1);
    let owner = broker::locate(&shop.folder.path().join(".engine")).expect("it runs");
    let cluster = Cluster::at(owner.address.to_string());
    let more = NewPartitions::new("clicks", 5);
    let grown = wait(cluster.admin().create_partitions([&more], &options()));
    assert_eq!(grown.expect("the request is answered"), [Ok("clicks".to_owned())]);
    // Some keys come to the new partitions, whichever they are.
    let keys = ["c", "d", "e", "f", "g", "h", "i", "j", "l", "m", "n", "o"];
    let spread: Vec<Click> = keys.iter().map(|key| (*key, 1, 95, "de")).collect();
    shop.click(&spread);
    shop.await_lines("copies", EARLY.len() + spread.len());
    rounds.let_go(1);
    feed(&shop, &rounds, 2, &LATE[2..]);
    shop.await_rebuilt();
    run.signal("TERM");
    assert_eq!(run.end().code, 0);
    shop.close();
    let clicks = [&EARLY[..], &spread, &LATE[2..]].concat();
    let whole = from_scratch(&with_countries(), &clicks, "minutes");
    assert_eq!(shop.lines("minutes"), sorted([before, since(1, &whole)].concat()));
    let countries = from_scratch(&with_countries(), &clicks, "countries");
    assert_eq!(shop.lines("countries"), countries);
    assert_eq!(shop.lines("copies").len(), clicks.len());
}

#[test]
fn rows_that_are_late_after_the_mark_are_dead_letters_of_the_new_version_once() {
    let (shop, before) = edited_shop(&by_country());
    let rounds = Rounds::held(2);
    let run = shop.start(&["--accept-plan"], Some(&rounds.failpoints()));
    // Its window was closed before the edit.
    feed(&shop, &rounds, 1, &[("a", 99, 5, "de"), ("a", 7, 90, "fr")]);
    feed(&shop, &rounds, 2, &[("a", 98, 6, "de")]);
    shop.await_rebuilt();
    run.signal("TERM");
    assert_eq!(run.end().code, 0);
    shop.close();
    let letters: Vec<String> = shop.lines(&shop.dead_letters());
    for number in ["99", "98"] {
        let of = letters.iter().filter(|line| line.contains(&format!("\"n\":{number}")));
        assert_eq!(of.count(), 1, "{letters:#?}");
    }
    assert_eq!(letters.len(), 2, "{letters:#?}");
    let clicks = [&EARLY[..], &[("a", 7, 90, "fr")]].concat();
    let whole = from_scratch(&by_country(), &clicks, "minutes");
    assert_eq!(shop.lines("minutes"), sorted([before, since(1, &whole)].concat()));
}

/// Nothing about the model has changed, so all its rows are those of a run that was never disturbed,
/// whatever of them comes before the rebuild, during it and after it.
#[test]
fn a_rebuilt_join_has_its_versions_and_all_its_rows_once() {
    let sql = "SELECT c.k, c.n, c.at, i.name FROM {{ source(\"clicks\") }} AS c LEFT JOIN {{ source(\"items\") }} FOR SYSTEM_TIME AS OF c.at AS i ON c.country = i.country";
    let mut models = first();
    models.push(("joined", sql.to_owned()));
    let with_items = |clicks: &[Click]| {
        let shop = Shop::new(&models);
        let items = b"{\"country\":\"de\",\"name\":\"Germany\",\"since\":\"2026-01-01T00:00:00Z\"}\n{\"country\":\"de\",\"name\":\"Deutschland\",\"since\":\"2026-01-01T00:01:22Z\"}\n";
        assert_eq!(shop.folder.engine_with(&["topic", "produce", "items"], items).code, 0);
        shop.click(clicks);
        shop
    };
    let scratch = with_items(&everything());
    scratch.close();
    let whole = scratch.lines("joined");
    assert_eq!(whole.iter().filter(|line| line.contains("Deutschland")).count(), 5, "{whole:#?}");
    let shop = with_items(&EARLY);
    shop.run(&[]);
    let before = shop.lines("joined").len();
    assert!(before > 0 && before < EARLY.len(), "some wait for the watermark");
    shop.click(&LATE);
    let arguments = ["run", "--once", "--rebuild", "joined"];
    let mut command = shop.folder.command(&arguments);
    command.env("ENGINE_FAILPOINT", PUT_OFF).stdin(std::process::Stdio::null());
    assert!(command.output().expect("the binary runs").status.success());
    shop.click(&MORE);
    shop.close();
    assert_eq!(shop.lines("joined"), whole);
}
