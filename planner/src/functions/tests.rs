//! The conformance tables of `tests/functions/`: what Flink says, and where we differ.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use super::*;

mod evaluate;
mod table;

use evaluate::{Evaluator, Outcome};

/// One line of a table.
struct Fact {
    expression: String,
    expected: Outcome,
    is_different: bool,
    note: String,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/functions")
}

fn outcome(data_type: &str, result: &str) -> Outcome {
    if data_type == "REFUSED" {
        return Outcome::Refused;
    }
    Outcome::Rows { data_type: data_type.to_owned(), rows: result.to_owned() }
}

/// Columns: expression, Flink's type, Flink's result, ours (if it differs), note.
fn facts(family: &str) -> Vec<Fact> {
    let text = std::fs::read_to_string(folder().join(format!("{family}.tsv"))).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut cells = line.split('\t').map(str::to_owned);
            let mut cell = || cells.next().unwrap_or_default();
            let (expression, data_type, result, ours, note) =
                (cell(), cell(), cell(), cell(), cell());
            let expected = match ours.split_once(" => ") {
                Some((data_type, result)) => outcome(data_type, result),
                None if ours == "REFUSED" => Outcome::Refused,
                None => outcome(&data_type, &result),
            };
            Fact { expression, expected, is_different: !ours.is_empty(), note }
        })
        .collect()
}

fn check(family: &str) {
    let evaluator = Evaluator::new();
    let mut mistakes = String::new();
    for fact in facts(family) {
        let found = evaluator.evaluate(&fact.expression);
        if found != fact.expected {
            let why = evaluator.last_message();
            writeln!(mistakes, "{}\t{found}\tnot {}\t{why}", fact.expression, fact.expected)
                .unwrap();
        }
        if fact.is_different && fact.note.is_empty() {
            writeln!(mistakes, "{}\tdiffers without a reason", fact.expression).unwrap();
        }
    }
    assert!(mistakes.is_empty(), "{family}:\n{mistakes}");
}

#[test]
fn string_functions_are_those_of_the_table() {
    check("string");
}

#[test]
fn numeric_functions_are_those_of_the_table() {
    check("numeric");
}

#[test]
fn temporal_functions_are_those_of_the_table() {
    check("temporal");
}

#[test]
fn conditions_are_those_of_the_table() {
    check("conditional");
}

#[test]
fn casts_and_literals_are_those_of_the_table() {
    check("cast");
}

#[test]
fn json_functions_are_those_of_the_table() {
    check("json");
}

#[test]
fn collection_functions_are_those_of_the_table() {
    check("collection");
}

#[test]
fn functions_of_datafusion_are_those_of_the_table() {
    check("datafusion");
}

#[test]
fn every_function_has_a_line_in_a_table() {
    let families = [
        "string",
        "numeric",
        "temporal",
        "conditional",
        "cast",
        "json",
        "collection",
        "datafusion",
    ];
    let used: BTreeSet<String> = families
        .iter()
        .flat_map(|family| facts(family))
        .flat_map(|fact| {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            fact.expression.split(|c| !is_name(c)).map(str::to_uppercase).collect::<Vec<_>>()
        })
        .collect();
    let registry = FunctionRegistry::new(&StepClock::default());
    let missing: Vec<_> = registry.names().filter(|name| !used.contains(*name)).collect();
    assert!(missing.is_empty(), "without a line: {missing:?}");
}

#[test]
fn names_are_found_in_any_case() {
    let registry = FunctionRegistry::new(&StepClock::default());
    assert!(registry.get("Upper").is_some());
    assert!(registry.is_callable("upper"));
    assert!(!registry.is_callable("$cast"));
    assert!(!registry.is_callable("soundex"));
}

#[test]
fn the_current_time_is_that_of_the_step() {
    let evaluator = Evaluator::new();
    let expected = outcome("TIMESTAMP_LTZ(3)", "1970-01-01 00:00:01.5Z");
    evaluator.set_time(1500);
    assert_eq!(evaluator.evaluate("CURRENT_TIMESTAMP"), expected);
}
