//! Files -> [`Project`].
//!
//! Reading, lowering and checking, in this order: discovery finds the files; `.env` and the
//! environment say what `${VAR}` stands for; every file is parsed and lowered; the whole is checked.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::diagnostic::{self, Diagnostic, Level};
use crate::place::Files;
use crate::project::Project;

mod discover;
mod dotenv;
mod environments;
mod assemble;

/// What the caller knows and the files do not.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// `--env`.
    pub environment: Option<String>,
    /// The process environment, read by the CLI.
    pub variables: HashMap<String, String>,
    /// `--vars`.
    pub vars: BTreeMap<String, String>,
    /// Whether unknown keys are errors.
    pub is_strict: bool,
}

/// A project, its texts, and everything there is to say about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// `None` if there is an error among the diagnostics, other than that there is nothing to run: a
    /// folder without sources and models has a runtime all the same.
    pub project: Option<Project>,
    /// The texts, for quoting.
    pub files: Files,
    /// Sorted by file and position.
    pub diagnostics: Vec<Diagnostic>,
    /// The variables that the files name as `${NAME}`, and whether they are set; never a value.
    pub variables: BTreeMap<String, bool>,
}

impl Loaded {
    /// Whether anything forbids running the project.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error)
    }
}

/// The code of a project without sources and models.
pub const EMPTY_PROJECT: &str = "E0010";

/// One file of a project as it was read.
#[derive(Clone, Debug)]
struct Text {
    /// Relative to the project, with `/`.
    path: String,
    text: String,
}

/// Reads and checks the project in `root`.
///
/// Every mistake of every file is gathered; nothing is thrown at the first.
pub fn load(root: &Path, options: &LoadOptions) -> Loaded {
    let mut mistakes = Vec::new();
    let texts = discover::discover(root, &mut mistakes);
    finish(assemble::assemble(texts, root, options, mistakes))
}

/// The names of the environments that the project in `root` has, sorted.
pub fn environment_names(root: &Path) -> Vec<String> {
    // What is wrong with the folder is told by whoever loads the project.
    let mut unheeded = Vec::new();
    let texts = discover::discover(root, &mut unheeded);
    let stem = |text: &Text| {
        let file = text.path.strip_prefix("environments/")?.rsplit('/').next()?;
        Some(file.rsplit_once('.')?.0.to_owned())
    };
    let mut names: Vec<String> = texts.iter().filter_map(stem).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// As [`load`], for files that are given as (path relative to the project, text).
///
/// Paths that mean nothing in a project are ignored, as discovery ignores them.
pub fn load_texts(texts: &[(&str, &str)], options: &LoadOptions) -> Loaded {
    let texts = texts
        .iter()
        .map(|(path, text)| Text { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect();
    finish(assemble::assemble(texts, Path::new("project"), options, Vec::new()))
}

fn finish(mut loaded: Loaded) -> Loaded {
    diagnostic::sort(&mut loaded.diagnostics, &loaded.files);
    // A mistake behind an anchor is found once for each of its aliases.
    loaded.diagnostics.dedup();
    let mut errors = loaded.diagnostics.iter().filter(|one| one.level == Level::Error);
    if errors.any(|one| one.code != EMPTY_PROJECT) {
        loaded.project = None;
    }
    loaded
}

#[cfg(test)]
mod tests;
