//! `engine plan`: what a run would do to the state of the last one, now that the project has changed.

use std::process::ExitCode;

use super::arguments::{OutputStyle, PlanArguments};
use super::{Context, check};
use crate::report::{plan_json, plan_text};
use crate::{Error, Session, Stay};

/// With `--detailed-exitcode`: something would change.
const CHANGED: u8 = 2;

pub(crate) fn run(context: &Context, arguments: &PlanArguments) -> Result<ExitCode, Error> {
    let engine = context.open(arguments.part.scope())?;
    let checked = engine.check();
    checked.dataflow()?;
    check::tell_briefly(context, checked);
    let session = Session::open(engine.folder(), checked.project()?, Stay::Brief)?;
    let picture = engine.plan(&session);
    session.close();
    let picture = picture?;
    let text = match arguments.output {
        OutputStyle::Text => plan_text(&picture, context.screen.width()),
        OutputStyle::Json => plan_json(&picture),
    };
    context.screen.result(&text)?;
    let has_changed = picture.epoch.is_some() && !picture.upgrade.is_empty();
    let is_told = arguments.detailed_exitcode && (has_changed || !picture.unfinished.is_empty());
    Ok(if is_told { ExitCode::from(CHANGED) } else { ExitCode::SUCCESS })
}
