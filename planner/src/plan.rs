//! Project to [`Planned`]: the dataflow, what was inferred, and all mistakes at once.
//!
//! **Invariant:** one broken model does not hide the mistakes of another; what depends on a broken
//! model is not planned and says nothing about it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use catalog::diagnostic::{Diagnose, Diagnostic};
use catalog::project::Project;
use catalog::project::model::{Model, ReferenceKind};
use catalog::project::source::Format;
use catalog::schema::flink_type_name;
use datafusion::logical_expr::LogicalPlan;
use sqlparser::ast::Query;

pub use crate::analyze::facts::{Fact, FactKind};
use crate::analyze::{event_time, infer_types};
use crate::dataflow::lower::{LowerContext, ModelPlan, ModelTopic};
use crate::dataflow::{ChangelogMode, Dataflow, Operator, StepClock};
use crate::diagnostic::{NameMistake, PlanDiagnostic, StreamMistake};
use crate::functions::FunctionRegistry;
use crate::logical::build::{SinkSpec, finish, to_plan};
use crate::sql::scope::{Findings, KnownTable, KnownTables, OutputColumn, resolve};
use crate::sql::span::Places;
use crate::sql::{check, expressions, parse, rewrite, vocabulary, windows};

mod blame;
mod errors;
mod model_checks;
mod project_tables;

/// What the caller decides.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// Models to run; all if `None`. Inference looks at the whole project in any case.
    pub select: Option<BTreeSet<String>>,
    /// What functions of the current time read; the fold sets it.
    pub clock: StepClock,
}

/// A project, planned.
#[derive(Debug)]
pub struct Planned {
    /// `None` if there is an error among the diagnostics.
    pub dataflow: Option<Dataflow>,
    /// Every model that could be planned, in dependency order, selected or not.
    pub models: Vec<PlannedModel>,
    /// Everything that was inferred: types, event times, versioned tables.
    pub facts: Vec<Fact>,
    /// Everything that is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// One model, planned.
#[derive(Debug, Clone)]
pub struct PlannedModel {
    /// Its name.
    pub name: String,
    /// Its rendered SQL.
    pub sql: String,
    /// Its logical plan, as a tree.
    pub logical_plan: String,
    /// Its columns, in order.
    pub columns: Vec<PlannedColumn>,
    /// What kind of changelog it gives.
    pub mode: ChangelogMode,
    /// What it keeps between rows, one line a stateful operator; empty if it keeps nothing.
    pub state: Vec<String>,
}

/// A column of a model's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedColumn {
    /// Its name.
    pub name: String,
    /// Its type, as Flink writes it.
    pub data_type: String,
    /// Whether NULL is one of its values.
    pub is_nullable: bool,
}

/// A model on its way.
struct Draft<'a> {
    model: &'a Model,
    text: &'a str,
    places: Places,
    /// As checked, for places; and as DataFusion needs it.
    query: Option<(Query, Query)>,
    findings: Findings,
    is_broken: bool,
    plan: Option<(LogicalPlan, SchemaRef)>,
}

/// Stack for the walks over a query's tree: `sql::parse` bounds its depth, this is a hundred KiB for
/// each level, whatever the thread has left.
const STACK_BYTES: usize = 64 << 20;

/// Plans a whole project.
pub fn plan(project: &Project, options: &PlanOptions) -> Planned {
    stacker::grow(STACK_BYTES, || plan_all(project, options))
}

fn plan_all(project: &Project, options: &PlanOptions) -> Planned {
    let functions = Arc::new(FunctionRegistry::new(&options.clock));
    let mut planning = Planning { project, functions, diagnostics: Vec::new(), drafts: Vec::new() };
    planning.refuse_formats();
    planning.read_models();
    let findings: Vec<&Findings> = planning.drafts.iter().map(|draft| &draft.findings).collect();
    let mut types = infer_types::infer(&project.sources, &findings);
    let mut times = event_time::infer(&project.sources, &types, &findings);
    let mistakes: Vec<PlanDiagnostic> =
        types.mistakes.drain(..).chain(times.mistakes.drain(..)).collect();
    let facts = types.facts.drain(..).chain(times.facts.drain(..)).collect();
    planning.take(mistakes);
    planning.plan_models(&types, &times);
    let models = planning.drafts.iter().filter_map(Draft::planned).collect();
    let dataflow = planning.lower(&times, options);
    let mut planned = Planned { dataflow, models, facts, diagnostics: planning.diagnostics };
    planned.describe_state();
    planned
}

struct Planning<'a> {
    project: &'a Project,
    functions: Arc<FunctionRegistry>,
    diagnostics: Vec<Diagnostic>,
    drafts: Vec<Draft<'a>>,
}

impl Planning<'_> {
    /// Formats that no codec reads, of sources that a model reads.
    fn refuse_formats(&mut self) {
        for source in &self.project.sources {
            let word = match &source.format.value {
                Format::Json | Format::Csv { .. } | Format::Raw => continue,
                Format::Avro => "avro",
                Format::Protobuf => "protobuf",
            };
            let is_read = self.project.models.iter().flat_map(Model::dependencies).any(|one| {
                one.kind == ReferenceKind::Source && one.name.as_str() == source.name.value
            });
            if is_read {
                let at = source.format.place.clone();
                let mistake = StreamMistake::not_supported(format!("format {word}"), at);
                self.diagnostics.push(PlanDiagnostic::from(mistake).into());
            }
        }
    }

    /// Parses, checks and resolves every model.
    fn read_models(&mut self) {
        let mut tables = project_tables::known_sources(self.project);
        for model in &self.project.models {
            let Some(sql) = &model.sql else {
                self.without_sql(model);
                continue;
            };
            let places = Places::new(sql);
            let mut draft = Draft {
                model,
                text: &sql.text,
                places,
                query: None,
                findings: Findings::default(),
                is_broken: false,
                plan: None,
            };
            let mistakes = draft.read(&tables, &self.functions);
            draft.is_broken = !mistakes.is_empty();
            self.diagnostics.extend(mistakes.into_iter().map(Diagnostic::from));
            tables.insert(format!("model.{}", model.name.value), draft.known_table());
            self.drafts.push(draft);
        }
    }

    fn without_sql(&mut self, model: &Model) {
        let what =
            if model.sink.is_some() { "a sink outside Kafka" } else { "a model without SQL" };
        let at = model.name.place.clone();
        let mistake = PlanDiagnostic::Streaming(StreamMistake::not_supported(what, at));
        self.diagnostics.push(mistake.into());
    }

    /// Notes mistakes of inference; the models that they are in are broken.
    fn take(&mut self, mistakes: Vec<PlanDiagnostic>) {
        for mistake in mistakes {
            let diagnostic = Diagnostic::from(mistake);
            for draft in &mut self.drafts {
                let whole = draft.places.whole();
                let is_inside = |place: &catalog::place::Place| {
                    place.file == whole.file
                        && whole.range.start <= place.range.start
                        && place.range.end <= whole.range.end
                };
                if diagnostic.labels.iter().any(|label| is_inside(&label.place)) {
                    draft.is_broken = true;
                }
            }
            self.diagnostics.push(diagnostic);
        }
    }

    fn plan_models(&mut self, types: &infer_types::Types, times: &event_time::EventTimes) {
        let mut context = project_tables::context(self.project, types, times, &self.functions);
        let mut planned: HashSet<&str> = HashSet::new();
        for draft in &mut self.drafts {
            let depends_on_broken = draft.model.dependencies().any(|reference| {
                reference.kind == ReferenceKind::Model && !planned.contains(reference.name.as_str())
            });
            if draft.is_broken || depends_on_broken {
                continue;
            }
            let Some((written, query)) = draft.query.take() else { continue };
            let topic = draft.model.topic.name.value.clone();
            let key = draft.model.key.as_ref().map(|key| key.value.clone());
            let result = to_plan(query.clone(), &context)
                .and_then(|plan| finish(plan, &SinkSpec { topic, key }, &context));
            match result {
                Ok(plan) => {
                    let schema = output_schema(&plan);
                    let mistakes = model_checks::check(draft.model, &schema);
                    let is_sound = mistakes.is_empty();
                    self.diagnostics.extend(mistakes.into_iter().map(Diagnostic::from));
                    context.add_model(&draft.model.name.value, Arc::clone(&schema));
                    draft.plan = Some((plan, schema));
                    if is_sound {
                        planned.insert(&draft.model.name.value);
                    }
                }
                Err(error) => {
                    let blamed = blame::blame(&query, &context);
                    let mistakes = errors::explain(&error, &blamed, (&written, &draft.places));
                    self.diagnostics.extend(mistakes.into_iter().map(Diagnostic::from));
                }
            }
        }
    }

    fn lower(&mut self, times: &event_time::EventTimes, options: &PlanOptions) -> Option<Dataflow> {
        use catalog::diagnostic::Level;
        if self.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error) {
            return None;
        }
        let is_selected = |name: &str| options.select.as_ref().is_none_or(|s| s.contains(name));
        let mut plans = Vec::new();
        let mut topics = BTreeMap::new();
        for draft in &self.drafts {
            let (plan, schema) = draft.plan.as_ref()?;
            let name = draft.model.name.value.as_str();
            if is_selected(name) {
                let sink = project_tables::sink(draft.model, schema);
                plans.push(ModelPlan { name, plan, sink });
            } else {
                topics.insert(name.to_owned(), self.model_topic(draft, schema, times));
            }
        }
        let engine = &self.project.runtime.engine;
        let context = LowerContext {
            project: &self.project.name,
            sources: &self.project.sources,
            event_times: &times.columns,
            idle_timeout_ms: crate::dataflow::lower::milliseconds(engine.idle_timeout),
            model_topics: &topics,
            clock: options.clock.clone(),
        };
        match crate::dataflow::lower::lower(&plans, &context) {
            Ok(dataflow) => Some(dataflow),
            Err(error) => {
                let place = self.drafts.first().map(|draft| draft.places.whole())?;
                let message = errors::message_of(&error);
                let mistake = NameMistake::Planning { message, at: place };
                self.diagnostics.push(PlanDiagnostic::from(mistake).into());
                None
            }
        }
    }

    /// How a model that is not selected is read: its time attribute is the event time.
    fn model_topic(
        &self,
        draft: &Draft<'_>,
        schema: &SchemaRef,
        times: &event_time::EventTimes,
    ) -> ModelTopic {
        let columns = &draft.findings.columns;
        let traced = columns.iter().position(|column| {
            let id = column.lineage.is;
            column.lineage.is_window_time
                || id.is_some_and(|id| times.columns.get(id.source) == Some(&Some(id.column)))
        });
        let source = traced
            .and_then(|position| columns.get(position)?.lineage.is)
            .and_then(|id| self.project.sources.get(id.source));
        let declared = draft.model.event_time.clone();
        let position = declared.as_ref().and_then(|time| {
            let name = time.column.as_ref()?;
            schema.fields().iter().position(|field| field.name() == &name.value)
        });
        let event_time =
            declared.or_else(|| source.map(|source| source.event_time.clone())).unwrap_or_default();
        ModelTopic {
            topic: draft.model.topic.name.value.clone(),
            schema: Arc::clone(schema),
            time: position.or(traced),
            event_time,
        }
    }
}

impl Draft<'_> {
    /// Everything that the text alone shows; keeps the query.
    fn read(&mut self, tables: &KnownTables, functions: &FunctionRegistry) -> Vec<PlanDiagnostic> {
        let mut query = match parse::parse_query(self.text) {
            Ok(query) => query,
            Err(mistake) => {
                let at = self.places.place(mistake.at);
                let (message, help) = (mistake.message, mistake.help);
                return vec![NameMistake::Syntax { message, help, at }.into()];
            }
        };
        windows::to_group_windows(&mut query);
        let mut mistakes = check::check(&query, &self.places);
        self.findings = resolve(&query, tables, &self.places);
        mistakes.append(&mut self.findings.mistakes);
        let written = query.clone();
        rewrite::rewrite(&mut query);
        let is_owned = |name: &str| vocabulary::is_planners(name);
        let places: Vec<_> = mistakes.iter().flat_map(Diagnose::labels).collect();
        for mistake in expressions::rewrite_expressions(&mut query, functions, &is_owned) {
            let mistake = errors::of_expression(mistake, &self.places);
            // The check may have refused the same expression.
            if !mistake.labels().iter().any(|label| places.iter().any(|p| p.place == label.place)) {
                mistakes.push(mistake);
            }
        }
        self.query = Some((written, query));
        mistakes
    }

    fn known_table(&self) -> KnownTable {
        let name = self.model.name.value.clone();
        KnownTable {
            name,
            word: "model",
            source: None,
            key: None,
            columns: self.findings.columns.clone(),
            place: self.model.name.place.clone(),
            is_open: self.is_broken,
        }
    }

    fn planned(&self) -> Option<PlannedModel> {
        let (plan, schema) = self.plan.as_ref()?;
        let columns = schema
            .fields()
            .iter()
            .map(|field| PlannedColumn {
                name: field.name().clone(),
                data_type: flink_type_name(field.data_type()),
                is_nullable: field.is_nullable(),
            })
            .collect();
        Some(PlannedModel {
            name: self.model.name.value.clone(),
            sql: self.text.to_owned(),
            logical_plan: plan.display_indent().to_string(),
            columns,
            mode: ChangelogMode::Append,
            state: Vec::new(),
        })
    }
}

impl Planned {
    fn describe_state(&mut self) {
        let Some(dataflow) = &self.dataflow else { return };
        for model in &mut self.models {
            for node in dataflow.nodes.iter().filter(|node| node.id.model() == model.name) {
                match &node.operator {
                    Operator::TemporalJoin(_) => {
                        let text = "versions by key, and rows that wait for the watermark";
                        model.state.push(format!("{}: {text}", node.id.0));
                    }
                    Operator::WindowAggregate(_) => {
                        model.state.push(format!("{}: groups of open windows", node.id.0));
                    }
                    Operator::Sink(_) => model.mode.clone_from(&node.mode),
                    Operator::Source(_) | Operator::Filter(_) | Operator::Project(_) => {}
                }
            }
        }
    }
}

fn output_schema(plan: &LogicalPlan) -> SchemaRef {
    let fields: Vec<Field> = plan
        .schema()
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), field.data_type().clone(), field.is_nullable()))
        .collect();
    Arc::new(Schema::new(fields))
}

/// A source's column, as name resolution sees it.
fn source_column(
    source: usize,
    column: usize,
    spec: &catalog::project::source::Column,
) -> OutputColumn {
    use crate::sql::scope::{ColumnId, Lineage};
    let id = ColumnId { source, column };
    OutputColumn {
        name: spec.name.value.clone(),
        lineage: Lineage { is: Some(id), like: vec![id], ..Lineage::default() },
        place: Some(spec.name.place.clone()),
        is_proctime: spec.is_proctime,
    }
}

/// Tables by name, for lookups that the type alias would hide.
type TypedTables = HashMap<String, Arc<crate::tables::Table>>;

#[cfg(test)]
mod tests;
