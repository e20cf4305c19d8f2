//! `WindowAggregate`: aggregates per key and window.

use std::cmp::Ordering;
use std::fmt;

use datafusion::common::{DFSchemaRef, Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::dataflow::Window;

/// Takes the place of an `Aggregate` whose groups hold a window, with the very same schema: the
/// groups in order, one of them the window as a ROW, then the aggregates.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct WindowAggregate {
    pub(crate) input: LogicalPlan,
    pub(crate) window: Window,
    pub(crate) time: Expr,
    /// Groups other than the window.
    pub(crate) keys: Vec<Expr>,
    /// Position of the window among the groups.
    pub(crate) window_position: usize,
    /// `Expr::AggregateFunction`, possibly under an alias.
    pub(crate) aggregates: Vec<Expr>,
    pub(crate) schema: DFSchemaRef,
}

impl PartialOrd for WindowAggregate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for WindowAggregate {
    fn name(&self) -> &'static str {
        "WindowAggregate"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let time = std::iter::once(&self.time);
        self.keys.iter().chain(time).chain(&self.aggregates).cloned().collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |exprs: &[Expr]| exprs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let Window::Tumbling { size_ms, offset_ms } = &self.window;
        write!(f, "WindowAggregate: tumbling {size_ms} ms")?;
        if *offset_ms != 0 {
            write!(f, " + {offset_ms} ms")?;
        }
        write!(
            f,
            " over {}, keys [{}], aggregates [{}]",
            self.time,
            list(&self.keys),
            list(&self.aggregates)
        )
    }

    fn with_exprs_and_inputs(
        &self,
        mut exprs: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let count = self.keys.len() + 1 + self.aggregates.len();
        let Some(input) = inputs.pop() else { return plan_err!("WindowAggregate has one input") };
        if exprs.len() != count {
            return plan_err!("WindowAggregate has {count} expressions, not {}", exprs.len());
        }
        let aggregates = exprs.split_off(self.keys.len() + 1);
        let Some(time) = exprs.pop() else { return plan_err!("WindowAggregate has a time") };
        Ok(Self {
            input,
            time,
            keys: exprs,
            aggregates,
            window: self.window.clone(),
            window_position: self.window_position,
            schema: DFSchemaRef::clone(&self.schema),
        })
    }

    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        // What the expressions name is added by the caller; nothing else of the input is read.
        Some(vec![Vec::new()])
    }
}
