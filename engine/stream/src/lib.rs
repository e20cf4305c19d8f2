//! The words of the data road: batches and their advances, watermarks, items, epochs, clocks.
//!
//! Everything that flows through the fold, or is written into the journal about it, is named here
//! once. This crate does no I/O and knows no SQL.

mod time;
mod watermark;
mod row_kind;
mod batch;
mod slice;

mod item;
mod epoch;
mod clock;
pub mod failpoint;

pub use batch::{Advance, Batch, Origin};
pub use clock::{Clock, ManualClock, ProcessingTime, SystemClock};
pub use epoch::{Epoch, Generation};
pub use item::{Fingerprint, InstanceName, Item, ReaderName};
pub use row_kind::RowKind;
pub use slice::{RejectedRecord, SliceRows};
pub use time::EventTime;
pub use watermark::Watermark;
