//! Sources and sinks: Kafka topics with positions, transactions and administration.
//!
//! One connector serves both brokers, a real Kafka and the embedded one. Everything here blocks;
//! the runtime gives each handle a thread of its own. Positions and epochs are the runtime's.

mod cluster;
pub mod admin;
pub mod reach;
mod copies;
mod source;
mod topic_watch;
mod sink;
mod journal;

mod error;

pub use cluster::Cluster;
pub use copies::{GENERATION_HEADER, ORIGINAL_HEADER};
pub use error::ConnectorError;
pub use journal::{JournalTopic, RawEntry, entry_records};
pub use sink::{
    OutputProducer, OutputTopic, TRANSACTION_TIMEOUT, TransactionSettings, TransactionalProducer,
};
pub use source::{Bounds, Fetched, KafkaSource, Poll, SliceDecoder, SourceSpec};
pub use topic_watch::TopicWatch;
