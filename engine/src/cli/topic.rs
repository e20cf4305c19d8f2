//! `engine topic`: create, list, describe, produce, consume.

use std::fs::File;
use std::io::{self, BufWriter, Read};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use catalog::project::Project;
use connectors::admin::Admin;
use planner::dataflow::Dataflow;
use serde_json::json;

use super::arguments::{
    OutputStyle, TopicArguments, TopicCommand, TopicConsumeArguments, TopicCreateArguments,
    TopicDescribeArguments, TopicListArguments, TopicProduceArguments,
};
use super::{Context, Scope};
use crate::report::Append;
use crate::report::count;
use crate::topics::{self, ConsumeOptions, Pattern, ProduceOptions, Start};
use crate::{Engine, Error, Session, Stay, reach, signals};

/// Bytes gathered before they are written to standard output.
const OUT_BYTES: usize = 1 << 20;

pub(crate) fn run(context: &Context, arguments: &TopicArguments) -> Result<ExitCode, Error> {
    let engine = context.open(Scope::default())?;
    let place = Place::open(&engine)?;
    let result = match &arguments.command {
        TopicCommand::Create(arguments) => create(context, &place, arguments),
        TopicCommand::List(arguments) => list(context, &place, arguments),
        TopicCommand::Describe(arguments) => describe(context, &place, arguments),
        TopicCommand::Produce(arguments) => produce(context, &place, arguments),
        TopicCommand::Consume(arguments) => consume(&place, arguments),
    };
    place.close();
    result.map(|()| ExitCode::SUCCESS)
}

/// A project's topics and what it says of them. A folder without any project file has topics, too:
/// those of its embedded broker.
pub(crate) struct Place<'a> {
    pub(crate) session: Session,
    pub(crate) admin: Admin,
    project: &'a Project,
    dataflow: Option<&'a Dataflow>,
}

impl<'a> Place<'a> {
    pub(crate) fn open(engine: &'a Engine) -> Result<Self, Error> {
        let checked = engine.check();
        let project = checked.declared()?;
        let session = Session::open(engine.folder(), project, Stay::Brief)?;
        let admin = Admin::open(session.cluster())?;
        // Of the embedded broker, opening it has told.
        if !session.cluster().is_embedded() {
            reach::topics(&admin)?;
        }
        let dataflow = checked.dataflow().ok();
        Ok(Self { session, admin, project, dataflow })
    }

    pub(crate) fn close(self) {
        drop(self.admin);
        self.session.close();
    }

    /// The topic for writing; one of the project's is created with a note.
    pub(crate) fn ensure(&self, context: &Context, topic: &str) -> Result<(), Error> {
        if let Some(made) = topics::ensure(&self.admin, topic, self.project, self.dataflow)? {
            let partitions = count(made.partitions, "partition");
            context.screen.note(&format!("created topic {topic} ({partitions})"));
        }
        Ok(())
    }
}

fn create(
    context: &Context,
    place: &Place<'_>,
    arguments: &TopicCreateArguments,
) -> Result<(), Error> {
    let topic = &arguments.topic;
    let cluster = place.session.cluster();
    let mut spec = topics::declared(topic, place.project, place.dataflow, cluster);
    spec.partitions = arguments.partitions.or(spec.partitions);
    spec.replication_factor = arguments.replication_factor.or(spec.replication_factor);
    spec.config.extend(topics::settings(&arguments.config)?);
    place.admin.create(&spec)?;
    for note in place.session.notes() {
        context.screen.warn(&note);
    }
    let partitions = match spec.partitions {
        Some(partitions) => usize::try_from(partitions).unwrap_or_default(),
        None => topics::existing(&place.admin, topic)?.partitions,
    };
    context.screen.result(&format!("created {topic} ({})\n", count(partitions, "partition")))
}

fn list(context: &Context, place: &Place<'_>, arguments: &TopicListArguments) -> Result<(), Error> {
    let topics = place.admin.topics()?;
    if topics.is_empty() {
        context.screen.say(&format!("no topics on {}", place.session.cluster()));
    }
    let width = topics.iter().map(|topic| topic.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for topic in &topics {
        match arguments.output {
            OutputStyle::Text => text.append(format_args!(
                "{:width$}  {}\n",
                topic.name,
                count(topic.partitions, "partition")
            )),
            OutputStyle::Json => text.append(format_args!(
                "{}\n",
                json!({
                    "type": "topic", "name": topic.name, "partitions": topic.partitions,
                    "replication_factor": topic.replication_factor,
                })
            )),
        }
    }
    context.screen.result(&text)
}

fn describe(
    context: &Context,
    place: &Place<'_>,
    arguments: &TopicDescribeArguments,
) -> Result<(), Error> {
    let topic = topics::existing(&place.admin, &arguments.topic)?;
    let bounds = place.admin.bounds(&topic)?;
    let settings = place.admin.settings(&topic.name)?;
    if arguments.output == OutputStyle::Json {
        let partitions: Vec<_> = bounds
            .iter()
            .enumerate()
            .map(|(id, (first, end))| json!({"id": id, "first": first, "end": end}))
            .collect();
        let settings: serde_json::Map<_, _> =
            settings.iter().map(|(name, setting)| (name.clone(), json!(setting.value))).collect();
        let value = json!({
            "type": "topic", "name": topic.name, "partitions": partitions,
            "replication_factor": topic.replication_factor, "settings": settings,
        });
        return context.screen.result(&format!("{value}\n"));
    }
    let mut text = format!(
        "{}\n{}, replication factor {}, offsets in all {}\n",
        context.screen.title(&topic.name),
        count(topic.partitions, "partition"),
        topic.replication_factor,
        bounds.iter().map(|(first, end)| end - first).sum::<i64>()
    );
    text.push_str("\npartition         first           end\n");
    for (id, (first, end)) in bounds.iter().enumerate() {
        text.append(format_args!("{id:9}  {first:12}  {end:12}\n"));
    }
    let own = settings.iter().filter(|(_, setting)| !setting.is_default);
    for (at, (name, setting)) in own.enumerate() {
        if at == 0 {
            text.push_str("\nsettings that are not the broker's\n");
        }
        let value = setting.value.as_deref().unwrap_or("(hidden)");
        text.append(format_args!("  {name} = {value}\n"));
    }
    context.screen.result(&text)
}

fn produce(
    context: &Context,
    place: &Place<'_>,
    arguments: &TopicProduceArguments,
) -> Result<(), Error> {
    let topic = &arguments.topic;
    // Opened first: a file that is not there must not create a topic.
    let (reader, name): (Box<dyn Read>, String) = match &arguments.file {
        Some(path) if path != Path::new("-") => {
            let file = File::open(path).map_err(|source| Error::File {
                action: "read",
                path: path.clone(),
                source,
            })?;
            (Box::new(file), path.display().to_string())
        }
        Some(_) | None => (Box::new(io::stdin().lock()), "standard input".to_owned()),
    };
    place.ensure(context, topic)?;
    let options =
        ProduceOptions { key: arguments.key.as_deref(), timestamp: arguments.timestamp.as_deref() };
    let produced =
        topics::produce(place.session.cluster(), topic, (reader, name.as_str()), options)?;
    let lines = |number: u64| count(usize::try_from(number).unwrap_or(usize::MAX), "line");
    if let Some(field) = options.key.filter(|_| produced.without_key > 0) {
        let number = lines(produced.without_key);
        context.screen.note(&format!("{number} without `{field}`: written without a key"));
    }
    if let Some(field) = options.timestamp.filter(|_| produced.without_timestamp > 0) {
        let number = lines(produced.without_timestamp);
        context
            .screen
            .warn(&format!("{number} without a time in `{field}`: stamped with the clock"));
    }
    let records = count(usize::try_from(produced.records).unwrap_or(usize::MAX), "record");
    context.screen.say(&format!("produced {records} to {topic}"));
    Ok(())
}

fn consume(place: &Place<'_>, arguments: &TopicConsumeArguments) -> Result<(), Error> {
    let start = Start::parse(&arguments.offset).ok_or_else(|| {
        let help = "write `start`, `end`, an offset, `-N` or `@MILLISECONDS`";
        Error::usage(format!("`--offset {}` is no offset", arguments.offset), help)
    })?;
    let pattern = arguments.format.as_deref().map(Pattern::parse).transpose();
    let pattern = pattern.map_err(|letter| {
        let help = "known are %k %v %t %p %o %T and %%";
        Error::usage(format!("`%{letter}` in `--format` has no meaning"), help)
    })?;
    let topic = topics::existing(&place.admin, &arguments.topic)?;
    let options = ConsumeOptions {
        start,
        is_until_end: arguments.until_end,
        count: arguments.count,
        pattern,
    };
    let is_stopped = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&is_stopped);
    signals::watch(move || stopping.store(true, Ordering::SeqCst))?;
    let mut out = BufWriter::with_capacity(OUT_BYTES, io::stdout().lock());
    topics::consume(&place.admin, &topic, &options, &mut out, &|| is_stopped.load(Ordering::SeqCst))
}
