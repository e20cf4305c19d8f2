//! `rules:`.

use crate::lower::source::CLASSIFICATIONS;
use crate::place::Spanned;
use crate::project::rules::{
    DataTestRules, ExposureRules, ModelRules, Rules, SecurityRules, SourceRules, TopicRules,
};
use crate::project::source::Classification;
use crate::read::{Fields, Reader};

/// The whole block.
pub(crate) fn rules(reader: &mut Reader<'_>, mut fields: Fields<'_>) -> Rules {
    let rules = Rules {
        topics: topics(reader, &mut fields).unwrap_or_default(),
        models: models(reader, &mut fields).unwrap_or_default(),
        sources: sources(reader, &mut fields).unwrap_or_default(),
        security: security(reader, &mut fields).unwrap_or_default(),
        exposures: exposures(reader, &mut fields).unwrap_or_default(),
        data_tests: data_tests(reader, &mut fields).unwrap_or_default(),
    };
    fields.finish(reader);
    rules
}

fn topics(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<TopicRules> {
    let mut section = fields.section(reader, "topics", "topic rules")?;
    let pattern = section.take(reader, "naming_pattern");
    let naming_pattern = section.string(reader, "naming_pattern").filter(|text| {
        let is_valid = regex::Regex::new(text).is_ok();
        if let Some(found) = pattern.filter(|_| !is_valid) {
            reader.invalid("naming_pattern", found.node, "a regular expression");
        }
        is_valid
    });
    let rules = TopicRules {
        min_partitions: section.integer(reader, "min_partitions"),
        max_partitions: section.integer(reader, "max_partitions"),
        min_replication_factor: section.integer(reader, "min_replication_factor"),
        max_replication_factor: section.integer(reader, "max_replication_factor"),
        naming_pattern,
        forbidden_prefixes: section.strings(reader, "forbidden_prefixes"),
        forbidden_suffixes: section.strings(reader, "forbidden_suffixes"),
        required_config: section.strings(reader, "required_config"),
    };
    section.finish(reader);
    Some(rules)
}

fn models(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<ModelRules> {
    let mut section = fields.section(reader, "models", "model rules")?;
    let rules = ModelRules {
        require_description: section.boolean(reader, "require_description"),
        require_owner: section.boolean(reader, "require_owner"),
        require_tests: section.boolean(reader, "require_tests"),
        max_dependencies: section.integer(reader, "max_dependencies"),
        min_description_length: section.integer(reader, "min_description_length"),
        min_tests: section.integer(reader, "min_tests"),
        max_sql_length: section.integer(reader, "max_sql_length"),
        required_tags: section.strings(reader, "required_tags"),
        allowed_tags: given_strings(reader, &mut section, "allowed_tags"),
    };
    section.finish(reader);
    Some(rules)
}

fn sources(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<SourceRules> {
    let mut section = fields.section(reader, "sources", "source rules")?;
    let rules = SourceRules {
        require_schema: section.boolean(reader, "require_schema"),
        require_freshness: section.boolean(reader, "require_freshness"),
        require_description: section.boolean(reader, "require_description"),
        require_owner: section.boolean(reader, "require_owner"),
        require_columns: section.boolean(reader, "require_columns"),
    };
    section.finish(reader);
    Some(rules)
}

fn security(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<SecurityRules> {
    let mut section = fields.section(reader, "security", "security rules")?;
    let allowed = given_strings(reader, &mut section, "allowed_classifications");
    let rules = SecurityRules {
        require_classification: section.boolean(reader, "require_classification"),
        sensitive_columns_require_masking: section
            .boolean(reader, "sensitive_columns_require_masking"),
        allowed_classifications: allowed.map(|words| classifications(&words)),
    };
    section.finish(reader);
    Some(rules)
}

/// Words that are no classification allow nothing, since no column can have one.
fn classifications(words: &[Spanned<String>]) -> Vec<Spanned<Classification>> {
    words
        .iter()
        .filter_map(|word| {
            let known = CLASSIFICATIONS.iter().find(|(known, _)| *known == word.value)?;
            Some(Spanned::new(known.1, word.place.clone()))
        })
        .collect()
}

fn exposures(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<ExposureRules> {
    let mut section = fields.section(reader, "exposures", "exposure rules")?;
    let rules = ExposureRules {
        require_description: section.boolean(reader, "require_description"),
        require_owner: section.boolean(reader, "require_owner"),
        require_sla: section.boolean(reader, "require_sla"),
    };
    section.finish(reader);
    Some(rules)
}

fn data_tests(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<DataTestRules> {
    let mut section = fields.section(reader, "tests", "test rules")?;
    let rules = DataTestRules {
        require_schema_tests: section.boolean(reader, "require_schema_tests"),
        min_assertions_per_test: section.integer(reader, "min_assertions_per_test"),
    };
    section.finish(reader);
    Some(rules)
}

/// A list; `None` if the key is not there, which is not the same as an empty list.
fn given_strings(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    key: &'static str,
) -> Option<Vec<Spanned<String>>> {
    let found = fields.take(reader, key)?;
    Some(reader.strings(found.key, found.node))
}
