//! `engine demo`: the example project with sample data, from nothing to rows.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use connectors::admin::Admin;
use runtime::{RunOptions, StatusBoard, StopHandle};

use super::arguments::DemoArguments;
use super::{Context, Scope};
use crate::init::{Sample, Template};
use crate::report::{Rows, Summary, count};
use crate::topics::{self, ConsumeOptions, ProduceOptions, Start};
use crate::{Engine, Error, Session};

/// Rows that are shown of each model.
const ROWS: u64 = 5;

/// The models whose rows are shown.
const MODELS: [&str; 2] = ["user_sessions", "product_popularity"];

pub(crate) fn run(context: &Context, arguments: &DemoArguments) -> Result<ExitCode, Error> {
    let dir = &arguments.dir;
    let template = Template::Ecommerce;
    if dir.join("models").is_dir() {
        context.screen.say(&format!("using the project in {}", dir.display()));
    } else {
        let files = template.write(dir, false, false)?;
        context.screen.say(&format!("created {} ({})", dir.display(), count(files.len(), "file")));
    }
    let engine = Engine::open(context.options(dir.clone(), Scope::default())?)?;
    let session = engine.connect()?;
    let result = fill_and_run(context, &engine, &session, template);
    session.close();
    result?;
    context.screen.say(&format!(
        "next: cd {} && engine check && engine topic consume ecom.user-sessions.v1 --until-end",
        dir.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn fill_and_run(
    context: &Context,
    engine: &Engine,
    session: &Session,
    template: Template,
) -> Result<(), Error> {
    let (project, dataflow) = (engine.check().project()?, engine.check().dataflow()?);
    let admin = Admin::open(session.cluster())?;
    for sample in template.samples() {
        topics::ensure(&admin, sample.topic, project, Some(dataflow))?;
        let topic = topics::existing(&admin, sample.topic)?;
        if admin.bounds(&topic)?.iter().any(|(first, end)| first < end) {
            continue;
        }
        load(context, engine, session, sample)?;
    }
    let options = RunOptions { is_once: true, closes_windows: true, ..RunOptions::default() };
    let board = Arc::new(StatusBoard::default());
    let report = engine.run_in(session, options, board, StopHandle::default())?;
    let rows = Rows::of(dataflow);
    context.screen.say(Summary::of(&report.counters, &rows).lines().trim_end());
    for name in MODELS {
        if let Some(model) = project.model(name) {
            show(context, &admin, name, &model.topic.name.value)?;
        }
    }
    Ok(())
}

fn load(
    context: &Context,
    engine: &Engine,
    session: &Session,
    sample: &Sample,
) -> Result<(), Error> {
    let path = engine.folder().join(sample.file);
    let file = std::fs::File::open(&path).map_err(|source| Error::File {
        action: "read",
        path: path.clone(),
        source,
    })?;
    let options = ProduceOptions { key: Some(sample.key), timestamp: sample.timestamp };
    let produced = topics::produce(session.cluster(), sample.topic, (file, sample.file), options)?;
    context.screen.say(&format!("produced {} records to {}", produced.records, sample.topic));
    Ok(())
}

fn show(context: &Context, admin: &Admin, model: &str, topic: &str) -> Result<(), Error> {
    context.screen.result(&format!("\n{}\n", context.screen.title(model)))?;
    let topic = topics::existing(admin, topic)?;
    let options = ConsumeOptions {
        start: Start::First,
        is_until_end: true,
        count: Some(ROWS),
        pattern: None,
    };
    topics::consume(admin, &topic, &options, &mut io::stdout().lock(), &|| false)
}
