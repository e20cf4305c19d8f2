//! `engine explain CODE|MODEL`.

use std::process::ExitCode;

use super::arguments::{ExplainArguments, PlanPart};
use super::{Context, Scope, compile};
use crate::explain::{is_code, near, page};
use crate::{CODES, Error};

pub(crate) fn run(context: &Context, arguments: &ExplainArguments) -> Result<ExitCode, Error> {
    let subject = arguments.subject.as_str();
    if let Some(text) = page(subject) {
        context.screen.result(&format!("{}\n", text.trim_end()))?;
        return Ok(ExitCode::SUCCESS);
    }
    if is_code(subject) {
        let near = near(subject);
        let help = if near.is_empty() {
            let (first, last) = (CODES.first(), CODES.last());
            let name = |code: Option<&(&'static str, _)>| code.map_or("", |(code, _)| *code);
            format!("codes go from `{}` to `{}`", name(first), name(last))
        } else {
            format!("did you mean `{}`?", near.join("`, `"))
        };
        return Err(Error::usage(format!("there is no code `{subject}`"), help));
    }
    let engine = context.open(Scope::default())?;
    if engine.check().is_empty() {
        let help = "name a code such as `E0301`, or a model in the folder of its project";
        let message = format!("`{subject}` is no code, and there is no project here");
        return Err(Error::usage(message, help));
    }
    let parts = [PlanPart::Facts, PlanPart::Sql, PlanPart::Logical, PlanPart::Stream];
    let text = compile::describe(context, engine.check(), &[subject.to_owned()], &parts)?;
    context.screen.result(&text)?;
    Ok(ExitCode::SUCCESS)
}
