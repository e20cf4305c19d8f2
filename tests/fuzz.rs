//! Foreign bytes never make anything panic: plain functions of bytes, driven by a seeded loop that
//! changes the texts of a kept corpus.
//!
//! Every target is run a few hundred times by `cargo test`. For longer, a hundred times as much:
//!
//! ```sh
//! ENGINE_FUZZ_ROUNDS=100 cargo test --workspace --test fuzz
//! ```
//!
//! The number of rounds decides, not the time, so a failure comes again. `ENGINE_FUZZ_SEED` begins
//! elsewhere. What made a target fail is kept in a file that the message names: put it into the
//! target's folder under `fuzz/corpus/`, where each later run tries it first.
//!
//! A target is a line in `fuzz/targets.rs`; other fuzzers can call the same functions.

#[path = "fuzz/drive.rs"]
mod drive;
#[path = "fuzz/targets.rs"]
mod targets;

use drive::drive;

#[test]
fn no_project_makes_the_loader_panic_or_lose_its_places() {
    drive(&targets::PROJECT);
}

#[test]
fn no_query_makes_the_planner_panic() {
    drive(&targets::QUERY);
}

#[test]
fn no_record_makes_a_decoder_panic() {
    drive(&targets::RECORD);
}

#[test]
fn no_journal_entry_makes_a_restart_panic() {
    drive(&targets::JOURNAL);
}

#[test]
fn no_snapshot_makes_a_restore_panic() {
    drive(&targets::SNAPSHOT);
}

#[test]
fn no_request_makes_the_broker_panic() {
    drive(&targets::REQUEST);
}
