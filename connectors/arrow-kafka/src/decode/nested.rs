//! ARRAY, ROW, MAP and MULTISET: a value is made whole before it joins its column, so that a bad
//! one leaves no trace.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, MapArray, StructArray, new_null_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields};

use super::column::{Column, Token, Wrong};
use super::json::{Entries, Items};
use crate::rejected::{Misfit, Problem};

/// A value of a nested column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// NULL.
    Null,
    /// A scalar as its token's kind and text; its column parses it (again) when it is built.
    Scalar(Scalar),
    /// An ARRAY.
    List(Vec<Value>),
    /// A ROW, fields in the type's order.
    Row(Vec<Value>),
    /// A MAP or MULTISET.
    Map(Vec<(Value, Value)>),
}

/// A scalar that fits its type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Text(String),
    Number(String),
    Bool(bool),
    Nested(String),
    /// Bytes that were never text.
    Raw(Vec<u8>),
}

impl Scalar {
    fn of(token: Token<'_>) -> Option<Self> {
        match token {
            Token::Null => None,
            Token::Text(text) => Some(Self::Text(text.to_owned())),
            Token::Number(text) => Some(Self::Number(text.to_owned())),
            Token::Bool(value) => Some(Self::Bool(value)),
            Token::Nested(text) => Some(Self::Nested(text.to_owned())),
        }
    }

    fn append_to(&self, column: &mut Column) -> Result<(), Misfit> {
        match self {
            Self::Text(text) => column.append(Token::Text(text)),
            Self::Number(text) => column.append(Token::Number(text)),
            Self::Bool(value) => column.append(Token::Bool(*value)),
            Self::Nested(text) => column.append(Token::Nested(text)),
            Self::Raw(bytes) => column.append_bytes(bytes),
        }
    }
}

/// Whether records can be decoded to every type within `data_type`.
pub(super) fn is_supported(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => is_supported(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_supported(field.data_type())),
        DataType::Map(entries, _) => map_fields(entries).is_some_and(|(key, value)| {
            !key.data_type().is_nested()
                && is_supported(key.data_type())
                && is_supported(value.data_type())
        }),
        scalar => Column::new(scalar).is_some(),
    }
}

fn map_fields(entries: &Field) -> Option<(&Arc<Field>, &Arc<Field>)> {
    match entries.data_type() {
        DataType::Struct(fields) => match &fields[..] {
            [key, value] => Some((key, value)),
            _ => None,
        },
        _ => None,
    }
}

/// The value of `token`, checked to the last leaf.
pub(super) fn value(data_type: &DataType, token: Token<'_>) -> Result<Value, Wrong> {
    match (data_type, token) {
        (_, Token::Null) => Ok(Value::Null),
        (DataType::List(item), Token::Nested(json)) => list(item, json),
        (DataType::Struct(fields), Token::Nested(json)) => row(fields, json),
        (DataType::Map(entries, _), Token::Nested(json)) => map(entries, json),
        (DataType::List(_) | DataType::Struct(_) | DataType::Map(..), _) => {
            Err(Problem::WrongType.into())
        }
        (scalar, token) => {
            // The scalar's own column is the judge; what it makes of it is thrown away.
            if let Some(mut column) = Column::new(scalar) {
                column.append(token).map_err(Wrong::Within)?;
            }
            Ok(Scalar::of(token).map_or(Value::Null, Value::Scalar))
        }
    }
}

/// The value of a field, which may forbid NULL.
fn field_value(field: &Field, token: Token<'_>, step: impl Fn() -> String) -> Result<Value, Wrong> {
    let value = value(field.data_type(), token)
        .map_err(|wrong| wrong.into_misfit(field.data_type(), token.text()))
        .map_err(|misfit| Wrong::Within(misfit.within(&step())))?;
    if value == Value::Null && !field.is_nullable() {
        let misfit = Misfit::new(Problem::Null, field.data_type(), "null");
        return Err(Wrong::Within(misfit.within(&step())));
    }
    Ok(value)
}

fn list(item: &Field, json: &str) -> Result<Value, Wrong> {
    let mut items = Items::of(json).ok_or(Problem::WrongType)?;
    let mut values = Vec::new();
    while let Some(token) = items.next_token() {
        let index = values.len();
        values.push(field_value(item, token.as_token(), || format!("[{index}]"))?);
    }
    Ok(Value::List(values))
}

fn row(fields: &Fields, json: &str) -> Result<Value, Wrong> {
    let mut entries = Entries::of(json).ok_or(Problem::WrongType)?;
    let mut values = vec![None; fields.len()];
    while let Some((name, token)) = entries.next_entry() {
        if let Some((index, field)) = fields.find(&name)
            && let Some(slot) = values.get_mut(index)
        {
            // The last of duplicates wins.
            *slot = Some(field_value(field, token.as_token(), || format!(".{}", field.name()))?);
        }
    }
    fields
        .iter()
        .zip(values)
        .map(|(field, value)| match value {
            Some(value) => Ok(value),
            None => field_value(field, Token::Null, || format!(".{}", field.name())),
        })
        .collect::<Result<_, _>>()
        .map(Value::Row)
}

fn map(entries: &Field, json: &str) -> Result<Value, Wrong> {
    let (key_field, value_field) = map_fields(entries).ok_or(Problem::WrongType)?;
    let mut json_entries = Entries::of(json).ok_or(Problem::WrongType)?;
    let mut all: Vec<(Value, Value)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    while let Some((name, token)) = json_entries.next_entry() {
        let step = || format!("[{name:?}]");
        let key = field_value(key_field, Token::Text(&name), step)?;
        let value = field_value(value_field, token.as_token(), step)?;
        match places.get(name.as_str()).and_then(|place| all.get_mut(*place)) {
            Some(earlier) => earlier.1 = value,
            None => {
                places.insert(name.clone(), all.len());
                all.push((key, value));
            }
        }
    }
    Ok(Value::Map(all))
}

/// The array of `values`, which [`value`] made for `data_type`.
pub(super) fn array(data_type: &DataType, values: Vec<Value>) -> ArrayRef {
    let nulls: NullBuffer = values.iter().map(|value| *value != Value::Null).collect();
    match data_type {
        DataType::List(item) => {
            let mut lengths = Vec::with_capacity(values.len());
            let mut items = Vec::new();
            for value in values {
                let list = if let Value::List(list) = value { list } else { Vec::new() };
                lengths.push(list.len());
                items.extend(list);
            }
            let items = array(item.data_type(), items);
            let offsets = OffsetBuffer::from_lengths(lengths);
            Arc::new(ListArray::new(Arc::clone(item), offsets, items, Some(nulls)))
        }
        DataType::Struct(fields) => Arc::new(rows(fields, values, Some(nulls))),
        DataType::Map(entries, is_sorted) => {
            let mut lengths = Vec::with_capacity(values.len());
            let mut flat = Vec::new();
            for value in values {
                let map = if let Value::Map(map) = value { map } else { Vec::new() };
                lengths.push(map.len());
                flat.extend(map.into_iter().map(|(key, value)| Value::Row(vec![key, value])));
            }
            let fields = match entries.data_type() {
                DataType::Struct(fields) => fields.clone(),
                _ => Fields::empty(),
            };
            let flat = rows(&fields, flat, None);
            let offsets = OffsetBuffer::from_lengths(lengths);
            Arc::new(MapArray::new(Arc::clone(entries), offsets, flat, Some(nulls), *is_sorted))
        }
        scalar => scalars(scalar, &values),
    }
}

fn rows(fields: &Fields, values: Vec<Value>, nulls: Option<NullBuffer>) -> StructArray {
    let count = values.len();
    let mut columns: Vec<Vec<Value>> = fields.iter().map(|_| Vec::with_capacity(count)).collect();
    for value in values {
        let mut row =
            if let Value::Row(row) = value { row.into_iter() } else { vec![].into_iter() };
        for column in &mut columns {
            column.push(row.next().unwrap_or(Value::Null));
        }
    }
    if fields.is_empty() {
        return StructArray::new_empty_fields(count, nulls);
    }
    let arrays = fields
        .iter()
        .zip(columns)
        .map(|(field, values)| {
            let array = array(field.data_type(), values);
            // A NULL row has NULL fields, which a field that forbids NULL may not show.
            if field.is_nullable() { array } else { without_nulls(&array) }
        })
        .collect();
    StructArray::new(fields.clone(), arrays, nulls)
}

/// The same values with whatever stands below the NULLs in their place: the row above hides them.
fn without_nulls(array: &ArrayRef) -> ArrayRef {
    if array.null_count() == 0 {
        return Arc::clone(array);
    }
    let data = array.to_data().into_builder().nulls(None).build();
    data.map_or_else(|_| Arc::clone(array), arrow::array::make_array)
}

fn scalars(data_type: &DataType, values: &[Value]) -> ArrayRef {
    let Some(mut column) = Column::new(data_type) else {
        return new_null_array(data_type, values.len());
    };
    for value in values {
        let appended = match value {
            Value::Scalar(scalar) => scalar.append_to(&mut column),
            Value::Null | Value::List(_) | Value::Row(_) | Value::Map(_) => {
                column.append_null();
                Ok(())
            }
        };
        assert!(appended.is_ok(), "a value was checked when it was made");
    }
    column.finish()
}

/// Headers as MAP<STRING, BYTES>; of equal names the last wins.
pub(super) fn headers(headers: crate::Headers<'_>) -> Option<Value> {
    let mut all: Vec<(Value, Value)> = Vec::new();
    for (name, value) in headers.iter() {
        let key = Value::Scalar(Scalar::Text(std::str::from_utf8(name).ok()?.to_owned()));
        let value = value.map_or(Value::Null, |value| Value::Scalar(Scalar::Raw(value.to_vec())));
        match all.iter_mut().find(|(earlier, _)| *earlier == key) {
            Some(earlier) => earlier.1 = value,
            None => all.push((key, value)),
        }
    }
    Some(Value::Map(all))
}

/// Whether `data_type` is MAP<STRING, BYTES>.
pub(super) fn is_headers(data_type: &DataType) -> bool {
    match data_type {
        DataType::Map(entries, _) => map_fields(entries).is_some_and(|(key, value)| {
            *key.data_type() == DataType::Utf8
                && *value.data_type() == DataType::Binary
                && value.is_nullable()
        }),
        _ => false,
    }
}
