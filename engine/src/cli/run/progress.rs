//! What a run shows while it runs: a table that is drawn again, or lines.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle as BarStyle};
use runtime::{Note, Phase, Status, StatusBoard};
use stream::{Clock, Epoch, InstanceName, ProcessingTime, SystemClock};

use crate::cli::arguments::ProgressStyle;
use crate::cli::screen::{Screen, terminal_width};
use crate::report::{
    Picture, Rows, held_sources, plain_lines, slow_commit, snapshot_line, snapshot_plain,
    standby_plain, standby_words, status_table, wrapped,
};

/// How often the board is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// How often plain lines are written.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// Over how many looks rates are taken: a shorter span makes them jump with every commit.
const RATE_LOOKS: usize = 8;

/// The thread that shows progress.
pub(crate) struct Progress {
    end: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
    bars: MultiProgress,
}

impl Progress {
    /// Shows what is on the board until [`Progress::end`].
    pub(crate) fn start(
        screen: &Screen,
        style: ProgressStyle,
        (board, rows): (&Arc<StatusBoard>, Rows),
    ) -> Self {
        let is_drawn = match style {
            ProgressStyle::Auto => screen.is_terminal_err,
            ProgressStyle::Bar => true,
            ProgressStyle::Plain | ProgressStyle::None => false,
        };
        let bars = screen.bars.clone();
        if is_drawn {
            bars.set_draw_target(ProgressDrawTarget::stderr());
        }
        let (end, ended) = sync_channel(1);
        let view = View {
            board: Arc::clone(board),
            rows,
            bars: bars.clone(),
            is_drawn,
            is_plain: !is_drawn && style != ProgressStyle::None,
            notes_shown: 0,
            held_told: BTreeSet::new(),
            standby_told: None,
            commit_told: None,
        };
        let thread = std::thread::Builder::new().name("progress".to_owned());
        // Without the thread nothing is shown; the run goes on.
        let thread = thread.spawn(move || view.run(&ended)).ok();
        Self { end, thread, bars }
    }

    /// Takes the table away.
    pub(crate) fn end(mut self) {
        // Either means that the thread ends or has ended.
        let _ending = self.end.try_send(());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
    }
}

struct View {
    board: Arc<StatusBoard>,
    rows: Rows,
    bars: MultiProgress,
    is_drawn: bool,
    is_plain: bool,
    notes_shown: usize,
    /// Sources of which it was told that a transaction holds them, while it does.
    held_told: BTreeSet<String>,
    /// Of whom it was told that this is its standby, while it is.
    standby_told: Option<Followed>,
    /// The epoch of which it was told that it waits for its commit, while it does.
    commit_told: Option<Epoch>,
}

/// Whom a standby follows; nobody where the project has never run.
#[derive(PartialEq, Eq)]
struct Followed(Option<InstanceName>);

impl View {
    fn run(mut self, ended: &Receiver<()>) {
        let clock = SystemClock::new();
        let bar = self.is_drawn.then(|| {
            let bar = self.bars.add(ProgressBar::new_spinner());
            bar.with_style(
                BarStyle::with_template("{msg}")
                    .unwrap_or_else(|_plain| BarStyle::default_spinner()),
            )
        });
        let mut pictures: Vec<(Duration, Status)> = Vec::new();
        let mut last_lines = (clock.monotonic(), Status::default());
        loop {
            let is_last = ended.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout);
            let (now, status) = (clock.monotonic(), self.board.read());
            self.show_notes(&status.notes);
            self.tell_standby(&status);
            if is_last {
                break;
            }
            if let Some(bar) = &bar {
                if pictures.len() == RATE_LOOKS {
                    pictures.remove(0);
                }
                pictures.push((now, status));
                self.draw(bar, &pictures, clock.now());
                continue;
            }
            self.tell_held(&status);
            self.tell_commit(&status, clock.now());
            if self.is_plain && now.saturating_sub(last_lines.0) >= PLAIN_INTERVAL {
                let passed = now.saturating_sub(last_lines.0);
                let picture = Picture { before: &last_lines.1, now: &status, passed };
                self.tell(&plain_lines(&picture, &self.rows));
                self.tell(&snapshot_plain(&status.snapshots, clock.now()));
                status.standby.iter().for_each(|standby| self.tell(&standby_plain(standby)));
                last_lines = (now, status);
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }

    fn draw(&self, bar: &ProgressBar, pictures: &[(Duration, Status)], wall: ProcessingTime) {
        let (Some((from, before)), Some((to, now))) = (pictures.first(), pictures.last()) else {
            return;
        };
        let picture = Picture { before, now, passed: to.saturating_sub(*from) };
        let width = terminal_width(&console::Term::stderr());
        let mut text = status_table(&picture, &self.rows, width);
        if let Some((_, sentence)) = slow_commit(now, wall) {
            let sentence = wrapped(&sentence, width.unwrap_or(u16::MAX));
            text = format!("{text}\n{}", sentence.trim_end());
        }
        bar.set_message(format!("{text}\n{}", snapshot_line(&now.snapshots, wall)));
    }

    /// That a commit takes too long, and when it no longer does.
    fn tell_commit(&mut self, status: &Status, wall: ProcessingTime) {
        if !self.is_plain {
            return;
        }
        let slow = slow_commit(status, wall);
        let epoch = slow.as_ref().map(|(epoch, _)| *epoch);
        if epoch == self.commit_told {
            return;
        }
        match (slow, self.commit_told) {
            (Some((_, sentence)), _) => self.tell(&format!("warning: {sentence}\n")),
            (None, Some(epoch)) => self.tell(&format!("note: epoch {epoch} waits no longer\n")),
            (None, None) => {}
        }
        self.commit_told = epoch;
    }

    /// Lines come seldom, and a transaction that somebody forgot should be known at once.
    fn tell_held(&mut self, status: &Status) {
        if !self.is_plain {
            return;
        }
        let rows = self.rows.clone();
        let held = held_sources(status, &rows);
        self.held_told.retain(|told| held.iter().any(|(source, _)| told == source));
        for (source, sentence) in held {
            if self.held_told.insert(source.to_owned()) {
                self.tell(&format!("note: {sentence}\n"));
            }
        }
    }

    /// Whom it stands by for, and that it has taken over.
    fn tell_standby(&mut self, status: &Status) {
        if !self.is_plain && !self.is_drawn {
            return;
        }
        let owner = status.standby.as_ref().map(|standby| Followed(standby.owner.clone()));
        if owner == self.standby_told {
            return;
        }
        match (&status.standby, &self.standby_told) {
            (Some(standby), _) => self.tell(&format!("note: {}\n", standby_words(standby))),
            (None, Some(Followed(former))) if status.phase == Phase::Running => {
                let former =
                    former.as_ref().map_or_else(String::new, |former| format!(" from `{former}`"));
                let epoch = status.epoch;
                self.tell(&format!("note: took over{former} at epoch {epoch}\n"));
            }
            // Between two attempts, or at the end.
            (None, _) => return,
        }
        self.standby_told = owner;
    }

    fn show_notes(&mut self, notes: &[Note]) {
        for note in notes.iter().skip(self.notes_shown) {
            let word = if note.is_warning() { "warning" } else { "note" };
            self.tell(&format!("{word}: {note}\n"));
        }
        self.notes_shown = notes.len();
    }

    #[expect(clippy::print_stderr, reason = "progress is for whoever looks on")]
    fn tell(&self, text: &str) {
        self.bars.suspend(|| eprint!("{text}"));
    }
}
