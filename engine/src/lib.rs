//! dbt for streams in one binary: the library facade.
//!
//! A project is a folder of YAML: sources, models with Flink SQL, tests, exposures. [`Engine`]
//! opens one, checks it and runs its models over Kafka, exactly once; a project that names no
//! Kafka gets an embedded broker in its `.engine/` folder.
//!
//! ```no_run
//! use engine::{Engine, Options, RunOptions};
//!
//! let engine = Engine::open(Options::new("examples/ecommerce"))?;
//! for diagnostic in engine.check().diagnostics() {
//!     eprintln!("{}: {}", diagnostic.code, diagnostic.message);
//! }
//! let report = engine.run(RunOptions { is_once: true, ..RunOptions::default() })?;
//! println!("{} epochs", report.epochs);
//! # Ok::<(), engine::Error>(())
//! ```
//!
//! The command line is [`cli`], a thin layer over the same calls. **Invariant:** only it reads the
//! environment, prints or ends the process.

mod check;
mod session;

mod explain;
mod init;
mod generate;
mod topics;
mod query;
mod online;
mod reach;
mod hints;

mod memory;
mod report;
mod signals;
pub mod cli;

mod error;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use catalog::load::LoadOptions;
pub use check::Checked;
pub use error::{Error, ErrorKind, Mistakes};
pub use explain::{CODES, page};
pub use report::{DiagnosticStyle, render};
pub use runtime::{
    Delivery, Lag, ModelStatus, Phase, PlanPicture, ReaderStatus, RebuildInput, RunOptions,
    RunReport, Status, StatusBoard, StopHandle, UpgradeOptions, WaitReason, Waiting,
};
pub use session::{Session, Stay};
pub use state::Location;

use runtime::{Names, ReplayedState, RunPlan};
use stream::{Clock, Epoch, SystemClock};

/// Which project, and what the files do not say.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The project's folder.
    pub folder: PathBuf,
    /// Environment, variables, strictness.
    pub load: LoadOptions,
    /// Models to run in the selection grammar; empty: all.
    pub select: Vec<String>,
    /// Models not to run.
    pub exclude: Vec<String>,
    /// Name of an instance that runs a part of the project.
    pub instance: Option<String>,
}

impl Options {
    /// The project in `folder`, all of it, without variables.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), ..Self::default() }
    }
}

/// A project, read and planned.
#[derive(Debug)]
pub struct Engine {
    options: Options,
    checked: Checked,
    clock: Arc<dyn Clock>,
}

impl Engine {
    /// Reads and plans the project. Its mistakes are no error here: see [`Engine::check`].
    ///
    /// # Errors
    /// [`Error::File`] if the folder cannot be read; [`Error::Usage`] if the instance has a name
    /// that could not be that of a folder or a topic.
    pub fn open(options: Options) -> Result<Self, Error> {
        if let Some(name) = options.instance.as_ref().filter(|name| !session::is_name(name)) {
            let help = "a name begins with a letter or digit and goes on with letters, digits, `_`, `-` or `.`";
            return Err(Error::usage(format!("`{name}` cannot be the name of an instance"), help));
        }
        let checked = Checked::of(&options)?;
        Ok(Self { options, checked, clock: Arc::new(SystemClock::new()) })
    }

    /// The same with another clock: a simulation's.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// What is wrong with the project, and what was inferred.
    pub fn check(&self) -> &Checked {
        &self.checked
    }

    /// How it was opened.
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// The project's folder.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }

    /// Connects to the project's Kafka, to stay; without one, opens its embedded broker or connects
    /// to the process that has it.
    ///
    /// # Errors
    /// [`Error::Project`] if the project has mistakes; [`Error::Broker`].
    pub fn connect(&self) -> Result<Session, Error> {
        Session::open(&self.options.folder, self.checked.project()?, Stay::Lasting)
    }

    /// Runs the models until the end that `options` ask for. Blocks.
    ///
    /// # Errors
    /// [`Error::Project`] if the project has mistakes; [`Error::Broker`]; [`Error::Run`], after
    /// which a later run goes on from the last commit.
    pub fn run(&self, options: RunOptions) -> Result<RunReport, Error> {
        let session = self.connect()?;
        let report = self.run_in(&session, options, Arc::default(), StopHandle::default());
        session.close();
        report
    }

    /// As [`Engine::run`], over a connection that is open, with a board that others may read and a
    /// handle that stops it.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn run_in(
        &self,
        session: &Session,
        options: RunOptions,
        board: Arc<StatusBoard>,
        stop: StopHandle,
    ) -> Result<RunReport, Error> {
        session::keep_name(&self.options.folder, &self.checked.project()?.name)?;
        let run = RunPlan { options, board, stop, ..self.run_plan(session)? };
        Ok(runtime::run(&run)?)
    }

    /// What a run with the project as it is would do to the state of the last one; nothing is done.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub fn plan(&self, session: &Session) -> Result<PlanPicture, Error> {
        Ok(runtime::inspect(&self.run_plan(session)?)?)
    }

    /// Makes the state at the end of an epoch again; without one, at the journal's end.
    ///
    /// # Errors
    /// As [`Engine::run`]; of a run's errors those of [`runtime::replay`].
    pub(crate) fn replay_in(
        &self,
        session: &Session,
        to: Option<Epoch>,
    ) -> Result<ReplayedState, Error> {
        Ok(runtime::replay(&self.run_plan(session)?, to)?)
    }

    /// A run as it would be without options.
    fn run_plan(&self, session: &Session) -> Result<RunPlan, Error> {
        let dataflow = self.checked.dataflow()?;
        let names = self.names()?;
        Ok(RunPlan {
            dataflow: dataflow.clone(),
            fingerprint: dataflow.fingerprint(),
            project_text: self.checked.project_text()?,
            compile: Arc::new(planner::resolved::read),
            cluster: session.cluster().clone(),
            state_folder: session::state_folder(&self.options.folder, &names),
            snapshots: self.snapshots()?,
            names,
            options: RunOptions::default(),
            clock: Arc::clone(&self.clock),
            board: Arc::default(),
            stop: StopHandle::default(),
        })
    }

    /// Where snapshots of the state are kept.
    ///
    /// # Errors
    /// [`Error::Project`] if the project has mistakes.
    pub fn snapshots(&self) -> Result<Location, Error> {
        let project = self.checked.project()?;
        let variables = &self.options.load.variables;
        let settings = &project.runtime.engine;
        Ok(session::snapshots(&self.options.folder, (settings, variables), &self.names()?))
    }

    /// Names of the journal, the dead letters, the consumer group.
    ///
    /// # Errors
    /// [`Error::Project`] if the project has mistakes.
    pub fn names(&self) -> Result<Names, Error> {
        let project = self.checked.project()?;
        let environment = project.environment.as_ref();
        Ok(Names {
            project: project.name.clone(),
            environment: environment.map_or_else(|| "default".to_owned(), |one| one.name.clone()),
            instance: self.options.instance.clone(),
        })
    }
}
