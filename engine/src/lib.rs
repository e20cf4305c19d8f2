//! dbt for streams in one binary: the library facade.
