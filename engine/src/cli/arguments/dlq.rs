//! `engine dlq`.

use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand};

use super::{OutputStyle, duration};

/// `engine dlq`.
#[derive(Debug, Args)]
pub(crate) struct DlqArguments {
    /// Name of an instance that runs a part of the project
    #[arg(long, value_name = "NAME", global = true, env = "ENGINE_INSTANCE", hide_env = true)]
    pub(crate) instance: Option<String>,
    #[command(subcommand)]
    pub(crate) command: DlqCommand,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// Count the dead letters by reason, model and topic
    Ls(DlqLsArguments),
    /// Show dead letters with their headers and values
    Show(DlqShowArguments),
    /// Try records again that no model could use
    #[command(long_about = REPLAY_ABOUT)]
    Replay(DlqReplayArguments),
}

/// What `engine dlq replay --help` says.
const REPLAY_ABOUT: &str = "Try records again that no model could use

Reads the original record of each dead letter from its topic again. What the project's sources, as \
they are declared now, still refuse is reported and left. What they let in is written to its topic \
once more: same partition, key, value, headers and timestamp, and the headers `engine.replayed` \
(where the original lies) and `engine.generation`. In the same transaction a mark goes to the \
dead-letter topic, so that no letter is replayed twice, also not by two replays at a time.

Only records that no model has had are replayed: reasons `undecodable`, `null time` and `future`. \
A row that was late or failed in a model has been counted by others, which would count it twice: \
correct the model and build it anew.

A replayed record is read after what came meanwhile. If its window is over by then it is late: \
counted, and a dead letter again. A later `engine run --fresh` reads the original and skips the copy.";

/// Which dead letters.
#[derive(Debug, Args)]
pub(crate) struct DlqFilter {
    /// Only those that were written so long ago at most, e.g. 2h
    #[arg(long, value_name = "DURATION", env = "ENGINE_SINCE", hide_env = true, value_parser = duration)]
    pub(crate) since: Option<Duration>,
    /// Only those of a model, or of a source whose records could not be used
    #[arg(long, value_name = "NAME", env = "ENGINE_MODEL", hide_env = true)]
    pub(crate) model: Option<String>,
    /// Only those of this reason, e.g. undecodable
    #[arg(long, value_name = "REASON", env = "ENGINE_REASON", hide_env = true)]
    pub(crate) reason: Option<String>,
}

/// `engine dlq ls`.
#[derive(Debug, Args)]
pub(crate) struct DlqLsArguments {
    #[command(flatten)]
    pub(crate) filter: DlqFilter,
    /// How the list is written
    #[arg(long, value_enum, default_value = "text", env = "ENGINE_OUTPUT", hide_env = true)]
    pub(crate) output: OutputStyle,
}

/// `engine dlq show`.
#[derive(Debug, Args)]
pub(crate) struct DlqShowArguments {
    /// Number of a letter, or the record that it comes from as TOPIC/PARTITION@OFFSET [default: the
    /// newest]
    pub(crate) letter: Option<String>,
    #[command(flatten)]
    pub(crate) filter: DlqFilter,
    /// How many letters at most, the newest
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value_t = 10,
        env = "ENGINE_LIMIT",
        hide_env = true
    )]
    pub(crate) limit: usize,
    /// How they are written
    #[arg(long, value_enum, default_value = "text", env = "ENGINE_OUTPUT", hide_env = true)]
    pub(crate) output: OutputStyle,
}

/// `engine dlq replay`.
#[derive(Debug, Args)]
pub(crate) struct DlqReplayArguments {
    #[command(flatten)]
    pub(crate) filter: DlqFilter,
    /// Only say what would be done
    #[arg(long, env = "ENGINE_DRY_RUN", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) dry_run: bool,
    /// Write to the topics of a Kafka that is not the embedded broker
    #[arg(short, long, env = "ENGINE_YES", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) yes: bool,
    /// How the result is written
    #[arg(long, value_enum, default_value = "text", env = "ENGINE_OUTPUT", hide_env = true)]
    pub(crate) output: OutputStyle,
}
