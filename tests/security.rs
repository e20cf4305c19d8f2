//! What a hostile project, file or setting must not reach, and what no output may show.
//!
//! `docs/SECURITY.md` says where the boundary lies; each of its sentences has a test here, in
//! `tests/fuzz.rs` or in `tests/kafka_security.rs`.

#[path = "support/command.rs"]
mod command;
#[path = "support/running.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod running;

#[path = "security/attacks.rs"]
mod attacks;
#[path = "security/canary.rs"]
mod canary;
#[path = "security/settings.rs"]
mod settings;
