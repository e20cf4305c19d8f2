//! E03xx: names and types.

use catalog::diagnostic::{Diagnose, Label, did_you_mean};
use catalog::place::Place;

/// A name or a type that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameMistake {
    /// The text is no query.
    #[error("{message}")]
    Syntax {
        /// What the parser says.
        message: String,
        /// What to do, if known.
        help: Option<String>,
        /// The first token that does not fit.
        at: Place,
    },
    /// No table of the query has that column.
    #[error("unknown column `{column}`")]
    UnknownColumn {
        /// As written.
        column: String,
        /// Where it was looked for, such as "source `clickstream`".
        searched: String,
        /// Columns with near names.
        suggestions: Vec<String>,
        /// The name.
        at: Place,
        /// Where the only table is declared, and what to say there.
        declared: Option<(Place, String)>,
    },
    /// Neither a source, a model nor a query of `WITH`.
    #[error("unknown table `{table}`")]
    UnknownTable {
        /// As written.
        table: String,
        /// What to write instead, if known.
        help: Option<String>,
        /// The name.
        at: Place,
    },
    /// The engine has no such function.
    #[error("unknown function `{function}`")]
    UnknownFunction {
        /// As written.
        function: String,
        /// Functions with near names.
        suggestions: Vec<String>,
        /// The name.
        at: Place,
    },
    /// Several tables have that column.
    #[error("column `{column}` is ambiguous")]
    AmbiguousColumn {
        /// As written.
        column: String,
        /// The tables, as they can be written before the column.
        tables: Vec<String>,
        /// The name.
        at: Place,
    },
    /// An undeclared column is used as if it had two types.
    #[error("`{column}` is used as {first} and as {second}")]
    ConflictingUses {
        /// `source.column`.
        column: String,
        /// Type of the first use.
        first: String,
        /// Type of the second use.
        second: String,
        /// The second use and its reason.
        at: (Place, String),
        /// The first use and its reason.
        before: (Place, String),
    },
    /// The types of an expression do not go together.
    #[error("{message}")]
    TypeMismatch {
        /// Which types.
        message: String,
        /// What to do, if known.
        help: Option<String>,
        /// The expression.
        at: Place,
    },
    /// Two columns of a model have one name.
    #[error("two columns are named `{column}`")]
    DuplicateColumn {
        /// The name.
        column: String,
        /// The second.
        at: Place,
        /// The first.
        first: Place,
    },
    /// A model declares a column that its query does not give so.
    #[error("model `{model}` declares `{column}` {declared}, its query gives {given}")]
    DeclaredColumn {
        /// The model.
        model: String,
        /// The column.
        column: String,
        /// The declared type, or "".
        declared: String,
        /// The type that the query gives, or "no such column".
        given: String,
        /// The declaration.
        at: Place,
    },
    /// A column is neither grouped by nor inside an aggregate.
    #[error("`{column}` is neither in GROUP BY nor inside an aggregate function")]
    NotGrouped {
        /// As written.
        column: String,
        /// The column.
        at: Place,
    },
    /// A function cannot take these arguments.
    #[error("{message}")]
    WrongArguments {
        /// Which function, which arguments.
        message: String,
        /// What to do, if known.
        help: Option<String>,
        /// The call.
        at: Place,
    },
    /// A condition is neither true nor false.
    #[error("{clause} takes a condition, and `{text}` is {data_type}")]
    NotBoolean {
        /// `WHERE`, `HAVING`, `AND`, …
        clause: String,
        /// As written.
        text: String,
        /// Its type.
        data_type: String,
        /// The expression.
        at: Place,
    },
    /// `key:` of a model names no column of its query.
    #[error("`key` of model `{model}` names no column of its query: `{key}`")]
    UnknownKey {
        /// The model.
        model: String,
        /// As written.
        key: String,
        /// Columns with near names.
        suggestions: Vec<String>,
        /// The value of `key:`.
        at: Place,
    },
    /// Whatever else DataFusion has against the query.
    #[error("{message}")]
    Planning {
        /// Its message.
        message: String,
        /// The expression, or the whole query.
        at: Place,
    },
}

impl Diagnose for NameMistake {
    fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "E0300",
            Self::UnknownColumn { .. } => "E0301",
            Self::UnknownTable { .. } => "E0302",
            Self::UnknownFunction { .. } => "E0303",
            Self::AmbiguousColumn { .. } => "E0304",
            Self::ConflictingUses { .. } => "E0305",
            Self::TypeMismatch { .. } => "E0306",
            Self::DuplicateColumn { .. } => "E0307",
            Self::DeclaredColumn { .. } => "E0308",
            Self::NotGrouped { .. } => "E0309",
            Self::WrongArguments { .. } => "E0310",
            Self::UnknownKey { .. } => "E0311",
            Self::NotBoolean { .. } => "E0312",
            Self::Planning { .. } => "E0399",
        }
    }

    fn labels(&self) -> Vec<Label> {
        match self {
            Self::Syntax { at, .. }
            | Self::UnknownTable { at, .. }
            | Self::UnknownFunction { at, .. }
            | Self::TypeMismatch { at, .. }
            | Self::DeclaredColumn { at, .. }
            | Self::NotGrouped { at, .. }
            | Self::WrongArguments { at, .. }
            | Self::NotBoolean { at, .. }
            | Self::UnknownKey { at, .. }
            | Self::Planning { at, .. } => vec![Label::primary(at, "")],
            Self::UnknownColumn { searched, at, declared, .. } => {
                let declared = declared.iter().map(|(place, text)| Label::secondary(place, text));
                let primary = Label::primary(at, format!("not in {searched}"));
                std::iter::once(primary).chain(declared).collect()
            }
            Self::AmbiguousColumn { tables, at, .. } => {
                let tables: Vec<String> = tables.iter().map(|table| format!("`{table}`")).collect();
                vec![Label::primary(at, format!("in {}", tables.join(" and in ")))]
            }
            Self::ConflictingUses { at, before, .. } => {
                vec![Label::primary(&at.0, &at.1), Label::secondary(&before.0, &before.1)]
            }
            Self::DuplicateColumn { at, first, .. } => {
                vec![Label::primary(at, "the second"), Label::secondary(first, "the first")]
            }
        }
    }

    fn helps(&self) -> Vec<String> {
        match self {
            Self::Syntax { help, .. }
            | Self::UnknownTable { help, .. }
            | Self::TypeMismatch { help, .. }
            | Self::WrongArguments { help, .. } => help.iter().cloned().collect(),
            Self::UnknownColumn { suggestions, .. }
            | Self::UnknownFunction { suggestions, .. }
            | Self::UnknownKey { suggestions, .. } => did_you_mean(suggestions),
            Self::AmbiguousColumn { column, tables, .. } => tables
                .first()
                .map(|table| format!("Say which: `{table}`.`{column}`."))
                .into_iter()
                .collect(),
            Self::ConflictingUses { .. } => {
                vec!["Declare the column's `type` in the source, and CAST where needed.".to_owned()]
            }
            Self::DuplicateColumn { .. } => vec!["Name one of them with AS.".to_owned()],
            Self::DeclaredColumn { .. } => {
                vec!["CAST in the query, or change the declaration.".to_owned()]
            }
            Self::NotGrouped { column, .. } => {
                vec![format!("Add `{column}` to GROUP BY, or take MIN, MAX or LAST_VALUE of it.")]
            }
            Self::NotBoolean { text, .. } => {
                vec![format!(
                    "Compare it with something, such as `{text} <> 0` or `{text} IS NOT NULL`."
                )]
            }
            Self::Planning { .. } => Vec::new(),
        }
    }
}
