//! Governance rules, on effective values.

use crate::diagnostic::Diagnostic;
use crate::diagnostic::demand::{DemandMistake, RuleArea};
use crate::place::{Place, Spanned};
use crate::project::Project;
use crate::project::data_test::{DataTest, DataTestKind};
use crate::project::model::Model;
use crate::project::rules::{ModelRules, TopicRules};
use crate::project::source::Classification;

/// Reports every broken rule.
pub(super) fn check(project: &Project, mistakes: &mut Vec<Diagnostic>) {
    let mut rules = Rules { project, mistakes };
    for model in &project.models {
        rules.topic(model, &project.rules.topics);
        rules.model(model, &project.rules.models);
    }
    rules.sources();
    rules.security();
    rules.exposures();
    rules.data_tests();
}

struct Rules<'a> {
    project: &'a Project,
    mistakes: &'a mut Vec<Diagnostic>,
}

/// One rule: its part of the block, its key, and where it is set.
#[derive(Clone, Copy)]
struct Rule<'a> {
    area: RuleArea,
    key: &'static str,
    at: &'a Place,
}

impl Rules<'_> {
    fn broken(&mut self, rule: Rule<'_>, at: &Place, message: String) {
        self.mistakes.push(
            DemandMistake::RuleBroken {
                area: rule.area,
                rule: rule.key,
                message,
                at: at.clone(),
                rule_at: rule.at.clone(),
            }
            .into(),
        );
    }

    /// A rule that is switched on and not kept.
    fn require(
        &mut self,
        (area, key, switch): (RuleArea, &'static str, Option<&Spanned<bool>>),
        is_kept: bool,
        thing: (&'static str, &Spanned<String>, &'static str),
    ) {
        let Some(switch) = switch.filter(|switch| switch.value && !is_kept) else { return };
        let (kind, name, missing) = thing;
        let message = format!("{kind} `{}` has no {missing}", name.value);
        self.broken(Rule { area, key, at: &switch.place }, &name.place, message);
    }

    fn topic(&mut self, model: &Model, rules: &TopicRules) {
        let topic = &model.topic;
        let partitions =
            topic.partitions.as_ref().map(|count| (u64::from(count.value), &count.place));
        let factor =
            topic.replication_factor.as_ref().map(|count| (u64::from(count.value), &count.place));
        let bounds = [
            ("min_partitions", rules.min_partitions.as_ref().map(Bound::least), partitions),
            ("max_partitions", rules.max_partitions.as_ref().map(Bound::most), partitions),
            (
                "min_replication_factor",
                rules.min_replication_factor.as_ref().map(Bound::least),
                factor,
            ),
            (
                "max_replication_factor",
                rules.max_replication_factor.as_ref().map(Bound::most),
                factor,
            ),
        ];
        for (key, bound, value) in bounds {
            let Some((bound, (value, at))) = bound.zip(value) else { continue };
            if let Some(message) = bound.complaint(value) {
                let message = format!("topic `{}` has {value}, {message}", topic.name.value);
                self.broken(Rule { area: RuleArea::Topics, key, at: bound.at }, at, message);
            }
        }
        self.topic_name(&topic.name, rules);
        for setting in &rules.required_config {
            if !topic.config.contains_key(&setting.value) {
                let message =
                    format!("topic `{}` does not set `{}`", topic.name.value, setting.value);
                let rule =
                    Rule { area: RuleArea::Topics, key: "required_config", at: &setting.place };
                self.broken(rule, &topic.name.place, message);
            }
        }
    }

    fn topic_name(&mut self, name: &Spanned<String>, rules: &TopicRules) {
        let area = RuleArea::Topics;
        if let Some(pattern) = &rules.naming_pattern {
            // Anchored at the start, as streamt does; lowering has checked that it can be read.
            let regex = regex::Regex::new(&format!("^(?:{})", pattern.value));
            if regex.is_ok_and(|regex| !regex.is_match(name)) {
                let message = format!("topic `{}` is not like `{}`", name.value, pattern.value);
                let rule = Rule { area, key: "naming_pattern", at: &pattern.place };
                self.broken(rule, &name.place, message);
            }
        }
        for prefix in rules.forbidden_prefixes.iter().filter(|text| name.starts_with(text.as_str()))
        {
            let message = format!("topic `{}` starts with `{}`", name.value, prefix.value);
            let rule = Rule { area, key: "forbidden_prefixes", at: &prefix.place };
            self.broken(rule, &name.place, message);
        }
        for suffix in rules.forbidden_suffixes.iter().filter(|text| name.ends_with(text.as_str())) {
            let message = format!("topic `{}` ends with `{}`", name.value, suffix.value);
            let rule = Rule { area, key: "forbidden_suffixes", at: &suffix.place };
            self.broken(rule, &name.place, message);
        }
    }

    fn model(&mut self, model: &Model, rules: &ModelRules) {
        let area = RuleArea::Models;
        let name = &model.name;
        let tests = self.tests_of(name).count() as u64;
        let description =
            model.description.as_deref().map_or(0, |text| text.chars().count() as u64);
        let sql = model.sql.as_ref().map_or(0, |sql| sql.text.chars().count() as u64);
        let switch = rules.require_description.as_ref();
        self.require(
            (area, "require_description", switch),
            description > 0,
            ("model", name, "description"),
        );
        let switch = rules.require_owner.as_ref();
        self.require(
            (area, "require_owner", switch),
            model.owner.is_some(),
            ("model", name, "owner"),
        );
        let switch = rules.require_tests.as_ref();
        self.require((area, "require_tests", switch), tests > 0, ("model", name, "test"));
        let needs = model.dependencies().count() as u64;
        let bounds = [
            (
                "max_dependencies",
                rules.max_dependencies.as_ref().map(Bound::most),
                needs,
                "dependencies",
            ),
            (
                "min_description_length",
                rules.min_description_length.as_ref().map(Bound::least),
                description,
                "characters of description",
            ),
            ("min_tests", rules.min_tests.as_ref().map(Bound::least), tests, "tests"),
            (
                "max_sql_length",
                rules.max_sql_length.as_ref().map(Bound::most),
                sql,
                "characters of SQL",
            ),
        ];
        for (key, bound, value, unit) in bounds {
            let Some(bound) = bound else { continue };
            if let Some(message) = bound.complaint(value) {
                let message = format!("model `{}` has {value} {unit}, {message}", name.value);
                self.broken(Rule { area, key, at: bound.at }, &name.place, message);
            }
        }
        self.tags(model, rules);
    }

    fn tags(&mut self, model: &Model, rules: &ModelRules) {
        let area = RuleArea::Models;
        for wanted in &rules.required_tags {
            if !model.tags.iter().any(|tag| tag.value == wanted.value) {
                let message = format!("model `{}` has no tag `{}`", model.name.value, wanted.value);
                let rule = Rule { area, key: "required_tags", at: &wanted.place };
                self.broken(rule, &model.name.place, message);
            }
        }
        let Some(allowed) = &rules.allowed_tags else { return };
        for tag in &model.tags {
            let is_allowed = allowed.iter().any(|allowed| allowed.value == tag.value);
            if let Some(first) = allowed.first().filter(|_| !is_allowed) {
                let message = format!("model `{}` has the tag `{}`", model.name.value, tag.value);
                let rule = Rule { area, key: "allowed_tags", at: &first.place };
                self.broken(rule, &tag.place, message);
            }
        }
    }

    fn sources(&mut self) {
        let project = self.project;
        let (area, rules) = (RuleArea::Sources, &project.rules.sources);
        for source in &project.sources {
            let name = &source.name;
            let has_columns = !source.columns.is_empty();
            let has_schema = source.schema.is_some() || has_columns;
            let switch = rules.require_schema.as_ref();
            self.require((area, "require_schema", switch), has_schema, ("source", name, "schema"));
            let (switch, is_kept) = (rules.require_freshness.as_ref(), source.freshness.is_some());
            self.require(
                (area, "require_freshness", switch),
                is_kept,
                ("source", name, "freshness"),
            );
            let (switch, is_kept) =
                (rules.require_description.as_ref(), source.description.is_some());
            self.require(
                (area, "require_description", switch),
                is_kept,
                ("source", name, "description"),
            );
            let (switch, is_kept) = (rules.require_owner.as_ref(), source.owner.is_some());
            self.require((area, "require_owner", switch), is_kept, ("source", name, "owner"));
            let switch = rules.require_columns.as_ref();
            self.require(
                (area, "require_columns", switch),
                has_columns,
                ("source", name, "columns"),
            );
        }
    }

    fn security(&mut self) {
        let project = self.project;
        let (area, rules) = (RuleArea::Security, &project.rules.security);
        for column in project.sources.iter().flat_map(|source| &source.columns) {
            let name = &column.name;
            let switch = rules.require_classification.as_ref();
            let is_kept = column.classification.is_some();
            self.require(
                (area, "require_classification", switch),
                is_kept,
                ("column", name, "classification"),
            );
            let Some(level) = &column.classification else { continue };
            let is_masked = project
                .models
                .iter()
                .flat_map(|model| &model.security.masks)
                .any(|mask| mask.column.value == name.value);
            let is_kept = level.value < Classification::Sensitive || is_masked;
            let switch = rules.sensitive_columns_require_masking.as_ref();
            let key = "sensitive_columns_require_masking";
            self.require(
                (area, key, switch),
                is_kept,
                ("sensitive column", name, "mask in any model"),
            );
            let Some(allowed) = &rules.allowed_classifications else { continue };
            let is_allowed = allowed.iter().any(|allowed| allowed.value == level.value);
            if let Some(first) = allowed.first().filter(|_| !is_allowed) {
                let message =
                    format!("column `{}` has a classification that is not allowed", name.value);
                let rule = Rule { area, key: "allowed_classifications", at: &first.place };
                self.broken(rule, &level.place, message);
            }
        }
    }

    fn exposures(&mut self) {
        let project = self.project;
        let (area, rules) = (RuleArea::Exposures, &project.rules.exposures);
        for exposure in &project.exposures {
            let name = &exposure.name;
            let (switch, is_kept) =
                (rules.require_description.as_ref(), exposure.description.is_some());
            self.require(
                (area, "require_description", switch),
                is_kept,
                ("exposure", name, "description"),
            );
            let (switch, is_kept) = (rules.require_owner.as_ref(), exposure.owner.is_some());
            self.require((area, "require_owner", switch), is_kept, ("exposure", name, "owner"));
            let (switch, is_kept) = (rules.require_sla.as_ref(), exposure.sla.is_some());
            self.require((area, "require_sla", switch), is_kept, ("exposure", name, "sla"));
        }
    }

    fn data_tests(&mut self) {
        let project = self.project;
        let (area, rules) = (RuleArea::DataTests, &project.rules.data_tests);
        for model in &project.models {
            let is_kept =
                self.tests_of(&model.name).any(|test| test.kind.value == DataTestKind::Schema);
            let switch = rules.require_schema_tests.as_ref();
            self.require(
                (area, "require_schema_tests", switch),
                is_kept,
                ("model", &model.name, "schema test"),
            );
        }
        let Some(bound) = rules.min_assertions_per_test.as_ref().map(Bound::least) else { return };
        for test in &project.data_tests {
            if let Some(message) = bound.complaint(test.assertions.len() as u64) {
                let message = format!(
                    "test `{}` has {} assertions, {message}",
                    test.name.value,
                    test.assertions.len()
                );
                let rule = Rule { area, key: "min_assertions_per_test", at: bound.at };
                self.broken(rule, &test.name.place, message);
            }
        }
    }

    fn tests_of(&self, model: &Spanned<String>) -> impl Iterator<Item = &DataTest> {
        self.project.data_tests.iter().filter(|test| test.target.name == model.value)
    }
}

/// A least or greatest value and where it is set.
#[derive(Clone, Copy)]
struct Bound<'a> {
    value: u64,
    is_least: bool,
    at: &'a Place,
}

impl<'a> Bound<'a> {
    fn least<T: Copy + Into<u64>>(rule: &'a Spanned<T>) -> Self {
        Self { value: rule.value.into(), is_least: true, at: &rule.place }
    }

    fn most<T: Copy + Into<u64>>(rule: &'a Spanned<T>) -> Self {
        Self { value: rule.value.into(), is_least: false, at: &rule.place }
    }

    fn complaint(self, value: u64) -> Option<String> {
        if self.is_least {
            (value < self.value).then(|| format!("fewer than {}", self.value))
        } else {
            (value > self.value).then(|| format!("more than {}", self.value))
        }
    }
}
