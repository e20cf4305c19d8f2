//! What goes wrong outside of the engine, or in the middle of its work, changes no row.
//!
//! The oracle is a project whose rows carry their partition and number (`faults/judge.rs`): after a
//! fault, every row that was fed must be in the committed outputs exactly once, and in exactly one
//! window's sum. Processes are the real binary; brokers are a real Apache Kafka where the machine
//! can start one, and the embedded one.
//!
//! `ENGINE_TEST_KILLS=N` sets how often the kill tests kill, `ENGINE_TEST_SEED=S` repeats a run,
//! `ENGINE_TEST_SILENCE=S` sets how many seconds a silent broker is silent.

#[path = "conformance/client.rs"]
#[expect(dead_code, reason = "the conformance suite uses the rest")]
mod client;
#[path = "support/command.rs"]
mod command;
#[path = "support/folder_copy.rs"]
mod folder_copy;
#[path = "support/embedded.rs"]
#[expect(dead_code, reason = "the conformance suite opens its folder again")]
mod embedded;
#[path = "support/kafka.rs"]
mod kafka;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/running.rs"]
#[expect(dead_code, reason = "the tests of the command line use the rest")]
mod running;

#[path = "support/small_disk.rs"]
mod small_disk;

#[path = "faults/example.rs"]
mod example;
#[path = "faults/feed.rs"]
mod feed;
#[path = "faults/judge.rs"]
mod judge;
#[path = "faults/reader.rs"]
mod reader;
#[path = "faults/world.rs"]
mod world;

#[path = "faults/brokers.rs"]
mod brokers;
#[path = "faults/clock.rs"]
mod clock;
#[path = "faults/cluster.rs"]
mod cluster;
#[path = "faults/delivery.rs"]
mod delivery;
#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/kills.rs"]
mod kills;
#[path = "faults/owners.rs"]
mod owners;
// A build without debug assertions has no failpoints.
#[cfg(debug_assertions)]
#[path = "faults/points.rs"]
mod points;
#[path = "faults/records.rs"]
mod records;
#[path = "faults/standby.rs"]
mod standby;
#[path = "faults/replays.rs"]
mod replays;
#[path = "faults/topics.rs"]
mod topics;
