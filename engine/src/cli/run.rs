//! `engine run`: the models, until stopped or, with `--once`, to the ends found at the start.

mod progress;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use connectors::admin::Admin;
use runtime::{RunOptions, StatusBoard, StopHandle};
use stream::{Clock, SystemClock, failpoint};

use super::arguments::{OutputStyle, RunArguments};
use super::{Context, check};
use crate::report::{self, Append, Rows, Summary, left_open};
use crate::{
    Delivery, Engine, Error, RunReport, Session, UpgradeOptions, memory, reach, session, signals,
};
use progress::Progress;

/// How long `--once` waits for a broker that does not answer.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Waits between two tries to reach a broker: doubled from the first to the second.
const BACKOFF: (std::time::Duration, std::time::Duration) =
    (std::time::Duration::from_millis(250), std::time::Duration::from_secs(10));

pub(crate) fn run(context: &Context, arguments: &RunArguments) -> Result<ExitCode, Error> {
    arm_failpoint(context)?;
    let part = &arguments.part;
    let is_partial = !part.select.is_empty() || !part.exclude.is_empty();
    if is_partial && part.instance.is_none() {
        let help = "give it a name with `--instance NAME`; its state is kept under that name";
        return Err(Error::usage("a part of the project runs as an instance of its own", help));
    }
    let engine = context.open(part.scope())?;
    let checked = engine.check();
    let dataflow = checked.dataflow()?;
    check::tell_briefly(context, checked);
    let stop = StopHandle::default();
    let board = Arc::new(StatusBoard::default());
    let is_stopped = Arc::new(AtomicBool::new(false));
    let (stopping, seen) = (stop.clone(), Arc::clone(&is_stopped));
    let (bars, waiter) = (context.screen.bars.clone(), std::thread::current());
    signals::watch(move || {
        seen.store(true, Ordering::SeqCst);
        stopping.stop();
        waiter.unpark();
        bars.suspend(tell_stop);
    })?;
    let session = engine.connect()?;
    tell_start(context, &engine, &session, arguments)?;
    if !wait_for_broker(context, &session, arguments.once, &is_stopped)? {
        return Ok(ExitCode::SUCCESS);
    }
    let rows = Rows::of(dataflow);
    let options = options(&engine, arguments)?;
    let progress = Progress::start(&context.screen, arguments.progress, (&board, rows.clone()));
    let result = engine.run_in(&session, options, Arc::clone(&board), stop);
    progress.end();
    for note in session.notes() {
        context.screen.warn(&note);
    }
    session.close();
    let report = result?;
    tell_end(context, arguments, &report, &rows)?;
    if arguments.once {
        for open in &left_open(&board.read(), &rows) {
            context.screen.note(open);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A test may name a place where this run shall fail.
fn arm_failpoint(context: &Context) -> Result<(), Error> {
    let Some(text) = context.variables().get("ENGINE_FAILPOINT") else { return Ok(()) };
    failpoint::arm(text).map_err(|error| {
        Error::usage(format!("ENGINE_FAILPOINT: {error}"), "it is for the engine's own tests")
    })
}

fn options(engine: &Engine, arguments: &RunArguments) -> Result<RunOptions, Error> {
    let settings = &engine.check().project()?.runtime.engine;
    let commit_interval = arguments.commit_interval.unwrap_or(settings.commit_interval);
    if commit_interval > catalog::project::runtime::COMMIT_INTERVAL_MAX {
        return Err(Error::usage(
            "a commit interval of more than 10 s is refused: a transaction must end before its timeout",
            "choose `--commit-interval` between 10ms and 10s",
        ));
    }
    Ok(RunOptions {
        is_once: arguments.once,
        closes_windows: arguments.close_windows,
        is_fresh: arguments.fresh,
        is_taking_over: arguments.take_over,
        is_standby: arguments.standby,
        commit_interval,
        snapshot_interval: settings.checkpoint_interval,
        lease: settings.lease.max(commit_interval * 3),
        transaction_timeout: arguments.transaction_timeout,
        delivery: match settings.delivery {
            catalog::project::runtime::Delivery::ExactlyOnce => Delivery::ExactlyOnce,
            catalog::project::runtime::Delivery::AtLeastOnce => Delivery::AtLeastOnce,
        },
        memory_limit: memory::limit(settings.memory_limit),
        upgrade: upgrade(engine, arguments)?,
    })
}

/// What may become of the state if the project has changed.
fn upgrade(engine: &Engine, arguments: &RunArguments) -> Result<UpgradeOptions, Error> {
    let models = engine.check().dataflow()?.models();
    if let Some(unknown) = arguments.rebuild.iter().find(|name| !models.contains(&name.as_str())) {
        let message = format!("`--rebuild {unknown}`: no model that runs has this name");
        return Err(Error::usage(message, format!("the models are {}", models.join(", "))));
    }
    Ok(UpgradeOptions {
        accepts_plan: arguments.accept_plan,
        rebuild: arguments.rebuild.iter().cloned().collect(),
        re_emits: arguments.re_emit,
    })
}

fn tell_start(
    context: &Context,
    engine: &Engine,
    session: &Session,
    arguments: &RunArguments,
) -> Result<(), Error> {
    let names = engine.names()?;
    let project = engine.check().project()?;
    let broker = if session.cluster().is_embedded() {
        let fsync = match project.runtime.broker.fsync {
            catalog::project::runtime::Fsync::Never => {
                "survives a crash of the process, not loss of power"
            }
            catalog::project::runtime::Fsync::Commit => "survives loss of power",
        };
        format!("{}: {fsync}", session.cluster())
    } else {
        session.cluster().to_string()
    };
    let state = match &project.runtime.engine.state_dir {
        Some(_) => engine.snapshots()?.to_string(),
        None => session::state_folder(Path::new(""), &names).display().to_string(),
    };
    let (name, environment) = (&project.name, &names.environment);
    let screen = &context.screen;
    screen.say(&format!("{name} · env {environment} · {broker} · state {state}"));
    context.note_bare_project(engine);
    if arguments.fresh {
        screen.warn("--fresh: the state is forgotten and all outputs are written again");
    }
    if arguments.standby {
        screen.note("--standby: nothing is written until the running engine is gone, or `engine promote` asks for it");
    }
    if arguments.close_windows {
        screen.note("--close-windows: the ends found now are the end of input; later rows of the windows closed by it count as late");
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "the signal's thread has no screen")]
fn tell_stop() {
    eprintln!("finishing the epoch; once more ends at once");
}

/// Waits until the cluster answers: for ever, with `--once` half a minute. False if it was stopped
/// before.
fn wait_for_broker(
    context: &Context,
    session: &Session,
    is_once: bool,
    is_stopped: &AtomicBool,
) -> Result<bool, Error> {
    if session.cluster().is_embedded() {
        return Ok(true);
    }
    let clock = SystemClock::new();
    let (mut pause, longest) = BACKOFF;
    let admin = Admin::open(session.cluster())?;
    loop {
        let Err(error) = reach::topics(&admin) else { return Ok(true) };
        if is_stopped.load(Ordering::SeqCst) {
            return Ok(false);
        }
        if is_once && clock.monotonic() >= CONNECT_TIMEOUT {
            return Err(error);
        }
        let next = pause.as_millis();
        context
            .screen
            .warn(&format!("{error}; trying again in {next} ms; `engine debug` says what to do"));
        std::thread::park_timeout(pause);
        pause = (pause * 2).min(longest);
    }
}

fn tell_end(
    context: &Context,
    arguments: &RunArguments,
    report: &RunReport,
    rows: &Rows,
) -> Result<(), Error> {
    let summary = Summary::of(&report.counters, rows);
    let text = match arguments.output {
        OutputStyle::Json => {
            let mut text = "{\"type\":\"version\",\"format\":\"1.0\"}\n".to_owned();
            for value in summary.json() {
                text.append(format_args!("{value}\n"));
            }
            let end = serde_json::json!({
                "type": "run", "epochs": report.epochs,
                "replayed_records": report.replayed_records, "stopped": report.is_stopped,
                "snapshots": report::snapshots_json(&report.snapshots),
            });
            text.append(format_args!("{end}\n"));
            text
        }
        OutputStyle::Text if context.screen.is_terminal_out => {
            summary.table(context.screen.width())
        }
        OutputStyle::Text => summary.lines(),
    };
    context.screen.result(&text)?;
    summary.gaps().for_each(|gap| context.screen.warn(&gap));
    let how = if report.is_stopped { "stopped" } else { "done" };
    let replayed = match report.replayed_records {
        0 => String::new(),
        records => format!(", {records} records replayed at the start"),
    };
    let snapshot = match &report.snapshots.newest {
        Some(newest) => format!(", {}", report::snapshot_words(newest)),
        None => ", no snapshot written".to_owned(),
    };
    context.screen.say(&format!("{how}: {} epochs committed{replayed}{snapshot}", report.epochs));
    Ok(())
}
