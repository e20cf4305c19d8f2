//! The project as declared and checked: what the planner, the connectors and the CLI work with.
//!
//! Every type here is plain data with defaults filled in. What only inference can tell (types of
//! undeclared columns, the event time of a source) is `None` and the planner's work.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::place::Spanned;

pub mod data_test;
pub mod environment;
pub mod exposure;
pub mod kafka_settings;
pub mod model;
pub mod rules;
pub mod runtime;
pub mod secret;
pub mod source;

use data_test::DataTest;
use environment::Environment;
use exposure::Exposure;
use model::Model;
use rules::Rules;
use runtime::Runtime;
use source::Source;

/// A whole project without an error in it.
#[derive(Clone, Debug)]
pub struct Project {
    /// `project.name`, else the folder's name; only `[A-Za-z0-9._-]`.
    pub name: String,
    /// `project.version`, as text.
    pub version: Option<String>,
    /// `project.description`.
    pub description: Option<String>,
    /// The folder.
    pub root: PathBuf,
    /// The chosen environment, in a project with `environments/`.
    pub environment: Option<Environment>,
    /// In the order of discovery.
    pub sources: Vec<Source>,
    /// In dependency order: what a model refers to stands before it.
    pub models: Vec<Model>,
    /// The YAML `tests:`.
    pub data_tests: Vec<DataTest>,
    /// Who uses the outputs.
    pub exposures: Vec<Exposure>,
    /// Brokers, registry and the engine's own settings.
    pub runtime: Runtime,
    /// What models and tests inherit; already applied to [`Project::models`].
    pub defaults: Defaults,
    /// Governance rules; already enforced where the catalog can.
    pub rules: Rules,
    /// What `{{ var("x") }}` gives: the root file, then the environment, then `--vars`.
    pub variables: BTreeMap<String, String>,
}

/// The root file's `defaults:`.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// `defaults.models.topic.partitions`, else `defaults.topic.partitions`.
    pub partitions: Option<Spanned<u32>>,
    /// `defaults.models.topic.replication_factor`, else `defaults.topic.replication_factor`.
    pub replication_factor: Option<Spanned<u16>>,
    /// `defaults.topic.config` overlaid with `defaults.models.topic.config`.
    pub topic_config: BTreeMap<String, Spanned<String>>,
    /// `defaults.tests.sample_size`.
    pub sample_size: Option<Spanned<u64>>,
}

impl Project {
    /// The source of that name.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.name.value == name)
    }

    /// The model of that name.
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.name.value == name)
    }
}
