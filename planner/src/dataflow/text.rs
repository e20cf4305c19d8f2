//! The text of a dataflow: what people read, and what its fingerprint is the hash of.
//!
//! **Invariant:** it holds everything on which rows depend, and nothing that a change of a topic's
//! settings would change.

use std::fmt;

use catalog::schema::flink_type_name;
use stream::Fingerprint;

use super::{
    AggregateCall, ChangelogMode, ColumnOrigin, Dataflow, EventTimeSpec, Expression, JoinColumn,
    Node, Operator, Sink, Source, SourceRole, TemporalJoin, Window, WindowAggregate,
};

impl Dataflow {
    /// Hash of everything that rows and state depend on.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(blake3::hash(self.to_string().as_bytes()).to_hex().to_string())
    }

    /// The operators of one model as a tree, its sink first; operators of other models are leaves.
    pub fn explain(&self, model: &str) -> String {
        let mut text = String::new();
        for (index, sink) in self.sinks() {
            if sink.model == model {
                self.explain_node(index, model, 0, &mut text);
            }
        }
        text
    }

    fn explain_node(&self, index: usize, model: &str, depth: usize, text: &mut String) {
        let Some(node) = self.nodes.get(index) else { return };
        let indent = "  ".repeat(depth);
        let is_own = node.id.model() == model;
        let is_source = node.inputs.is_empty();
        if is_own || is_source {
            let described = Described(&node.operator);
            text.push_str(&[&indent, &node.id.0, ": ", &described.to_string(), "\n"].concat());
        } else {
            text.push_str(&[&indent, &node.id.0, " (another model)\n"].concat());
            return;
        }
        for input in &node.inputs {
            self.explain_node(*input, model, depth + 1, text);
        }
    }
}

impl fmt::Display for Dataflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "dataflow {}", self.project)?;
        for (index, node) in self.nodes.iter().enumerate() {
            write!(f, "#{index} {}", node.id.0)?;
            for (position, input) in node.inputs.iter().enumerate() {
                write!(f, "{}#{input}", if position == 0 { " <- " } else { ", " })?;
            }
            writeln!(f, ": {}", Described(&node.operator))?;
            write_columns(f, node)?;
        }
        Ok(())
    }
}

fn write_columns(f: &mut fmt::Formatter<'_>, node: &Node) -> fmt::Result {
    f.write_str("   ")?;
    for (position, field) in node.schema.fields().iter().enumerate() {
        let comma = if position == 0 { "" } else { "," };
        let time = if node.time_attribute == Some(position) { "*" } else { "" };
        write!(f, "{comma} {}{time} {}", field.name(), flink_type_name(field.data_type()))?;
        if !field.is_nullable() {
            f.write_str(" NOT NULL")?;
        }
    }
    match &node.mode {
        ChangelogMode::Append => {}
        ChangelogMode::Upsert { key } => write!(f, " (upsert by {key:?})")?,
        ChangelogMode::Retract => f.write_str(" (retract)")?,
    }
    writeln!(f)
}

struct Described<'a>(&'a Operator);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Operator::Source(source) => describe_source(f, source),
            Operator::Filter(predicate) => write!(f, "filter {}", predicate.text),
            Operator::Project(expressions) => {
                f.write_str("project ")?;
                write_list(f, expressions)
            }
            Operator::TemporalJoin(join) => describe_join(f, join),
            Operator::WindowAggregate(aggregate) => describe_window(f, aggregate),
            Operator::Sink(sink) => describe_sink(f, sink),
        }
    }
}

fn describe_source(f: &mut fmt::Formatter<'_>, source: &Source) -> fmt::Result {
    let EventTimeSpec {
        column,
        out_of_orderness_ms,
        max_future_ms,
        idle_advance_ms,
        idle_timeout_ms,
    } = &source.event_time;
    write!(f, "read {} as {:?}", source.topic, source.format)?;
    match &source.role {
        SourceRole::Stream => {}
        SourceRole::Versioned { key } => write!(f, ", versions by {key:?}")?,
    }
    write!(
        f,
        ", event time ${column} - {out_of_orderness_ms} ms, at most {max_future_ms} ms ahead"
    )?;
    write!(f, ", idle after {idle_timeout_ms} ms")?;
    if let Some(advance) = idle_advance_ms {
        write!(f, ", advances after {advance} ms")?;
    }
    write!(f, ", on error {:?}, on gap {:?}, from", source.on_error, source.on_gap)?;
    for column in &source.columns {
        match &column.from {
            ColumnOrigin::Field(name) => write!(f, " {name:?}")?,
            ColumnOrigin::Key => f.write_str(" key")?,
            ColumnOrigin::Headers => f.write_str(" headers")?,
            ColumnOrigin::Partition => f.write_str(" partition")?,
            ColumnOrigin::Offset => f.write_str(" offset")?,
            ColumnOrigin::Timestamp => f.write_str(" timestamp")?,
        }
    }
    Ok(())
}

fn describe_join(f: &mut fmt::Formatter<'_>, join: &TemporalJoin) -> fmt::Result {
    let kind = if join.keep_unmatched { "left" } else { "inner" };
    write!(f, "{kind} join with the version at left ${} by left ", join.left_time)?;
    write_list(f, &join.left_key)?;
    f.write_str(" = right ")?;
    write_list(f, &join.right_key)?;
    write!(f, ", valid from right ${}, before the first {:?}", join.right_time, join.before_first)?;
    if let Some(condition) = &join.condition {
        write!(f, ", if {}", condition.text)?;
    }
    f.write_str(", gives")?;
    for column in &join.output {
        match column {
            JoinColumn::Left(position) => write!(f, " left ${position}")?,
            JoinColumn::Right(position) => write!(f, " right ${position}")?,
        }
    }
    Ok(())
}

fn describe_window(f: &mut fmt::Formatter<'_>, aggregate: &WindowAggregate) -> fmt::Result {
    let WindowAggregate { window, time, keys, aggregates, allowed_lateness_ms } = aggregate;
    let Window::Tumbling { size_ms, offset_ms } = window;
    write!(f, "tumbling windows of {size_ms} ms + {offset_ms} ms over ${time}")?;
    write!(f, ", late by {allowed_lateness_ms} ms at most, keys ")?;
    write_list(f, keys)?;
    f.write_str(", aggregates")?;
    for (position, call) in aggregates.iter().enumerate() {
        let AggregateCall { function, arguments, is_distinct, filter, data_type } = call;
        let comma = if position == 0 { "" } else { "," };
        let distinct = if *is_distinct { "distinct " } else { "" };
        write!(f, "{comma} {distinct}{function:?}")?;
        write_list(f, arguments)?;
        if let Some(filter) = filter {
            write!(f, " where {}", filter.text)?;
        }
        write!(f, ": {}", flink_type_name(data_type))?;
    }
    Ok(())
}

/// Partitions, replication and settings of the topic are left out on purpose: no row depends on them.
fn describe_sink(f: &mut fmt::Formatter<'_>, sink: &Sink) -> fmt::Result {
    write!(f, "write {} as {:?}", sink.topic, sink.format)?;
    write!(f, ", multisets as {:?}, timestamps as {:?}", sink.multiset, sink.timestamps)?;
    match sink.key {
        Some(key) => write!(f, ", key ${key}"),
        None => Ok(()),
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, expressions: &[Expression]) -> fmt::Result {
    f.write_str("[")?;
    for (position, expression) in expressions.iter().enumerate() {
        let comma = if position == 0 { "" } else { ", " };
        write!(f, "{comma}{}", expression.text)?;
    }
    f.write_str("]")
}
