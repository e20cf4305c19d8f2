//! What a running engine shows: the table that is drawn again, and the plain lines.
//!
//! Both say the same: rates, lag and watermark of every source and model, and for a window that
//! stays open what it waits for.

use std::time::Duration;

use arrow::temporal_conversions::timestamp_ms_to_datetime;
use runtime::{Lag, Phase, RebuildStatus, Status, WaitReason, Waiting};
use stream::{Epoch, ProcessingTime, Watermark};

use super::Append;
use super::run::{Rows, Summary, bare_table, dash, late, right_align};
use super::standby::standby_words;

/// Terminals narrower than these do without totals, and without late rows and exact times.
const WIDE: u16 = 100;
const MEDIUM: u16 = 76;

/// The table's width where the terminal does not say.
const WIDTH_DEFAULT: u16 = WIDE;

/// A commit that takes longer than this is told of.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// Two looks at a running engine, and the time between them.
#[derive(Debug)]
pub(crate) struct Picture<'a> {
    pub(crate) before: &'a Status,
    pub(crate) now: &'a Status,
    pub(crate) passed: Duration,
}

/// One line a source and a model, as a log would have it.
pub(crate) fn plain_lines(picture: &Picture<'_>, rows: &Rows) -> String {
    let (now, passed) = (picture.now, picture.passed);
    let (old, new) =
        (Summary::of(&picture.before.counters, rows), Summary::of(&now.counters, rows));
    let epoch = now.epoch;
    let mut text = String::new();
    let lines = new.lines();
    let mut lines = lines.lines();
    let sources = new.sources.iter().zip(&old.sources).zip(&rows.readers);
    for (((_, counted), (_, earlier)), (reader, _)) in sources {
        text.push_str(lines.next().unwrap_or_default());
        let rate = rate(earlier.records, counted.records, passed);
        text.append(format_args!(" in_per_s={rate}"));
        if let Some(status) = now.readers.get(reader) {
            plain_lag(&mut text, status.lag, status.watermark);
            if let Some(silent) = status.silent_for {
                text.append(format_args!(" silent_s={}", silent.as_secs()));
            }
            for (partition, open_for) in &status.held {
                let seconds = open_for.as_secs();
                text.append(format_args!(" open_transaction={partition}:{seconds}s"));
            }
        }
        text.append(format_args!(" epoch={epoch}\n"));
    }
    for ((name, counted), (_, earlier)) in new.models.iter().zip(&old.models) {
        text.push_str(lines.next().unwrap_or_default());
        let (read, wrote) = (
            rate(earlier.rows_in, counted.rows_in, passed),
            rate(earlier.rows_out, counted.rows_out, passed),
        );
        text.append(format_args!(" in_per_s={read} out_per_s={wrote}"));
        if let Some(status) = now.models.get(name) {
            plain_lag(&mut text, status.lag, status.watermark);
            if let Some(waiting) = &status.waiting {
                text.append(format_args!(" waits=\"{}\"", explained(waiting, now.now)));
            }
        }
        text.append(format_args!(" epoch={epoch}\n"));
    }
    text
}

fn plain_lag(text: &mut String, lag: Lag, watermark: Option<Watermark>) {
    text.append(format_args!(" lag={}", lag.records));
    if let Some(behind) = lag.behind {
        text.append(format_args!(" behind_s={}", behind.as_secs()));
    }
    if let Some(time) = watermark.and_then(|mark| timestamp_ms_to_datetime(mark.0)) {
        text.append(format_args!(" watermark={}", time.format("%Y-%m-%dT%H:%M:%S%.3fZ")));
    }
}

/// The live table: rates since the picture before, lag and watermark, and below it what open
/// windows wait for.
pub(crate) fn status_table(picture: &Picture<'_>, rows: &Rows, width: Option<u16>) -> String {
    let columns = Columns { now: picture.now.now, width: width.unwrap_or(WIDTH_DEFAULT) };
    let now = picture.now;
    let (old, new) =
        (Summary::of(&picture.before.counters, rows), Summary::of(&now.counters, rows));
    let mut table = bare_table(Some(columns.width));
    table.set_header(columns.header());
    let sources = new.sources.iter().zip(&old.sources).zip(&rows.readers);
    for (((name, counted), (_, earlier)), (reader, _)) in sources {
        let status = now.readers.get(reader).cloned().unwrap_or_default();
        table.add_row(columns.row(&Line {
            name,
            read: (earlier.records, counted.records),
            wrote: None,
            late: None,
            lag: status.lag,
            watermark: status.watermark,
            passed: picture.passed,
        }));
    }
    for ((name, counted), (_, earlier)) in new.models.iter().zip(&old.models) {
        let status = now.models.get(name).cloned().unwrap_or_default();
        table.add_row(columns.row(&Line {
            name,
            read: (earlier.rows_in, counted.rows_in),
            wrote: Some((earlier.rows_out, counted.rows_out)),
            late: Some(late(counted)),
            lag: status.lag,
            watermark: status.watermark,
            passed: picture.passed,
        }));
    }
    right_align(&mut table);
    let mut text = format!("{table}\n");
    for sentence in new.gaps().chain(sentences(now, rows)) {
        text.push_str(&wrapped(&sentence, columns.width));
    }
    text.append(format_args!("{} · epoch {} · Ctrl-C stops", phase_words(now), now.epoch));
    text
}

/// One row of the table before it is text.
struct Line<'a> {
    name: &'a str,
    read: (u64, u64),
    wrote: Option<(u64, u64)>,
    late: Option<u64>,
    lag: Lag,
    watermark: Option<Watermark>,
    passed: Duration,
}

/// Which columns there is room for.
struct Columns {
    now: Option<ProcessingTime>,
    width: u16,
}

impl Columns {
    fn header(&self) -> Vec<&'static str> {
        match self.width {
            WIDE.. => vec!["", "read", "in/s", "wrote", "out/s", "late", "lag", "watermark"],
            MEDIUM.. => vec!["", "in/s", "out/s", "late", "lag", "watermark"],
            _ => vec!["", "in/s", "out/s", "lag", "watermark"],
        }
    }

    fn row(&self, line: &Line<'_>) -> Vec<String> {
        let total = |counted: u64| counted.to_string();
        let per_second = |(before, now): (u64, u64)| rate(before, now, line.passed);
        let read = per_second(line.read);
        let wrote = line.wrote.map_or_else(dash, per_second);
        let mut cells = vec![line.name.to_owned()];
        if self.width >= WIDE {
            let wrote_in_all = line.wrote.map_or_else(dash, |(_, now)| total(now));
            cells.extend([total(line.read.1), read, wrote_in_all, wrote]);
        } else {
            cells.extend([read, wrote]);
        }
        if self.width >= MEDIUM {
            cells.push(line.late.map_or_else(dash, total));
        }
        cells.extend([self.lag(line.lag), self.watermark(line.watermark)]);
        cells
    }

    fn lag(&self, lag: Lag) -> String {
        let records = in_thousands(lag.records);
        match lag.behind {
            Some(behind) if self.width >= MEDIUM => format!("{records} ({})", short(behind)),
            Some(_) | None => records,
        }
    }

    /// How far the watermark trails the clock, and where there is room its time.
    fn watermark(&self, watermark: Option<Watermark>) -> String {
        let (Some(watermark), Some(now)) = (watermark, self.now) else { return dash() };
        let trails = now.0.saturating_sub(watermark.0);
        let distance = short(Duration::from_millis(trails.unsigned_abs()));
        let distance = format!("{}{distance}", if trails < 0 { '+' } else { '-' });
        if self.width >= MEDIUM {
            format!("{} ({distance})", time(watermark.0, self.now))
        } else {
            distance
        }
    }
}

/// By source: the transaction that holds it, if one does.
pub(crate) fn held_sources<'a>(now: &Status, rows: &'a Rows) -> Vec<(&'a str, String)> {
    let held = rows.readers.iter().filter_map(|(reader, shown)| {
        let held = &now.readers.get(reader)?.held;
        let (partition, open_for) = held.iter().max_by_key(|(_, open_for)| *open_for)?;
        let (partition, open_for) = (*partition, *open_for);
        let reason = reason(WaitReason::OpenTransaction { partition, open_for });
        Some((shown.as_str(), format!("{shown}: {reason}")))
    });
    held.collect()
}

/// The commit that is under way, if it takes too long.
pub(crate) fn slow_commit(now: &Status, wall: ProcessingTime) -> Option<(Epoch, String)> {
    let (epoch, since) = now.committing?;
    let waited = u64::try_from(wall.0.saturating_sub(since.0)).unwrap_or(0);
    let waited = Duration::from_millis(waited);
    let sentence = || {
        let waited = short(waited);
        format!(
            "epoch {epoch} waits for its commit, for {waited}: Kafka does not answer, or slowly; it \
             goes on when Kafka does, and nothing is lost"
        )
    };
    (waited >= COMMIT_PATIENCE).then(|| (epoch, sentence()))
}

/// What windows were left open by a run that has come to its end.
pub(crate) fn left_open(now: &Status, rows: &Rows) -> Vec<String> {
    let open = rows.models.iter().filter_map(|model| {
        let end = time(now.models.get(model)?.open_until?.0, now.now);
        Some(format!(
            "{model} keeps windows open, the first until {end}: later events close them, or --close-windows"
        ))
    });
    open.collect()
}

/// What stands still, and why.
fn sentences(now: &Status, rows: &Rows) -> Vec<String> {
    let standby = now.standby.iter().map(standby_words);
    let held = held_sources(now, rows).into_iter().map(|(_, sentence)| sentence);
    let waiting = rows.models.iter().filter_map(|model| {
        let waiting = now.models.get(model)?.waiting.as_ref()?;
        Some(format!("{model}: {}", explained(waiting, now.now)))
    });
    standby.chain(held).chain(waiting).collect()
}

/// Until when a window is open, and what would close it.
fn explained(waiting: &Waiting, now: Option<ProcessingTime>) -> String {
    let newest = waiting.newest_event.map_or_else(
        || "no event yet".to_owned(),
        |newest| format!("newest event {}", time(newest.0, now)),
    );
    let (end, needed) = (time(waiting.window_end.0, now), time(waiting.needed_event.0, now));
    let source = &waiting.source;
    let reason = reason(waiting.reason);
    format!(
        "open until {end}, {newest}; closes with a {source} event at or after {needed} ({reason})"
    )
}

fn reason(reason: WaitReason) -> String {
    match reason {
        WaitReason::Silent(silent) => format!("silent for {}", short(silent)),
        WaitReason::OpenTransaction { partition, open_for } => {
            format!("held by an open transaction, partition {partition}, for {}", short(open_for))
        }
    }
}

/// A time of today as such, others with their date.
fn time(millis: i64, now: Option<ProcessingTime>) -> String {
    let Some(time) = timestamp_ms_to_datetime(millis) else { return millis.to_string() };
    let is_today = now
        .and_then(|now| timestamp_ms_to_datetime(now.0))
        .is_some_and(|now| now.date() == time.date());
    let format = if is_today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    time.format(format).to_string()
}

/// A duration in its greatest unit.
pub(super) fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{}.{}s", seconds, duration.subsec_millis() / 100),
        10..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A sentence in lines of at most `width` characters; the later ones are indented.
pub(crate) fn wrapped(sentence: &str, width: u16) -> String {
    let width = usize::from(width.max(20));
    let mut text = String::new();
    let mut line = 0;
    for word in sentence.split(' ') {
        let length = word.chars().count();
        if line > 0 && line + 1 + length > width {
            text.push_str("\n  ");
            line = 2;
        } else if line > 0 {
            text.push(' ');
            line += 1;
        }
        text.push_str(word);
        line += length;
    }
    text.push('\n');
    text
}

fn phase_words(now: &Status) -> String {
    match now.phase {
        Phase::Starting => "starting".to_owned(),
        Phase::Replaying => format!("replaying, {} records so far", now.replayed_records),
        Phase::Rebuilding => rebuilding_words(now.rebuild),
        Phase::Running => "running".to_owned(),
        Phase::Standby => "standby".to_owned(),
        Phase::Finishing => "finishing the last epoch".to_owned(),
        Phase::Ended => "ended".to_owned(),
    }
}

/// What is left of a rebuild's round, and what the models do that are not rebuilt.
fn rebuilding_words(rebuild: Option<RebuildStatus>) -> String {
    let Some(RebuildStatus { records_left, others_go_on }) = rebuild else {
        return "rebuilding models".to_owned();
    };
    let others = if others_go_on { "the others go on" } else { "the others wait for it" };
    let records = in_thousands(records_left);
    format!("rebuilding models, {records} records to read; {others}")
}

fn rate(before: u64, now: u64, passed: Duration) -> String {
    let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).max(1);
    in_thousands(now.saturating_sub(before).saturating_mul(1_000) / millis)
}

fn in_thousands(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..10_000_000 => format!("{}.{}k", number / 1_000, number % 1_000 / 100),
        _ => format!("{}.{}M", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests;
