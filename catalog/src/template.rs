//! SQL behind Jinja: the rendered text, what it refers to, and the way back to the YAML.
//!
//! A template is rendered twice: once as it is, which gives the text, and once with marks around
//! its pieces, which gives the map. Where the two differ by more than the marks (a filter that
//! counts characters, say) the map is dropped and the whole scalar stands for each of its parts.
//!
//! **Invariant:** the marks never change the text. Templates see no file and no variable that was
//! not handed to them, and stop at [`FUEL`] and [`RENDERED_BYTES_MAX`].

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

use crate::diagnostic::Diagnostic;
use crate::diagnostic::template::TemplateMistake;
use crate::place::{FileId, Files, Place};
use crate::project::model::{Reference, ReferenceKind};
use crate::read::Variables;
use crate::yaml::{Alignment, Node, Scalar};

mod map;
mod pieces;

pub use map::SqlMap;
use pieces::{Piece, PieceKind};

/// Steps of one rendering; the example's templates take under a hundred.
const FUEL: u64 = 200_000;

/// Bytes of one rendered query, the limit of a project file.
const RENDERED_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of one `{{ }}` or `{% %}`, and of all of one template. minijinja goes down a level for each
/// operator, attribute and `elif`, so this bounds how deep it goes.
const CODE_BYTES_MAX: usize = 8 * 1024;
const ALL_CODE_BYTES_MAX: usize = 64 * 1024;

/// Stack for reading a template of that depth, whatever the thread has left.
const STACK_BYTES: usize = 64 << 20;

/// Macros that call one another.
const CALL_DEPTH_MAX: usize = 50;

/// The name of the template that holds all files of `macros/`.
const MACROS: &str = "macros";

/// The name of the template that is being rendered.
const QUERY: &str = "sql";

/// Parts of a variable's name that say its value is a secret, which no query may hold.
const SECRET_WORDS: [&str; 8] =
    ["PASS", "PWD", "SECRET", "KEY", "TOKEN", "CREDENTIAL", "PRIVATE", "WEBHOOK"];

/// A rendered query.
#[derive(Clone, Debug)]
pub struct Sql {
    /// The query. A source is `` `source.NAME` ``, a model is `` `model.NAME` ``.
    pub text: String,
    /// What it refers to, in order of first use, each once.
    pub references: Vec<Reference>,
    /// The way back to the YAML.
    pub map: SqlMap,
}

impl Sql {
    /// Where `range` (bytes of [`Sql::text`]) comes from in the user's files.
    ///
    /// Literal text maps to itself, the result of `{{ ... }}` to the whole expression.
    pub fn place(&self, range: Range<usize>) -> Place {
        self.map.place(range)
    }

    /// The whole scalar in the YAML.
    pub fn whole(&self) -> &Place {
        self.map.whole()
    }
}

/// The identifier under which rendered SQL names a source or a model, without backticks.
pub fn table_name(kind: ReferenceKind, name: &str) -> String {
    format!("{}.{name}", kind.word())
}

/// What all templates of a project see.
#[derive(Clone, Debug, Default)]
pub(crate) struct TemplateContext {
    /// For `var`.
    pub(crate) vars: BTreeMap<String, String>,
    /// For `env_var` and `env`.
    pub(crate) variables: Variables,
    /// For `config`, by dotted path.
    pub(crate) config: BTreeMap<String, String>,
    /// For `target`.
    pub(crate) target: BTreeMap<String, String>,
}

/// The templates of one project.
pub(crate) struct Templates {
    environment: Environment<'static>,
    /// Imports every macro; stands before every query, on its first line.
    prelude: String,
    /// Where each file starts in the template of all macros.
    macro_files: Vec<(usize, FileId)>,
}

/// References in the order in which a rendering asked for them.
type Asked = Arc<Mutex<Vec<(ReferenceKind, String)>>>;

impl Templates {
    /// Takes in the files of `macros/`; those that cannot be read are reported and left out.
    pub(crate) fn new(
        context: TemplateContext,
        macros: &[(FileId, &str)],
        mistakes: &mut Vec<Diagnostic>,
    ) -> Self {
        let environment = environment(context);
        let mut templates = Self { environment, prelude: String::new(), macro_files: Vec::new() };
        let mut all = String::new();
        let mut names: Vec<String> = Vec::new();
        for (file, text) in macros {
            if let Some(range) = pieces::excess(text, CODE_BYTES_MAX, ALL_CODE_BYTES_MAX) {
                let (reason, at) = (excess_reason(), Place::within(*file, range, text));
                mistakes.push(TemplateMistake::TooCostly { reason, at }.into());
                continue;
            }
            let read = stacker::grow(STACK_BYTES, || {
                templates.environment.template_from_named_str(MACROS, text).map(drop)
            });
            match read {
                Ok(()) => {
                    templates.macro_files.push((all.len(), *file));
                    names.extend(pieces::macro_names(text));
                    all.push_str(text);
                    all.push('\n');
                }
                Err(error) => {
                    let at = Place::within(*file, error.range().unwrap_or(0..0), text);
                    mistakes.push(mistake(&error, at).into());
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        // The parts were read one by one, so the whole can be read too.
        let is_added = stacker::grow(STACK_BYTES, || {
            templates.environment.add_template_owned(MACROS, all).is_ok()
        });
        if is_added && !names.is_empty() {
            templates.prelude = format!("{{% from \"{MACROS}\" import {} %}}", names.join(", "));
        }
        templates
    }

    /// Renders the query in `scalar`. `None` after reporting why it cannot be.
    pub(crate) fn render(
        &self,
        (node, scalar): (&Node, &Scalar),
        files: &Files,
        this: &BTreeMap<&str, String>,
        mistakes: &mut Vec<Diagnostic>,
    ) -> Option<Sql> {
        let alignment = Alignment::new(node, scalar, files.text(node.place.file));
        let template = scalar.text.as_str();
        if let Some(range) = pieces::excess(template, CODE_BYTES_MAX, ALL_CODE_BYTES_MAX) {
            let (reason, at) = (excess_reason(), alignment.place(range));
            let at = Place::within(at.file, at.range, files.text(at.file));
            mistakes.push(TemplateMistake::TooCostly { reason, at }.into());
            return None;
        }
        let (text, asked) = match self.run(template, this) {
            Ok(rendered) => rendered,
            Err(error) => {
                let at = self.error_place(&error, &alignment, files);
                mistakes.push(mistake(&error, at).into());
                return None;
            }
        };
        if text.len() > RENDERED_BYTES_MAX {
            let reason = format!("it renders more than {RENDERED_BYTES_MAX} bytes");
            mistakes.push(TemplateMistake::TooCostly { reason, at: node.place.clone() }.into());
            return None;
        }
        let pieces = pieces::split(template);
        let map = self.map((template, &pieces), &text, this, alignment);
        let references = references(template, &pieces, &text, &asked, &map);
        Some(Sql { text, references, map })
    }

    fn run(
        &self,
        template: &str,
        this: &BTreeMap<&str, String>,
    ) -> Result<(String, Vec<(ReferenceKind, String)>), Error> {
        let asked: Asked = Arc::default();
        let mut environment = self.environment.clone();
        for (word, kind) in [("ref", ReferenceKind::Model), ("source", ReferenceKind::Source)] {
            let asked = Arc::clone(&asked);
            environment.add_function(word, move |name: &str| {
                let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
                let reference = (kind, name.to_owned());
                if !asked.contains(&reference) {
                    asked.push(reference);
                }
                format!("`{}`", table_name(kind, name).replace('`', "``"))
            });
        }
        environment.add_global("this", strings(this));
        let source = format!("{}{template}", self.prelude);
        let text = stacker::grow(STACK_BYTES, || environment.render_named_str(QUERY, &source, ()))?;
        drop(environment);
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok((text, asked))
    }

    fn map(
        &self,
        (template, pieces): (&str, &[Piece]),
        text: &str,
        this: &BTreeMap<&str, String>,
        alignment: Alignment,
    ) -> SqlMap {
        let is_literal = pieces.iter().all(|piece| piece.kind == PieceKind::Literal);
        if is_literal && template == text {
            return SqlMap::literal(alignment, text.len());
        }
        if map::has_marks(template) || map::has_marks(text) {
            return SqlMap::coarse(alignment);
        }
        let marked = map::mark(template, pieces);
        match self.run(&marked, this) {
            Ok((marked, _)) => SqlMap::read(&marked, text, (template, pieces), alignment),
            Err(_) => SqlMap::coarse(alignment),
        }
    }

    /// Where in the user's files an error is.
    fn error_place(&self, error: &Error, alignment: &Alignment, files: &Files) -> Place {
        let whole = alignment.whole().clone();
        let Some(range) = error.range() else { return whole };
        if error.name() == Some(MACROS) {
            let next = self.macro_files.partition_point(|(start, _)| *start <= range.start);
            let file = next.checked_sub(1).and_then(|index| self.macro_files.get(index));
            return match file {
                Some((start, file)) => {
                    let range = range.start - start..range.end.saturating_sub(*start);
                    Place::within(*file, range, files.text(*file))
                }
                None => whole,
            };
        }
        let prelude = self.prelude.len();
        match (range.start.checked_sub(prelude), range.end.checked_sub(prelude)) {
            (Some(start), Some(end)) => {
                let place = alignment.place(start..end);
                Place::within(place.file, place.range, files.text(place.file))
            }
            _ => whole,
        }
    }
}

fn environment(context: TemplateContext) -> Environment<'static> {
    let TemplateContext { vars, variables, config, target } = context;
    let mut environment = Environment::new();
    environment.set_debug(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(CALL_DEPTH_MAX);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters are valid"));
    environment.add_global("target", strings(&target));
    environment.add_function("var", move |name: &str, default: Option<Value>| {
        match (vars.get(name), default) {
            (Some(value), _) => Ok(Value::from(value.as_str())),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(failed(format!("there is no variable `{name}`"))),
        }
    });
    environment.add_function("config", move |path: &str, default: Option<Value>| {
        match (config.get(path), default) {
            (Some(value), _) => Ok(Value::from(value.as_str())),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(failed(format!("there is no setting `{path}`"))),
        }
    });
    let env_var = move |name: &str, default: Option<Value>| {
        if looks_secret(name) {
            return Err(failed(format!("`{name}` looks like a secret, which no query may hold")));
        }
        match (variables.get(name), default) {
            (Some(value), _) => Ok(Value::from(value)),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(failed(format!("the environment variable `{name}` is not set"))),
        }
    };
    environment.add_function("env_var", env_var.clone());
    environment.add_function("env", env_var);
    environment
}

/// Whether a variable of the environment holds a secret, by its name.
pub(crate) fn looks_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| upper.contains(word))
}

fn strings<K: AsRef<str>>(map: &BTreeMap<K, String>) -> Value {
    map.iter().map(|(key, value)| (key.as_ref().to_owned(), Value::from(value.as_str()))).collect()
}

fn excess_reason() -> String {
    format!(
        "it has more than {CODE_BYTES_MAX} bytes in one `{{{{ }}}}` or {ALL_CODE_BYTES_MAX} in all of them"
    )
}

fn failed(reason: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

fn mistake(error: &Error, at: Place) -> TemplateMistake {
    let written = error.template_source().zip(error.range());
    let reason = match (error.detail(), written.and_then(|(text, range)| text.get(range))) {
        (Some(detail), _) => detail.to_owned(),
        (None, Some(written)) if error.kind() == ErrorKind::UndefinedError => {
            format!("`{written}` is undefined")
        }
        (None, _) => error.kind().to_string(),
    };
    match error.kind() {
        ErrorKind::SyntaxError => TemplateMistake::Syntax { reason, at },
        ErrorKind::OutOfFuel => {
            let reason = "it takes too many steps".to_owned();
            TemplateMistake::TooCostly { reason, at }
        }
        ErrorKind::UnknownFunction => {
            let help = "a query may call `ref`, `source`, `var`, `env_var`, `config` and the macros in `macros/`";
            TemplateMistake::Failed { reason, help: Some(help.to_owned()), at }
        }
        _ => TemplateMistake::Failed { reason, help: None, at },
    }
}

/// Each reference with the place of its name, or of the expression that made it.
fn references(
    template: &str,
    pieces: &[Piece],
    text: &str,
    asked: &[(ReferenceKind, String)],
    map: &SqlMap,
) -> Vec<Reference> {
    let reference = |(kind, name): &(ReferenceKind, String)| {
        let written = pieces::find_call(template, pieces, call_word(*kind), name);
        let place = match written {
            Some(range) => map.literal_place(range),
            None => {
                let quoted = format!("`{}`", table_name(*kind, name));
                match text.find(&quoted) {
                    Some(at) => map.place(at..at + quoted.len()),
                    None => map.whole().clone(),
                }
            }
        };
        Reference { kind: *kind, name: name.clone(), place }
    };
    asked.iter().map(reference).collect()
}

fn call_word(kind: ReferenceKind) -> &'static str {
    match kind {
        ReferenceKind::Source => "source",
        ReferenceKind::Model => "ref",
    }
}

#[cfg(test)]
mod tests;
