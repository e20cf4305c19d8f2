//! `engine init`: a new project with sample data.

use std::process::ExitCode;

use super::Context;
use super::arguments::{InitArguments, TemplateName};
use crate::Error;
use crate::init::{Sample, Template};
use crate::report::Append;
use crate::report::count;

pub(crate) fn run(context: &Context, arguments: &InitArguments) -> Result<ExitCode, Error> {
    let template = match arguments.template {
        TemplateName::Ecommerce => Template::Ecommerce,
        TemplateName::Empty => Template::Empty,
    };
    let dir = &arguments.dir;
    let written = template.write(dir, arguments.force, arguments.dry_run)?;
    let mut text = String::new();
    if arguments.dry_run {
        for path in &written {
            text.append(format_args!("would write {}\n", path.display()));
        }
        context.screen.result(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    text.append(format_args!("created {} ({})\n", dir.display(), count(written.len(), "file")));
    context.screen.result(&text)?;
    let mut next = Vec::new();
    if dir.as_os_str() != "." {
        next.push(format!("cd {}", dir.display()));
    }
    next.extend(template.samples().iter().map(load_command));
    next.push("engine run --once --close-windows".to_owned());
    context.screen.say(&format!("next: {}", next.join(" && \\\n      ")));
    Ok(ExitCode::SUCCESS)
}

fn load_command(sample: &Sample) -> String {
    let stamp = sample.timestamp.map(|field| format!(" --timestamp {field}")).unwrap_or_default();
    let Sample { topic, file, key, .. } = sample;
    format!("engine topic produce {topic} --key {key}{stamp} {file}")
}
