//! Kafka messages to Arrow arrays and back: decode, encode, batch consume and produce.
//!
//! The crate stands alone: it knows bytes, columns, partitions and transactions, and nothing of
//! epochs, watermarks, plans or projects.
//!
//! **Invariant:** no bytes from outside make it panic; a bad record is one rejected record, and
//! the batch that holds it goes on.
//!
//! **Invariant:** the value of a setting is never part of an error or a log line.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod message;
#[expect(
    unsafe_code,
    reason = "the one module that calls librdkafka; rust-rdkafka's producer spins and its \
              consumer has no batch call"
)]
mod librdkafka;
mod consumer;

mod decode;
mod rejected;
mod text_builder;

mod encode;

mod producer;

mod error;

pub use consumer::{
    BrokerInfo, ClientEvent, ClusterMetadata, Consumer, OffsetAtTime, PartitionInfo,
    PartitionOffset, PartitionQueue, PartitionStart, Polled, ReadyCallback, Start, TopicIdentity,
    TopicInfo,
};
pub use decode::{
    ColumnSource, ColumnSpec, CsvFormat, DecodeSpec, Decoded, Decoder, Format, MAX_BATCH_BYTES,
    MAX_DEPTH, NullValue, fuzz_decode,
};
pub use encode::{
    CsvOutput, DecimalFormat, EncodeSpec, Encoded, Encoder, JsonFormat, MultisetFormat,
    OutputFormat, TimestampFormat, row_as_json,
};
pub use error::{CodecError, Distrust, ErrorCode, Failure, KafkaError};
pub use message::{Headers, Message, MessageBatch, OwnedMessages};
pub use producer::{Producer, ProducerEvent, Record, TopicHandle};
pub use rejected::{Problem, RejectReason, Rejected};
pub use text_builder::TextBuilder;
