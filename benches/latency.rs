//! How long after an event was due can its output be read, and what does exactly-once cost?
//!
//! With `--model`, of another model than `events_clean`: how long after the event was due that lets
//! the watermark reach the row (the excess over the watermark's own delay of 5 s of event time, which
//! runs forty times as fast here).
//!
//! Workload: the events of `pipeline.rs` at a fixed rate into a topic with 4 partitions of a real
//! Kafka, the catalogue in one with 1, all four models of the example with their declared output
//! partitions. One Kafka and one project for all cases: the engine is stopped and started again
//! with other settings. The first case warms the broker up and is not reported: a JVM that compiles
//! takes a core.
//!
//! The bound: with `exactly_once` an event waits for the end of its epoch, half a commit interval
//! in the middle and a whole one at worst, and for Kafka's commit.
//!
//! `cargo bench --bench latency -- [--model NAME] [--rate N] [--seconds N] [--warm-up SECONDS]
//! [CASE ...]`, a case being `exactly_once@1s` or the like. Windows of `product_popularity` close
//! every 7.5 s, those of `user_sessions` every 45 s.

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::time::Duration;

#[path = "support/load.rs"]
#[expect(dead_code, reason = "another bench uses the rest")]
mod load;

use load::{
    EVENTS_CLEAN, Failure, Load, MODELS, Model, Settings, kafka, per_mille, terminate, usage,
};

const CASES: [&str; 5] = [
    "exactly_once@1s",
    "exactly_once@100ms",
    "exactly_once@20ms",
    "at_least_once@1s",
    "exactly_once@1s",
];

/// What is before each measurement: the engine's start, and its first epochs.
const START: Duration = Duration::from_secs(8);

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse()?;
    let Arguments { model, rate, measured, warm_up, cases } = &arguments;
    let kafka = kafka::Kafka::start().ok_or("no Java and Maven here: nothing on a real Kafka")?;
    let name = model.name;
    println!("load of the machine: {}; {rate} events/s for {measured:?}; {name}", usage::load());
    let seconds = cases.len() as u64 * (START + *measured).as_secs() + warm_up.as_secs();
    let settings = Settings { events: rate * (seconds + 1), ..Settings::default() };
    let mut load = Load::open(&kafka.brokers(), *model, settings, &[])?;
    let mut engine = load.engine(&[])?;
    load.send(*rate, *warm_up)?;
    terminate(&mut engine)?;
    for case in cases {
        measure(&arguments, &mut load, case)?;
    }
    println!("load of the machine: {}", usage::load());
    load.close()
}

/// What was asked for.
struct Arguments {
    model: Model,
    rate: u64,
    measured: Duration,
    warm_up: Duration,
    cases: Vec<String>,
}

impl Arguments {
    fn parse() -> Result<Self, Failure> {
        let mut parsed = Self {
            model: EVENTS_CLEAN,
            rate: 20_000,
            measured: Duration::from_secs(20),
            warm_up: Duration::from_mins(1),
            cases: Vec::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
            match argument.as_str() {
                // Cargo adds it.
                "--bench" => {}
                "--model" => {
                    let name = value()?;
                    let found = MODELS.into_iter().find(|model| model.name == name);
                    parsed.model = found.ok_or(format!("the example has no model {name}"))?;
                }
                "--rate" => parsed.rate = value()?.parse()?,
                "--seconds" => parsed.measured = Duration::from_secs(value()?.parse()?),
                "--warm-up" => parsed.warm_up = Duration::from_secs(value()?.parse()?),
                case if case.contains('@') => parsed.cases.push(case.to_owned()),
                other => return Err(format!("unknown argument {other}").into()),
            }
        }
        if parsed.cases.is_empty() {
            parsed.cases = CASES.map(str::to_owned).to_vec();
        }
        Ok(parsed)
    }
}

fn measure(arguments: &Arguments, load: &mut Load, case: &str) -> Result<(), Failure> {
    let (delivery, interval) = case.split_once('@').ok_or("a case is DELIVERY@INTERVAL")?;
    load.configure(&[("delivery", delivery)])?;
    let mut engine = load.engine(&["--commit-interval", interval])?;
    load.send(arguments.rate, START)?;
    let (from, cpu) = (load.now(), usage::cpu_of(engine.id()));
    load.send(arguments.rate, arguments.measured)?;
    let cpu = usage::cpu_of(engine.id()).saturating_sub(cpu);
    let arrivals = load.settled();
    terminate(&mut engine)?;
    let measured = arrivals.iter().filter(|arrival| arrival.due >= from);
    let mut latencies: Vec<Duration> = measured.map(|arrival| arrival.latency).collect();
    latencies.sort_unstable();
    let events = arguments.rate * arguments.measured.as_secs();
    println!(
        "{case}: p50 {:.1?}, p99 {:.1?}, greatest {:.1?} of {} rows of {events} events; engine \
         {:.2} CPU s, {:.0} events per CPU second",
        per_mille(&latencies, 500),
        per_mille(&latencies, 990),
        per_mille(&latencies, 1_000),
        latencies.len(),
        cpu.as_secs_f64(),
        as_f64(events) / cpu.as_secs_f64(),
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn as_f64(count: u64) -> f64 {
    count as f64
}
