//! How soon does output come again after the process has died, and how soon from a standby?
//!
//! Workload: a million sessions of one event in one window of the example, then 60 s at 20,000
//! events a second, in sessions of ten events as everywhere here, all in that window; DISTINCT
//! columns as in the example. A real Kafka with 4
//! partitions of clicks. A snapshot with the million groups is there; what came after it is in the
//! journal alone. Then SIGKILL, while events go on coming at that rate. Cases:
//!
//! - `restart`: the engine is started again at once
//! - `takeover`: a standby waits with its state; nobody starts anything
//! - `promote`: a standby is promoted while the other one lives
//!
//! A figure is the time from the kill (or the command) to the first row of an event that was due
//! after it, as a reader of committed records sees it. Bounds: a restart reads the snapshot and folds
//! the journal's 1.2 million events; a take-over waits for the end of the lease.
//!
//! `cargo bench --bench restart -- [--seconds N] [restart takeover promote]`

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::process::{Child, Command};
use std::time::Duration;

#[path = "support/load.rs"]
#[expect(dead_code, reason = "another bench uses the rest")]
mod load;

use load::{EVENTS_CLEAN, Failure, Load, Settings, kafka, terminate, usage};

const CASES: [&str; 3] = ["restart", "takeover", "promote"];

/// So many sessions are in the state before the load begins; some events are in no session.
const GROUPS: u64 = 1_050_000;

/// They are sent at this rate.
const FILL_RATE: u64 = 150_000;

const RATE: u64 = 20_000;

/// Everything lies in one window of 30 minutes.
const EVENT_TIME_RATE: f64 = 2_000.0;

/// How long a first row is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

const SLICE: Duration = Duration::from_millis(20);

fn main() -> Result<(), Failure> {
    let (mut seconds, mut cases) = (60_u64, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo adds it.
            "--bench" => {}
            "--seconds" => seconds = arguments.next().ok_or("--seconds wants a value")?.parse()?,
            case if CASES.contains(&case) => cases.push(case.to_owned()),
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    if cases.is_empty() {
        cases = CASES.map(str::to_owned).to_vec();
    }
    println!("load of the machine: {}", usage::load());
    for case in &cases {
        measure(case, seconds)?;
    }
    println!("load of the machine: {}", usage::load());
    Ok(())
}

fn measure(case: &str, seconds: u64) -> Result<(), Failure> {
    let kafka = kafka::Kafka::start().ok_or("no Java and Maven here: nothing on a real Kafka")?;
    let patience = PATIENCE.as_secs();
    let settings = Settings {
        events: GROUPS + RATE * (seconds + patience),
        rate: EVENT_TIME_RATE,
        lone: GROUPS,
        ..Settings::default()
    };
    let mut load = Load::open(&kafka.brokers(), EVENTS_CLEAN, settings, &[])?;
    load.configure(&[("checkpoint_interval", "1h")])?;
    load.send(FILL_RATE, Duration::from_millis(GROUPS * 1_000 / FILL_RATE))?;
    load.flush()?;
    // Its end is a snapshot.
    load.project().run(&["run", "--once"]);
    let mut active = load.engine(&[])?;
    let mut standby = match case {
        "restart" => None,
        _ => Some(load.engine(&["--standby"])?),
    };
    load.send(RATE, Duration::from_secs(seconds))?;
    load.arrivals();
    let from = load.now();
    match case {
        "promote" => {
            let mut promote = load.project().command(&["promote"]).spawn()?;
            let first = first_row(&mut load, from)?;
            promote.wait()?;
            tell(case, first);
            let status = active.wait()?;
            println!("the former owner ended with {status}");
        }
        "takeover" => {
            kill(&mut active)?;
            tell(case, first_row(&mut load, from)?);
        }
        _ => {
            kill(&mut active)?;
            active = load.engine(&["-vv"])?;
            tell(case, first_row(&mut load, from)?);
            let cpu = usage::cpu_of(active.id());
            println!("  engine {:.2} CPU s until then", cpu.as_secs_f64());
            terminate(&mut active)?;
            let messages = std::fs::read_to_string(load.messages(&["-vv"]))?;
            for line in messages.lines().filter(|line| line.contains("replay")).take(5) {
                println!("  {line}");
            }
        }
    }
    if let Some(standby) = &mut standby {
        terminate(standby)?;
    }
    load.close()
}

/// Sends on until a row of an event that was due after `from` is read; how long that took.
fn first_row(load: &mut Load, from: Duration) -> Result<Duration, Failure> {
    while load.now() < from + PATIENCE {
        load.send(RATE, SLICE)?;
        let first = load.arrivals().into_iter().find(|arrival| arrival.due >= from);
        if let Some(arrival) = first {
            return Ok((arrival.due + arrival.latency).saturating_sub(from));
        }
    }
    Err("no row came".into())
}

fn kill(child: &mut Child) -> Result<(), Failure> {
    Command::new("kill").args(["-KILL", &child.id().to_string()]).status()?;
    child.wait()?;
    Ok(())
}

fn tell(case: &str, first: Duration) {
    println!("{case}: first row after {:.2} s", first.as_secs_f64());
}
