-- JSON files in, nothing out.
CREATE TABLE clickstream WITH (
  'connector' = 'filesystem',
  'path' = 'file://${DATA}/clickstream.jsonl',
  'format' = 'json',
  'json.timestamp-format.standard' = 'ISO-8601'
) LIKE clickstream_columns;

CREATE TABLE product_versions (
  product_id STRING,
  name STRING,
  category STRING,
  subcategory STRING,
  price DOUBLE,
  brand STRING,
  updated_at TIMESTAMP_LTZ(3),
  WATERMARK FOR updated_at AS updated_at
) WITH (
  'connector' = 'filesystem',
  'path' = 'file://${DATA}/products.jsonl',
  'format' = 'json',
  'json.timestamp-format.standard' = 'ISO-8601'
);

-- A view of this shape is a versioned table: its key is product_id.
CREATE TEMPORARY VIEW products AS
SELECT product_id, name, category, subcategory, price, brand, updated_at
FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY product_id ORDER BY updated_at DESC) AS place
  FROM product_versions
)
WHERE place = 1;

CREATE TABLE out_events_clean WITH ('connector' = 'blackhole') LIKE events_clean_columns;
CREATE TABLE out_events_enriched WITH ('connector' = 'blackhole') LIKE events_enriched_columns;
CREATE TABLE out_user_sessions WITH ('connector' = 'blackhole') LIKE user_sessions_columns;
CREATE TABLE out_product_popularity WITH ('connector' = 'blackhole') LIKE product_popularity_columns;
