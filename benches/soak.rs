//! Does anything grow? An hour at a steady rate, with windows that open and close.
//!
//! Workload: as in `latency.rs`. Event time runs forty times as fast as the clock at 20,000 events
//! a second, so that the sessions' windows of 30 minutes close every 45 s. The topics keep 5
//! minutes, so that the journal is trimmed and old segments vanish while the engine runs.
//!
//! Each sample is a line of comma-separated values in `--out`: seconds, resident memory (KiB), open
//! descriptors, threads, files and bytes in the folder of the snapshots, rows read, and the p50 and
//! p99 of their latency (ms). `soak_plot.py` draws them.
//!
//! `cargo bench --bench soak -- [--rate N] [--minutes N] [--out FILE]`

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

#[path = "support/load.rs"]
#[expect(dead_code, reason = "another bench uses the rest")]
mod load;

use load::{EVENTS_CLEAN, Failure, Load, Settings, kafka, per_mille, terminate, usage};

const RATE: u64 = 20_000;
const MINUTES: u64 = 60;
const SAMPLE: Duration = Duration::from_secs(10);

/// The clicks and outputs; the catalogue is kept.
const TOPIC_SETTINGS: [&str; 2] = ["retention.ms=300000", "segment.bytes=33554432"];

fn main() -> Result<(), Failure> {
    let (mut rate, mut minutes, mut out) = (RATE, MINUTES, "soak.csv".to_owned());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            // Cargo adds it.
            "--bench" => {}
            "--rate" => rate = value()?.parse()?,
            "--minutes" => minutes = value()?.parse()?,
            "--out" => out = value()?,
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    let kafka = kafka::Kafka::start().ok_or("no Java and Maven here: nothing on a real Kafka")?;
    let settings = Settings { events: rate * (minutes + 1) * 60, ..Settings::default() };
    let mut load = Load::open(&kafka.brokers(), EVENTS_CLEAN, settings, &TOPIC_SETTINGS)?;
    let mut engine = load.engine(&[])?;
    let pid = engine.id();
    let mut file = fs::File::create(&out)?;
    writeln!(file, "seconds,rss_kib,descriptors,threads,files,bytes,rows,p50_ms,p99_ms")?;
    let end = load.now() + Duration::from_secs(minutes * 60);
    let start = load.now();
    while load.now() < end {
        load.send(rate, SAMPLE)?;
        let seconds = load.now().saturating_sub(start).as_secs();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        let (files, bytes) = contents(&load.project().path().join(".engine/state"))?;
        let mut latencies: Vec<Duration> = load.arrivals().iter().map(|row| row.latency).collect();
        latencies.sort_unstable();
        writeln!(
            file,
            "{seconds},{},{descriptors},{},{files},{bytes},{},{},{}",
            number(&status, "VmRSS:"),
            number(&status, "Threads:"),
            latencies.len(),
            per_mille(&latencies, 500).as_millis(),
            per_mille(&latencies, 990).as_millis(),
        )?;
    }
    let cpu = usage::cpu_of(pid);
    terminate(&mut engine)?;
    println!("{minutes} minutes at {rate} events/s: engine {:.0} CPU s; {out}", cpu.as_secs_f64());
    load.close()
}

/// A number in `/proc/PID/status`.
fn number<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()).unwrap_or_default()
}

/// Files and bytes below a folder.
fn contents(folder: &Path) -> Result<(u64, u64), Failure> {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry?;
        // What vanishes between the two looks was removed as too old.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            let (inner_files, inner_bytes) = contents(&entry.path())?;
            files += inner_files;
            bytes += inner_bytes;
        } else {
            files += 1;
            bytes += metadata.len();
        }
    }
    Ok((files, bytes))
}
