//! The embedded Kafka-protocol log.
