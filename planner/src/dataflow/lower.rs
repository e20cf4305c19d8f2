//! Logical plans to the nodes of a [`Dataflow`].
//!
//! A plan's columns and a node's are not the same: a node's rows may hold columns that this plan
//! does not read, and a window's ROW becomes three flat columns. [`Lowered`] says which is which.
//! Only columns that somebody reads are gathered.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use catalog::project::source::Source as SourceSpec;
use datafusion::common::{Column, Result, plan_err};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection};

use super::{ChangelogMode, Dataflow, Expression, Node, Operator, OperatorId, Sink, StepClock};
use crate::logical::sink::Sink as SinkNode;
use crate::logical::temporal_join::TemporalJoin as TemporalJoinNode;
use crate::logical::watermark::Watermark;
use crate::logical::window_aggregate::WindowAggregate as WindowAggregateNode;
use crate::tables::{Table, TableOrigin};

mod expression;
mod joins;
mod sources;
mod windows;

pub(crate) use sources::{ModelTopic, SourceKey, milliseconds, record_timestamp};

/// Where a column of a plan is among a node's columns.
#[derive(Debug, Clone, PartialEq)]
enum Slot {
    /// At this position.
    Column(usize),
    /// A window's ROW: positions of start, end and time.
    Window([usize; 3]),
    /// Nobody asked for it.
    Absent,
}

/// A plan's rows: the node that gives them, and where its columns are.
#[derive(Debug, Clone)]
struct Lowered {
    node: usize,
    slots: Vec<Slot>,
    /// `allowed_lateness` of the source whose time the rows have.
    allowed_lateness_ms: i64,
}

impl Lowered {
    /// Positions of the node's columns that the wanted columns of the plan are made of.
    fn positions(&self, wanted: &BTreeSet<usize>) -> Vec<usize> {
        let mut positions = BTreeSet::new();
        for column in wanted {
            match self.slots.get(*column) {
                Some(Slot::Column(position)) => {
                    positions.insert(*position);
                }
                Some(Slot::Window(bounds)) => positions.extend(bounds),
                Some(Slot::Absent) | None => {}
            }
        }
        positions.into_iter().collect()
    }
}

/// One model to lower.
pub(crate) struct ModelPlan<'a> {
    pub(crate) name: &'a str,
    /// The root is a `Sink`.
    pub(crate) plan: &'a LogicalPlan,
    pub(crate) sink: Sink,
}

/// What lowering needs to know besides the plans.
pub(crate) struct LowerContext<'a> {
    pub(crate) project: &'a str,
    pub(crate) sources: &'a [SourceSpec],
    /// Position of each source's event-time column; `None`: the record's timestamp.
    pub(crate) event_times: &'a [Option<usize>],
    pub(crate) idle_timeout_ms: i64,
    /// Models that are read from their topics, because they are not selected.
    pub(crate) model_topics: &'a BTreeMap<String, ModelTopic>,
    pub(crate) clock: StepClock,
}

/// Lowers all models, in dependency order, into one graph.
///
/// # Errors
/// A plan with a node or an expression that no operator runs.
pub(crate) fn lower(models: &[ModelPlan<'_>], context: &LowerContext<'_>) -> Result<Dataflow> {
    // The first pass finds out which columns of each source anybody reads; the second builds.
    let mut finder = Lowering::new(context, BTreeMap::new());
    finder.models(models)?;
    let mut builder = Lowering::new(context, finder.read);
    builder.models(models)?;
    Ok(Dataflow {
        project: context.project.to_owned(),
        nodes: builder.nodes,
        clock: context.clock.clone(),
    })
}

struct Lowering<'a> {
    context: &'a LowerContext<'a>,
    nodes: Vec<Node>,
    /// Columns that each source is known to need, from the pass before.
    columns: BTreeMap<SourceKey, BTreeSet<usize>>,
    /// Columns that this pass read.
    read: BTreeMap<SourceKey, BTreeSet<usize>>,
    source_nodes: BTreeMap<SourceKey, usize>,
    /// The node that gives each model's rows.
    outputs: HashMap<String, Lowered>,
    /// The model at hand and how often each role came up in it.
    model: String,
    roles: HashMap<String, usize>,
}

impl<'a> Lowering<'a> {
    fn new(context: &'a LowerContext<'a>, columns: BTreeMap<SourceKey, BTreeSet<usize>>) -> Self {
        Self {
            context,
            nodes: Vec::new(),
            columns,
            read: BTreeMap::new(),
            source_nodes: BTreeMap::new(),
            outputs: HashMap::new(),
            model: String::new(),
            roles: HashMap::new(),
        }
    }

    fn models(&mut self, models: &[ModelPlan<'_>]) -> Result<()> {
        for model in models {
            model.name.clone_into(&mut self.model);
            self.roles.clear();
            let Some(sink) = as_node::<SinkNode>(model.plan) else {
                return plan_err!("the plan of `{}` has no sink", model.name);
            };
            let all = (0..sink.input.schema().fields().len()).collect();
            let lowered = self.plan(&sink.input, &all)?;
            let output = self.exact(&lowered, &sink.input)?;
            let node = self.node(output.node)?;
            let (schema, time_attribute) = (Arc::clone(&node.schema), node.time_attribute);
            self.add(vec![output.node], schema, time_attribute, Operator::Sink(model.sink.clone()));
            self.outputs.insert(model.name.to_owned(), output);
        }
        Ok(())
    }

    /// Lowers `plan`; the result has at least the columns `wanted`.
    fn plan(&mut self, plan: &LogicalPlan, wanted: &BTreeSet<usize>) -> Result<Lowered> {
        match plan {
            LogicalPlan::SubqueryAlias(alias) => self.plan(&alias.input, wanted),
            LogicalPlan::Projection(projection) => self.projection(projection, wanted),
            LogicalPlan::Filter(filter) => self.filter(filter, wanted),
            LogicalPlan::TableScan(scan) => {
                let any: &dyn std::any::Any = scan.source.as_ref();
                let table = any.downcast_ref::<Table>();
                match table.map(|table| &table.origin) {
                    Some(TableOrigin::Model(model)) => {
                        self.model_rows(model, scan.projection.as_deref(), wanted)
                    }
                    Some(TableOrigin::Source(_)) | None => plan_err!("a scan without a watermark"),
                }
            }
            LogicalPlan::Extension(_) => {
                if let Some(watermark) = as_node::<Watermark>(plan) {
                    self.source(watermark, wanted)
                } else if let Some(join) = as_node::<TemporalJoinNode>(plan) {
                    self.temporal_join(join, wanted)
                } else if let Some(aggregate) = as_node::<WindowAggregateNode>(plan) {
                    self.window_aggregate(aggregate)
                } else {
                    plan_err!("this query is not supported on streams: {}", plan.display())
                }
            }
            other => plan_err!("this query is not supported on streams: {}", other.display()),
        }
    }

    fn projection(&mut self, projection: &Projection, wanted: &BTreeSet<usize>) -> Result<Lowered> {
        let wanted_exprs = wanted.iter().filter_map(|column| projection.expr.get(*column));
        let needed = columns_of(wanted_exprs, &projection.input)?;
        let input = self.plan(&projection.input, &needed)?;
        let mut slots = vec![Slot::Absent; projection.expr.len()];
        let mut fields = Vec::new();
        let mut expressions = Vec::new();
        for column in wanted {
            let Some(expr) = projection.expr.get(*column) else { continue };
            let field = projection.schema.field(*column);
            let window = Self::window_slot(expr, &projection.input, &input);
            let added = match window {
                Some(bounds) => {
                    let first = fields.len();
                    for position in bounds {
                        expressions.push(self.column(input.node, position)?);
                        fields.push(self.field(input.node, position)?);
                    }
                    Slot::Window([first, first + 1, first + 2])
                }
                None => {
                    let expression = self.expression(expr, &projection.input, &input)?;
                    fields.push(Arc::new(Field::new(
                        stable_name(field.name(), "common", *column),
                        expression.data_type.clone(),
                        expression.is_nullable,
                    )));
                    expressions.push(expression);
                    Slot::Column(fields.len() - 1)
                }
            };
            if let Some(slot) = slots.get_mut(*column) {
                *slot = added;
            }
        }
        let node = self.project(input.node, expressions, Arc::new(Schema::new(fields)))?;
        Ok(Lowered { node, slots, allowed_lateness_ms: input.allowed_lateness_ms })
    }

    fn filter(&mut self, filter: &Filter, wanted: &BTreeSet<usize>) -> Result<Lowered> {
        let mut needed = columns_of([&filter.predicate], &filter.input)?;
        needed.extend(wanted);
        let input = self.plan(&filter.input, &needed)?;
        // A filter copies every column of its input.
        let input = self.narrow(input, &needed)?;
        let predicate = self.expression(&filter.predicate, &filter.input, &input)?;
        let node = self.node(input.node)?;
        let (schema, time) = (Arc::clone(&node.schema), node.time_attribute);
        let node = self.add(vec![input.node], schema, time, Operator::Filter(predicate));
        Ok(Lowered { node, ..input })
    }

    /// Drops the columns that are not needed, if there are any.
    fn narrow(&mut self, input: Lowered, needed: &BTreeSet<usize>) -> Result<Lowered> {
        let positions = input.positions(needed);
        let node = self.node(input.node)?;
        if positions.len() == node.schema.fields().len() {
            return Ok(input);
        }
        let new = |old: usize| positions.binary_search(&old).ok();
        let slots = input
            .slots
            .iter()
            .map(|slot| match slot {
                Slot::Column(old) => new(*old).map_or(Slot::Absent, Slot::Column),
                Slot::Window([start, end, time]) => match (new(*start), new(*end), new(*time)) {
                    (Some(start), Some(end), Some(time)) => Slot::Window([start, end, time]),
                    _ => Slot::Absent,
                },
                Slot::Absent => Slot::Absent,
            })
            .collect();
        let fields = positions
            .iter()
            .map(|position| self.field(input.node, *position))
            .collect::<Result<Vec<_>>>()?;
        let expressions = positions
            .iter()
            .map(|position| self.column(input.node, *position))
            .collect::<Result<Vec<_>>>()?;
        let node = self.project(input.node, expressions, Arc::new(Schema::new(fields)))?;
        Ok(Lowered { node, slots, ..input })
    }

    /// A node with exactly the plan's columns, in their order and under their names.
    fn exact(&mut self, input: &Lowered, plan: &LogicalPlan) -> Result<Lowered> {
        let mut positions = Vec::with_capacity(input.slots.len());
        for (slot, field) in input.slots.iter().zip(plan.schema().fields()) {
            match slot {
                Slot::Column(position) => positions.push(*position),
                Slot::Window(_) => {
                    return plan_err!("`{}` is a window; ask for TUMBLE_START", field.name());
                }
                Slot::Absent => return plan_err!("column `{}` is missing", field.name()),
            }
        }
        let node = self.node(input.node)?;
        let names = || node.schema.fields().iter().map(|field| field.name());
        let is_exact = positions.iter().copied().eq(0..node.schema.fields().len())
            && names().eq(plan.schema().fields().iter().map(|field| field.name()));
        let slots = (0..positions.len()).map(Slot::Column).collect();
        if is_exact {
            return Ok(Lowered { slots, ..*input });
        }
        let mut fields = Vec::new();
        let mut expressions = Vec::new();
        for (position, field) in positions.iter().zip(plan.schema().fields()) {
            let old = self.field(input.node, *position)?;
            fields.push(Arc::new(Field::clone(&old).with_name(field.name())));
            expressions.push(self.column(input.node, *position)?);
        }
        let node = self.project(input.node, expressions, Arc::new(Schema::new(fields)))?;
        Ok(Lowered { node, slots, ..*input })
    }

    fn model_rows(
        &mut self,
        model: &str,
        projection: Option<&[usize]>,
        wanted: &BTreeSet<usize>,
    ) -> Result<Lowered> {
        let output = match self.outputs.get(model) {
            Some(output) => output.clone(),
            None => self.model_topic(model, projection, wanted)?,
        };
        match projection {
            None => Ok(output),
            Some(columns) => {
                let slots = columns
                    .iter()
                    .map(|column| output.slots.get(*column).cloned().unwrap_or(Slot::Absent))
                    .collect();
                Ok(Lowered { slots, ..output })
            }
        }
    }

    fn project(
        &mut self,
        input: usize,
        expressions: Vec<Expression>,
        schema: SchemaRef,
    ) -> Result<usize> {
        let time = self.node(input)?.time_attribute;
        let time = time.and_then(|time| {
            expressions.iter().position(|expression| expression.as_column() == Some(time))
        });
        Ok(self.add(vec![input], schema, time, Operator::Project(expressions)))
    }

    /// Adds an operator of the model at hand.
    fn add(
        &mut self,
        inputs: Vec<usize>,
        schema: SchemaRef,
        time_attribute: Option<usize>,
        operator: Operator,
    ) -> usize {
        let role = role(&operator);
        let count = self.roles.entry(role.to_owned()).or_default();
        *count += 1;
        let id = match *count {
            1 => format!("{}/{role}", self.model),
            many => format!("{}/{role}-{many}", self.model),
        };
        self.nodes.push(Node {
            id: OperatorId(id),
            inputs,
            schema,
            mode: ChangelogMode::Append,
            time_attribute,
            operator,
        });
        self.nodes.len() - 1
    }

    fn node(&self, index: usize) -> Result<&Node> {
        match self.nodes.get(index) {
            Some(node) => Ok(node),
            None => plan_err!("no node {index}"),
        }
    }
}

/// The name of a column between operators. Names that DataFusion makes up must not get into
/// fingerprints, so they are replaced by the position.
fn stable_name(name: &str, word: &str, position: usize) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || c == '-' || c == ' ';
    if name.starts_with("__common_expr") || !name.chars().all(is_plain) {
        return format!("{word}_{position}");
    }
    name.to_owned()
}

/// What an operator is called within its model.
fn role(operator: &Operator) -> &'static str {
    match operator {
        Operator::Source(_) => "source",
        Operator::Filter(_) => "filter",
        Operator::Project(_) => "project",
        Operator::TemporalJoin(_) => "join",
        Operator::WindowAggregate(_) => "window",
        Operator::Sink(_) => "sink",
    }
}

/// The columns of `input` that expressions name.
fn columns_of<'e>(
    expressions: impl IntoIterator<Item = &'e Expr>,
    input: &LogicalPlan,
) -> Result<BTreeSet<usize>> {
    let mut columns = BTreeSet::new();
    for expression in expressions {
        let mut named: Vec<&Column> = expression.column_refs().into_iter().collect();
        named.sort_unstable();
        for column in named {
            columns.insert(input.schema().index_of_column(column)?);
        }
    }
    Ok(columns)
}

fn as_node<T: 'static>(plan: &LogicalPlan) -> Option<&T> {
    match plan {
        LogicalPlan::Extension(extension) => {
            let any: &dyn std::any::Any = extension.node.as_any();
            any.downcast_ref()
        }
        _ => None,
    }
}
