//! Which environment counts.

use std::collections::HashMap;

use crate::diagnostic::template::TemplateMistake;
use crate::diagnostic::{Diagnostic, closest};
use crate::load::LoadOptions;

/// Variables that name an environment where no flag does, the first that is set counts.
const VARIABLES: [&str; 2] = ["ENGINE_ENV", "STREAMT_ENV"];

/// The chosen one of `known`; `None` for a project without environments, or after a mistake.
pub(super) fn choose<'a>(
    known: &[&'a str],
    options: &LoadOptions,
    mistakes: &mut Vec<Diagnostic>,
) -> Option<&'a str> {
    let by_variable = by_variable(&options.variables);
    let names = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if known.is_empty() {
        if let Some(name) = &options.environment {
            let reason =
                format!("there is no environment `{name}`: the project has no `environments/`");
            let help = "leave `--env` away, or add `environments/NAME.yml`".to_owned();
            mistakes.push(TemplateMistake::Environment { reason, help }.into());
        } else if let Some(name) = by_variable {
            let name = name.to_owned();
            mistakes.push(TemplateMistake::EnvironmentIgnored { name }.into());
        }
        return None;
    }
    let wanted = options.environment.as_deref().or(by_variable);
    let mistake = match wanted {
        Some(wanted) => match known.iter().find(|name| **name == wanted) {
            Some(name) => return Some(name),
            None => TemplateMistake::Environment {
                reason: format!("there is no environment `{wanted}`"),
                help: match closest(wanted, known.iter().copied()).first() {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {names}"),
                },
            },
        },
        None => TemplateMistake::Environment {
            reason: "the project has environments and none is chosen".to_owned(),
            help: format!("choose with `--env`: there are {names}"),
        },
    };
    mistakes.push(mistake.into());
    None
}

fn by_variable(variables: &HashMap<String, String>) -> Option<&str> {
    VARIABLES
        .iter()
        .find_map(|name| variables.get(*name))
        .map(String::as_str)
        .filter(|name| !name.is_empty())
}
