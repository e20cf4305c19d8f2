//! The root file's own keys, and the files under `environments/`.

use std::collections::BTreeMap;

use crate::diagnostic::template::TemplateMistake;
use crate::lower::rules;
use crate::lower::runtime::{self, LoweredRuntime};
use crate::place::Spanned;
use crate::project::Defaults;
use crate::project::environment::Environment;
use crate::project::rules::Rules;
use crate::read::{Fields, Reader, expand};
use crate::template::looks_secret;
use crate::yaml::{Data, Node};

/// The keys of the root file that are no lists.
#[derive(Default)]
pub(crate) struct Root {
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) version: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) runtime: Option<(LoweredRuntime, Spanned<()>)>,
    pub(crate) defaults: Defaults,
    pub(crate) rules: Rules,
    pub(crate) vars: BTreeMap<String, String>,
}

/// Reads everything but the lists, which stay for the caller.
pub(crate) fn root(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Root {
    let mut root = Root::default();
    if let Some(mut project) = fields.section(reader, "project", "project") {
        root.name = project.required(reader, "name");
        root.version = project.text(reader, "version");
        root.description = project.text(reader, "description");
        project.finish(reader);
    }
    if let Some(section) = fields.section(reader, "runtime", "runtime") {
        let place = section.place().clone();
        root.runtime = Some((runtime::runtime(reader, section), Spanned::new((), place)));
    }
    if let Some(section) = fields.section(reader, "defaults", "defaults") {
        root.defaults = defaults(reader, section);
    }
    if let Some(section) = fields.section(reader, "rules", "rules") {
        root.rules = rules::rules(reader, section);
    }
    root.vars = vars(reader, fields);
    root
}

/// `vars:`, as text. Queries may hold them, so none may come from a secret.
fn vars(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> BTreeMap<String, String> {
    let Some(mut section) = fields.section(reader, "vars", "settings") else {
        return BTreeMap::new();
    };
    let mut vars = BTreeMap::new();
    for found in section.take_all() {
        if let Data::Scalar(scalar) = &found.node.data
            && let Some(name) = expand::names(&scalar.text).find(|name| looks_secret(name))
        {
            let reason = format!("`{name}` looks like a secret, which no query may hold");
            let at = found.node.place.clone();
            reader.report(TemplateMistake::Failed { reason, help: None, at });
            continue;
        }
        let value = reader.string(found.key, found.node);
        vars.extend(value.map(|value| (found.key.to_owned(), value.value)));
    }
    vars
}

/// The more special block counts, field by field: `models.topic` over `topic`.
fn defaults(reader: &mut Reader<'_>, mut fields: Fields<'_>) -> Defaults {
    let mut defaults = Defaults::default();
    if let Some(topic) = fields.section(reader, "topic", "topic") {
        topic_defaults(reader, topic, &mut defaults);
    }
    if let Some(mut models) = fields.section(reader, "models", "default models") {
        if let Some(topic) = models.section(reader, "topic", "topic") {
            topic_defaults(reader, topic, &mut defaults);
        }
        models.finish(reader);
    }
    if let Some(mut tests) = fields.section(reader, "tests", "default tests") {
        defaults.sample_size = tests.integer_from(reader, "sample_size", 1);
        tests.finish(reader);
    }
    fields.finish(reader);
    defaults
}

fn topic_defaults(reader: &mut Reader<'_>, mut fields: Fields<'_>, defaults: &mut Defaults) {
    let partitions = fields.integer_from(reader, "partitions", 1);
    defaults.partitions = partitions.or_else(|| defaults.partitions.take());
    let factor = fields.integer_from(reader, "replication_factor", 1);
    defaults.replication_factor = factor.or_else(|| defaults.replication_factor.take());
    defaults.topic_config.extend(fields.settings(reader, "config"));
    fields.finish(reader);
}

/// What a file under `environments/` gives.
pub(crate) struct LoweredEnvironment {
    pub(crate) environment: Environment,
    pub(crate) runtime: Option<LoweredRuntime>,
    pub(crate) vars: BTreeMap<String, String>,
}

/// One file under `environments/`; `stem` is its name without `.yml`.
pub(crate) fn environment(
    reader: &mut Reader<'_>,
    node: &Node,
    stem: &str,
) -> Option<LoweredEnvironment> {
    let mut fields =
        Fields::new(reader, node, "environment file", format!("environment `{stem}`"))?;
    let (mut description, mut is_protected) = (None, false);
    if let Some(mut section) = fields.section(reader, "environment", "environment") {
        if let Some(found) = section.take(reader, "name") {
            let name = reader.string(found.key, found.node);
            if name.is_some_and(|name| name.value != stem) {
                reader.invalid("name", found.node, format!("`{stem}`, as the file is named"));
            }
        }
        description = section.text(reader, "description");
        let protected = section.boolean(reader, "protected");
        is_protected = protected.is_some_and(|protected| protected.value);
        section.finish(reader);
    }
    let (mut confirm_apply, mut allow_destructive) = (None, None);
    if let Some(mut safety) = fields.section(reader, "safety", "safety") {
        confirm_apply = safety.boolean(reader, "confirm_apply");
        allow_destructive = safety.boolean(reader, "allow_destructive");
        safety.finish(reader);
    }
    let section = fields.section(reader, "runtime", "runtime");
    let runtime = section.map(|section| runtime::runtime(reader, section));
    let vars = vars(reader, &mut fields);
    fields.finish(reader);
    let environment = Environment {
        name: stem.to_owned(),
        description,
        is_protected,
        confirm_apply: confirm_apply.map_or(is_protected, |confirm| confirm.value),
        allow_destructive: allow_destructive.is_none_or(|allow| allow.value),
    };
    Some(LoweredEnvironment { environment, runtime, vars })
}
