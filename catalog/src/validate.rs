//! Checks of a whole project: names, references, access, columns, rules.
//!
//! Columns are only checked where they are declared; what the plan has to know is the planner's.

use std::collections::BTreeMap;

use crate::diagnostic::reference::ReferenceMistake;
use crate::diagnostic::{Diagnostic, closest};
use crate::place::{Place, Spanned};
use crate::project::Project;
use crate::project::data_test::{Action, Assertion};
use crate::project::exposure::Exposure;
use crate::project::model::{Access, Model, Reference, ReferenceKind};
use crate::project::source::{Column, Source};

mod rules;

/// Reports everything that is wrong between the things of `project`.
pub(crate) fn validate(project: &Project, mistakes: &mut Vec<Diagnostic>) {
    let mut checks = Checks { project, mistakes };
    checks.names();
    checks.topics();
    for source in &project.sources {
        checks.source(source);
    }
    for model in &project.models {
        checks.model(model);
    }
    for exposure in &project.exposures {
        checks.exposure(exposure);
    }
    checks.data_tests();
    rules::check(project, mistakes);
}

struct Checks<'a> {
    project: &'a Project,
    mistakes: &'a mut Vec<Diagnostic>,
}

impl Checks<'_> {
    fn report(&mut self, mistake: ReferenceMistake) {
        self.mistakes.push(mistake.into());
    }

    fn names(&mut self) {
        let project = self.project;
        self.unique("source", project.sources.iter().map(|source| &source.name));
        self.unique("model", project.models.iter().map(|model| &model.name));
        self.unique("test", project.data_tests.iter().map(|test| &test.name));
        self.unique("exposure", project.exposures.iter().map(|exposure| &exposure.name));
    }

    fn unique<'n>(&mut self, kind: &'static str, names: impl Iterator<Item = &'n Spanned<String>>) {
        let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
        for name in names {
            match seen.get(name.as_str()) {
                Some(first) => self.report(ReferenceMistake::DuplicateName {
                    kind,
                    name: name.value.clone(),
                    at: name.place.clone(),
                    first: (*first).clone(),
                }),
                None => {
                    seen.insert(name, &name.place);
                }
            }
        }
    }

    /// Two models with one topic would mix their rows.
    fn topics(&mut self) {
        let mut seen: BTreeMap<&str, &Model> = BTreeMap::new();
        let models = self.project.models.iter().filter(|model| model.sink.is_none());
        for model in models {
            let topic = &model.topic.name;
            match seen.get(topic.as_str()) {
                Some(first) if first.name.value != model.name.value => {
                    self.report(ReferenceMistake::SharedTopic {
                        topic: topic.value.clone(),
                        model: model.name.value.clone(),
                        first_model: first.name.value.clone(),
                        at: topic.place.clone(),
                        first: first.topic.name.place.clone(),
                    });
                }
                Some(_) => {}
                None => {
                    seen.insert(topic, model);
                }
            }
        }
    }

    fn source(&mut self, source: &Source) {
        let owner = format!("source `{}`", source.name.value);
        for column in source.event_time.column.iter().chain(&source.key) {
            self.column(&owner, &source.columns, column);
        }
    }

    fn model(&mut self, model: &Model) {
        for reference in model.dependencies() {
            self.reference(reference);
            self.access(model, reference);
        }
        if let Some(sql) = &model.sql {
            for from in &model.from {
                let is_used = sql
                    .references
                    .iter()
                    .any(|used| used.kind == from.kind && used.name == from.name);
                if !is_used {
                    self.report(ReferenceMistake::UnusedFrom {
                        kind: from.kind,
                        name: from.name.clone(),
                        at: from.place.clone(),
                    });
                }
            }
        }
    }

    fn reference(&mut self, reference: &Reference) {
        if self.exists(reference.kind, &reference.name) {
            return;
        }
        let other = match reference.kind {
            ReferenceKind::Source => ReferenceKind::Model,
            ReferenceKind::Model => ReferenceKind::Source,
        };
        let hint = self.exists(other, &reference.name).then(|| {
            let call = match other {
                ReferenceKind::Source => "source",
                ReferenceKind::Model => "ref",
            };
            format!("it is a {}: write `{{{{ {call}(\"{}\") }}}}`", other.word(), reference.name)
        });
        self.report(ReferenceMistake::NotFound {
            kind: reference.kind,
            name: reference.name.clone(),
            hint,
            suggestions: self.near(reference.kind, &reference.name),
            at: reference.place.clone(),
        });
    }

    fn access(&mut self, user: &Model, reference: &Reference) {
        if reference.kind != ReferenceKind::Model {
            return;
        }
        let Some(model) = self.project.model(&reference.name) else { return };
        let Some(group) = model.group.as_ref().filter(|_| model.access == Access::Private) else {
            return;
        };
        let user_group = user.group.as_ref().map(|group| group.value.as_str());
        let mut allowed =
            model.access_groups.iter().chain([group]).map(|allowed| allowed.value.as_str());
        if !allowed.any(|allowed| Some(allowed) == user_group) {
            self.report(ReferenceMistake::AccessDenied {
                user: user.name.value.clone(),
                model: model.name.value.clone(),
                group: group.value.clone(),
                at: reference.place.clone(),
                declared: group.place.clone(),
            });
        }
    }

    fn exposure(&mut self, exposure: &Exposure) {
        for reference in exposure.consumes.iter().chain(&exposure.produces) {
            if !self.exists(reference.kind, &reference.name) {
                self.report(ReferenceMistake::ExposureNotFound {
                    exposure: exposure.name.value.clone(),
                    kind: reference.kind,
                    name: reference.name.clone(),
                    suggestions: self.near(reference.kind, &reference.name),
                    at: reference.place.clone(),
                });
            }
        }
    }

    fn data_tests(&mut self) {
        let project = self.project;
        for test in &project.data_tests {
            let name = &test.name.value;
            if !self.exists(test.target.kind, &test.target.name) {
                let mut suggestions = self.near(ReferenceKind::Model, &test.target.name);
                suggestions.extend(self.near(ReferenceKind::Source, &test.target.name));
                self.report(ReferenceMistake::TestTargetNotFound {
                    test: name.clone(),
                    name: test.target.name.clone(),
                    suggestions,
                    at: test.target.place.clone(),
                });
            }
            for assertion in &test.assertions {
                self.assertion_columns(&test.target, assertion);
                if let Assertion::ForeignKey { model, key, .. } = &assertion.value {
                    self.test_model(name, model);
                    self.column_of(model, key);
                }
            }
            for action in &test.on_failure.actions {
                match &action.value {
                    Action::Pause { model: Some(model) }
                    | Action::DeadLetter { model: Some(model), .. } => self.test_model(name, model),
                    Action::Pause { model: None }
                    | Action::DeadLetter { model: None, .. }
                    | Action::Alert(_)
                    | Action::BlockDeploy => {}
                }
            }
        }
    }

    fn test_model(&mut self, test: &str, model: &Reference) {
        if !self.exists(model.kind, &model.name) {
            self.report(ReferenceMistake::TestModelNotFound {
                test: test.to_owned(),
                name: model.name.clone(),
                suggestions: self.near(ReferenceKind::Model, &model.name),
                at: model.place.clone(),
            });
        }
    }

    fn assertion_columns(&mut self, target: &Reference, assertion: &Spanned<Assertion>) {
        match &assertion.value {
            Assertion::NotNull { columns } => {
                for column in columns {
                    self.column_of(target, column);
                }
            }
            Assertion::AcceptedValues { column, .. }
            | Assertion::Range { column, .. }
            | Assertion::UniqueKey { key: column, .. }
            | Assertion::ForeignKey { column, .. }
            | Assertion::Distribution { column, .. }
            | Assertion::Positive { column, .. }
            | Assertion::MaxLag { column: Some(column), .. }
            | Assertion::Freshness { column: Some(column), .. } => self.column_of(target, column),
            Assertion::AcceptedTypes { types } => {
                for (column, word) in types {
                    let column = Spanned::new(column.clone(), word.place.clone());
                    self.column_of(target, &column);
                }
            }
            Assertion::MaxLag { column: None, .. }
            | Assertion::Freshness { column: None, .. }
            | Assertion::Throughput { .. }
            | Assertion::CustomSql { .. } => {}
        }
    }

    /// A source's declared columns are all it has; a model's may be but some, so that only the
    /// planner can tell.
    fn column_of(&mut self, target: &Reference, column: &Spanned<String>) {
        if target.kind == ReferenceKind::Source
            && let Some(source) = self.project.source(&target.name)
        {
            self.column(&format!("source `{}`", target.name), &source.columns, column);
        }
    }

    fn column(&mut self, owner: &str, columns: &[Column], column: &Spanned<String>) {
        let Some(first) = columns.first() else { return };
        if columns.iter().any(|declared| declared.name.value == column.value) {
            return;
        }
        self.report(ReferenceMistake::ColumnNotFound {
            owner: owner.to_owned(),
            column: column.value.clone(),
            suggestions: closest(column, columns.iter().map(|known| known.name.as_str())),
            at: column.place.clone(),
            declared: first.name.place.clone(),
        });
    }

    fn exists(&self, kind: ReferenceKind, name: &str) -> bool {
        match kind {
            ReferenceKind::Source => self.project.source(name).is_some(),
            ReferenceKind::Model => self.project.model(name).is_some(),
        }
    }

    fn near(&self, kind: ReferenceKind, name: &str) -> Vec<String> {
        match kind {
            ReferenceKind::Source => {
                closest(name, self.project.sources.iter().map(|source| source.name.as_str()))
            }
            ReferenceKind::Model => {
                closest(name, self.project.models.iter().map(|model| model.name.as_str()))
            }
        }
    }
}
