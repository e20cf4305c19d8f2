//! A crash anywhere between the old plan and the new one.

use crate::shop::{EARLY, LATE, PUT_OFF, Shop, all, edited, first, from_scratch, sorted};

/// A run passes a place at most so often: each time is one to die at.
const TIMES_MAX: usize = 24;

/// How an upgrade runs.
struct Way<'a> {
    flags: &'a [&'a str],
    /// Whether the run before it was killed.
    leaves_tail: bool,
    /// Whether rounds follow one another however little is left to read.
    has_rounds: bool,
    /// How often it passes the place at least.
    times: usize,
}

/// Dies each time that an upgrade comes to a place, is started again, and gives the same rows.
/// `check` compares at the end.
fn die_everywhere(
    point: &str,
    models: &[(&'static str, String)],
    way: &Way<'_>,
    check: impl Fn(&Shop, Vec<String>, &str),
) {
    let Way { flags, leaves_tail, .. } = *way;
    for times in 1..=TIMES_MAX {
        let shop = Shop::new(&first());
        shop.click(&EARLY);
        if leaves_tail {
            let run = shop.start_until(&[], EARLY.len());
            run.signal("KILL");
            run.end();
        } else {
            shop.run(&[]);
        }
        let before = shop.lines("minutes");
        shop.become_of(models);
        shop.click(&LATE);
        let place = format!("{point}=abort@{times}");
        let points = if way.has_rounds { format!("{place},{PUT_OFF}") } else { place.clone() };
        let arguments = [&["run", "--once", "--commit-interval", "1ms"], flags].concat();
        let mut command = shop.folder.command(&arguments);
        command.env("ENGINE_FAILPOINT", points).stdin(std::process::Stdio::null());
        let output = command.output().expect("the binary runs");
        let is_through = output.status.success();
        shop.run(flags);
        shop.close();
        check(&shop, before, &place);
        if is_through {
            assert!(times > way.times, "{place}: it is passed more often than that");
            return;
        }
    }
    panic!("an upgrade passes {point} less than {TIMES_MAX} times");
}

/// A silent rebuild that dies each time that it comes to a place, `times` at least.
#[track_caller]
fn silent_rebuild_dies_at(point: &str, times: usize, has_rounds: bool) {
    let models = edited("minutes", "GROUP BY k,", "GROUP BY k, country,");
    let whole = from_scratch(&models, &all(), "minutes");
    let open = whole.into_iter().filter(|line| !line.contains("T00:00:00"));
    let open: Vec<String> = open.collect();
    let way = Way { flags: &["--accept-plan"], leaves_tail: false, has_rounds, times };
    die_everywhere(point, &models, &way, |shop, before, place| {
        let expected = sorted([before, open.clone()].concat());
        assert_eq!(shop.lines("minutes"), expected, "{place}");
        assert_eq!(shop.lines("copies").len(), 10, "{place}");
    });
}

#[test]
fn a_silent_rebuild_that_dies_after_any_commit_gives_the_same_rows() {
    silent_rebuild_dies_at("commit.5.after", 6, true);
}

#[test]
fn a_silent_rebuild_that_dies_where_a_round_begins_or_ends_gives_the_same_rows() {
    silent_rebuild_dies_at("rebuild.round.before", 1, true);
    silent_rebuild_dies_at("rebuild.round.after", 1, false);
}

#[test]
fn a_silent_rebuild_that_dies_while_a_snapshot_is_written_gives_the_same_rows() {
    silent_rebuild_dies_at("snapshot.manifest.before", 2, false);
}

#[test]
fn a_rebuild_that_dies_anywhere_gives_the_same_rows() {
    let models = edited("minutes", "GROUP BY k,", "GROUP BY k, country,");
    let whole = from_scratch(&models, &all(), "minutes");
    let flags = &["--accept-plan", "--re-emit"];
    let way = Way { flags, leaves_tail: true, has_rounds: true, times: 5 };
    die_everywhere("commit.5.after", &models, &way, |shop, before, place| {
        let expected = sorted([before, whole.clone()].concat());
        assert_eq!(shop.lines("minutes"), expected, "{place}");
        assert_eq!(shop.lines("copies").len(), 10, "{place}");
    });
}

#[test]
fn a_migration_that_dies_anywhere_keeps_the_state() {
    let models = edited("copies", "SELECT k,", "SELECT UPPER(country) AS loud, k,");
    let expected = from_scratch(&first(), &all(), "minutes");
    let way = Way { flags: &[], leaves_tail: true, has_rounds: false, times: 3 };
    die_everywhere("commit.5.before", &models, &way, |shop, _before, place| {
        assert_eq!(shop.lines("minutes"), expected, "{place}");
        assert_eq!(shop.lines("copies").len(), 10, "{place}");
    });
}

#[test]
fn an_edit_during_a_rebuild_starts_it_anew_once_it_is_accepted() {
    let models = edited("minutes", "GROUP BY k,", "GROUP BY k, country,");
    let shop = Shop::new(&first());
    shop.click(&EARLY);
    shop.run(&[]);
    let before = shop.lines("minutes");
    shop.become_of(&models);
    // The second commit of the run is the first of the rebuild with rows.
    let mut command = shop.folder.command(&["run", "--once", "--accept-plan"]);
    command.env("ENGINE_FAILPOINT", "commit.5.after=abort@2").stdin(std::process::Stdio::null());
    assert!(!command.output().expect("the binary runs").status.success());
    let plan = shop.folder.succeed(&["plan", "--output", "json"]);
    assert!(plan.contains(r#""unfinished":["minutes"]"#), "{plan}");
    let mut other = models.clone();
    other[1].1 = other[1].1.replace("COUNT(*) AS clicks", "MIN(n) AS least");
    shop.become_of(&other);
    let err = shop.refused();
    assert!(err.contains("its rebuild had not ended when the project was changed"), "{err}");
    shop.click(&LATE);
    shop.run(&["--accept-plan", "--close-windows"]);
    let whole = from_scratch(&other, &all(), "minutes");
    let open = whole.into_iter().filter(|line| !line.contains("T00:00:00")).collect();
    assert_eq!(shop.lines("minutes"), sorted([before, open].concat()));
}
