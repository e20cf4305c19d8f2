//! ARRAY, MAP and ROW. Indices count from 1.

#![expect(clippy::unnecessary_wraps, reason = "functions of one table have one shape")]

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, ListArray, MapArray, StructArray, UInt32Array,
    make_comparator,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{SortOptions, cast, take};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ReturnFieldArgs;

use super::builtin::{Definition, define, returns};
use super::call::Call;
use super::java_text::write_value;
use super::types::{common_type, flink_type_name};

/// `a[i]` and `m[k]`.
pub(super) const ITEM: &str = "$ITEM";
/// `ARRAY[…]`.
pub(super) const ARRAY: &str = "$ARRAY";
/// `MAP[…]`.
pub(crate) const MAP: &str = "$MAP";
/// `ROW(…)`.
pub(crate) const ROW: &str = "$ROW";

pub(super) const DEFINITIONS: &[Definition] = &[
    define(ITEM, "XI MA", item_type, item),
    define(ARRAY, "=*", |args| Ok(list_of(returns::first(args)?)), array),
    define(MAP, "A*", map_type, map),
    define(ROW, "A*", row_type, row),
    define("CARDINALITY", "X M", returns::int, cardinality),
    define("ELEMENT", "X", item_type, element),
    define("ARRAY_CONTAINS", "XA", needle_type, |call| {
        let (array, needles) = (call.array(0)?, call.array(1)?);
        call.booleans(|row| Ok(position(&array, &needles, row)?.map(|place| place > 0)))
    }),
    define(
        "ARRAY_POSITION",
        "XA",
        |args| needle_type(args).map(|_| DataType::Int32),
        |call| {
            let (array, needles) = (call.array(0)?, call.array(1)?);
            call.ints(
                |row| if needles.is_null(row) { Ok(None) } else { position(&array, &needles, row) },
            )
        },
    ),
    define("ARRAY_REVERSE", "X", returns::first, reverse),
    define("ARRAY_JOIN", "XS XSS", returns::text, join),
    define("MAP_KEYS", "M", |args| part_type(args, 0), |call| part(call, 0)),
    define("MAP_VALUES", "M", |args| part_type(args, 1), |call| part(call, 1)),
];

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

fn map_field(map: &DataType, index: usize) -> Option<DataType> {
    let DataType::Map(entries, _) = map else { return None };
    let DataType::Struct(fields) = entries.data_type() else { return None };
    fields.get(index).map(|field| field.data_type().clone())
}

fn item_type(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
    let collection = returns::first(args)?;
    if let DataType::List(item) = &collection {
        return Ok(item.data_type().clone());
    }
    match (map_field(&collection, 0), map_field(&collection, 1)) {
        (Some(key), Some(value)) if key == returns::second(args)? => Ok(value),
        (Some(key), _) => plan_err!("the keys of the map are {}", flink_type_name(&key)),
        _ => plan_err!("{} has no items", flink_type_name(&collection)),
    }
}

/// BOOLEAN, if the second argument can be an item of the first.
fn needle_type(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
    let (list, needle) = (returns::first(args)?, returns::second(args)?);
    match &list {
        DataType::List(item) if needle == *item.data_type() || needle.is_null() => {
            Ok(DataType::Boolean)
        }
        _ => plan_err!("{} has no items of {}", flink_type_name(&list), flink_type_name(&needle)),
    }
}

fn part_type(args: &ReturnFieldArgs<'_>, index: usize) -> Result<DataType> {
    let map = returns::first(args)?;
    map_field(&map, index).map_or_else(|| plan_err!("{map} is no map"), |item| Ok(list_of(item)))
}

fn row_type(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
    let field = |(index, field): (usize, &arrow::datatypes::FieldRef)| {
        Field::new(format!("EXPR${index}"), field.data_type().clone(), true)
    };
    Ok(DataType::Struct(args.arg_fields.iter().enumerate().map(field).collect::<Fields>()))
}

fn item(call: &Call<'_>) -> Result<ArrayRef> {
    let collection = call.array(0)?;
    if let DataType::Map(_, _) = collection.data_type() {
        return lookup(call, &collection);
    }
    let lists = collection.as_list::<i32>();
    let indices = call.argument(1)?;
    let indices = indices.ints()?;
    let chosen: UInt32Array = (0..call.rows)
        .map(|row| {
            let index = usize::try_from(indices.get(row)?).ok()?.checked_sub(1)?;
            let place = usize::try_from(lists.value_offsets()[row]).ok()?;
            let is_inside = lists.is_valid(row) && index < lists.value(row).len();
            is_inside.then(|| u32::try_from(place + index).ok())?
        })
        .collect();
    Ok(take(lists.values(), &chosen, None)?)
}

fn lookup(call: &Call<'_>, collection: &ArrayRef) -> Result<ArrayRef> {
    let maps = collection.as_map();
    let needles = call.array(1)?;
    let compare = make_comparator(maps.keys(), &needles, SortOptions::default())?;
    let chosen: UInt32Array = (0..call.rows)
        .map(|row| {
            if maps.is_null(row) || needles.is_null(row) {
                return None;
            }
            let start = usize::try_from(maps.value_offsets()[row]).ok()?;
            let end = usize::try_from(maps.value_offsets()[row + 1]).ok()?;
            let found = (start..end).find(|place| compare(*place, row).is_eq())?;
            u32::try_from(found).ok()
        })
        .collect();
    Ok(take(maps.values(), &chosen, None)?)
}

fn array(call: &Call<'_>) -> Result<ArrayRef> {
    let DataType::List(field) = call.return_type else {
        return exec_err!("an array must be one");
    };
    let width = call.argument_count();
    let columns = (0..width).map(|index| call.array(index)).collect::<Result<Vec<_>>>()?;
    let columns: Vec<_> =
        columns.iter().map(|column| cast(column, field.data_type())).collect::<Result<_, _>>()?;
    let parts: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
    let places: Vec<(usize, usize)> =
        (0..call.rows).flat_map(|row| (0..width).map(move |column| (column, row))).collect();
    let items = arrow::compute::interleave(&parts, &places)?;
    let offsets = OffsetBuffer::from_repeated_length(width, call.rows);
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, items, None)?))
}

fn map_type(args: &ReturnFieldArgs<'_>) -> Result<DataType> {
    let types: Vec<&DataType> = args.arg_fields.iter().map(|field| field.data_type()).collect();
    if types.is_empty() || types.len() % 2 == 1 {
        return plan_err!("`MAP` takes keys and values in turn");
    }
    let common = |types: Vec<DataType>, what: &str| match common_type(&types) {
        Some(common) if !common.is_null() => Ok(common),
        _ => plan_err!("the {what} of `MAP` have no common type"),
    };
    let every_second =
        |from: usize| types.iter().skip(from).step_by(2).map(|one| (*one).clone()).collect();
    let (key, value) = (common(every_second(0), "keys")?, common(every_second(1), "values")?);
    let entries =
        Fields::from(vec![Field::new("keys", key, false), Field::new("values", value, true)]);
    let entries = Field::new("entries", DataType::Struct(entries), false);
    Ok(DataType::Map(Arc::new(entries), false))
}

/// Of equal keys the last one counts; a key must not be NULL.
fn map(call: &Call<'_>) -> Result<ArrayRef> {
    let DataType::Map(entries, _) = call.return_type else {
        return exec_err!("a map must be one");
    };
    let DataType::Struct(fields) = entries.data_type() else {
        return exec_err!("a map has entries");
    };
    let columns = |from: usize, data_type: &DataType| {
        (from..call.argument_count())
            .step_by(2)
            .map(|index| Ok(cast(&call.array(index)?, data_type)?))
            .collect::<Result<Vec<ArrayRef>>>()
    };
    let (keys, values) = (columns(0, fields[0].data_type())?, columns(1, fields[1].data_type())?);
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(keys.len() * call.rows);
    let mut lengths = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let before = places.len();
        for (index, column) in keys.iter().enumerate() {
            if column.is_null(row) {
                return exec_err!("a key of `MAP` is NULL");
            }
            let mut is_again = false;
            for later in &keys[index + 1..] {
                let compare = make_comparator(column, later, SortOptions::default())?;
                is_again |= later.is_valid(row) && compare(row, row).is_eq();
            }
            if !is_again {
                places.push((index, row));
            }
        }
        lengths.push(places.len() - before);
    }
    let gathered = |columns: &[ArrayRef]| {
        let parts: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
        arrow::compute::interleave(&parts, &places)
    };
    let items =
        StructArray::try_new(fields.clone(), vec![gathered(&keys)?, gathered(&values)?], None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, items, None, false)?))
}

fn row(call: &Call<'_>) -> Result<ArrayRef> {
    let DataType::Struct(fields) = call.return_type else {
        return exec_err!("a row must be one");
    };
    let columns = (0..call.argument_count()).map(|i| call.array(i)).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new(fields.clone(), columns, None)?))
}

fn lengths(array: &ArrayRef) -> (Vec<i32>, Option<NullBuffer>) {
    let offsets = match array.data_type() {
        DataType::Map(_, _) => array.as_map().value_offsets(),
        _ => array.as_list::<i32>().value_offsets(),
    };
    (offsets.windows(2).map(|pair| pair[1] - pair[0]).collect(), array.nulls().cloned())
}

fn cardinality(call: &Call<'_>) -> Result<ArrayRef> {
    let (lengths, nulls) = lengths(&call.array(0)?);
    Ok(Arc::new(Int32Array::try_new(lengths.into(), nulls)?))
}

/// The only item; NULL of an empty array.
fn element(call: &Call<'_>) -> Result<ArrayRef> {
    let array = call.array(0)?;
    let lists = array.as_list::<i32>();
    let mut chosen: Vec<Option<u32>> = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let length = if lists.is_null(row) { 0 } else { lists.value(row).len() };
        match length {
            0 => chosen.push(None),
            1 => chosen.push(u32::try_from(lists.value_offsets()[row]).ok()),
            other => return exec_err!("`ELEMENT` was given an array of {other} items"),
        }
    }
    Ok(take(lists.values(), &UInt32Array::from(chosen), None)?)
}

/// Where the needle is, from 1, or 0; a NULL needle is found by a NULL item.
fn position(array: &ArrayRef, needles: &ArrayRef, row: usize) -> Result<Option<i32>> {
    let lists = array.as_list::<i32>();
    if lists.is_null(row) {
        return Ok(None);
    }
    let items = lists.value(row);
    let needle = cast(&needles.slice(row, 1), items.data_type())?;
    let compare = make_comparator(&items, &needle, SortOptions::default())?;
    let found = (0..items.len()).find(|index| {
        items.is_null(*index) == needle.is_null(0)
            && (needle.is_null(0) || compare(*index, 0).is_eq())
    });
    Ok(Some(found.map_or(0, |index| i32::try_from(index + 1).unwrap_or(i32::MAX))))
}

fn reverse(call: &Call<'_>) -> Result<ArrayRef> {
    let array = call.array(0)?;
    let lists = array.as_list::<i32>();
    let DataType::List(field) = array.data_type() else { return Ok(array) };
    let mut order: Vec<u32> = Vec::with_capacity(lists.values().len());
    for row in 0..lists.len() {
        let (start, end) = (lists.value_offsets()[row], lists.value_offsets()[row + 1]);
        order.extend((start..end).rev().filter_map(|place| u32::try_from(place).ok()));
    }
    let items = take(lists.values(), &UInt32Array::from(order), None)?;
    // The items were taken in the order of the rows, so that the offsets start at 0 again.
    let lengths = lists
        .value_offsets()
        .windows(2)
        .map(|pair| usize::try_from(pair[1] - pair[0]).unwrap_or(0));
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, items, lists.nulls().cloned())?))
}

/// NULL items are left out, or written as the third argument.
fn join(call: &Call<'_>) -> Result<ArrayRef> {
    let array = call.array(0)?;
    let lists = array.as_list::<i32>();
    let separators = call.argument(1)?;
    let separators = separators.texts()?;
    let fillers = if call.argument_count() > 2 { Some(call.argument(2)?) } else { None };
    let fillers = fillers.as_ref().map(super::call::Argument::texts).transpose()?;
    call.write_texts(|row, out| {
        let Some(separator) = separators.get(row).filter(|_| lists.is_valid(row)) else {
            return Ok(None);
        };
        let filler = fillers.as_ref().and_then(|fillers| fillers.get(row));
        let items = lists.value(row);
        let mut is_first = true;
        for index in (0..items.len()).filter(|i| items.is_valid(*i) || filler.is_some()) {
            if !is_first {
                out.push_str(separator);
            }
            is_first = false;
            match filler.filter(|_| items.is_null(index)) {
                Some(filler) => out.push_str(filler),
                None => write_value(out, items.as_ref(), index)?,
            }
        }
        Ok(Some(()))
    })
}

fn part(call: &Call<'_>, index: usize) -> Result<ArrayRef> {
    let array = call.array(0)?;
    let maps = array.as_map();
    let DataType::List(field) = call.return_type else {
        return exec_err!("the parts of a map are arrays");
    };
    let items = Arc::clone(maps.entries().column(index));
    let offsets = maps.offsets().clone();
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), offsets, items, maps.nulls().cloned())?))
}
