//! Kafka messages to Arrow arrays and back: decode, encode, batch consume and produce.
