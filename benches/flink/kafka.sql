-- Kafka in, Kafka out, exactly once; the input ends at the offsets found at the start.
CREATE TABLE clickstream WITH (
  'connector' = 'kafka',
  'topic' = 'ecom.clickstream.v1',
  'properties.bootstrap.servers' = '${BROKERS}',
  'properties.group.id' = 'flink-bench',
  'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset',
  'format' = 'json',
  'json.timestamp-format.standard' = 'ISO-8601',
  'json.ignore-parse-errors' = 'true'
) LIKE clickstream_columns;

-- The record timestamp is the version's time, as it is for the engine.
CREATE TABLE products (
  product_id STRING,
  name STRING,
  category STRING,
  subcategory STRING,
  price DOUBLE,
  brand STRING,
  updated_at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp',
  WATERMARK FOR updated_at AS updated_at,
  PRIMARY KEY (product_id) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'topic' = 'ecom.products.v1',
  'properties.bootstrap.servers' = '${BROKERS}',
  'scan.bounded.mode' = 'latest-offset',
  'key.format' = 'raw',
  'value.format' = 'json',
  'value.json.timestamp-format.standard' = 'ISO-8601'
);

CREATE TABLE out_events_clean WITH (
  'connector' = 'kafka',
  'topic' = 'flink.events_clean',
  'properties.bootstrap.servers' = '${BROKERS}',
  'properties.transaction.timeout.ms' = '600000',
  'key.format' = 'raw',
  'key.fields' = 'session_id',
  'value.format' = 'json',
  'value.json.timestamp-format.standard' = 'ISO-8601',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'flink-events_clean'
) LIKE events_clean_columns;

CREATE TABLE out_events_enriched WITH (
  'connector' = 'kafka',
  'topic' = 'flink.events_enriched',
  'properties.bootstrap.servers' = '${BROKERS}',
  'properties.transaction.timeout.ms' = '600000',
  'key.format' = 'raw',
  'key.fields' = 'session_id',
  'value.format' = 'json',
  'value.json.timestamp-format.standard' = 'ISO-8601',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'flink-events_enriched'
) LIKE events_enriched_columns;

CREATE TABLE out_user_sessions WITH (
  'connector' = 'kafka',
  'topic' = 'flink.user_sessions',
  'properties.bootstrap.servers' = '${BROKERS}',
  'properties.transaction.timeout.ms' = '600000',
  'key.format' = 'raw',
  'key.fields' = 'session_id',
  'value.format' = 'json',
  'value.json.timestamp-format.standard' = 'ISO-8601',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'flink-user_sessions'
) LIKE user_sessions_columns;

CREATE TABLE out_product_popularity WITH (
  'connector' = 'kafka',
  'topic' = 'flink.product_popularity',
  'properties.bootstrap.servers' = '${BROKERS}',
  'properties.transaction.timeout.ms' = '600000',
  'key.format' = 'raw',
  'key.fields' = 'product_id',
  'value.format' = 'json',
  'value.json.timestamp-format.standard' = 'ISO-8601',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'flink-product_popularity'
) LIKE product_popularity_columns;
