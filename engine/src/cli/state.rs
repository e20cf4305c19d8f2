//! `engine state`: snapshots by hand. Needs no broker.

use std::process::ExitCode;
use std::time::Duration;

use arrow::json::LineDelimitedWriter;
use runtime::SnapshotRequest;
use state::{Listed, Manifest, SnapshotId, Snapshots};
use stream::{Clock, SystemClock};

use super::arguments::{
    OutputStyle, StateArguments, StateCommand, StateExportArguments, StateInspectArguments,
    StateLsArguments, StatePinArguments, StateRestoreArguments, StateSnapshotArguments,
};
use super::{Context, Scope};
use crate::report::{
    Append, bytes_text, manifest_json, manifest_text, snapshot_list_json, snapshot_table,
    table_name, version_line,
};
use crate::{Engine, Error, session};

/// How often a running engine is asked whether it has taken the snapshot.
const LOOK: Duration = Duration::from_millis(100);

/// How long it may take: it takes one at its next commit, a quiet one at its next renewal.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(2);

pub(crate) fn run(context: &Context, arguments: &StateArguments) -> Result<ExitCode, Error> {
    let instance = arguments.instance.clone();
    let engine = context.open(Scope { instance, ..Scope::default() })?;
    let place = Place { engine: &engine, snapshots: Snapshots::open(&engine.snapshots()?)? };
    match &arguments.command {
        StateCommand::Ls(arguments) => place.ls(context, arguments),
        StateCommand::Inspect(arguments) => place.inspect(context, arguments),
        StateCommand::Snapshot(arguments) => place.snapshot(context, arguments),
        StateCommand::Pin(arguments) => place.pin(context, arguments),
        StateCommand::Export(arguments) => place.export(context, arguments),
        StateCommand::Restore(arguments) => place.restore(context, arguments),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// The snapshots of a project.
struct Place<'a> {
    engine: &'a Engine,
    snapshots: Snapshots,
}

impl Place<'_> {
    fn ls(&self, context: &Context, arguments: &StateLsArguments) -> Result<(), Error> {
        let listed = self.snapshots.list()?;
        let text = match arguments.output {
            OutputStyle::Text if listed.is_empty() => {
                context.screen.say(&format!("no snapshots in {}", self.engine.snapshots()?));
                return Ok(());
            }
            OutputStyle::Text => {
                snapshot_table(&listed, SystemClock::new().now(), context.screen.width())
            }
            OutputStyle::Json => {
                let mut text = version_line();
                for one in &listed {
                    text.append(format_args!("{}\n", snapshot_list_json(one)));
                }
                text
            }
        };
        context.screen.result(&text)
    }

    fn inspect(&self, context: &Context, arguments: &StateInspectArguments) -> Result<(), Error> {
        let manifest = self.find(arguments.snapshot.as_deref())?;
        let text = match (&arguments.table, arguments.output) {
            (Some(table), _) => self.rows(&manifest, table, arguments.count)?,
            (None, OutputStyle::Text) => manifest_text(&manifest, context.screen.width()),
            (None, OutputStyle::Json) => {
                format!("{}{}\n", version_line(), manifest_json(&manifest))
            }
        };
        context.screen.result(&text)
    }

    /// The first rows of a table as JSON lines.
    fn rows(&self, manifest: &Manifest, name: &str, count: usize) -> Result<String, Error> {
        let entry = manifest.tables.iter().find(|table| table_name(table) == name);
        let entry = entry.ok_or_else(|| Error::NotFound {
            thing: "table",
            name: name.to_owned(),
            place: None,
            help: "`engine state inspect` shows all tables".to_owned(),
        })?;
        let table = self.snapshots.read_table(manifest, entry)?;
        let mut left = count;
        let mut writer = LineDelimitedWriter::new(Vec::new());
        for batch in &table.batches {
            let batch = batch.slice(0, batch.num_rows().min(left));
            left -= batch.num_rows();
            writer.write(&batch).map_err(|error| {
                Error::usage(
                    format!("the rows of `{name}` cannot be written as JSON: {error}"),
                    "export the snapshot and read the file with a tool that knows Arrow",
                )
            })?;
        }
        Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
    }

    fn snapshot(&self, context: &Context, arguments: &StateSnapshotArguments) -> Result<(), Error> {
        let folder = session::state_folder(self.engine.folder(), &self.engine.names()?);
        let is_running = SnapshotRequest::place(&folder, &arguments.name)
            .map_err(|error| Error::Run(error.into()))?;
        if !is_running {
            let manifest = self.find(None)?;
            self.snapshots.pin(&manifest.id, &arguments.name)?;
            context.screen.say("no engine runs from this folder: its newest snapshot is pinned");
            return tell(context, &manifest);
        }
        let clock = SystemClock::new();
        while SnapshotRequest::of(&folder).is_some() {
            if clock.monotonic() > REQUEST_TIMEOUT {
                let help = "the running engine says why; it tries again at its next snapshot";
                return Err(Error::usage("the running engine has not taken a snapshot", help));
            }
            std::thread::park_timeout(LOOK);
        }
        let manifest = self.find(Some(&arguments.name))?;
        tell(context, &manifest)
    }

    fn pin(&self, context: &Context, arguments: &StatePinArguments) -> Result<(), Error> {
        let manifest = self.find(Some(&arguments.snapshot))?;
        if arguments.remove {
            self.snapshots.unpin(&manifest.id)?;
        } else {
            self.snapshots.pin(&manifest.id, &arguments.name)?;
        }
        tell(context, &manifest)
    }

    fn export(&self, context: &Context, arguments: &StateExportArguments) -> Result<(), Error> {
        let manifest = self.find(arguments.snapshot.as_deref())?;
        self.snapshots.export(&manifest, &arguments.dir)?;
        tell(context, &manifest)
    }

    fn restore(&self, context: &Context, arguments: &StateRestoreArguments) -> Result<(), Error> {
        let manifest = self.snapshots.import(&arguments.dir)?;
        context.screen.note("a start uses the newest snapshot of its journal");
        tell(context, &manifest)
    }

    /// The newest complete snapshot that is named so: by id, epoch or pin; without a name, of all.
    fn find(&self, name: Option<&str>) -> Result<Manifest, Error> {
        let listed = self.snapshots.list()?;
        let is_named = |one: &&Listed| match name {
            None => true,
            Some(name) => {
                SnapshotId::parse(name).as_ref() == Some(&one.id)
                    || one.pin.as_deref() == Some(name)
                    || one.id.epoch.to_string() == name
            }
        };
        let named = listed.iter().filter(is_named).filter_map(Listed::manifest);
        let found = named.max_by_key(|manifest| manifest.about.created);
        found.cloned().ok_or_else(|| Error::NotFound {
            thing: "snapshot",
            name: name.unwrap_or("newest").to_owned(),
            place: self.engine.snapshots().ok().map(|place| place.to_string()),
            help: "`engine state ls` shows all; `engine run` writes one at its end".to_owned(),
        })
    }
}

fn tell(context: &Context, manifest: &Manifest) -> Result<(), Error> {
    let size = bytes_text(manifest.bytes());
    let epoch = manifest.about.epoch;
    context.screen.say(&format!("snapshot of epoch {epoch}, {size}"));
    context.screen.result(&format!("{}\n", manifest.id))
}
