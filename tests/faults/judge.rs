//! The oracle: what was lost, what came twice, what is wrong.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::feed::{key_of, second_text};
use crate::reader::committed_values;

/// What is the matter with the outputs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Rows, and windows, that are not there.
    pub(crate) lost: u64,
    /// Rows, and windows, that are there more than once.
    pub(crate) duplicated: u64,
    /// Rows, and windows, that should not be, or have other values.
    pub(crate) wrong: u64,
    /// Rows and windows that were looked at.
    pub(crate) judged: u64,
    /// Some of them.
    examples: Vec<String>,
}

impl Verdict {
    /// Fails the test if anything is the matter.
    #[track_caller]
    pub(crate) fn is_exact(&self) {
        assert!(self.lost == 0 && self.duplicated == 0 && self.wrong == 0, "{self}");
        assert!(self.judged > 0, "there was something to judge");
    }

    fn note(&mut self, what: &str, example: &dyn fmt::Display) {
        if self.examples.len() < 10 {
            self.examples.push(format!("{what}: {example}"));
        }
    }

    /// Compares how often each thing was found with once each.
    fn count<K: fmt::Debug + Ord>(&mut self, expected: &[K], mut found: BTreeMap<K, u64>) {
        for key in expected {
            self.judged += 1;
            match found.remove(key).unwrap_or_default() {
                0 => {
                    self.lost += 1;
                    self.note("lost", &format!("{key:?}"));
                }
                1 => {}
                times => {
                    self.duplicated += times - 1;
                    self.note("duplicated", &format!("{key:?}"));
                }
            }
        }
        for (key, times) in found {
            self.wrong += times;
            self.note("wrong", &format!("{key:?}"));
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, duplicated, wrong, judged, examples } = self;
        write!(f, "{judged} judged: {lost} lost, {duplicated} duplicated, {wrong} wrong")?;
        examples.iter().try_for_each(|example| write!(f, "\n{example}"))
    }
}

/// Judges the committed rows of both models, when `fed` rows were fed into each partition and all
/// windows have fired.
pub(crate) fn judge(brokers: &str, copies: &str, sums: &str, fed: &[u64]) -> Verdict {
    let mut verdict = Verdict::default();
    let values = committed_values(brokers, &[copies, sums]);
    let expected: Vec<_> = (0_u64..)
        .zip(fed)
        .flat_map(|(part, count)| (0..*count).map(move |number| row_of(part, number)))
        .collect();
    let found = counted(&values[0], |row| {
        Some((
            row["part"].as_u64()?,
            row["seq"].as_u64()?,
            text(&row["k"])?,
            row["proof"].as_u64()?,
        ))
    });
    verdict.count(&expected, found);
    let mut windows: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    for count in fed {
        for number in 0..*count {
            let window = windows.entry((key_of(number), second_text(number))).or_default();
            window.0 += 1;
            window.1 += number;
        }
    }
    let expected: Vec<_> =
        windows.into_iter().map(|((key, started), (n, total))| (key, started, n, total)).collect();
    let found = counted(&values[1], |row| {
        let (key, started) = (text(&row["k"])?, text(&row["started"])?);
        Some((key, started, row["n"].as_u64()?, row["total"].as_u64()?))
    });
    verdict.count(&expected, found);
    verdict
}

fn row_of(part: u64, number: u64) -> (u64, u64, String, u64) {
    (part, number, key_of(number), number * 2 + part)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// How often each row occurs.
fn counted<K: Ord>(values: &[String], read: impl Fn(&Value) -> Option<K>) -> BTreeMap<K, u64> {
    let mut found = BTreeMap::new();
    for value in values {
        let row: Value = serde_json::from_str(value).expect("the engine writes JSON");
        let key = read(&row).unwrap_or_else(|| panic!("a row without its columns: {value}"));
        *found.entry(key).or_default() += 1;
    }
    found
}

/// A wrong sum counts as one window lost and one that should not be.
#[test]
fn the_oracle_sees_what_is_lost_doubled_and_changed() {
    let mut verdict = Verdict::default();
    let found = BTreeMap::from([((0, 1), 1), ((0, 2), 3), ((9, 9), 1)]);
    verdict.count(&[(0, 1), (0, 2), (0, 3)], found);
    let Verdict { lost, duplicated, wrong, judged, .. } = verdict;
    assert_eq!((lost, duplicated, wrong, judged), (1, 2, 1, 3));
}
