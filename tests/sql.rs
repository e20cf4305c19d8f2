//! Claims about the SQL as data: each file under `sql/` is one (`support/case.rs` says how to read
//! it). Each is run whole, row by row, in random micro-batches, restored from a snapshot at every
//! step, and from files at random ones; the answer must be the same. `UPDATE_EXPECT=1` rewrites
//! what is expected.

#[path = "support/case.rs"]
mod case;
#[path = "support/case_run.rs"]
mod case_run;

use std::fs;
use std::path::{Path, PathBuf};

use case::Case;
use case_run::{Cut, Restore, Runner};

/// How often a case is cut at random.
const RANDOM_RUNS: u64 = 3;

/// Fewer cases than this mean that they were not found.
const CASES_AT_LEAST: usize = 60;

#[test]
fn every_case_gives_what_it_claims_however_its_input_is_cut() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql");
    let paths = case_paths(&folder);
    assert!(paths.len() >= CASES_AT_LEAST, "only {} cases in tests/sql", paths.len());
    let is_update = std::env::vars().any(|(name, value)| name == "UPDATE_EXPECT" && value == "1");
    let failures: Vec<String> =
        paths.iter().filter_map(|path| check(path, is_update).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Runs one case in every way.
fn check(path: &Path, is_update: bool) -> Result<(), String> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    let case = Case::parse(&text).map_err(|error| format!("{name}: {error}"))?;
    let runner = Runner::new(&case).map_err(|error| format!("{name}:\n{error}"))?;
    let whole =
        runner.run(Cut::Whole, Restore::Never).map_err(|error| format!("{name}: {error}"))?;
    if is_update {
        let updated = case.with_expected(&whole);
        return fs::write(path, updated).map_err(|error| format!("{name}: {error}"));
    }
    if whole != case.expected {
        return Err(format!("{name}:\n{}", difference(&case.expected, &whole)));
    }
    let random = (1..=RANDOM_RUNS).map(Cut::Random);
    for (seed, cut) in (0..).zip([Cut::Each].into_iter().chain(random)) {
        for restore in [Restore::Never, Restore::EachStep, Restore::Files(seed)] {
            let got = runner.run(cut, restore).map_err(|error| format!("{name}: {error}"))?;
            if got != whole {
                let difference = difference(&whole, &got);
                return Err(format!("{name}: {cut:?}, restored: {restore:?}\n{difference}"));
            }
        }
    }
    Ok(())
}

/// All cases, in order of their names.
fn case_paths(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let entries = fs::read_dir(folder).expect("the folder of cases is part of the repository");
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            paths.extend(case_paths(&path));
        } else if path.extension().is_some_and(|extension| extension == "case") {
            paths.push(path);
        }
    }
    paths.sort();
    paths
}

/// Lines that differ, as a diff shows them.
fn difference(expected: &str, got: &str) -> String {
    let (expected, got): (Vec<&str>, Vec<&str>) =
        (expected.lines().collect(), got.lines().collect());
    let mut lines = Vec::new();
    for place in 0..expected.len().max(got.len()) {
        match (expected.get(place), got.get(place)) {
            (Some(left), Some(right)) if left == right => lines.push(format!("  {left}")),
            (left, right) => {
                lines.extend(left.map(|left| format!("- {left}")));
                lines.extend(right.map(|right| format!("+ {right}")));
            }
        }
    }
    lines.join("\n")
}
