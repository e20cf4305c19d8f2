//! Drawing: mistakes with carets in the user's own file, facts, tables.
//!
//! Everything here makes text of values; nothing is printed. Colours are asked for by the caller,
//! who knows whether a terminal reads.

mod diagnostics;
mod sarif;
mod facts;
mod run;
mod live;
mod plan;
mod secrets;
mod snapshots;
mod standby;
mod answer;
mod dead_letters;

use std::fmt::{self, Write as _};

use clap::ValueEnum;

pub(crate) use answer::{answer_csv, answer_json, answer_table, table_list};
pub(crate) use dead_letters::{
    LetterCounts, letter_json, letter_text, redelivery_json, redelivery_text,
};
pub use diagnostics::render;
pub(crate) use diagnostics::{Tally, tally_line};
pub(crate) use facts::{fact_json, fact_lines};
pub(crate) use live::{
    Picture, held_sources, left_open, plain_lines, slow_commit, status_table, wrapped,
};
pub(crate) use plan::{plan_json, plan_text};
pub(crate) use run::{Rows, Summary};
pub(crate) use snapshots::{
    manifest_json, manifest_text, operator_name, snapshot_line, snapshot_list_json, snapshot_plain,
    snapshot_table, snapshot_words, snapshots_json, table_name,
};
pub(crate) use standby::{standby_plain, standby_words};

/// How mistakes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiagnosticStyle {
    /// With carets under the text
    Rustc,
    /// One line each
    Short,
    /// One JSON object a line
    Json,
    /// As annotations of GitHub Actions
    Github,
    /// As one SARIF document, for code scanning
    Sarif,
}

/// Formatting straight onto a text, without one of its own in between.
pub(crate) trait Append {
    /// Writes `what` to the end.
    fn append(&mut self, what: fmt::Arguments<'_>);
}

impl Append for String {
    fn append(&mut self, what: fmt::Arguments<'_>) {
        self.write_fmt(what).expect("a String takes everything");
    }
}

/// `1 model`, `2 models`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// The first line of what is written for programs.
pub(crate) fn version_line() -> String {
    format!("{}\n", serde_json::json!({"type": "version", "format": "1.0"}))
}

/// `17 B`, `2.5 KiB`, `1.0 GiB`.
pub(crate) fn bytes_text(bytes: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => {
            let tenths = bytes / (size / 10).max(1);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

/// Makes text from outside harmless for a terminal: what would move its cursor, or turn the order of
/// letters, is replaced by a mark. Lines stay lines.
pub(crate) fn harmless(text: &str) -> String {
    let mark = |c: char| if is_harmful(c) && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    text.chars().map(mark).collect()
}

/// As [`harmless`], in one line, with the codes of what is not shown.
pub(crate) fn visible(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            seen.extend(c.escape_default());
        } else {
            seen.push(c);
        }
    }
    seen
}

/// Whether a character moves a terminal's cursor, or turns the order of letters.
fn is_harmful(c: char) -> bool {
    let turns = ['\u{200e}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2066}'..='\u{2069}'];
    c.is_control() || turns.iter().any(|turning| turning.contains(&c))
}
