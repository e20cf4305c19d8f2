//! What may be typed: every command, flag and variable.
//!
//! **Invariant:** every flag can be given as `ENGINE_<FLAG>` as well; a test walks all of them.

mod dlq;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::Scope;
use crate::report::DiagnosticStyle;

pub(crate) use dlq::{
    DlqArguments, DlqCommand, DlqFilter, DlqLsArguments, DlqReplayArguments, DlqShowArguments,
};

/// dbt for streams in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "engine",
    version,
    about = "dbt for streams in one binary",
    after_help = "Every flag can be given as a variable: --project as ENGINE_PROJECT, and so on.",
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command knows.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of all commands")]
pub(crate) struct CommonArguments {
    /// Folder of the project [default: the nearest parent that has a stream_project.yml]
    #[arg(short, long, value_name = "DIR", global = true, env = "ENGINE_PROJECT", hide_env = true)]
    pub(crate) project: Option<PathBuf>,
    /// Environment, one of environments/
    #[arg(
        short,
        long = "env",
        value_name = "NAME",
        global = true,
        env = "ENGINE_ENV",
        hide_env = true
    )]
    pub(crate) environment: Option<String>,
    /// A variable for {{ var("NAME") }}; may be given again
    #[arg(
        long,
        value_name = "NAME=VALUE",
        global = true,
        env = "ENGINE_VARS",
        hide_env = true,
        value_delimiter = ','
    )]
    pub(crate) vars: Vec<String>,
    /// How mistakes in the project are shown
    #[arg(
        long,
        value_enum,
        default_value = "rustc",
        global = true,
        env = "ENGINE_DIAGNOSTICS",
        hide_env = true
    )]
    pub(crate) diagnostics: DiagnosticStyle,
    /// When to use colours
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        global = true,
        env = "ENGINE_COLOR",
        hide_env = true
    )]
    pub(crate) color: ColorChoice,
    /// How logs are written
    #[arg(
        long,
        value_enum,
        default_value = "text",
        global = true,
        env = "ENGINE_LOG_FORMAT",
        hide_env = true
    )]
    pub(crate) log_format: LogFormat,
    /// Say more; -vv says still more
    #[arg(
        short,
        long,
        action = clap::ArgAction::Count,
        global = true,
        env = "ENGINE_VERBOSE",
        hide_env = true
    )]
    pub(crate) verbose: u8,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, env = "ENGINE_QUIET", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) quiet: bool,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

/// `--output` of commands whose result is a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputStyle {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressStyle {
    /// A table on a terminal, lines elsewhere
    Auto,
    /// A table that is drawn again
    Bar,
    /// One line a model every ten seconds
    Plain,
    /// Nothing
    None,
}

/// All commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a project
    Init(InitArguments),
    /// Check the project without running anything
    #[command(alias = "validate")]
    Check(CheckArguments),
    /// Show what the models become: SQL, logical plan, dataflow, inferred facts
    Compile(CompileArguments),
    /// Explain a code such as E0301, or a model
    Explain(ExplainArguments),
    /// Show what a run would do to the state, now that the project has changed
    Plan(PlanArguments),
    /// Run the models
    Run(RunArguments),
    /// Let the standby that waits in this folder take over now
    Promote(PromoteArguments),
    /// Make the state at any epoch again, and ask it with SQL
    Replay(ReplayArguments),
    /// Create, list, describe, fill and read topics
    Topic(TopicArguments),
    /// Count, show and try again what no model could use
    Dlq(DlqArguments),
    /// List, look at, keep and move snapshots of the state
    State(StateArguments),
    /// Run the project's embedded broker alone, until it is stopped
    Broker(BrokerArguments),
    /// Write realistic events for a source
    Generate(GenerateArguments),
    /// Find out why something does not work
    #[command(alias = "doctor")]
    Debug(DebugArguments),
    /// Create the example project, fill it, run it and show its results
    Demo(DemoArguments),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// `engine init`.
#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// Folder to create the project in
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// What to begin with
    #[arg(long, value_enum, default_value = "ecommerce", env = "ENGINE_TEMPLATE", hide_env = true)]
    pub(crate) template: TemplateName,
    /// Overwrite files that are there
    #[arg(long, env = "ENGINE_FORCE", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) force: bool,
    /// Only say what would be written
    #[arg(long, env = "ENGINE_DRY_RUN", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) dry_run: bool,
}

/// `--template`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TemplateName {
    /// The e-commerce example with sample data
    Ecommerce,
    /// One source and one model to begin with
    Empty,
}

/// `engine check`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Warnings are errors, unknown keys too
    #[arg(long, env = "ENGINE_STRICT", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) strict: bool,
    /// Check every environment of environments/, whatever --env says
    #[arg(long, env = "ENGINE_ALL_ENVS", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) all_envs: bool,
    /// Also ask the broker: do topics exist, do they look as declared, can their records be read
    #[arg(long, env = "ENGINE_ONLINE", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) online: bool,
    /// Write inferred types, event times and keys into the YAML
    #[arg(long, conflicts_with = "all_envs", env = "ENGINE_WRITE_HINTS", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) write_hints: bool,
    /// How the result is written
    #[arg(long, value_enum, default_value = "text", env = "ENGINE_OUTPUT", hide_env = true)]
    pub(crate) output: OutputStyle,
}

/// `engine compile`.
#[derive(Debug, Args)]
pub(crate) struct CompileArguments {
    /// Only these models
    #[arg(
        short,
        long,
        value_name = "MODEL",
        env = "ENGINE_SELECT",
        hide_env = true,
        value_delimiter = ','
    )]
    pub(crate) select: Vec<String>,
    /// Only this part
    #[arg(long, value_enum, env = "ENGINE_PLAN", hide_env = true)]
    pub(crate) plan: Option<PlanPart>,
}

/// `--plan`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanPart {
    /// The rendered SQL
    Sql,
    /// DataFusion's logical plan with our operators
    Logical,
    /// The dataflow that runs
    Stream,
    /// Inferred types, event time and keys
    Facts,
}

/// `engine explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// A code such as E0301, or the name of a model
    #[arg(value_name = "CODE|MODEL")]
    pub(crate) subject: String,
}

/// Which part of the project, under which name.
#[derive(Debug, Args)]
pub(crate) struct PartArguments {
    /// Name of an instance that runs a part of the project
    #[arg(long, value_name = "NAME", env = "ENGINE_INSTANCE", hide_env = true)]
    pub(crate) instance: Option<String>,
    /// Only these models, e.g. +user_sessions
    #[arg(
        short,
        long,
        value_name = "MODELS",
        env = "ENGINE_SELECT",
        hide_env = true,
        value_delimiter = ','
    )]
    pub(crate) select: Vec<String>,
    /// All but these models
    #[arg(
        short = 'x',
        long,
        value_name = "MODELS",
        env = "ENGINE_EXCLUDE",
        hide_env = true,
        value_delimiter = ','
    )]
    pub(crate) exclude: Vec<String>,
}

impl PartArguments {
    /// The part, for who opens the project.
    pub(crate) fn scope(&self) -> Scope {
        let Self { instance, select, exclude } = self;
        Scope {
            is_strict: false,
            select: select.clone(),
            exclude: exclude.clone(),
            instance: instance.clone(),
        }
    }
}

/// `engine plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) part: PartArguments,
    /// Exit with 2 if anything would change, with 1 after an error
    #[arg(long, env = "ENGINE_DETAILED_EXITCODE", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) detailed_exitcode: bool,
    /// How the plan is written
    #[arg(long, value_enum, default_value = "text", env = "ENGINE_OUTPUT", hide_env = true)]
    pub(crate) output: OutputStyle,
}

/// `engine run`.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Read to the ends found at the start, commit and stop
    #[arg(long, env = "ENGINE_ONCE", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) once: bool,
    /// With --once: the ends are the end of the input, so all windows fire
    #[arg(long, requires = "once", env = "ENGINE_CLOSE_WINDOWS", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) close_windows: bool,
    /// Forget the state and write all outputs again
    #[arg(long, env = "ENGINE_FRESH", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) fresh: bool,
    /// Accept what `engine plan` says of a changed project
    #[arg(long, conflicts_with = "fresh", env = "ENGINE_ACCEPT_PLAN", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) accept_plan: bool,
    /// Forget the state of these models, and of all that read them, and build it up again
    #[arg(
        long,
        value_name = "MODELS",
        conflicts_with = "fresh",
        env = "ENGINE_REBUILD",
        hide_env = true,
        value_delimiter = ','
    )]
    pub(crate) rebuild: Vec<String>,
    /// Rebuilt models write their rows again
    #[arg(long, conflicts_with = "fresh", env = "ENGINE_RE_EMIT", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) re_emit: bool,
    /// Push a running instance of this project aside
    #[arg(long, env = "ENGINE_TAKE_OVER", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) take_over: bool,
    /// Follow a running instance of this project, and take over when it is gone
    #[arg(long, conflicts_with_all = ["once", "fresh", "take_over"], env = "ENGINE_STANDBY", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) standby: bool,
    #[command(flatten)]
    pub(crate) part: PartArguments,
    /// Time between commits, e.g. 200ms [default: the project's, else 1s]
    #[arg(long, value_name = "DURATION", env = "ENGINE_COMMIT_INTERVAL", hide_env = true, value_parser = duration)]
    pub(crate) commit_interval: Option<Duration>,
    /// How long a transaction may be open before the broker aborts it
    #[arg(long, value_name = "DURATION", default_value = "30s", hide = true, env = "ENGINE_TRANSACTION_TIMEOUT", hide_env = true, value_parser = duration)]
    pub(crate) transaction_timeout: Duration,
    /// How progress is shown
    #[arg(long, value_enum, default_value = "auto", env = "ENGINE_PROGRESS", hide_env = true)]
    pub(crate) progress: ProgressStyle,
    /// How the summary is written
    #[arg(long, value_enum, default_value = "text", env = "ENGINE_OUTPUT", hide_env = true)]
    pub(crate) output: OutputStyle,
}

/// `engine promote`.
#[derive(Debug, Args)]
pub(crate) struct PromoteArguments {
    /// Name of an instance that runs a part of the project
    #[arg(long, value_name = "NAME", env = "ENGINE_INSTANCE", hide_env = true)]
    pub(crate) instance: Option<String>,
    /// How long to wait for it
    #[arg(long, value_name = "DURATION", default_value = "1m", env = "ENGINE_TIMEOUT", hide_env = true, value_parser = duration)]
    pub(crate) timeout: Duration,
}

/// `engine replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// The state at the end of this epoch [default: the journal's last]
    #[arg(long, value_name = "N", env = "ENGINE_TO_EPOCH", hide_env = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) to_epoch: Option<u64>,
    /// Only the tables of this model
    #[arg(long, value_name = "MODEL", env = "ENGINE_MODEL", hide_env = true)]
    pub(crate) model: Option<String>,
    /// A query, such as SELECT * FROM fold.clock; may be given again [default: standard input]
    #[arg(short, long, value_name = "SQL", env = "ENGINE_COMMAND", hide_env = true)]
    pub(crate) command: Vec<String>,
    /// How answers are written
    #[arg(long, value_enum, default_value = "table", env = "ENGINE_OUTPUT", hide_env = true)]
    pub(crate) output: QueryOutput,
    /// Name of an instance that runs a part of the project
    #[arg(long, value_name = "NAME", env = "ENGINE_INSTANCE", hide_env = true)]
    pub(crate) instance: Option<String>,
}

/// `--output` of commands that answer queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryOutput {
    /// For people
    Table,
    /// One JSON object a row
    Json,
    /// Comma-separated, names first
    Csv,
}

/// `engine topic`.
#[derive(Debug, Args)]
pub(crate) struct TopicArguments {
    #[command(subcommand)]
    pub(crate) command: TopicCommand,
}

/// What to do with topics.
#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// Create a topic
    Create(TopicCreateArguments),
    /// List all topics, one a line
    List(TopicListArguments),
    /// Show partitions, offsets and settings of a topic
    Describe(TopicDescribeArguments),
    /// Write JSON lines to a topic, as they are
    Produce(TopicProduceArguments),
    /// Read a topic, one value a line
    Consume(TopicConsumeArguments),
}

/// `engine topic create`.
#[derive(Debug, Args)]
pub(crate) struct TopicCreateArguments {
    /// The topic
    pub(crate) topic: String,
    /// Number of partitions [default: what the project declares, else 1]
    #[arg(long, value_name = "N", env = "ENGINE_PARTITIONS", hide_env = true, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub(crate) partitions: Option<i32>,
    /// Copies of each partition [default: the broker's]
    #[arg(long, value_name = "N", env = "ENGINE_REPLICATION_FACTOR", hide_env = true, value_parser = clap::value_parser!(i32).range(1..=100))]
    pub(crate) replication_factor: Option<i32>,
    /// A setting such as retention.ms=-1; may be given again
    #[arg(long, value_name = "KEY=VALUE", env = "ENGINE_CONFIG", hide_env = true)]
    pub(crate) config: Vec<String>,
}

/// `engine topic list`.
#[derive(Debug, Args)]
pub(crate) struct TopicListArguments {
    /// How the list is written
    #[arg(long, value_enum, default_value = "text", env = "ENGINE_OUTPUT", hide_env = true)]
    pub(crate) output: OutputStyle,
}

/// `engine topic describe`.
#[derive(Debug, Args)]
pub(crate) struct TopicDescribeArguments {
    /// The topic
    pub(crate) topic: String,
    /// How the description is written
    #[arg(long, value_enum, default_value = "text", env = "ENGINE_OUTPUT", hide_env = true)]
    pub(crate) output: OutputStyle,
}

/// `engine topic produce`.
#[derive(Debug, Args)]
pub(crate) struct TopicProduceArguments {
    /// The topic
    pub(crate) topic: String,
    /// Lines to write [default: standard input]
    pub(crate) file: Option<PathBuf>,
    /// Field whose text is the message key
    #[arg(short, long, value_name = "FIELD", env = "ENGINE_KEY", hide_env = true)]
    pub(crate) key: Option<String>,
    /// Field with the record timestamp, ISO-8601 or epoch milliseconds [default: the clock]
    #[arg(short, long, value_name = "FIELD", env = "ENGINE_TIMESTAMP", hide_env = true)]
    pub(crate) timestamp: Option<String>,
}

/// `engine topic consume`.
#[derive(Debug, Args)]
pub(crate) struct TopicConsumeArguments {
    /// The topic
    pub(crate) topic: String,
    /// Stop at the ends found at the start; open transactions before them are waited for 5 s
    #[arg(long, env = "ENGINE_UNTIL_END", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) until_end: bool,
    /// Where each partition begins: start, end, an offset, -N before the end, @MILLISECONDS
    #[arg(
        short,
        long,
        value_name = "OFFSET",
        default_value = "start",
        env = "ENGINE_OFFSET",
        hide_env = true,
        allow_hyphen_values = true
    )]
    pub(crate) offset: String,
    /// Stop after so many records
    #[arg(short = 'n', long, value_name = "N", env = "ENGINE_COUNT", hide_env = true)]
    pub(crate) count: Option<u64>,
    /// What is printed for each record: %k key, %v value, %t topic, %p partition, %o offset, %T time
    #[arg(short, long, value_name = "FORMAT", env = "ENGINE_FORMAT", hide_env = true)]
    pub(crate) format: Option<String>,
}

/// `engine state`.
#[derive(Debug, Args)]
pub(crate) struct StateArguments {
    /// Name of an instance that runs a part of the project
    #[arg(long, value_name = "NAME", global = true, env = "ENGINE_INSTANCE", hide_env = true)]
    pub(crate) instance: Option<String>,
    #[command(subcommand)]
    pub(crate) command: StateCommand,
}

/// What to do with snapshots. One is named by its id, its epoch or the name of its pin.
#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// List all snapshots, the newest first
    Ls(StateLsArguments),
    /// Show operators, tables, positions and watermarks of a snapshot
    Inspect(StateInspectArguments),
    /// Keep the state as it is now for ever: a running engine takes a snapshot, of a stopped one the
    /// newest is pinned
    Snapshot(StateSnapshotArguments),
    /// Keep a snapshot for ever
    Pin(StatePinArguments),
    /// Copy a snapshot to a folder
    Export(StateExportArguments),
    /// Put an exported snapshot back, where the next start finds it
    Restore(StateRestoreArguments),
}

/// `engine state ls`.
#[derive(Debug, Args)]
pub(crate) struct StateLsArguments {
    /// How the list is written
    #[arg(long, value_enum, default_value = "text", env = "ENGINE_OUTPUT", hide_env = true)]
    pub(crate) output: OutputStyle,
}

/// `engine state inspect`.
#[derive(Debug, Args)]
pub(crate) struct StateInspectArguments {
    /// Id, epoch or pin [default: the newest]
    pub(crate) snapshot: Option<String>,
    /// Rows of this table as JSON lines instead
    #[arg(long, value_name = "OPERATOR.TABLE", env = "ENGINE_TABLE", hide_env = true)]
    pub(crate) table: Option<String>,
    /// How many rows
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value_t = 10,
        env = "ENGINE_COUNT",
        hide_env = true
    )]
    pub(crate) count: usize,
    /// How the description is written
    #[arg(long, value_enum, default_value = "text", env = "ENGINE_OUTPUT", hide_env = true)]
    pub(crate) output: OutputStyle,
}

/// `engine state snapshot`.
#[derive(Debug, Args)]
pub(crate) struct StateSnapshotArguments {
    /// Name of the pin
    #[arg(
        long,
        value_name = "NAME",
        default_value = "savepoint",
        env = "ENGINE_NAME",
        hide_env = true
    )]
    pub(crate) name: String,
}

/// `engine state pin`.
#[derive(Debug, Args)]
pub(crate) struct StatePinArguments {
    /// Id, epoch or pin
    pub(crate) snapshot: String,
    /// Name of the pin
    #[arg(
        long,
        value_name = "NAME",
        default_value = "savepoint",
        env = "ENGINE_NAME",
        hide_env = true
    )]
    pub(crate) name: String,
    /// Take the pin away: the snapshot goes like any other
    #[arg(long, env = "ENGINE_REMOVE", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) remove: bool,
}

/// `engine state export`.
#[derive(Debug, Args)]
pub(crate) struct StateExportArguments {
    /// Folder to copy to
    pub(crate) dir: PathBuf,
    /// Id, epoch or pin [default: the newest]
    pub(crate) snapshot: Option<String>,
}

/// `engine state restore`.
#[derive(Debug, Args)]
pub(crate) struct StateRestoreArguments {
    /// Folder to which the snapshot was exported
    pub(crate) dir: PathBuf,
}

/// `engine broker`.
#[derive(Debug, Args)]
pub(crate) struct BrokerArguments {
    /// Where to listen [default: the project's, else 127.0.0.1 and a port of the folder's own, from 19092 on]
    #[arg(long, value_name = "HOST:PORT", env = "ENGINE_LISTEN", hide_env = true)]
    pub(crate) listen: Option<SocketAddr>,
}

/// `engine generate`.
#[derive(Debug, Args)]
pub(crate) struct GenerateArguments {
    /// Name of a source of the project
    pub(crate) source: String,
    /// Stop after so many events [default: 1000 without --rate, else none]
    #[arg(short = 'n', long, value_name = "N", env = "ENGINE_COUNT", hide_env = true)]
    pub(crate) count: Option<u64>,
    /// Events a second [default: as fast as possible]
    #[arg(long, value_name = "EVENTS", env = "ENGINE_RATE", hide_env = true)]
    pub(crate) rate: Option<u32>,
    /// The same seed gives the same events
    #[arg(long, value_name = "N", default_value_t = 42, env = "ENGINE_SEED", hide_env = true)]
    pub(crate) seed: u64,
    /// Time of the first event, ISO-8601 [default: so that the last one is now]
    #[arg(long, value_name = "TIME", env = "ENGINE_START", hide_env = true)]
    pub(crate) start: Option<String>,
    /// Field whose text is the message key [default: the source's key]
    #[arg(short, long, value_name = "FIELD", env = "ENGINE_KEY", hide_env = true)]
    pub(crate) key: Option<String>,
    /// `-` writes the events to standard output instead of the source's topic
    #[arg(short, long, value_name = "-|topic", default_value = "topic", env = "ENGINE_OUTPUT", hide_env = true, allow_hyphen_values = true, value_parser = ["-", "topic"])]
    pub(crate) output: String,
}

/// `engine debug`.
#[derive(Debug, Args)]
pub(crate) struct DebugArguments {
    /// Only the connection to the broker
    #[arg(long, env = "ENGINE_CONNECTION", hide_env = true, value_parser = FalseyValueParser::new())]
    pub(crate) connection: bool,
}

/// `engine demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Folder to create the project in
    #[arg(default_value = "engine-demo")]
    pub(crate) dir: PathBuf,
}

fn duration(text: &str) -> Result<Duration, String> {
    match catalog::duration::parse(text) {
        Some(Duration::ZERO) => Err("must be more than zero".to_owned()),
        Some(duration) => Ok(duration),
        None => Err("write a number and a unit, such as `200ms`, `1s` or `1m`".to_owned()),
    }
}

#[cfg(test)]
mod tests;
