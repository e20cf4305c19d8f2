//! What the columns and rows of a dataflow mean, whatever their positions and names.
//!
//! An edit of one model moves the columns of a source that another model reads, too: `$3` becomes
//! `$4`, and nothing has changed. So each column is described by what it is computed from, down to
//! the fields of the sources, and each node's rows by what lets them in.
//!
//! **Invariant:** two columns of one meaning have the same values; two nodes of one meaning give the
//! same rows for the same input, up to their columns.

use std::fmt::Write as _;
use std::sync::Arc;

use catalog::schema::flink_type_name;

use super::{
    AggregateCall, Dataflow, Expression, JoinColumn, Node, Operator, Source, SourceRole,
    TemporalJoin, Window, WindowAggregate,
};

/// A digest of a description: equal ones mean the same.
pub(crate) type Meaning = Arc<str>;

/// What lets the rows of a node in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rows {
    /// All of it.
    pub(crate) exact: Meaning,
    /// All of it but the conditions of filters.
    pub(crate) unfiltered: Meaning,
}

/// The meanings of a dataflow.
pub(crate) struct Meanings<'a> {
    dataflow: &'a Dataflow,
    columns: Vec<Vec<Meaning>>,
    rows: Vec<Rows>,
}

impl<'a> Meanings<'a> {
    pub(crate) fn of(dataflow: &'a Dataflow) -> Self {
        let mut meanings = Self { dataflow, columns: Vec::new(), rows: Vec::new() };
        for node in &dataflow.nodes {
            let columns = meanings.columns_of(node);
            let rows = meanings.rows_of(node);
            meanings.columns.push(columns);
            meanings.rows.push(rows);
        }
        meanings
    }

    /// The columns of a node.
    pub(crate) fn columns(&self, node: usize) -> &[Meaning] {
        &self.columns[node]
    }

    /// The rows of a node.
    pub(crate) fn rows(&self, node: usize) -> &Rows {
        &self.rows[node]
    }

    /// The columns that arrive at a port.
    pub(crate) fn input_columns(&self, node: &Node, port: usize) -> &[Meaning] {
        &self.columns[node.inputs[port]]
    }

    /// The rows that arrive at a port.
    pub(crate) fn input_rows(&self, node: &Node, port: usize) -> &Rows {
        &self.rows[node.inputs[port]]
    }

    /// An expression over what arrives at a port.
    pub(crate) fn expression(&self, expression: &Expression, node: &Node, port: usize) -> Meaning {
        resolved(expression, self.input_columns(node, port))
    }

    /// A join's condition, over what arrives at both ports.
    pub(crate) fn condition(&self, join: &TemporalJoin, node: &Node) -> Option<Meaning> {
        let both = [self.input_columns(node, 0), self.input_columns(node, 1)].concat();
        join.condition.as_ref().map(|condition| resolved(condition, &both))
    }

    /// An aggregate over what arrives at port 0.
    pub(crate) fn aggregate(&self, call: &AggregateCall, node: &Node) -> Meaning {
        let AggregateCall { function, arguments, is_distinct, filter, data_type } = call;
        let mut text = format!("{function:?} {is_distinct} {}", flink_type_name(data_type));
        for part in arguments.iter().chain(filter) {
            push(&mut text, &self.expression(part, node, 0));
        }
        text.push_str(if filter.is_some() { " filtered" } else { "" });
        digest(&text)
    }

    fn columns_of(&self, node: &Node) -> Vec<Meaning> {
        match &node.operator {
            Operator::Source(source) => source
                .columns
                .iter()
                .map(|column| {
                    let name = (&source.source, &column.from);
                    digest(&format!("{name:?} {}", flink_type_name(&column.data_type)))
                })
                .collect(),
            Operator::Filter(_) => self.input_columns(node, 0).to_vec(),
            Operator::Project(expressions) => {
                expressions.iter().map(|one| self.expression(one, node, 0)).collect()
            }
            Operator::TemporalJoin(join) => {
                let by = self.join_keys(join, node);
                let of = |column: &JoinColumn| match column {
                    JoinColumn::Left(index) => Arc::clone(&self.input_columns(node, 0)[*index]),
                    JoinColumn::Right(index) => {
                        digest(&format!("{} at {by}", self.input_columns(node, 1)[*index]))
                    }
                };
                join.output.iter().map(of).collect()
            }
            Operator::WindowAggregate(aggregate) => self.window_columns(aggregate, node),
            Operator::Sink(_) => self.input_columns(node, 0).to_vec(),
        }
    }

    fn window_columns(&self, aggregate: &WindowAggregate, node: &Node) -> Vec<Meaning> {
        let groups = self.groups(aggregate, node);
        let mut columns: Vec<Meaning> =
            aggregate.keys.iter().map(|key| self.expression(key, node, 0)).collect();
        columns.extend(["start", "end", "time"].map(|part| digest(&format!("{part} of {groups}"))));
        let calls = aggregate.aggregates.iter();
        columns.extend(calls.map(|call| {
            let call = self.aggregate(call, node);
            digest(&format!("{call} of {groups}"))
        }));
        columns
    }

    fn rows_of(&self, node: &Node) -> Rows {
        let input = |port: usize| self.input_rows(node, port);
        match &node.operator {
            Operator::Source(source) => {
                let meaning = digest(&source_text(source));
                Rows { exact: Arc::clone(&meaning), unfiltered: meaning }
            }
            Operator::Filter(predicate) => {
                let predicate = self.expression(predicate, node, 0);
                Rows {
                    exact: digest(&format!("{} if {predicate}", input(0).exact)),
                    unfiltered: Arc::clone(&input(0).unfiltered),
                }
            }
            Operator::Project(_) | Operator::Sink(_) => input(0).clone(),
            Operator::TemporalJoin(join) => {
                let TemporalJoin { keep_unmatched, before_first, .. } = join;
                let condition = self.condition(join, node);
                let by = self.join_keys(join, node);
                let how = format!("{keep_unmatched} {before_first:?} {condition:?} {by}");
                let of = |left: &str, right: &str| digest(&format!("{left} with {right} {how}"));
                Rows {
                    exact: of(&input(0).exact, &input(1).exact),
                    unfiltered: of(&input(0).unfiltered, &input(1).unfiltered),
                }
            }
            Operator::WindowAggregate(aggregate) => {
                let groups = self.groups(aggregate, node);
                let late = aggregate.allowed_lateness_ms;
                let of = |rows: &str| digest(&format!("{rows} in {groups} late by {late}"));
                Rows { exact: of(&input(0).exact), unfiltered: of(&input(0).unfiltered) }
            }
        }
    }

    /// Windows and keys: what a group is.
    fn groups(&self, aggregate: &WindowAggregate, node: &Node) -> Meaning {
        let Window::Tumbling { size_ms, offset_ms } = &aggregate.window;
        let mut text = format!("windows {size_ms} {offset_ms}");
        push(&mut text, &self.input_columns(node, 0)[aggregate.time]);
        for key in &aggregate.keys {
            push(&mut text, &self.expression(key, node, 0));
        }
        digest(&text)
    }

    /// Keys and times of a join.
    pub(crate) fn join_keys(&self, join: &TemporalJoin, node: &Node) -> Meaning {
        let mut text = "join".to_owned();
        push(&mut text, &self.input_columns(node, 0)[join.left_time]);
        push(&mut text, &self.input_columns(node, 1)[join.right_time]);
        for (port, keys) in [&join.left_key, &join.right_key].into_iter().enumerate() {
            for key in keys {
                push(&mut text, &self.expression(key, node, port));
            }
        }
        digest(&text)
    }

    /// The nodes behind a node, itself left out, in their order.
    pub(crate) fn behind(&self, node: usize) -> Vec<usize> {
        let mut open = self.dataflow.nodes[node].inputs.clone();
        let mut found = Vec::new();
        while let Some(next) = open.pop() {
            if !found.contains(&next) {
                found.push(next);
                open.extend(&self.dataflow.nodes[next].inputs);
            }
        }
        found.sort_unstable();
        found
    }
}

/// Which records a source reads, as what, and in which time. How it treats bad records, gaps and
/// silence is left out: none of it changes what is kept.
fn source_text(source: &Source) -> String {
    let name = |column: &usize| source.columns.get(*column).map(|column| &column.from);
    let role = match &source.role {
        SourceRole::Stream => None,
        SourceRole::Versioned { key } => Some(key.iter().map(name).collect::<Vec<_>>()),
    };
    let time = name(&source.event_time.column);
    format!("{} {} {:?} {role:?} {time:?}", source.source, source.topic, source.format)
}

/// The text of an expression with each `$index` replaced by the meaning of that column.
fn resolved(expression: &Expression, columns: &[Meaning]) -> Meaning {
    let mut text = flink_type_name(&expression.data_type);
    text.push(' ');
    let mut rest = expression.text.chars().peekable();
    let mut quote = None;
    while let Some(letter) = rest.next() {
        match (quote, letter) {
            (Some(_), '\\') => {
                text.push(letter);
                text.extend(rest.next());
            }
            (Some(open), _) => {
                text.push(letter);
                quote = (letter != open).then_some(open);
            }
            (None, '"' | '\'') => {
                text.push(letter);
                quote = Some(letter);
            }
            (None, '$') => {
                let mut digits = String::new();
                while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                let column = digits.parse::<usize>().ok().and_then(|index| columns.get(index));
                match column {
                    Some(meaning) => text.push_str(meaning),
                    None => push(&mut text, &digits),
                }
            }
            (None, _) => text.push(letter),
        }
    }
    // A column as it is means what it is.
    match expression.as_column().and_then(|index| columns.get(index)) {
        Some(meaning) => Arc::clone(meaning),
        None => digest(&text),
    }
}

fn push(text: &mut String, part: &str) {
    // Writing to a String cannot fail.
    let written = write!(text, " {part}");
    debug_assert!(written.is_ok());
}

fn digest(text: &str) -> Meaning {
    Arc::from(blake3::hash(text.as_bytes()).to_hex().as_str())
}
