//! A project read and planned: what is wrong with it, what was inferred, what runs.

use std::collections::{BTreeMap, BTreeSet};

use catalog::diagnostic::{Diagnostic, Level, sort};
use catalog::graph::select::select;
use catalog::load::{EMPTY_PROJECT, load};
use catalog::place::Files;
use catalog::project::Project;
use planner::dataflow::Dataflow;
use planner::plan::{Fact, PlanOptions, Planned, plan};
use planner::resolved;

use crate::error::Mistakes;
use crate::{Error, Options, session};

/// A project read and planned.
#[derive(Debug)]
pub struct Checked {
    diagnostics: Vec<Diagnostic>,
    files: Files,
    variables: BTreeMap<String, bool>,
    project: Option<Project>,
    planned: Option<Planned>,
}

impl Checked {
    pub(crate) fn of(options: &Options) -> Result<Self, Error> {
        let folder = &options.folder;
        std::fs::read_dir(folder).map_err(|source| Error::File {
            action: "read",
            path: folder.clone(),
            source,
        })?;
        let loaded = load(folder, &options.load);
        let (mut diagnostics, files, variables) =
            (loaded.diagnostics, loaded.files, loaded.variables);
        let project = loaded.project.map(|mut project| {
            if let Some(name) = session::kept_name(folder) {
                project.name = name;
            }
            project
        });
        let mut planned = None;
        if let Some(project) = &project {
            match selected(project, &files, options) {
                Ok(select) => {
                    let mut fresh =
                        plan(project, &PlanOptions { select, ..PlanOptions::default() });
                    diagnostics.append(&mut fresh.diagnostics);
                    planned = Some(fresh);
                }
                Err(mut mistakes) => diagnostics.append(&mut mistakes),
            }
        }
        sort(&mut diagnostics, &files);
        Ok(Self { diagnostics, files, variables, project, planned })
    }

    /// Everything there is to say, sorted by file and position.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The texts, for quoting.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// The variables that the files name as `${NAME}`, and whether they are set.
    pub(crate) fn variables(&self) -> &BTreeMap<String, bool> {
        &self.variables
    }

    /// Whether nothing stands against running it.
    pub fn is_sound(&self) -> bool {
        self.planned.as_ref().is_some_and(|planned| planned.dataflow.is_some())
            && !self.diagnostics.iter().any(|one| one.level == Level::Error)
    }

    /// The project.
    ///
    /// # Errors
    /// [`Error::Project`] if it has mistakes.
    pub fn project(&self) -> Result<&Project, Error> {
        match &self.project {
            Some(project) if self.is_sound() => Ok(project),
            Some(_) | None => Err(self.mistakes()),
        }
    }

    /// The project even if its SQL has mistakes or it has no models, for what needs to know only its
    /// topics and its cluster.
    ///
    /// # Errors
    /// [`Error::Project`] if its files have mistakes.
    pub(crate) fn declared(&self) -> Result<&Project, Error> {
        self.project.as_ref().ok_or_else(|| self.mistakes())
    }

    /// What its models become.
    ///
    /// # Errors
    /// [`Error::Project`] if it has mistakes.
    pub fn planned(&self) -> Result<&Planned, Error> {
        match &self.planned {
            Some(planned) if self.is_sound() => Ok(planned),
            Some(_) | None => Err(self.mistakes()),
        }
    }

    /// What runs.
    ///
    /// # Errors
    /// [`Error::Project`] if it has mistakes.
    pub fn dataflow(&self) -> Result<&Dataflow, Error> {
        self.planned()?.dataflow.as_ref().ok_or_else(|| self.mistakes())
    }

    /// What was inferred; nothing where planning did not come that far.
    pub fn facts(&self) -> &[Fact] {
        self.planned.as_ref().map_or(&[], |planned| &planned.facts)
    }

    /// Whether there is no file of a project at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.iter().count() == 0
            && self.diagnostics.iter().all(|one| one.code == EMPTY_PROJECT)
    }

    /// The resolved project, for the journal. Variables stand in it only as far as the SQL uses them:
    /// others may hold what came from a `${...}`, and the journal keeps no secrets.
    ///
    /// # Errors
    /// [`Error::Project`] if it has mistakes.
    pub(crate) fn project_text(&self) -> Result<String, Error> {
        let models: BTreeSet<String> =
            self.dataflow()?.models().into_iter().map(str::to_owned).collect();
        let project = self.project()?;
        let is_whole = project.models.iter().all(|model| models.contains(&model.name.value));
        Ok(resolved::write(project, (!is_whole).then_some(&models)))
    }

    fn mistakes(&self) -> Error {
        Error::Project(Mistakes {
            diagnostics: self.diagnostics.clone(),
            files: self.files.clone(),
        })
    }
}

/// The models to plan for running; all if nothing is said.
fn selected(
    project: &Project,
    files: &Files,
    options: &Options,
) -> Result<Option<BTreeSet<String>>, Vec<Diagnostic>> {
    if options.select.is_empty() && options.exclude.is_empty() {
        return Ok(None);
    }
    let select_terms: Vec<&str> = options.select.iter().map(String::as_str).collect();
    let exclude_terms: Vec<&str> = options.exclude.iter().map(String::as_str).collect();
    let selection = select(project, files, &select_terms, &exclude_terms)?;
    let names = project.models.iter().map(|model| model.name.value.clone());
    Ok(Some(names.filter(|name| selection.has_model(name)).collect()))
}
