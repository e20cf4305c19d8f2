//! `engine dlq`: dead letters counted, shown, and tried again.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Arc;

use connectors::admin::Admin;
use runtime::{DeadLetter, Redelivery, RedeliveryReport, read_dead_letters};
use stream::{Clock, SystemClock};

use super::arguments::{
    DlqArguments, DlqCommand, DlqFilter, DlqLsArguments, DlqReplayArguments, DlqShowArguments,
    OutputStyle,
};
use super::{Context, Scope};
use crate::report::{
    Append, LetterCounts, count, letter_json, letter_text, redelivery_json, redelivery_text,
    version_line,
};
use crate::{Engine, Error, Session, Stay};

pub(crate) fn run(context: &Context, arguments: &DlqArguments) -> Result<ExitCode, Error> {
    let instance = arguments.instance.clone();
    let engine = context.open(Scope { instance, ..Scope::default() })?;
    let session = Session::open(engine.folder(), engine.check().project()?, Stay::Brief)?;
    let place = Place { context, engine: &engine, session: &session };
    let result = match &arguments.command {
        DlqCommand::Ls(arguments) => place.ls(arguments),
        DlqCommand::Show(arguments) => place.show(arguments),
        DlqCommand::Replay(arguments) => place.replay(arguments),
    };
    session.close();
    result.map(|()| ExitCode::SUCCESS)
}

/// The dead letters of a project.
struct Place<'a> {
    context: &'a Context,
    engine: &'a Engine,
    session: &'a Session,
}

impl Place<'_> {
    fn ls(&self, arguments: &DlqLsArguments) -> Result<(), Error> {
        let filter = Filter::of(&arguments.filter);
        let mut counts = LetterCounts::default();
        self.read(&mut |letter| {
            if letter.is_mark() {
                counts.note_replayed(&letter);
            } else if filter.takes(&letter) {
                counts.add(&letter);
            }
        })?;
        let screen = &self.context.screen;
        match arguments.output {
            OutputStyle::Text if counts.is_empty() => {
                let topic = self.engine.names()?.dead_letters();
                screen.say(&format!("no dead letters in {topic}"));
                Ok(())
            }
            OutputStyle::Text => screen.result(&counts.table(screen.width())),
            OutputStyle::Json => screen.result(&(version_line() + &counts.json())),
        }
    }

    fn show(&self, arguments: &DlqShowArguments) -> Result<(), Error> {
        let filter = Filter::of(&arguments.filter);
        let named = arguments.letter.as_deref();
        let is_named = |letter: &DeadLetter| {
            named.is_none_or(|name| letter.offset.to_string() == name || letter.place() == name)
        };
        let mut newest: VecDeque<DeadLetter> = VecDeque::new();
        self.read(&mut |letter| {
            if !letter.is_mark() && filter.takes(&letter) && is_named(&letter) {
                newest.push_back(letter);
                if newest.len() > arguments.limit {
                    newest.pop_front();
                }
            }
        })?;
        if let (true, Some(name)) = (newest.is_empty(), named) {
            return Err(Error::NotFound {
                thing: "dead letter",
                name: name.to_owned(),
                place: Some(self.engine.names()?.dead_letters()),
                help: "`engine dlq show` shows the newest; one is named by its number or as TOPIC/PARTITION@OFFSET".to_owned(),
            });
        }
        let mut text = match arguments.output {
            OutputStyle::Text => String::new(),
            OutputStyle::Json => version_line(),
        };
        for letter in &newest {
            match arguments.output {
                OutputStyle::Text => text.push_str(&letter_text(letter)),
                OutputStyle::Json => text.append(format_args!("{}\n", letter_json(letter))),
            }
        }
        self.context.screen.result(&text)
    }

    fn replay(&self, arguments: &DlqReplayArguments) -> Result<(), Error> {
        let cluster = self.session.cluster();
        let needs_yes = !cluster.is_embedded() && !arguments.yes;
        let is_dry_run = arguments.dry_run || needs_yes;
        let report = self.redeliver(&arguments.filter, is_dry_run)?;
        let screen = &self.context.screen;
        if report.is_plan_changed {
            screen.warn("the project has changed since its last run: what is replayed waits for the next one; `engine run --fresh` reads the originals instead");
        }
        screen.result(&match arguments.output {
            OutputStyle::Text => redelivery_text(&report, is_dry_run, screen.width()),
            OutputStyle::Json => version_line() + &redelivery_json(&report, is_dry_run),
        })?;
        let replayed = usize::try_from(report.replayed()).unwrap_or(usize::MAX);
        if needs_yes && !arguments.dry_run && replayed > 0 {
            let records = count(replayed, "record");
            let message = format!("nothing was replayed: {records} would be written to {cluster}");
            return Err(Error::usage(message, "say `--yes` if they shall be"));
        }
        Ok(())
    }

    fn redeliver(&self, filter: &DlqFilter, is_dry_run: bool) -> Result<RedeliveryReport, Error> {
        let filter = Filter::of(filter);
        let names = self.engine.names()?;
        let redelivery = Redelivery {
            cluster: self.session.cluster(),
            names: &names,
            dataflow: self.engine.check().dataflow()?,
            clock: Arc::new(SystemClock::new()),
            is_dry_run,
        };
        Ok(redelivery.run(&|letter| filter.takes(letter))?)
    }

    fn read(&self, each: &mut dyn FnMut(DeadLetter)) -> Result<(), Error> {
        let admin = Admin::open(self.session.cluster())?;
        Ok(read_dead_letters(&admin, &self.engine.names()?.dead_letters(), each)?)
    }
}

/// Which dead letters somebody wants.
struct Filter<'a> {
    since_ms: Option<i64>,
    model: Option<&'a str>,
    reason: Option<&'a str>,
}

impl<'a> Filter<'a> {
    fn of(arguments: &'a DlqFilter) -> Self {
        let now = SystemClock::new().now().0;
        let ago = |age: std::time::Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Self {
            since_ms: arguments.since.map(|since| now.saturating_sub(ago(since))),
            model: arguments.model.as_deref(),
            reason: arguments.reason.as_deref(),
        }
    }

    fn takes(&self, letter: &DeadLetter) -> bool {
        self.since_ms.is_none_or(|since| letter.written_ms >= Some(since))
            && self.model.is_none_or(|model| letter.model == model)
            && self.reason.is_none_or(|reason| letter.reason == reason)
    }
}
