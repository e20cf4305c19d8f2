//! The engine inside another program: check a project, run it once, read what it did.
//!
//! `cargo run --example embed -- examples/ecommerce`

use std::process::ExitCode;

use engine::{DiagnosticStyle, Engine, Error, Options, RunOptions, render};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it finds")]
fn main() -> ExitCode {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "examples/ecommerce".to_owned());
    match run(&folder) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{:?}: {error}", error.kind());
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &str) -> Result<String, Error> {
    let engine = Engine::open(Options::new(folder))?;
    let checked = engine.check();
    let said = render(checked.diagnostics(), checked.files(), DiagnosticStyle::Short, false);
    let report = engine.run(RunOptions { is_once: true, ..RunOptions::default() })?;
    let models = report.counters.models.iter();
    let lines = models
        .map(|(name, model)| format!("{name}: {} rows in, {} out", model.rows_in, model.rows_out));
    Ok(said + &lines.collect::<Vec<_>>().join("\n"))
}
