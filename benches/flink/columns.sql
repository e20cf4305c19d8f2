-- What every run shares: the columns of the sources and of the models' outputs.
CREATE TABLE clickstream_columns (
  event_id STRING,
  session_id STRING,
  user_id STRING,
  anonymous_id STRING,
  event_type STRING,
  page_url STRING,
  referrer_url STRING,
  product_id STRING,
  search_query STRING,
  device_type STRING,
  browser STRING,
  country STRING,
  `timestamp` TIMESTAMP_LTZ(3),
  WATERMARK FOR `timestamp` AS `timestamp` - INTERVAL '5' SECOND
);

CREATE TABLE events_clean_columns (
  event_id STRING,
  session_id STRING,
  user_identifier STRING,
  user_id STRING,
  anonymous_id STRING,
  event_type STRING,
  page_url STRING,
  referrer_url STRING,
  product_id STRING,
  search_query STRING,
  device_type STRING,
  browser STRING,
  country STRING,
  `timestamp` TIMESTAMP_LTZ(3)
);

CREATE TABLE events_enriched_columns (
  event_id STRING,
  session_id STRING,
  user_identifier STRING,
  user_id STRING,
  event_type STRING,
  page_url STRING,
  product_id STRING,
  search_query STRING,
  device_type STRING,
  country STRING,
  `timestamp` TIMESTAMP_LTZ(3),
  product_name STRING,
  product_category STRING,
  product_subcategory STRING,
  product_price DOUBLE,
  product_brand STRING
);

CREATE TABLE user_sessions_columns (
  session_id STRING,
  user_identifier STRING,
  device_type STRING,
  country STRING,
  session_start TIMESTAMP(3),
  session_end TIMESTAMP(3),
  event_count BIGINT,
  pages_viewed BIGINT,
  page_views INT,
  clicks INT,
  add_to_carts INT,
  purchases INT,
  searches INT,
  categories_browsed MULTISET<STRING>,
  max_product_price DOUBLE,
  avg_product_price DOUBLE
);

CREATE TABLE product_popularity_columns (
  product_id STRING,
  product_name STRING,
  product_category STRING,
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  total_interactions BIGINT,
  `views` INT,
  add_to_carts INT,
  purchases INT,
  unique_users BIGINT,
  popularity_score INT
);
