//! A project that changes between two runs: what is kept, what is rebuilt, and that every row is
//! there once. The real binary on the embedded broker.

#[path = "conformance/client.rs"]
#[expect(dead_code, reason = "the conformance suite uses the rest")]
mod client;
#[path = "support/command.rs"]
mod command;
#[path = "support/running.rs"]
#[expect(dead_code, reason = "the tests of the command line use the rest")]
mod running;

#[path = "upgrades/shop.rs"]
mod shop;
#[path = "upgrades/kept.rs"]
mod kept;
#[path = "upgrades/rebuilt.rs"]
mod rebuilt;
#[path = "upgrades/rounds.rs"]
mod rounds;
#[path = "upgrades/crashes.rs"]
mod crashes;
#[path = "upgrades/plans.rs"]
mod plans;
