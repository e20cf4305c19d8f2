//! What a stateful operator may take over from its predecessor.

use super::{Comparison, Meaning, Meanings, Reason, Weight, is_stateful};
use crate::dataflow::{Dataflow, Node, Operator, TemporalJoin, Window, WindowAggregate};

/// Where the state of an operator comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptState {
    /// That of the windows of the same id.
    Window {
        /// For each aggregate the one whose values it takes; `None`: it begins empty.
        aggregates: Vec<Option<usize>>,
    },
    /// That of the join of the same id.
    Join {
        /// For each kept column of waiting rows ([`TemporalJoin::kept_left`]) its place among those
        /// of the predecessor.
        left: Vec<usize>,
        /// The same of the versions.
        right: Vec<usize>,
    },
}

/// What people call it.
pub(super) fn name(node: &Node) -> &'static str {
    match node.operator {
        Operator::TemporalJoin(_) => "the temporal join",
        Operator::WindowAggregate(_) => "GROUP BY",
        Operator::Source(_) | Operator::Filter(_) | Operator::Project(_) | Operator::Sink(_) => {
            "the operator"
        }
    }
}

impl Comparison<'_> {
    /// What a node takes over, and why not more.
    pub(super) fn kept_state(&self, node: &Node, reasons: &mut Vec<Reason>) -> Option<KeptState> {
        if !is_stateful(node) {
            return None;
        }
        match (self.old_node(node), &node.operator) {
            (Some((_, was)), Operator::WindowAggregate(now)) => match &was.operator {
                Operator::WindowAggregate(then) => {
                    Some(self.window((then, was), (now, node), reasons))
                }
                _ => None,
            },
            (Some((_, was)), Operator::TemporalJoin(now)) => match &was.operator {
                Operator::TemporalJoin(then) => Some(self.join((then, was), (now, node), reasons)),
                _ => None,
            },
            _ => {
                let text = format!("{} is new", name(node));
                reasons.push(Reason { weight: Weight::Rebuild, text });
                None
            }
        }
    }

    fn window(
        &self,
        (then, was): (&WindowAggregate, &Node),
        (now, is): (&WindowAggregate, &Node),
        reasons: &mut Vec<Reason>,
    ) -> KeptState {
        let mut rebuild = |text: String| reasons.push(Reason { weight: Weight::Rebuild, text });
        if then.window != now.window {
            let (now, then) = (window_text(&now.window), window_text(&then.window));
            rebuild(format!("windows are {now} long instead of {then}"));
        }
        if self.was.input_columns(was, 0)[then.time] != self.is.input_columns(is, 0)[now.time] {
            rebuild("windows are cut by another time column".to_owned());
        }
        let keys = |meanings: &Meanings<'_>, node: &Node, aggregate: &WindowAggregate| {
            let keys = aggregate.keys.iter();
            keys.map(|key| meanings.expression(key, node, 0)).collect::<Vec<_>>()
        };
        if keys(&self.was, was, then) != keys(&self.is, is, now) {
            rebuild(key_change(&key_names(was, then), &key_names(is, now)));
        }
        if then.allowed_lateness_ms != now.allowed_lateness_ms {
            let (now, then) = (now.allowed_lateness_ms, then.allowed_lateness_ms);
            let text = format!("allowed lateness is {now} ms instead of {then} ms");
            reasons.push(Reason { weight: Weight::Accept, text });
        }
        self.compare_rows((was, is), 0, "windows that are open now", reasons);
        let old: Vec<Meaning> =
            then.aggregates.iter().map(|call| self.was.aggregate(call, was)).collect();
        let mut aggregates = Vec::new();
        for call in &now.aggregates {
            let meaning = self.is.aggregate(call, is);
            let found = old.iter().position(|one| *one == meaning);
            if found.is_none() {
                let function = format!("{:?}", call.function).to_uppercase();
                let text = format!(
                    "aggregate {function} is new: windows that are open now have it of the rows from here on only"
                );
                reasons.push(Reason { weight: Weight::Accept, text });
            }
            aggregates.push(found);
        }
        KeptState::Window { aggregates }
    }

    fn join(
        &self,
        (then, was): (&TemporalJoin, &Node),
        (now, is): (&TemporalJoin, &Node),
        reasons: &mut Vec<Reason>,
    ) -> KeptState {
        let mut note = |weight: Weight, text: &str| {
            reasons.push(Reason { weight, text: text.to_owned() });
        };
        if self.was.join_keys(then, was) != self.is.join_keys(now, is) {
            note(Weight::Rebuild, "the temporal join has other keys or times");
        }
        if then.before_first != now.before_first {
            note(
                Weight::Rebuild,
                "the temporal join treats rows before the first version otherwise",
            );
        }
        if then.keep_unmatched != now.keep_unmatched {
            note(
                Weight::Accept,
                "the temporal join is LEFT instead of INNER, or the other way round",
            );
        }
        if self.was.condition(then, was) != self.is.condition(now, is) {
            note(Weight::Accept, "the temporal join has another condition");
        }
        if self.was.input_rows(was, 1) != self.is.input_rows(is, 1) {
            note(Weight::Rebuild, "the temporal join reads other versions");
        }
        self.compare_rows((was, is), 0, "rows that wait in the temporal join", reasons);
        let mut kept = |port: usize, old: Vec<usize>, new: Vec<usize>| {
            let old: Vec<&Meaning> =
                old.iter().map(|column| &self.was.input_columns(was, port)[*column]).collect();
            let mut places = Vec::new();
            for column in new {
                let meaning = &self.is.input_columns(is, port)[column];
                match old.iter().position(|one| *one == meaning) {
                    Some(place) => places.push(place),
                    None => {
                        let input = &self.new.nodes[is.inputs[port]];
                        let text = format!(
                            "the temporal join needs `{}`, which its state does not hold",
                            input.schema.field(column).name()
                        );
                        reasons.push(Reason { weight: Weight::Rebuild, text });
                    }
                }
            }
            places
        };
        let width = |dataflow: &Dataflow, node: &Node, port: usize| {
            dataflow.nodes[node.inputs[port]].schema.fields().len()
        };
        let left =
            kept(0, then.kept_left(width(self.old, was, 0)), now.kept_left(width(self.new, is, 0)));
        let right = kept(
            1,
            then.kept_right(width(self.old, was, 1)),
            now.kept_right(width(self.new, is, 1)),
        );
        KeptState::Join { left, right }
    }

    /// Whether the rows that arrive are let in as before; `what` is what came before the change.
    pub(super) fn compare_rows(
        &self,
        (was, is): (&Node, &Node),
        port: usize,
        what: &str,
        reasons: &mut Vec<Reason>,
    ) {
        let (then, now) = (self.was.input_rows(was, port), self.is.input_rows(is, port));
        if then.unfiltered != now.unfiltered {
            let text = format!("{} reads other rows", name(is));
            reasons.push(Reason { weight: Weight::Rebuild, text });
        } else if then.exact != now.exact {
            let text = format!("WHERE has changed: {what} keep what came before");
            reasons.push(Reason { weight: Weight::Accept, text });
        }
    }
}

fn window_text(window: &Window) -> String {
    let Window::Tumbling { size_ms, offset_ms } = window;
    let length = |ms: i64| {
        let ms = std::time::Duration::from_millis(u64::try_from(ms).unwrap_or_default());
        catalog::duration::format(ms)
    };
    match offset_ms {
        0 => length(*size_ms),
        offset => format!("{} + {}", length(*size_ms), length(*offset)),
    }
}

/// Names of the grouping columns.
fn key_names(node: &Node, aggregate: &WindowAggregate) -> Vec<String> {
    let fields = node.schema.fields().iter().take(aggregate.keys.len());
    fields.map(|field| field.name().clone()).collect()
}

fn key_change(then: &[String], now: &[String]) -> String {
    let listed = |names: &[String], others: &[String]| {
        let names = names.iter().filter(|name| !others.contains(name));
        names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    let (gained, lost) = (listed(now, then), listed(then, now));
    match (gained.is_empty(), lost.is_empty()) {
        (false, true) => format!("GROUP BY gained {gained}"),
        (true, false) => format!("GROUP BY lost {lost}"),
        (false, false) => format!("GROUP BY gained {gained} and lost {lost}"),
        (true, true) => "GROUP BY has other columns of the same names".to_owned(),
    }
}
