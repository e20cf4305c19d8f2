//! Dead letters: counted, shown one by one, and what became of those that were tried again.

use std::collections::{BTreeMap, BTreeSet};

use runtime::{DeadLetter, Fate, RedeliveryReport};
use serde_json::{Value, json};

use super::run::{bare_table, right_align};
use super::snapshots::time;
use super::{Append, bytes_text, count, visible};

/// So much of a value is shown to people.
const VALUE_BYTES_SHOWN: usize = 2_000;

/// Dead letters by reason, model and topic.
#[derive(Debug, Default)]
pub(crate) struct LetterCounts {
    rows: BTreeMap<(String, String, String), Row>,
    /// Records that were replayed, by generation.
    replayed: BTreeSet<Record>,
}

/// Topic, partition and offset of a record, and the generation that spoke of it.
type Record = (String, (i32, i64), Option<u64>);

#[derive(Debug, Default)]
struct Row {
    count: u64,
    newest_ms: Option<i64>,
    records: Vec<Record>,
}

impl LetterCounts {
    pub(crate) fn add(&mut self, letter: &DeadLetter) {
        let key = (letter.reason.clone(), letter.model.clone(), letter.topic.clone());
        let row = self.rows.entry(key).or_default();
        row.count += 1;
        row.newest_ms = row.newest_ms.max(letter.written_ms);
        row.records.extend(record(letter));
    }

    /// Takes a mark.
    pub(crate) fn note_replayed(&mut self, mark: &DeadLetter) {
        self.replayed.extend(record(mark));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn replayed(&self, row: &Row) -> usize {
        row.records.iter().filter(|record| self.replayed.contains(*record)).count()
    }

    pub(crate) fn table(&self, width: Option<u16>) -> String {
        let mut table = bare_table(width);
        table.set_header(["reason", "model", "topic", "letters", "replayed", "newest"]);
        for ((reason, model, topic), row) in &self.rows {
            table.add_row([
                visible(reason),
                visible(model),
                visible(topic),
                row.count.to_string(),
                self.replayed(row).to_string(),
                row.newest_ms.map_or_else(|| "–".to_owned(), time),
            ]);
        }
        right_align(&mut table);
        format!("{table}\n")
    }

    /// The same for programs, a line for each.
    pub(crate) fn json(&self) -> String {
        let mut text = String::new();
        for ((reason, model, topic), row) in &self.rows {
            let line = json!({
                "type": "dead_letters", "reason": reason, "model": model, "topic": topic,
                "count": row.count, "replayed": self.replayed(row), "newest_ms": row.newest_ms,
            });
            text.append(format_args!("{line}\n"));
        }
        text
    }
}

fn record(letter: &DeadLetter) -> Option<Record> {
    Some((letter.topic.clone(), letter.origin?, letter.generation))
}

/// One dead letter, for people.
pub(crate) fn letter_text(letter: &DeadLetter) -> String {
    let number = |number: Option<u64>| number.map_or_else(|| "–".to_owned(), |it| it.to_string());
    let value = letter.value.as_deref();
    let written = letter.written_ms.map_or_else(|| "–".to_owned(), time);
    let mut text = format!("#{}  {}  {}\n", letter.offset, visible(&letter.reason), written);
    text.append(format_args!("  from      {}\n", visible(&letter.place())));
    text.append(format_args!("  model     {}\n", visible(&letter.model)));
    text.append(format_args!("  operator  {}\n", visible(&letter.operator)));
    let (epoch, generation) = (number(letter.epoch), number(letter.generation));
    text.append(format_args!("  epoch     {epoch} of generation {generation}\n"));
    text.append(format_args!("  detail    {}\n", visible(&letter.detail)));
    match value {
        None => text.push_str("  value     null\n"),
        Some(bytes) => {
            let shown = &bytes[..bytes.len().min(VALUE_BYTES_SHOWN)];
            text.append(format_args!("  value     {}\n", visible(&String::from_utf8_lossy(shown))));
            if shown.len() < bytes.len() {
                let whole = bytes_text(bytes.len() as u64);
                text.append(format_args!("            (cut here: it has {whole})\n"));
            }
            if letter.is_truncated {
                text.push_str("            (its end is missing: it was too large for the topic)\n");
            }
        }
    }
    text
}

/// The same for programs. Bytes that are no UTF-8 are replaced in `value`.
pub(crate) fn letter_json(letter: &DeadLetter) -> Value {
    let value = letter.value.as_deref();
    json!({
        "type": "dead_letter", "number": letter.offset, "reason": letter.reason,
        "detail": letter.detail, "model": letter.model, "operator": letter.operator,
        "topic": letter.topic, "partition": letter.origin.map(|(partition, _)| partition),
        "offset": letter.origin.map(|(_, offset)| offset), "epoch": letter.epoch,
        "generation": letter.generation, "written_ms": letter.written_ms,
        "truncated": letter.is_truncated,
        "value": value.map(String::from_utf8_lossy),
        "is_text": value.is_none_or(|value| std::str::from_utf8(value).is_ok()),
    })
}

/// What became of the letters, for people.
pub(crate) fn redelivery_text(
    report: &RedeliveryReport,
    is_dry_run: bool,
    width: Option<u16>,
) -> String {
    let all: u64 = report.settled.iter().map(|one| one.count).sum();
    let done = if is_dry_run { "would be replayed" } else { "replayed" };
    let records = count(usize::try_from(all).unwrap_or(usize::MAX), "record");
    let mut text = format!("{} of {records} {done}\n", report.replayed());
    if report.settled.is_empty() {
        return text;
    }
    let mut table = bare_table(width);
    table.set_header(["", "records", "topic", "first", "why"]);
    for one in &report.settled {
        let (fate, why) = words(&one.fate);
        let records = one.count.to_string();
        let (topic, first) = (visible(&one.topic), visible(&one.first));
        table.add_row([fate.to_owned(), records, topic, first, visible(why)]);
    }
    text.append(format_args!("{table}\n"));
    text
}

/// The same for programs: a line for each fate, and one for all.
pub(crate) fn redelivery_json(report: &RedeliveryReport, is_dry_run: bool) -> String {
    let mut text = String::new();
    for one in &report.settled {
        let (fate, why) = words(&one.fate);
        let line = json!({
            "type": "dead_letters", "fate": fate, "why": why, "topic": one.topic,
            "count": one.count, "first": one.first,
        });
        text.append(format_args!("{line}\n"));
    }
    let line = json!({
        "type": "replay", "replayed": report.replayed(), "is_dry_run": is_dry_run,
        "is_plan_changed": report.is_plan_changed,
    });
    text.append(format_args!("{line}\n"));
    text
}

fn words(fate: &Fate) -> (&'static str, &str) {
    match fate {
        Fate::Replayed => ("replayed", ""),
        Fate::Refused(why) => ("refused", why),
        Fate::Left(why) => ("left", why),
    }
}

#[cfg(test)]
mod tests;
