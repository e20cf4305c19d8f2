//! `engine replay`: the state at any epoch, made again from a snapshot and the journal, for SQL to
//! ask. It writes nothing, and can be used beside a running engine.

use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;

use runtime::ReplayedState;
use stream::Epoch;

use super::arguments::{QueryOutput, ReplayArguments};
use super::{Context, Scope};
use crate::query::{Answer, Tables};
use crate::report::{answer_csv, answer_json, answer_table, count, operator_name, table_list};
use crate::{Engine, Error, Session, Stay};

/// What ends the questions.
const ENDS: [&str; 4] = ["exit", "quit", "\\q", ".exit"];

/// What lists the tables once more.
const TABLES: &str = ".tables";

pub(crate) fn run(context: &Context, arguments: &ReplayArguments) -> Result<ExitCode, Error> {
    let instance = arguments.instance.clone();
    let engine = context.open(Scope { instance, ..Scope::default() })?;
    let project = engine.check().project()?;
    if let Some(model) = &arguments.model {
        check_model(&engine, model)?;
    }
    let session = Session::open(engine.folder(), project, Stay::Brief)?;
    let replayed = engine.replay_in(&session, arguments.to_epoch.map(Epoch));
    session.close();
    let replayed = replayed?;
    tell(context, &replayed);
    let tables = tables(&replayed, arguments.model.as_deref())?;
    let asked = Asked { context, tables, output: arguments.output };
    if arguments.command.is_empty() {
        asked.list();
        asked.ask_on()?;
    }
    arguments.command.iter().try_for_each(|sql| asked.ask(sql))?;
    Ok(ExitCode::SUCCESS)
}

fn check_model(engine: &Engine, model: &str) -> Result<(), Error> {
    if engine.check().dataflow()?.sinks().any(|(_, sink)| sink.model == model) {
        return Ok(());
    }
    Err(Error::NotFound {
        thing: "model",
        name: model.to_owned(),
        place: None,
        help: "`engine check` shows the project's models".to_owned(),
    })
}

fn tell(context: &Context, replayed: &ReplayedState) {
    let ReplayedState { epoch, generation, snapshot, records, notes, .. } = replayed;
    for note in notes {
        context.screen.warn(&note.to_string());
    }
    let from = match snapshot {
        Some(snapshot) => format!("from the snapshot of epoch {snapshot}"),
        None => "from the generation's first entry".to_owned(),
    };
    let records = count(usize::try_from(*records).unwrap_or(usize::MAX), "record");
    context.screen.say(&format!(
        "state of epoch {epoch}, generation {generation}: {from}, {records} replayed"
    ));
}

/// The state's tables; of one model only, if that is wanted.
fn tables(replayed: &ReplayedState, model: Option<&str>) -> Result<Tables, Error> {
    let mut tables = Tables::new()?;
    for (operator, found) in &replayed.operators {
        let owner = operator.split_once('/').map_or(operator.as_str(), |(model, _)| model);
        if model.is_some_and(|model| model != owner) {
            continue;
        }
        for table in found {
            let rows = (&table.schema, table.batches.clone());
            tables.add(operator_name(operator), &table.name, rows)?;
        }
    }
    Ok(tables)
}

/// The tables, and how answers are written.
struct Asked<'a> {
    context: &'a Context,
    tables: Tables,
    output: QueryOutput,
}

impl Asked<'_> {
    fn list(&self) {
        let screen = &self.context.screen;
        screen.say(table_list(self.tables.names(), screen.width()).trim_end());
    }

    fn ask(&self, sql: &str) -> Result<(), Error> {
        let answer = self.tables.ask(sql)?;
        self.context.screen.result(&self.written(&answer)?)
    }

    fn written(&self, answer: &Answer) -> Result<String, Error> {
        let Answer { schema, batches } = answer;
        let written = match self.output {
            QueryOutput::Table => answer_table(schema, batches, self.context.screen.width()),
            QueryOutput::Json => answer_json(batches),
            QueryOutput::Csv => answer_csv(schema, batches),
        };
        written.map_err(|error| {
            Error::usage(format!("the answer cannot be written: {error}"), "try another `--output`")
        })
    }

    /// Answers what is typed, or piped in: each query ends with a `;` at the end of a line. On a
    /// terminal a mistake is told and the next query awaited; elsewhere it is the end.
    fn ask_on(&self) -> Result<(), Error> {
        let input = io::stdin();
        let is_typed = input.is_terminal();
        let screen = &self.context.screen;
        if is_typed {
            screen.say("queries end with `;`, `.tables` lists the tables, `exit` ends");
        }
        let mut sql = String::new();
        self.prompt(is_typed, &sql)?;
        for line in input.lock().lines() {
            let failed =
                |source| Error::File { action: "read", path: "standard input".into(), source };
            let line = line.map_err(failed)?;
            let word = line.trim();
            if sql.is_empty() && ENDS.contains(&word) {
                return Ok(());
            }
            if sql.is_empty() && word == TABLES {
                self.list();
            } else if !(sql.is_empty() && word.is_empty()) {
                sql.push_str(&line);
                sql.push('\n');
            }
            if word.ends_with(';') {
                match self.ask(&std::mem::take(&mut sql)) {
                    Err(error) if is_typed => screen.error(&error),
                    answered => answered?,
                }
            }
            self.prompt(is_typed, &sql)?;
        }
        if sql.trim().is_empty() { Ok(()) } else { self.ask(&sql) }
    }

    fn prompt(&self, is_typed: bool, sql: &str) -> Result<(), Error> {
        if !is_typed {
            return Ok(());
        }
        self.context.screen.result(if sql.is_empty() { "sql> " } else { "  -> " })
    }
}
