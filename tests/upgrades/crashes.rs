//! A crash anywhere between the old plan and the new one.

use crate::shop::{EARLY, LATE, Shop, all, edited, first, from_scratch, sorted};

/// As many commits as such a run has at most: each is a place to die at.
const COMMITS_MAX: usize = 12;

/// Dies at every commit of an upgrade in turn, is started again, and gives the same rows. `check`
/// compares at the end.
fn die_everywhere(
    point: &str,
    models: &[(&'static str, String)],
    (flags, leaves_tail): (&[&str], bool),
    check: impl Fn(&Shop, Vec<String>, &str),
) {
    for times in 1..=COMMITS_MAX {
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
        let arguments = [&["run", "--once", "--commit-interval", "1ms"], flags].concat();
        let mut command = shop.folder.command(&arguments);
        command.env("ENGINE_FAILPOINT", &place).stdin(std::process::Stdio::null());
        let output = command.output().expect("the binary runs");
        let is_through = output.status.success();
        shop.run(flags);
        shop.close();
        check(&shop, before, &place);
        if is_through {
            assert!(times > 3, "{place}: the upgrade has more commits than that");
            return;
        }
    }
    panic!("an upgrade has less than {COMMITS_MAX} commits");
}

#[test]
fn a_rebuild_that_dies_anywhere_gives_the_same_rows() {
    let models = edited("minutes", "GROUP BY k,", "GROUP BY k, country,");
    let whole = from_scratch(&models, &all(), "minutes");
    let flags = (["--accept-plan", "--re-emit"].as_slice(), true);
    die_everywhere("commit.5.after", &models, flags, |shop, before, place| {
        let expected = sorted([before, whole.clone()].concat());
        assert_eq!(shop.lines("minutes"), expected, "{place}");
        assert_eq!(shop.lines("copies").len(), 10, "{place}");
    });
}

#[test]
fn a_migration_that_dies_anywhere_keeps_the_state() {
    let models = edited("copies", "SELECT k,", "SELECT UPPER(country) AS loud, k,");
    let expected = from_scratch(&first(), &all(), "minutes");
    die_everywhere("commit.5.before", &models, (&[], true), |shop, _before, place| {
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
