//! The commands as they are typed: the real binary on the embedded broker, in temporary folders.

#[path = "support/command.rs"]
mod command;
#[path = "support/folder_copy.rs"]
mod folder_copy;
#[path = "support/memory_group.rs"]
mod memory_group;
#[path = "support/running.rs"]
mod running;
#[path = "support/s3.rs"]
mod s3;

#[path = "cli/broker.rs"]
mod broker;
#[path = "cli/topics.rs"]
mod topics;
#[path = "cli/basics.rs"]
mod basics;
#[path = "cli/checks.rs"]
mod checks;
#[path = "cli/runs.rs"]
mod runs;
#[path = "cli/idleness.rs"]
mod idleness;
#[path = "cli/state.rs"]
mod state;
#[path = "cli/replay.rs"]
mod replay;
#[path = "cli/standby.rs"]
mod standby;
#[path = "cli/dlq.rs"]
mod dlq;
#[path = "cli/memory.rs"]
mod memory;
