//! The command line: arguments in, an exit code out.
//!
//! **Invariant:** results go to standard output, everything else to standard error.
//! **Invariant:** the environment is read here and nowhere else.

mod arguments;
mod screen;

mod init;
mod check;
mod compile;
mod explain;
mod plan;
mod run;
mod promote;
mod replay;
mod topic;
mod dlq;
mod state;
mod broker;
mod generate;
mod debug;
mod demo;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::ExitCode;

use catalog::load::LoadOptions;
use clap::{CommandFactory, Parser};
use runtime::RuntimeError;

use crate::{Engine, Error, Options, session};
use arguments::{Arguments, Command, CommonArguments};
use screen::Screen;

/// Exit codes.
const FAILED: u8 = 1;
const INVALID: u8 = 2;
const FENCED: u8 = 6;

/// Runs the command that was typed.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing can be told to somebody whose terminal is gone.
            let _told = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(INVALID));
        }
    };
    let context = match Context::new(arguments.common) {
        Ok(context) => context,
        Err(error) => {
            Screen::plain().error(&error);
            return exit_code(&error);
        }
    };
    match dispatch(&context, &arguments.command) {
        Ok(code) => code,
        Err(error) => {
            context.report(&error);
            match &arguments.command {
                // There 2 means that something would change.
                Command::Plan(arguments) if arguments.detailed_exitcode => ExitCode::from(FAILED),
                _ => exit_code(&error),
            }
        }
    }
}

fn dispatch(context: &Context, command: &Command) -> Result<ExitCode, Error> {
    match command {
        Command::Init(arguments) => init::run(context, arguments),
        Command::Check(arguments) => check::run(context, arguments),
        Command::Compile(arguments) => compile::run(context, arguments),
        Command::Explain(arguments) => explain::run(context, arguments),
        Command::Plan(arguments) => plan::run(context, arguments),
        Command::Run(arguments) => run::run(context, arguments),
        Command::Promote(arguments) => promote::run(context, arguments),
        Command::Replay(arguments) => replay::run(context, arguments),
        Command::Topic(arguments) => topic::run(context, arguments),
        Command::Dlq(arguments) => dlq::run(context, arguments),
        Command::State(arguments) => state::run(context, arguments),
        Command::Broker(arguments) => broker::run(context, arguments),
        Command::Generate(arguments) => generate::run(context, arguments),
        Command::Debug(arguments) => debug::run(context, arguments),
        Command::Demo(arguments) => demo::run(context, arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "engine", &mut script);
            context.screen.result(&String::from_utf8_lossy(&script))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn exit_code(error: &Error) -> ExitCode {
    ExitCode::from(match error {
        Error::Project(_) | Error::Usage { .. } => INVALID,
        Error::Run(RuntimeError::OwnedByOther { .. }) => FENCED,
        Error::NotFound { .. }
        | Error::File { .. }
        | Error::Broker(_)
        | Error::Unreachable { .. }
        | Error::Kafka(_)
        | Error::Run(_)
        | Error::State(_)
        | Error::Unsent { .. }
        | Error::System { .. } => FAILED,
    })
}

/// What every command needs: where it is, what was said, where it may write.
pub(crate) struct Context {
    pub(crate) screen: Screen,
    pub(crate) common: CommonArguments,
    variables: HashMap<String, String>,
    current: PathBuf,
}

/// How a command wants its project.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) is_strict: bool,
    pub(crate) select: Vec<String>,
    pub(crate) exclude: Vec<String>,
    pub(crate) instance: Option<String>,
}

impl Context {
    fn new(common: CommonArguments) -> Result<Self, Error> {
        let variables: HashMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let current = std::env::current_dir().map_err(|source| Error::File {
            action: "read",
            path: ".".into(),
            source,
        })?;
        let screen = Screen::new(&common, &variables);
        Ok(Self { screen, common, variables, current })
    }

    /// The process environment.
    pub(crate) fn variables(&self) -> &HashMap<String, String> {
        &self.variables
    }

    /// The project's folder.
    pub(crate) fn folder(&self) -> Result<PathBuf, Error> {
        session::find_project(self.common.project.as_deref(), &self.current)
    }

    /// The project, read and planned; its mistakes are not told yet.
    pub(crate) fn open(&self, scope: Scope) -> Result<Engine, Error> {
        Engine::open(self.options(self.folder()?, scope)?)
    }

    /// As [`Context::open`], for a folder that a command was given itself.
    pub(crate) fn options(&self, folder: PathBuf, scope: Scope) -> Result<Options, Error> {
        // The name that streamt has for it works as well.
        let streamt = || self.variables.get("STREAMT_ENV").filter(|name| !name.is_empty()).cloned();
        let load = LoadOptions {
            environment: self.common.environment.clone().or_else(streamt),
            variables: self.variables.clone(),
            vars: vars(&self.common.vars)?,
            is_strict: scope.is_strict,
        };
        Ok(Options {
            folder,
            load,
            select: scope.select,
            exclude: scope.exclude,
            instance: scope.instance,
        })
    }

    /// Says that a project has no root file, where that matters.
    pub(crate) fn note_bare_project(&self, engine: &Engine) {
        if session::is_bare_project(engine.folder())
            && let Ok(project) = engine.check().declared()
        {
            let name = &project.name;
            self.screen
                .note(&format!("no stream_project.yml here: the project is called `{name}`"));
        }
    }

    fn report(&self, error: &Error) {
        if let Error::Project(mistakes) = error {
            check::tell_diagnostics(self, &mistakes.diagnostics, &mistakes.files);
            check::tell_tally(self, "engine", &mistakes.diagnostics, &mistakes.files);
        } else {
            self.screen.error(error);
        }
    }
}

/// Reads `--vars`: `name=value`, again and again.
fn vars(given: &[String]) -> Result<BTreeMap<String, String>, Error> {
    given
        .iter()
        .map(|text| match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok((name.trim().to_owned(), value.to_owned()))
            }
            Some(_) | None => {
                let message = format!("`--vars {text}` is no variable");
                Err(Error::usage(message, "write `--vars NAME=VALUE`"))
            }
        })
        .collect()
}
