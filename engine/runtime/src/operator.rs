//! What an operator is: a synchronous object that receives batches and gives batches.
//!
//! Operators know no threads, no Kafka and no clock. **Invariant:** what an operator gives depends
//! on the sequence of rows and advances it was given, never on how they were cut into batches.

use arrow::array::RecordBatch;
use state::Table;
use stream::{Batch, EventTime, Origin, Watermark};

/// Folds batches into state and output.
pub trait Operator: Send {
    /// Folds a batch that arrived at `port`.
    ///
    /// What an advance releases stands in the output before it, and every advance is passed on
    /// (except those of a port that does not count, such as the versions of a temporal join).
    ///
    /// # Errors
    /// [`OperatorError`] for what no single row is to blame for; a row that fails is discarded.
    fn push(&mut self, port: usize, batch: Batch, output: &mut Output)
    -> Result<(), OperatorError>;

    /// Lets go what is held, as at the end of bounded input (`--close-windows`). State goes on.
    ///
    /// # Errors
    /// As [`Operator::push`].
    fn end_of_input(&mut self, output: &mut Output) -> Result<(), OperatorError>;

    /// The window that closes next, if one is open.
    fn open_window(&self) -> Option<OpenWindow> {
        None
    }

    /// How much it keeps.
    fn size(&self) -> StateSize {
        StateSize::default()
    }

    /// The state at this moment, by cloning pointers: the operator goes on at once.
    fn freeze(&self) -> Box<dyn FrozenState>;

    /// A copy of the state; does not drain it.
    fn snapshot(&self) -> Vec<Table> {
        self.freeze().tables()
    }

    /// Replaces the state by a snapshot's.
    ///
    /// # Errors
    /// [`OperatorError::State`] if the tables are not those of this operator.
    fn restore(&mut self, tables: Vec<Table>) -> Result<(), OperatorError>;
}

/// How much an operator keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateSize {
    /// Groups, waiting rows and versions.
    pub rows: u64,
    /// What they hold in memory, about.
    pub bytes: u64,
}

/// A window that has rows and has not fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenWindow {
    /// Its end; rows of this time belong to the next one.
    pub end: EventTime,
    /// The watermark at which it fires.
    pub closes_at: Watermark,
}

/// An operator's state at one moment, to be written on another thread.
pub trait FrozenState: Send {
    /// The state as tables, always the same ones in the same order.
    fn tables(&self) -> Vec<Table>;
}

/// The state of an operator that keeps none.
#[derive(Debug)]
pub(crate) struct NoState;

impl FrozenState for NoState {
    fn tables(&self) -> Vec<Table> {
        Vec::new()
    }
}

/// Restores an operator that keeps no state.
///
/// # Errors
/// [`OperatorError::State`] if there are tables.
pub(crate) fn expect_no_state(operator: &str, tables: &[Table]) -> Result<(), OperatorError> {
    match tables.first() {
        None => Ok(()),
        Some(table) => Err(OperatorError::State {
            operator: operator.to_owned(),
            detail: format!("there is a table `{}`, but this operator keeps no state", table.name),
        }),
    }
}

/// What one call of an operator gives.
#[derive(Debug, Default)]
pub struct Output {
    /// Batches for the operators that read this one, in order.
    pub batches: Vec<Batch>,
    /// Rows that go no further, for the dead letters.
    pub discarded: Vec<Discarded>,
    /// Left rows of temporal joins that found no version.
    pub rows_without_version: u64,
}

impl Output {
    /// Passes on a batch, unless there is nothing in it.
    pub fn emit(&mut self, batch: Batch) {
        if !batch.is_void() {
            self.batches.push(batch);
        }
    }
}

/// Rows that an operator lets go no further.
#[derive(Debug, Clone)]
pub struct Discarded {
    /// Why.
    pub reason: DiscardReason,
    /// The port at which they arrived.
    pub port: usize,
    /// The operator's input rows.
    pub rows: RecordBatch,
    /// Where they came from.
    pub origin: Option<Origin>,
    /// What exactly went wrong, for people.
    pub detail: String,
}

/// Why a row goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiscardReason {
    /// Its window is over.
    Late,
    /// Its window was closed by `--close-windows`.
    ClosedByUser,
    /// An expression failed on it.
    Failed,
}

/// What no single row is to blame for.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// A node of the dataflow asks for what cannot be run.
    #[error("`{operator}` cannot be built: {detail}")]
    Build {
        /// The operator.
        operator: String,
        /// Why.
        detail: String,
    },
    /// A snapshot does not fit the operator.
    #[error("state of `{operator}` cannot be restored: {detail}")]
    State {
        /// The operator.
        operator: String,
        /// What does not fit.
        detail: String,
    },
    /// Arrow or DataFusion failed where no row can be blamed: our bug.
    #[error("`{operator}` failed")]
    Compute {
        /// The operator.
        operator: String,
        /// What they said.
        source: datafusion::error::DataFusionError,
    },
}
