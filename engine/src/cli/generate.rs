//! `engine generate SOURCE`: realistic events, to the source's topic or to standard output.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow_kafka::Record;
use stream::{Clock, SystemClock};

use super::arguments::GenerateArguments;
use super::topic::Place;
use super::{Context, Scope};
use crate::generate::{Event, Generator, Schedule};
use crate::topics::{Writer, timestamp_millis};
use crate::{Engine, Error, signals};

/// Events where neither a count nor a rate is given.
const COUNT_DEFAULT: u64 = 1_000;

/// How long is waited at most before the clock and the stop are looked at again.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) fn run(context: &Context, arguments: &GenerateArguments) -> Result<ExitCode, Error> {
    let engine = context.open(Scope::default())?;
    let clock = SystemClock::new();
    let count = arguments.count.or(arguments.rate.is_none().then_some(COUNT_DEFAULT));
    let mut generator = generator(&engine, arguments, (clock.now().0, count))?;
    let is_stopped = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&is_stopped);
    signals::watch(move || stopping.store(true, Ordering::SeqCst))?;
    let pace = Pace { clock: &clock, rate: arguments.rate, is_stopped: &is_stopped };
    if arguments.output == "-" {
        let mut out = BufWriter::new(io::stdout().lock());
        let result = pace.run(count, &mut || out_line(&mut out, &generator.next()), &mut || {});
        return match result.and_then(|_| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            Err(source) => {
                Err(Error::File { action: "write", path: "standard output".into(), source })
            }
            Ok(()) => Ok(ExitCode::SUCCESS),
        };
    }
    let project = engine.check().project()?;
    let topic = project.source(&arguments.source).map(|source| source.topic.value.clone());
    let topic = topic.unwrap_or_default();
    let place = Place::open(&engine)?;
    place.ensure(context, &topic)?;
    let writer = Writer::open(place.session.cluster(), &topic)?;
    pace.run(count, &mut || write(&writer, &generator.next()), &mut || writer.nudge())?;
    let written = writer.finish()?;
    place.close();
    context.screen.say(&format!("generated {written} events to {topic}"));
    Ok(ExitCode::SUCCESS)
}

fn generator(
    engine: &Engine,
    arguments: &GenerateArguments,
    (now_ms, count): (i64, Option<u64>),
) -> Result<Generator, Error> {
    let (project, dataflow) = (engine.check().project()?, engine.check().dataflow()?);
    let start_ms = match &arguments.start {
        Some(text) => {
            let quoted = serde_json::Value::from(text.as_str()).to_string();
            Some(timestamp_millis(quoted.as_bytes()).ok_or_else(|| {
                let help = "write ISO-8601, such as `2026-01-01T00:00:00Z`";
                Error::usage(format!("`--start {text}` is no time"), help)
            })?)
        }
        None => None,
    };
    let schedule = Schedule::new(start_ms, now_ms, arguments.rate, count);
    let named = (arguments.source.as_str(), arguments.key.as_deref());
    Generator::new(project, dataflow, named, schedule, arguments.seed).ok_or_else(|| {
        let known: Vec<&str> = project.sources.iter().map(|one| one.name.value.as_str()).collect();
        match (project.source(&arguments.source), &arguments.key) {
            (Some(source), Some(key)) => Error::usage(
                format!("source `{}` has no column `{key}`", source.name.value),
                "name one of its columns with `--key`",
            ),
            _ => Error::NotFound {
                thing: "source",
                name: arguments.source.clone(),
                place: None,
                help: format!("the project has `{}`", known.join("`, `")),
            },
        }
    })
}

fn out_line(out: &mut impl Write, event: &Event<'_>) -> io::Result<()> {
    out.write_all(event.value)?;
    out.write_all(b"\n")
}

fn write(writer: &Writer, event: &Event<'_>) -> Result<(), Error> {
    writer.write(&Record {
        key: event.key,
        value: Some(event.value),
        timestamp_ms: Some(event.timestamp_ms),
        ..Record::default()
    })
}

/// How fast and how long.
struct Pace<'a> {
    clock: &'a SystemClock,
    rate: Option<u32>,
    is_stopped: &'a AtomicBool,
}

impl Pace<'_> {
    /// Calls `one` for each event and `rest` before each wait.
    fn run<E>(
        &self,
        count: Option<u64>,
        one: &mut dyn FnMut() -> Result<(), E>,
        rest: &mut dyn FnMut(),
    ) -> Result<u64, E> {
        let start = self.clock.monotonic();
        let mut made = 0;
        while count.is_none_or(|count| made < count) && !self.is_stopped.load(Ordering::SeqCst) {
            if made >= self.due(start) {
                rest();
                std::thread::park_timeout(PAUSE);
                continue;
            }
            one()?;
            made += 1;
        }
        Ok(made)
    }

    /// How many events should have been made by now.
    fn due(&self, start: Duration) -> u64 {
        match self.rate {
            None => u64::MAX,
            Some(rate) => {
                let passed = self.clock.monotonic().saturating_sub(start).as_millis();
                let due = passed.saturating_mul(u128::from(rate)) / 1_000;
                u64::try_from(due).unwrap_or(u64::MAX).saturating_add(1)
            }
        }
    }
}
