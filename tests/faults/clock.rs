//! A wall clock that jumps changes no row.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine::{Engine, Options, RunOptions};
use stream::{Clock, ProcessingTime, SystemClock};

use crate::command::Folder;
use crate::example::{difference, prepared, rows};
use crate::folder_copy::copy;

/// An hour.
const JUMP_MS: i64 = 3_600_000;

/// Jumps an hour ahead, back, an hour behind and back again, a step each time it is asked.
#[derive(Debug, Default)]
struct Jumping {
    system: SystemClock,
    asked: AtomicU64,
}

impl Clock for Jumping {
    fn now(&self) -> ProcessingTime {
        let jump = match self.asked.fetch_add(1, Ordering::SeqCst) % 4 {
            0 => JUMP_MS,
            2 => -JUMP_MS,
            _ => 0,
        };
        ProcessingTime(self.system.now().0 + jump)
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }
}

#[test]
fn a_clock_that_jumps_an_hour_to_and_fro_changes_no_row() {
    let template = prepared();
    let folder = Folder::new();
    copy(template.folder.path(), folder.path());
    let clock = Arc::new(Jumping::default());
    let engine = Engine::open(Options::new(folder.path())).expect("the example opens");
    let engine = engine.with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let options = RunOptions {
        is_once: true,
        closes_windows: true,
        commit_interval: Duration::from_millis(10),
        snapshot_interval: Duration::from_millis(1),
        ..RunOptions::default()
    };
    engine.run(options).expect("it runs");
    assert!(clock.asked.load(Ordering::SeqCst) > 8, "the clock is asked and jumps");
    let (lost, doubled) = difference(&template.expected, &rows(folder.path()));
    assert!(lost.is_empty() && doubled.is_empty(), "{lost:?} {doubled:?}");
}
