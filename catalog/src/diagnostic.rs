//! Mistakes as plain data: a code, a message, labelled places, notes and help.
//!
//! Every crate that reads the project has enums of mistakes that implement [`Diagnose`]; ours are
//! in the modules below, one for each band of codes. Drawing is the `engine` crate's work.

use std::fmt::Display;

use crate::place::{Files, Place};

pub(crate) mod shape;
pub(crate) mod reference;
pub(crate) mod template;
pub(crate) mod demand;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The project cannot run.
    Error,
    /// It runs, but probably not as meant.
    Warning,
    /// A fact worth knowing, such as something inferred.
    Note,
}

/// A place and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What is said there; may be empty.
    pub text: String,
    /// Whether the mistake itself is here; the others only explain it.
    pub is_primary: bool,
}

impl Label {
    fn shortened(self) -> Self {
        Self { text: shortened(self.text), ..self }
    }

    /// The place of the mistake itself.
    pub fn primary(place: &Place, text: impl Into<String>) -> Self {
        Self { place: place.clone(), text: text.into(), is_primary: true }
    }

    /// A place that explains the mistake.
    pub fn secondary(place: &Place, text: impl Into<String>) -> Self {
        Self { place: place.clone(), text: text.into(), is_primary: false }
    }
}

/// One thing to tell the user, ready to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code such as `E0301`; `engine explain CODE` tells more.
    pub code: &'static str,
    /// The name streamt has for the same mistake.
    pub alias: Option<&'static str>,
    /// How bad it is.
    pub level: Level,
    /// One sentence, lower case, without a full stop.
    pub message: String,
    /// Places, the mistake's own first. Empty if the mistake is in no file.
    pub labels: Vec<Label>,
    /// Further facts.
    pub notes: Vec<String>,
    /// What to do.
    pub helps: Vec<String>,
}

impl Diagnostic {
    /// Where the mistake itself is, if it is in a file.
    pub fn primary_place(&self) -> Option<&Place> {
        self.labels.iter().find(|label| label.is_primary).map(|label| &label.place)
    }
}

/// What a crate's enum of mistakes says about each of them; the message is its `Display`.
pub trait Diagnose: Display {
    /// Stable code: `E`, `W` or `N` and four digits.
    fn code(&self) -> &'static str;

    /// Labelled places, the mistake's own first.
    fn labels(&self) -> Vec<Label>;

    /// The name streamt has for the same mistake.
    fn alias(&self) -> Option<&'static str> {
        None
    }

    /// How bad it is; by default what the code's letter says.
    fn level(&self) -> Level {
        match self.code().as_bytes().first() {
            Some(b'W') => Level::Warning,
            Some(b'N') => Level::Note,
            Some(_) | None => Level::Error,
        }
    }

    /// Further facts.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Sentences that say what to do.
    fn helps(&self) -> Vec<String> {
        Vec::new()
    }
}

impl<T: Diagnose> From<T> for Diagnostic {
    fn from(mistake: T) -> Self {
        Self {
            code: mistake.code(),
            alias: mistake.alias(),
            level: mistake.level(),
            message: shortened(mistake.to_string()),
            labels: mistake.labels().into_iter().map(Label::shortened).collect(),
            notes: mistake.notes().into_iter().map(shortened).collect(),
            helps: mistake.helps().into_iter().map(shortened).collect(),
        }
    }
}

/// A text tells at most so many characters: values and names stand in it, and may be a whole file.
const CHARACTERS_MAX: usize = 1_000;

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(CHARACTERS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The help line for names that are close to what was written; none if there are none.
pub fn did_you_mean(suggestions: &[String]) -> Vec<String> {
    let quoted: Vec<String> = suggestions.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => Vec::new(),
        [only] => vec![format!("did you mean {only}?")],
        [first @ .., last] => vec![format!("did you mean {} or {last}?", first.join(", "))],
    }
}

/// At most this many names are suggested, as streamt does.
const SUGGESTIONS_MAX: usize = 3;

/// The known names that are close to `written`, closest first, at most three.
pub fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|name| {
            let distance = strsim::osa_distance(&written.to_lowercase(), &name.to_lowercase());
            let is_near = distance <= 2.max(written.chars().count() / 4)
                || strsim::jaro_winkler(written, name) >= 0.9;
            (is_near && distance < written.chars().count()).then_some((distance, name))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(SUGGESTIONS_MAX).map(|(_, name)| name.to_owned()).collect()
}

/// Sorts by file and position, those without a place first; equal places keep their order.
pub fn sort(diagnostics: &mut [Diagnostic], files: &Files) {
    diagnostics.sort_by(|left, right| {
        let key = |diagnostic: &Diagnostic| {
            let place = diagnostic.primary_place()?.clone();
            Some((files.path(place.file).to_owned(), place.range.start))
        };
        key(left).cmp(&key(right))
    });
}
