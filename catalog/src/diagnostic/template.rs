//! E02xx: Jinja, variables and environments.

use crate::diagnostic::{Diagnose, Label};
use crate::place::Place;

/// What is wrong with a template, a `${VAR}` or the choice of an environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateMistake {
    #[error("the template cannot be read: {reason}")]
    Syntax { reason: String, at: Place },
    #[error("the template cannot be rendered: {reason}")]
    Failed { reason: String, help: Option<String>, at: Place },
    #[error("the template is refused: {reason}")]
    TooCostly { reason: String, at: Place },
    #[error("the environment variable `{name}` is not set{}", with_colon(reason.as_deref()))]
    NotSet { name: String, reason: Option<String>, is_needed: bool, at: Place },
    #[error("`{text}` is not a reference to an environment variable")]
    VariableSyntax { text: String, at: Place },
    #[error("{reason}")]
    Environment { reason: String, help: String },
    #[error("environment `{name}` is ignored: the project has no `environments/`")]
    EnvironmentIgnored { name: String },
    /// Without a place: a frame would quote the line, which may hold a secret.
    #[error("line {line} of `{path}` is not `NAME=value`")]
    Dotenv { path: String, line: usize },
    #[error("`runtime` of the root file is ignored: the project has `environments/`")]
    RuntimeIgnored { at: Place },
}

impl Diagnose for TemplateMistake {
    fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "E0201",
            Self::Failed { .. } => "E0202",
            Self::TooCostly { .. } => "E0203",
            Self::NotSet { is_needed: true, .. } => "E0204",
            Self::NotSet { is_needed: false, .. } => "W0204",
            Self::VariableSyntax { .. } => "E0205",
            Self::Environment { .. } => "E0206",
            Self::EnvironmentIgnored { .. } => "W0207",
            Self::Dotenv { .. } => "W0208",
            Self::RuntimeIgnored { .. } => "W0209",
        }
    }

    fn labels(&self) -> Vec<Label> {
        match self {
            Self::Environment { .. } | Self::EnvironmentIgnored { .. } | Self::Dotenv { .. } => {
                Vec::new()
            }
            Self::NotSet { at, is_needed: true, .. } => vec![Label::primary(at, "needed here")],
            Self::NotSet { at, .. } => vec![Label::primary(at, "left out")],
            Self::Syntax { at, .. }
            | Self::Failed { at, .. }
            | Self::TooCostly { at, .. }
            | Self::VariableSyntax { at, .. }
            | Self::RuntimeIgnored { at } => vec![Label::primary(at, "")],
        }
    }

    fn alias(&self) -> Option<&'static str> {
        matches!(self, Self::Syntax { .. }).then_some("JINJA_SYNTAX_ERROR")
    }

    fn helps(&self) -> Vec<String> {
        match self {
            Self::NotSet { name, .. } => {
                vec![format!("set it, put it into `.env`, or write `${{{name}:-default}}`")]
            }
            Self::VariableSyntax { .. } => vec![
                "write `${NAME}`, `${NAME:-default}`, `${NAME-default}` or `${NAME:?message}`; a literal `${` is `$${`"
                    .to_owned(),
            ],
            Self::Environment { help, .. } => vec![help.clone()],
            Self::Failed { help, .. } => help.iter().cloned().collect(),
            Self::RuntimeIgnored { .. } => {
                vec!["move it into the files under `environments/`".to_owned()]
            }
            Self::Syntax { .. }
            | Self::TooCostly { .. }
            | Self::EnvironmentIgnored { .. }
            | Self::Dotenv { .. } => Vec::new(),
        }
    }
}

fn with_colon(reason: Option<&str>) -> String {
    reason.map(|text| format!(": {text}")).unwrap_or_default()
}
