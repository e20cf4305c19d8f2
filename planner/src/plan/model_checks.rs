//! What a model declares, held against what its query gives.

use arrow::datatypes::SchemaRef;
use catalog::diagnostic::closest;
use catalog::project::model::{Model, TimestampFormat};
use catalog::schema::flink_type_name;

use crate::diagnostic::{NameMistake, PlanDiagnostic, StreamMistake};

/// `key:` and `columns:` against the columns of the query.
pub(super) fn check(model: &Model, schema: &SchemaRef) -> Vec<PlanDiagnostic> {
    let mut mistakes: Vec<PlanDiagnostic> = Vec::new();
    if model.format.timestamp == TimestampFormat::EpochMillis {
        let at = model.name.place.clone();
        mistakes.push(StreamMistake::not_supported("`format.timestamp: epoch_millis`", at).into());
    }
    let field = |name: &str| schema.fields().iter().find(|field| field.name() == name);
    if let Some(key) = &model.key
        && field(&key.value).is_none()
    {
        let names = schema.fields().iter().map(|field| field.name().as_str());
        mistakes.push(
            NameMistake::UnknownKey {
                model: model.name.value.clone(),
                key: key.value.clone(),
                suggestions: closest(&key.value, names),
                at: key.place.clone(),
            }
            .into(),
        );
    }
    for column in &model.columns {
        let declared = column.data_type.as_ref();
        let given = field(&column.name.value);
        let is_same = match (declared, given) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(declared), Some(given)) => declared.value == *given.data_type(),
        };
        if is_same {
            continue;
        }
        let place = declared.map_or(&column.name.place, |declared| &declared.place);
        mistakes.push(
            NameMistake::DeclaredColumn {
                model: model.name.value.clone(),
                column: column.name.value.clone(),
                declared: declared
                    .map_or_else(String::new, |declared| flink_type_name(&declared.value)),
                given: given.map_or_else(
                    || "no such column".to_owned(),
                    |field| flink_type_name(field.data_type()),
                ),
                at: place.clone(),
            }
            .into(),
        );
    }
    mistakes
}
