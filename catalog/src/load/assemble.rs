//! Texts -> trees -> a project that was checked.

use std::collections::BTreeMap;
use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::shape::ShapeMistake;
use crate::diagnostic::template::TemplateMistake;
use crate::load::discover::{FOLDERS, ROOT_FILES};
use crate::load::{LoadOptions, Loaded, Text, dotenv, environments};
use crate::lower::model::ModelContext;
use crate::lower::root::{LoweredEnvironment, Root};
use crate::lower::{self, Names};
use crate::place::{FileId, Files};
use crate::project::Project;
use crate::project::environment::Environment;
use crate::project::runtime::Runtime;
use crate::read::{Fields, Reader, Variables};
use crate::template::{TemplateContext, Templates};
use crate::yaml::{self, Node};
use crate::{graph, validate};

/// Builds the project of `texts`; `mistakes` are those of discovery.
pub(super) fn assemble(
    texts: Vec<Text>,
    root: &Path,
    options: &LoadOptions,
    mut mistakes: Vec<Diagnostic>,
) -> Loaded {
    let mut files = Files::default();
    let parts = Parts::sort(texts, &mut files);
    let stems: Vec<&str> = parts.environments.iter().map(|(stem, _)| stem.as_str()).collect();
    let chosen = environments::choose(&stems, options, &mut mistakes).map(str::to_owned);
    let variables = parts.variables(chosen.as_deref(), options, &mut mistakes);
    let trees = Trees::parse(&parts, chosen.as_deref(), &files, &mut mistakes);
    let mut reader = Reader {
        files: &files,
        variables: &variables,
        is_strict: options.is_strict,
        is_runtime: false,
        named_variables: BTreeMap::new(),
        mistakes,
    };
    let project = lower_all(&mut reader, &parts, &trees, (root, options));
    let (diagnostics, variables) = (reader.mistakes, reader.named_variables);
    Loaded { project: Some(project), files, diagnostics, variables }
}

/// The texts by what they are.
#[derive(Default)]
struct Parts {
    root: Option<FileId>,
    /// Name and file.
    environments: Vec<(String, FileId)>,
    macros: Vec<FileId>,
    lists: Vec<FileId>,
    /// Kept out of [`Files`], so that no diagnostic can quote them.
    dotenv: Vec<Text>,
}

impl Parts {
    fn sort(texts: Vec<Text>, files: &mut Files) -> Self {
        let mut parts = Self::default();
        for Text { path, text } in texts {
            if path == ".env" || path.starts_with(".env.") {
                parts.dotenv.push(Text { path, text });
                continue;
            }
            let Some(folder) = folder_of(&path) else { continue };
            let stem = path.rsplit('/').next().and_then(|name| name.rsplit_once('.'));
            let stem = stem.map_or("", |(stem, _)| stem).to_owned();
            let file = files.add(path, text);
            match folder {
                "" => parts.root = parts.root.or(Some(file)),
                "environments" => parts.environments.push((stem, file)),
                "macros" => parts.macros.push(file),
                _ => parts.lists.push(file),
            }
        }
        parts
    }

    fn variables(
        &self,
        chosen: Option<&str>,
        options: &LoadOptions,
        mistakes: &mut Vec<Diagnostic>,
    ) -> Variables {
        let mut values = BTreeMap::new();
        let of_environment = chosen.map(|name| format!(".env.{name}"));
        for wanted in [Some(".env"), of_environment.as_deref()].into_iter().flatten() {
            for text in self.dotenv.iter().filter(|text| text.path == wanted) {
                dotenv::read(&text.path, &text.text, &mut values, mistakes);
            }
        }
        Variables::new(values, &options.variables)
    }
}

/// The folder whose rules a path follows: `""` for the root file, `None` for a path that is no
/// part of a project.
fn folder_of(path: &str) -> Option<&'static str> {
    if ROOT_FILES.contains(&path) {
        return Some("");
    }
    let (folder, _) = path.split_once('/')?;
    let (_, ending) = path.rsplit_once('.')?;
    let (name, _) =
        FOLDERS.iter().find(|(name, endings)| *name == folder && endings.contains(&ending))?;
    Some(name)
}

/// The parsed files. A file that cannot be parsed, or is empty, is left out.
struct Trees {
    root: Option<Node>,
    environment: Option<(String, Node)>,
    lists: Vec<Node>,
}

impl Trees {
    fn parse(
        parts: &Parts,
        chosen: Option<&str>,
        files: &Files,
        mistakes: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut parse = |file: FileId| {
            yaml::parse(file, files.text(file), mistakes).filter(|node| !node.is_null())
        };
        Self {
            root: parts.root.and_then(&mut parse),
            environment: parts
                .environments
                .iter()
                .find(|(stem, _)| Some(stem.as_str()) == chosen)
                .and_then(|(stem, file)| Some((stem.clone(), parse(*file)?))),
            lists: parts.lists.iter().copied().filter_map(&mut parse).collect(),
        }
    }
}

/// The elements of the lists of all files.
#[derive(Default)]
struct Lists<'n> {
    sources: Vec<&'n Node>,
    models: Vec<&'n Node>,
    tests: Vec<&'n Node>,
    exposures: Vec<&'n Node>,
}

impl<'n> Lists<'n> {
    fn take(&mut self, reader: &mut Reader<'_>, fields: &mut Fields<'n>) {
        self.sources.extend(fields.list(reader, "sources"));
        self.models.extend(fields.list(reader, "models"));
        self.tests.extend(fields.list(reader, "tests"));
        self.exposures.extend(fields.list(reader, "exposures"));
    }
}

fn lower_all(
    reader: &mut Reader<'_>,
    parts: &Parts,
    trees: &Trees,
    (folder, options): (&Path, &LoadOptions),
) -> Project {
    let mut lists = Lists::default();
    let mut root = Root::default();
    if let Some(mut fields) =
        trees.root.as_ref().and_then(|node| Fields::new(reader, node, "root", "the root file"))
    {
        root = lower::root::root(reader, &mut fields);
        lists.take(reader, &mut fields);
        fields.finish(reader);
    }
    for node in &trees.lists {
        if let Some(mut fields) = Fields::new(reader, node, "file", "this file") {
            lists.take(reader, &mut fields);
            fields.finish(reader);
        }
    }
    let environment = trees
        .environment
        .as_ref()
        .and_then(|(stem, node)| lower::root::environment(reader, node, stem));
    let has_environments = !parts.environments.is_empty();
    let (mut project, has_interval) =
        project_of(reader, root, environment, folder, has_environments);
    project.variables.extend(options.vars.clone());
    let templates = templates(reader, parts, &project);
    lower_lists(reader, &lists, &templates, &mut project);
    let declared =
        project.models.iter().filter_map(|model| model.engine.checkpoint_interval.as_ref());
    if let Some(least) = declared.map(|interval| interval.value).min().filter(|_| !has_interval) {
        project.runtime.engine.checkpoint_interval = least;
    }
    if lists.sources.is_empty() && lists.models.is_empty() && reader.mistakes.is_empty() {
        let path = folder.to_string_lossy().into_owned();
        reader.report(ShapeMistake::EmptyProject { path });
    }
    validate::validate(&project, &mut reader.mistakes);
    project.models = graph::in_dependency_order(project.models, &mut reader.mistakes);
    project
}

/// The project without its lists, and whether its runtime says how often to take snapshots.
fn project_of(
    reader: &mut Reader<'_>,
    root: Root,
    environment: Option<LoweredEnvironment>,
    folder: &Path,
    has_environments: bool,
) -> (Project, bool) {
    let mut variables = root.vars;
    let (mut runtime, mut chosen) = (None, None);
    if has_environments {
        if let Some((_, at)) = root.runtime {
            reader.report(TemplateMistake::RuntimeIgnored { at: at.place });
        }
        if let Some(environment) = environment {
            variables.extend(environment.vars);
            runtime = environment.runtime;
            chosen = Some(environment.environment);
        }
    } else {
        runtime = root.runtime.map(|(runtime, _)| runtime);
    }
    let has_interval = runtime.as_ref().is_some_and(|runtime| runtime.has_checkpoint_interval);
    let name = match root.name {
        Some(name) => {
            if sanitised(&name) != name.value {
                let (name, at) = (name.value.clone(), name.place.clone());
                reader.report(ShapeMistake::InvalidName { kind: "project", name, at });
            }
            name.value
        }
        None => folder_name(folder),
    };
    let project = Project {
        name,
        version: root.version,
        description: root.description,
        root: folder.to_path_buf(),
        environment: chosen,
        sources: Vec::new(),
        models: Vec::new(),
        data_tests: Vec::new(),
        exposures: Vec::new(),
        runtime: runtime.map_or_else(Runtime::default, |runtime| runtime.runtime),
        defaults: root.defaults,
        rules: root.rules,
        variables,
    };
    (project, has_interval)
}

/// The folder's name with what topics and groups may not hold replaced.
fn folder_name(folder: &Path) -> String {
    let canonical = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = canonical.file_name().map(|name| name.to_string_lossy().into_owned());
    match name.map(|name| sanitised(&name)) {
        Some(name) if !name.is_empty() => name,
        Some(_) | None => "project".to_owned(),
    }
}

fn sanitised(name: &str) -> String {
    let keep = |other: char| {
        if other.is_ascii_alphanumeric() || "._-".contains(other) { other } else { '-' }
    };
    name.chars().map(keep).collect()
}

fn templates(reader: &mut Reader<'_>, parts: &Parts, project: &Project) -> Templates {
    let environment = project.environment.as_ref().map_or("default", Environment::name);
    let mut config = BTreeMap::from([("project.name".to_owned(), project.name.clone())]);
    for (path, value) in
        [("project.version", &project.version), ("project.description", &project.description)]
    {
        config.extend(value.as_ref().map(|value| (path.to_owned(), value.clone())));
    }
    config.insert("environment.name".to_owned(), environment.to_owned());
    let context = TemplateContext {
        vars: project.variables.clone(),
        variables: reader.variables.clone(),
        config,
        target: BTreeMap::from([("name".to_owned(), environment.to_owned())]),
    };
    let files = reader.files;
    let macros: Vec<(FileId, &str)> =
        parts.macros.iter().map(|file| (*file, files.text(*file))).collect();
    Templates::new(context, &macros, &mut reader.mistakes)
}

fn lower_lists(
    reader: &mut Reader<'_>,
    lists: &Lists<'_>,
    templates: &Templates,
    project: &mut Project,
) {
    let names = Names {
        sources: lower::declared_names(&lists.sources),
        models: lower::declared_names(&lists.models),
    };
    project.sources =
        lists.sources.iter().filter_map(|node| lower::source::source(reader, node)).collect();
    let defaults = project.defaults.clone();
    let context = ModelContext { names: &names, defaults: &defaults, templates };
    project.models = lists
        .models
        .iter()
        .filter_map(|node| lower::model::model(reader, node, &context))
        .collect();
    let sample_size = defaults.sample_size.as_ref().map(|size| size.value);
    project.data_tests = lists
        .tests
        .iter()
        .filter_map(|node| lower::data_test::data_test(reader, node, &names, sample_size))
        .collect();
    project.exposures = lists
        .exposures
        .iter()
        .filter_map(|node| lower::exposure::exposure(reader, node, &names))
        .collect();
}
