//! `rules:`: what a project demands of itself. Checked on effective values, inherited ones too.

use crate::place::Spanned;
use crate::project::source::Classification;

/// All rules. Absent: not demanded.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// `rules.topics`
    pub topics: TopicRules,
    /// `rules.models`
    pub models: ModelRules,
    /// `rules.sources`
    pub sources: SourceRules,
    /// `rules.security`
    pub security: SecurityRules,
    /// `rules.exposures`
    pub exposures: ExposureRules,
    /// `rules.tests`
    pub data_tests: DataTestRules,
}

/// `rules.topics`, for output topics.
#[derive(Clone, Debug, Default)]
pub struct TopicRules {
    /// `min_partitions`
    pub min_partitions: Option<Spanned<u32>>,
    /// `max_partitions`
    pub max_partitions: Option<Spanned<u32>>,
    /// `min_replication_factor`
    pub min_replication_factor: Option<Spanned<u16>>,
    /// `max_replication_factor`
    pub max_replication_factor: Option<Spanned<u16>>,
    /// `naming_pattern`: a regular expression, anchored at the start.
    pub naming_pattern: Option<Spanned<String>>,
    /// `forbidden_prefixes`
    pub forbidden_prefixes: Vec<Spanned<String>>,
    /// `forbidden_suffixes`
    pub forbidden_suffixes: Vec<Spanned<String>>,
    /// `required_config`: settings every topic must have.
    pub required_config: Vec<Spanned<String>>,
}

/// `rules.models`.
#[derive(Clone, Debug, Default)]
pub struct ModelRules {
    /// `require_description`
    pub require_description: Option<Spanned<bool>>,
    /// `require_owner`
    pub require_owner: Option<Spanned<bool>>,
    /// `require_tests`
    pub require_tests: Option<Spanned<bool>>,
    /// `max_dependencies`
    pub max_dependencies: Option<Spanned<u64>>,
    /// `min_description_length`, in characters.
    pub min_description_length: Option<Spanned<u64>>,
    /// `min_tests`
    pub min_tests: Option<Spanned<u64>>,
    /// `max_sql_length`, in characters of the rendered query.
    pub max_sql_length: Option<Spanned<u64>>,
    /// `required_tags`
    pub required_tags: Vec<Spanned<String>>,
    /// `allowed_tags`; `None`: any.
    pub allowed_tags: Option<Vec<Spanned<String>>>,
}

/// `rules.sources`.
#[derive(Clone, Debug, Default)]
pub struct SourceRules {
    /// `require_schema`: a schema or declared columns.
    pub require_schema: Option<Spanned<bool>>,
    /// `require_freshness`
    pub require_freshness: Option<Spanned<bool>>,
    /// `require_description`
    pub require_description: Option<Spanned<bool>>,
    /// `require_owner`
    pub require_owner: Option<Spanned<bool>>,
    /// `require_columns`
    pub require_columns: Option<Spanned<bool>>,
}

/// `rules.security`.
#[derive(Clone, Debug, Default)]
pub struct SecurityRules {
    /// `require_classification` of every source column.
    pub require_classification: Option<Spanned<bool>>,
    /// `sensitive_columns_require_masking` in some model.
    pub sensitive_columns_require_masking: Option<Spanned<bool>>,
    /// `allowed_classifications`; `None`: any.
    pub allowed_classifications: Option<Vec<Spanned<Classification>>>,
}

/// `rules.exposures`.
#[derive(Clone, Debug, Default)]
pub struct ExposureRules {
    /// `require_description`
    pub require_description: Option<Spanned<bool>>,
    /// `require_owner`
    pub require_owner: Option<Spanned<bool>>,
    /// `require_sla`
    pub require_sla: Option<Spanned<bool>>,
}

/// `rules.tests`.
#[derive(Clone, Debug, Default)]
pub struct DataTestRules {
    /// `require_schema_tests`: one for every model.
    pub require_schema_tests: Option<Spanned<bool>>,
    /// `min_assertions_per_test`
    pub min_assertions_per_test: Option<Spanned<u64>>,
}
