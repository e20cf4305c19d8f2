//! The assertions of data tests.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnostic::closest;
use crate::diagnostic::demand::DemandMistake;
use crate::lower::Names;
use crate::place::Spanned;
use crate::project::data_test::{Assertion, Bucket};
use crate::read::{Fields, Found, Reader};
use crate::yaml::{Data, Node};

/// Every assertion's name.
const NAMES: [&str; 12] = [
    "not_null",
    "accepted_values",
    "accepted_types",
    "range",
    "unique_key",
    "foreign_key",
    "max_lag",
    "throughput",
    "distribution",
    "custom_sql",
    "positive",
    "freshness",
];

/// One element of `assertions:`, a mapping with one key.
pub(super) fn assertion(
    reader: &mut Reader<'_>,
    node: &Node,
    names: &Names,
) -> Option<Spanned<Assertion>> {
    let entry = match &node.data {
        Data::Mapping(entries) if entries.len() == 1 => entries.first(),
        Data::Mapping(_) | Data::Sequence(_) | Data::Scalar(_) => None,
    };
    let Some(found) = entry.map(Found::of) else {
        reader.wrong_shape("assertions", "a list of mappings with one key each", node);
        return None;
    };
    if !NAMES.contains(&found.key) {
        reader.report(DemandMistake::UnknownAssertion {
            name: found.key.to_owned(),
            suggestions: closest(found.key, NAMES),
            at: found.key_place.clone(),
        });
        return None;
    }
    let place = found.key_place.to(&found.node.place);
    let mut fields = Fields::new(reader, found.node, "assertion", format!("`{}`", found.key))?;
    let read = match found.key {
        "not_null" => not_null(reader, &mut fields),
        "accepted_values" => accepted_values(reader, &mut fields),
        "accepted_types" => accepted_types(reader, &mut fields),
        "range" => range(reader, &mut fields),
        "unique_key" => unique_key(reader, &mut fields),
        "foreign_key" => foreign_key(reader, &mut fields, names),
        "max_lag" => max_lag(reader, &mut fields),
        "throughput" => throughput(reader, &mut fields),
        "distribution" => distribution(reader, &mut fields),
        "custom_sql" => custom_sql(reader, &mut fields),
        "positive" => positive(reader, &mut fields),
        _ => freshness(reader, &mut fields),
    };
    fields.finish(reader);
    Some(Spanned::new(read?, place))
}

fn not_null(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Assertion> {
    let columns = fields.strings(reader, "columns|column");
    if columns.is_empty() {
        fields.report_missing(reader, "columns");
        return None;
    }
    Some(Assertion::NotNull { columns })
}

fn accepted_values(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Assertion> {
    let column = fields.required(reader, "column");
    let values = fields.strings(reader, "values");
    if values.is_empty() {
        fields.report_missing(reader, "values");
        return None;
    }
    Some(Assertion::AcceptedValues { column: column?, values })
}

/// `{types: {a: int}}` or `{a: int}`.
fn accepted_types(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Assertion> {
    let mut types = fields.settings(reader, "types");
    if types.is_empty() {
        let all = fields.take_all();
        types = all
            .into_iter()
            .filter_map(|found| Some((found.key.to_owned(), reader.string(found.key, found.node)?)))
            .collect::<BTreeMap<_, _>>();
    }
    if types.is_empty() {
        fields.report_missing(reader, "types");
        return None;
    }
    Some(Assertion::AcceptedTypes { types })
}

fn range(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Assertion> {
    let column = fields.required(reader, "column");
    let (min, max) = bounds(reader, fields);
    if min.is_none() && max.is_none() {
        fields.report_missing(reader, "min");
        return None;
    }
    Some(Assertion::Range { column: column?, min, max })
}

fn bounds(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> (Option<f64>, Option<f64>) {
    let min = fields.float(reader, "min").map(|min| min.value);
    let max = fields.float(reader, "max").map(|max| max.value);
    (min, max)
}

fn unique_key(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Assertion> {
    let key = fields.required(reader, "key|column");
    let window = fields.duration(reader, "window").map(|window| window.value);
    let tolerance = share(reader, fields, "tolerance").unwrap_or(0.0);
    Some(Assertion::UniqueKey { key: key?, window, tolerance })
}

fn foreign_key(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    names: &Names,
) -> Option<Assertion> {
    let column = fields.required(reader, "column");
    let model = fields.required(reader, "ref_model").map(|name| names.resolve(name));
    let key = fields.required(reader, "ref_key");
    let window = fields.duration(reader, "window").map(|window| window.value);
    let match_rate = share(reader, fields, "match_rate").unwrap_or(1.0);
    Some(Assertion::ForeignKey { column: column?, model: model?, key: key?, window, match_rate })
}

/// A number from 0 to 1.
fn share(reader: &mut Reader<'_>, fields: &mut Fields<'_>, key: &'static str) -> Option<f64> {
    let found = fields.take(reader, key)?;
    let share = fields.float(reader, key)?;
    if !(0.0..=1.0).contains(&share.value) {
        reader.invalid(key, found.node, "a number from 0 to 1");
        return None;
    }
    Some(share.value)
}

fn max_lag(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Assertion> {
    let column = fields.string(reader, "column");
    let lag = fields.duration(reader, "lag|seconds|max_seconds|max_minutes|max_lag");
    if lag.is_none() {
        fields.report_missing(reader, "seconds");
    }
    Some(Assertion::MaxLag { column, lag: lag?.value })
}

fn throughput(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Assertion> {
    let min_a_minute = fields.float(reader, "min_per_minute").map(|min| min.value);
    let max_a_minute = fields.float(reader, "max_per_minute").map(|max| max.value);
    let min_a_second = fields.float(reader, "min_per_second").map(|min| min.value);
    let max_a_second = fields.float(reader, "max_per_second").map(|max| max.value);
    // The user's unit is also the measuring window; seconds are read as parts of minutes if both
    // units are used.
    let is_minutes = min_a_minute.is_some() || max_a_minute.is_some();
    let (scale, per) =
        if is_minutes { (60.0, Duration::from_mins(1)) } else { (1.0, Duration::from_secs(1)) };
    let min = min_a_minute.or(min_a_second.map(|min| min * scale));
    let max = max_a_minute.or(max_a_second.map(|max| max * scale));
    if min.is_none() && max.is_none() {
        fields.report_missing(reader, "min_per_minute");
        return None;
    }
    Some(Assertion::Throughput { min, max, per })
}

fn distribution(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Assertion> {
    let column = fields.required(reader, "column");
    let buckets = fields
        .sections(reader, "buckets", "bucket")
        .into_iter()
        .map(|mut bucket| {
            let (min, max) = bounds(reader, &mut bucket);
            let expected_ratio = share(reader, &mut bucket, "expected_ratio");
            let max_ratio = share(reader, &mut bucket, "max_ratio");
            let tolerance = share(reader, &mut bucket, "tolerance").unwrap_or(0.0);
            bucket.finish(reader);
            Bucket { min, max, expected_ratio, max_ratio, tolerance }
        })
        .collect();
    Some(Assertion::Distribution { column: column?, buckets })
}

fn custom_sql(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Assertion> {
    let name = fields.text(reader, "name");
    let query = fields.take(reader, "sql");
    let found = query.or_else(|| fields.take(reader, "where"));
    if found.is_none() {
        fields.report_missing(reader, "sql");
    }
    let expect = fields.text(reader, "expect");
    let max_failures = fields.integer::<u64>(reader, "max_failures");
    fields.text(reader, "detail_column");
    // Not expanded: the text is a template of its own.
    let (node, scalar) = found?.raw(reader)?;
    Some(Assertion::CustomSql {
        name,
        sql: Spanned::new(scalar.text.clone(), node.place.clone()),
        is_condition: query.is_none(),
        expect,
        max_failures: max_failures.map_or(0, |max| max.value),
    })
}

fn positive(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Assertion> {
    let column = fields.required(reader, "column");
    let allow_zero = fields.boolean(reader, "allow_zero");
    Some(Assertion::Positive {
        column: column?,
        allow_zero: allow_zero.is_some_and(|allow| allow.value),
    })
}

fn freshness(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Assertion> {
    let column = fields.string(reader, "column");
    let max_age = fields.duration(reader, "max_age|max_age_minutes|max_age_seconds");
    if max_age.is_none() {
        fields.report_missing(reader, "max_age");
    }
    Some(Assertion::Freshness { column, max_age: max_age?.value })
}
