//! `engine compile`: rendered SQL, logical plan, dataflow and inferred facts, model by model.

use std::process::ExitCode;

use catalog::project::model::{Model, ReferenceKind};
use planner::dataflow::ChangelogMode;
use planner::plan::{Fact, PlannedModel};

use super::arguments::{CompileArguments, PlanPart};
use super::{Context, Scope, check};
use crate::report::Append;
use crate::report::fact_lines;
use crate::{Checked, Error};

pub(crate) fn run(context: &Context, arguments: &CompileArguments) -> Result<ExitCode, Error> {
    let scope = Scope { select: arguments.select.clone(), ..Scope::default() };
    let engine = context.open(scope)?;
    let checked = engine.check();
    let selected: Vec<String> = if arguments.select.is_empty() {
        Vec::new()
    } else {
        checked.dataflow()?.sinks().map(|(_, sink)| sink.model.clone()).collect()
    };
    let all = [PlanPart::Facts, PlanPart::Sql, PlanPart::Logical, PlanPart::Stream];
    let parts = arguments.plan.map_or(all.to_vec(), |part| vec![part]);
    let text = describe(context, checked, &selected, &parts)?;
    check::tell_diagnostics(context, checked.diagnostics(), checked.files());
    context.screen.result(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes `parts` of the models; of all if none is named.
///
/// # Errors
/// [`Error::Project`] if the project has mistakes; [`Error::NotFound`] for an unknown model.
pub(crate) fn describe(
    context: &Context,
    checked: &Checked,
    names: &[String],
    parts: &[PlanPart],
) -> Result<String, Error> {
    let planned = checked.planned()?;
    let unknown = |name: &&String| !planned.models.iter().any(|model| model.name == **name);
    if let Some(name) = names.iter().find(unknown) {
        let known: Vec<&str> = planned.models.iter().map(|model| model.name.as_str()).collect();
        let near = catalog::diagnostic::closest(name, known.iter().copied());
        let help = match near.first() {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the project has `{}`", known.join("`, `")),
        };
        return Err(Error::NotFound { thing: "model", name: name.clone(), place: None, help });
    }
    let models: Vec<&PlannedModel> = planned
        .models
        .iter()
        .filter(|model| names.is_empty() || names.contains(&model.name))
        .collect();
    let mut text = String::new();
    if parts.contains(&PlanPart::Facts) {
        let facts = facts_of(checked, names)?;
        if !facts.is_empty() {
            text.append(format_args!("{}\n", context.screen.title("inferred")));
            text.push_str(&fact_lines(&facts, checked.files(), context.screen.width()));
            text.push('\n');
        }
    }
    for model in models {
        describe_model(context, checked, model, parts, &mut text)?;
    }
    Ok(text)
}

fn describe_model(
    context: &Context,
    checked: &Checked,
    model: &PlannedModel,
    parts: &[PlanPart],
    text: &mut String,
) -> Result<(), Error> {
    let title = |text: &str| context.screen.title(text);
    text.append(format_args!("{}\n", title(&format!("model {}", model.name))));
    if parts.len() > 1 {
        let width = model.columns.iter().map(|column| column.name.len()).max().unwrap_or(0);
        for column in &model.columns {
            let null = if column.is_nullable { "" } else { " NOT NULL" };
            text.append(format_args!("  {:width$}  {}{null}\n", column.name, column.data_type));
        }
        text.append(format_args!("  gives {}\n", mode_words(model)));
        for state in &model.state {
            text.append(format_args!("  keeps {state}\n"));
        }
    }
    for part in parts {
        let (name, body) = match part {
            PlanPart::Facts => continue,
            PlanPart::Sql => ("sql", model.sql.clone()),
            PlanPart::Logical => ("logical plan", model.logical_plan.clone()),
            PlanPart::Stream => ("dataflow", checked.dataflow()?.explain(&model.name)),
        };
        text.append(format_args!("\n{}\n", title(name)));
        for line in body.trim_end().lines() {
            text.append(format_args!("  {line}\n"));
        }
    }
    text.push('\n');
    Ok(())
}

fn mode_words(model: &PlannedModel) -> String {
    match &model.mode {
        ChangelogMode::Append => "inserts only".to_owned(),
        ChangelogMode::Retract => "inserts, updates and deletes".to_owned(),
        ChangelogMode::Upsert { key } => {
            let names: Vec<&str> = key
                .iter()
                .filter_map(|at| model.columns.get(*at))
                .map(|column| column.name.as_str())
                .collect();
            format!("the newest row of each {}", names.join(", "))
        }
    }
}

/// Facts of the sources that the models read, directly or through others; all if none is named.
fn facts_of(checked: &Checked, names: &[String]) -> Result<Vec<Fact>, Error> {
    let project = checked.project()?;
    if names.is_empty() {
        return Ok(checked.facts().to_vec());
    }
    let mut sources = Vec::new();
    let mut open: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut seen: Vec<&str> = Vec::new();
    while let Some(name) = open.pop() {
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        for needed in project.model(name).into_iter().flat_map(Model::dependencies) {
            match needed.kind {
                ReferenceKind::Source => sources.push(needed.name.as_str()),
                ReferenceKind::Model => open.push(needed.name.as_str()),
            }
        }
    }
    let is_of = |fact: &&Fact| {
        let source = fact.subject.split_once('.').map_or(fact.subject.as_str(), |(name, _)| name);
        sources.contains(&source)
    };
    Ok(checked.facts().iter().filter(is_of).cloned().collect())
}
