//! Types of columns that declare none, from how models use them.
//!
//! An argument of TUMBLE or of FOR SYSTEM_TIME AS OF is a TIMESTAMP_LTZ(3); of AVG, SUM, arithmetic
//! or a comparison with a number a DOUBLE; a condition a BOOLEAN; a column compared with one of
//! known type has that type; all others are STRING. Two uses that exclude each other are a mistake.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use catalog::place::Place;
use catalog::project::source::Source;
use catalog::schema::{flink_type_name, timestamp};

use super::facts::{Fact, FactKind};
use crate::diagnostic::{NameMistake, PlanDiagnostic};
use crate::sql::scope::{ColumnId, Findings, Kind, SameType, Use};

/// A source column's type, and what it follows from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TypedColumn {
    pub(crate) data_type: DataType,
    pub(crate) is_nullable: bool,
}

/// Types of all columns, by source and column.
#[derive(Debug, Default)]
pub(crate) struct Types {
    pub(crate) columns: Vec<Vec<TypedColumn>>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) mistakes: Vec<PlanDiagnostic>,
}

#[derive(Debug, Clone)]
struct Reason {
    kind: Kind,
    data_type: DataType,
    text: String,
    place: Place,
}

/// Decides the type of every column of `sources` from what all models show.
pub(crate) fn infer(sources: &[Source], findings: &[&Findings]) -> Types {
    let mut types = Types::default();
    let declared_times = sources.iter().enumerate().filter_map(|(index, source)| {
        let column = source.event_time.column.as_ref()?;
        let position = source.columns.iter().position(|c| c.name.value == column.value)?;
        Some(Use {
            column: ColumnId { source: index, column: position },
            kind: Kind::Time,
            reason: "event_time".to_owned(),
            place: column.place.clone(),
        })
    });
    let uses: Vec<Use> = declared_times
        .chain(findings.iter().flat_map(|finding| finding.uses.iter().cloned()))
        .filter(|found| is_undeclared(sources, found.column))
        .collect();
    let mut reasons = from_uses(sources, &uses, &mut types.mistakes);
    let edges: Vec<&SameType> = findings.iter().flat_map(|found| &found.same_types).collect();
    spread(sources, &edges, &mut reasons);
    for (index, source) in sources.iter().enumerate() {
        let mut columns = Vec::with_capacity(source.columns.len());
        for (position, column) in source.columns.iter().enumerate() {
            let id = ColumnId { source: index, column: position };
            let is_nullable = column.is_nullable;
            if let Some(declared) = &column.data_type {
                columns.push(TypedColumn { data_type: declared.value.clone(), is_nullable });
                continue;
            }
            let (data_type, reason, place) = match reasons.remove(&id) {
                Some(reason) => (reason.data_type, reason.text, reason.place),
                None => {
                    (DataType::Utf8, "no use says otherwise".to_owned(), column.name.place.clone())
                }
            };
            types.facts.push(Fact {
                subject: qualified(source, position),
                kind: FactKind::ColumnType,
                value: flink_type_name(&data_type),
                reason,
                place,
            });
            columns.push(TypedColumn { data_type, is_nullable });
        }
        types.columns.push(columns);
    }
    types
}

fn from_uses(
    sources: &[Source],
    uses: &[Use],
    mistakes: &mut Vec<PlanDiagnostic>,
) -> BTreeMap<ColumnId, Reason> {
    let mut reasons: BTreeMap<ColumnId, Reason> = BTreeMap::new();
    let mut conflicting = Vec::new();
    for found in uses {
        let new = Reason {
            kind: found.kind,
            data_type: type_of(found.kind),
            text: found.reason.clone(),
            place: found.place.clone(),
        };
        let Some(old) = reasons.get_mut(&found.column) else {
            reasons.insert(found.column, new);
            continue;
        };
        match (old.kind, new.kind) {
            // A quoted literal is read as a time next to a time.
            (Kind::Literal, Kind::Time | Kind::Text) => *old = new,
            (Kind::Time | Kind::Text, Kind::Literal) => {}
            (before, after) if before == after => {}
            _ if conflicting.contains(&found.column) => {}
            _ => {
                conflicting.push(found.column);
                mistakes.push(conflict(sources, found, old).into());
            }
        }
    }
    reasons
}

fn conflict(sources: &[Source], found: &Use, before: &Reason) -> NameMistake {
    let column = sources
        .get(found.column.source)
        .map_or_else(String::new, |source| qualified(source, found.column.column));
    let (first, second) =
        (flink_type_name(&before.data_type), flink_type_name(&type_of(found.kind)));
    NameMistake::ConflictingUses {
        column,
        at: (found.place.clone(), format!("{second} because of {}", found.reason)),
        before: (before.place.clone(), format!("{first} because of {}", before.text)),
        first,
        second,
    }
}

/// Columns that are compared have one type; what is known spreads to what is not.
fn spread(sources: &[Source], edges: &[&SameType], reasons: &mut BTreeMap<ColumnId, Reason>) {
    loop {
        let mut has_changed = false;
        for edge in edges {
            for (known, unknown) in [(edge.left, edge.right), (edge.right, edge.left)] {
                if !is_undeclared(sources, unknown) || reasons.contains_key(&unknown) {
                    continue;
                }
                let declared = sources
                    .get(known.source)
                    .and_then(|source| source.columns.get(known.column))
                    .and_then(|column| column.data_type.as_ref())
                    .map(|declared| declared.value.clone());
                let found = reasons.get(&known).map(|reason| reason.data_type.clone());
                let Some(data_type) = declared.or(found) else { continue };
                let name = sources
                    .get(known.source)
                    .map_or_else(String::new, |source| qualified(source, known.column));
                let text = format!("comparison with `{name}`");
                let place = edge.place.clone();
                let kind = Kind::Text;
                reasons.insert(unknown, Reason { kind, data_type, text, place });
                has_changed = true;
            }
        }
        if !has_changed {
            return;
        }
    }
}

fn is_undeclared(sources: &[Source], id: ColumnId) -> bool {
    sources
        .get(id.source)
        .and_then(|source| source.columns.get(id.column))
        .is_some_and(|column| column.data_type.is_none())
}

fn type_of(kind: Kind) -> DataType {
    match kind {
        Kind::Time => timestamp(3, true),
        Kind::Number => DataType::Float64,
        Kind::Boolean => DataType::Boolean,
        Kind::Text | Kind::Literal => DataType::Utf8,
    }
}

/// `source.column`.
pub(super) fn qualified(source: &Source, column: usize) -> String {
    let name = source.columns.get(column).map_or("", |column| column.name.value.as_str());
    format!("{}.{name}", source.name.value)
}
