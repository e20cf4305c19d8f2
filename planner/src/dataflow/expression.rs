//! Expressions of a dataflow, and the clock that some of them read.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::datatypes::DataType;
use datafusion::physical_expr::PhysicalExpr;
use stream::ProcessingTime;

/// An expression over the columns of a node's input, ready to be evaluated.
///
/// Two expressions are equal if their canonical texts and types are: the text is ours, so that
/// fingerprints do not depend on how DataFusion prints.
#[derive(Clone)]
pub struct Expression {
    /// Evaluates a batch of the input's schema.
    pub physical: Arc<dyn PhysicalExpr>,
    /// Canonical text; columns as `$index`.
    pub text: Arc<str>,
    /// Type of the result.
    pub data_type: DataType,
    /// Whether the result may be null.
    pub is_nullable: bool,
}

impl Expression {
    /// The column's index, if the expression is nothing but a column.
    pub fn as_column(&self) -> Option<usize> {
        use datafusion::physical_expr::expressions::Column;
        let any: &dyn std::any::Any = self.physical.as_ref();
        any.downcast_ref::<Column>().map(Column::index)
    }

    /// Whether the value depends on the step's time.
    pub fn reads_clock(&self) -> bool {
        datafusion::physical_expr_common::physical_expr::is_volatile(&self.physical)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text, self.data_type)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.data_type == other.data_type
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
        self.data_type.hash(state);
    }
}

/// The step's time, shared by the expressions of one dataflow and the fold that runs it.
///
/// It stands still within a step, so a replay of the same items reads the same times.
#[derive(Debug, Clone, Default)]
pub struct StepClock(Arc<AtomicI64>);

impl StepClock {
    /// The time of the last `clock` item.
    pub fn get(&self) -> ProcessingTime {
        ProcessingTime(self.0.load(Ordering::Relaxed))
    }

    /// Sets the time; only the fold does.
    pub fn set(&self, now: ProcessingTime) {
        self.0.store(now.0, Ordering::Relaxed);
    }
}
