//! String functions. Positions count characters (code points) from 1.

#![expect(clippy::unnecessary_wraps, reason = "functions of one table have one shape")]

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, MapBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ReturnFieldArgs;

use super::builtin::{Definition, define, returns};
use super::call::Call;

/// What `||` is called on texts.
pub(super) const CONCATENATE: &str = "$CONCATENATE";

/// Longest text that `LPAD`, `RPAD` and `REPEAT` make: a typing error must not eat the memory.
const TEXT_BYTES_MAX: usize = 1 << 24;

pub(super) const DEFINITIONS: &[Definition] = &[
    define("UPPER", "S", returns::text, |call| {
        rewrite(call, |s, out| {
            out.extend(s.chars().flat_map(char::to_uppercase));
        })
    }),
    define("LOWER", "S", returns::text, |call| {
        rewrite(call, |s, out| {
            out.push_str(&s.to_lowercase());
        })
    }),
    define("REVERSE", "S", returns::text, |call| {
        rewrite(call, |s, out| {
            out.extend(s.chars().rev());
        })
    }),
    define("INITCAP", "S", returns::text, |call| rewrite(call, capitalise)),
    define("TRIM", "S SS", returns::text, |call| trim(call, true, true)),
    define("BTRIM", "S SS", returns::text, |call| trim(call, true, true)),
    define("LTRIM", "S SS", returns::text, |call| trim(call, true, false)),
    define("RTRIM", "S SS", returns::text, |call| trim(call, false, true)),
    define("SUBSTRING", "SI SII", returns::text, substring),
    define("SUBSTR", "SI SII", returns::text, substring),
    define("LEFT", "SI", returns::text, |call| end(call, true)),
    define("RIGHT", "SI", returns::text, |call| end(call, false)),
    define("CONCAT", "S*", returns::text, concat),
    define(CONCATENATE, "SS", returns::text, concat),
    define("CONCAT_WS", "SS*", returns::text, concat_with_separator),
    define("CHAR_LENGTH", "S", returns::int, char_length),
    define("CHARACTER_LENGTH", "S", returns::int, char_length),
    define("POSITION", "SS", returns::int, |call| locate(call, 0, 1)),
    define("LOCATE", "SS SSI", returns::int, |call| locate(call, 0, 1)),
    define("INSTR", "SS SSI SSII", returns::int, instr),
    define("REPLACE", "SSS", returns::text, replace),
    define("SPLIT_INDEX", "SSI SII", returns::text, split_index),
    define("SPLIT", "SS", text_list, split),
    define("LPAD", "SIS", returns::text, |call| pad(call, true)),
    define("RPAD", "SIS", returns::text, |call| pad(call, false)),
    define("REPEAT", "SI", returns::text, repeat),
    define("OVERLAY", "SSI SSII", returns::text, overlay),
    define("STARTSWITH", "SS", returns::boolean, |call| test(call, |s, part| s.starts_with(part))),
    define("ENDSWITH", "SS", returns::boolean, |call| test(call, |s, part| s.ends_with(part))),
    define("TRANSLATE", "SSS", returns::text, translate),
    define("STR_TO_MAP", "S SSS", text_map, text_to_map),
    define("ELT", "IS*", returns::text, choose),
    define("IS_ALPHA", "S", returns::boolean, |call| {
        classify(call, |s| s.chars().all(char::is_alphabetic))
    }),
    define("IS_DIGIT", "S", returns::boolean, |call| {
        classify(call, |s| s.chars().all(|c| c.is_ascii_digit()))
    }),
];

fn text_list(_: &ReturnFieldArgs<'_>) -> Result<DataType> {
    Ok(DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))))
}

fn text_map(_: &ReturnFieldArgs<'_>) -> Result<DataType> {
    let fields = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ]);
    Ok(DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields), false)), false))
}

/// One text into one text.
pub(super) fn rewrite(call: &Call<'_>, function: fn(&str, &mut String)) -> Result<ArrayRef> {
    let texts = call.argument(0)?;
    let texts = texts.texts()?;
    call.write_texts(|row, out| Ok(texts.get(row).map(|text| function(text, out))))
}

fn test(call: &Call<'_>, function: fn(&str, &str) -> bool) -> Result<ArrayRef> {
    let (texts, parts) = (call.argument(0)?, call.argument(1)?);
    let (texts, parts) = (texts.texts()?, parts.texts()?);
    call.booleans(|row| Ok(texts.get(row).zip(parts.get(row)).map(|(s, part)| function(s, part))))
}

/// NULL and the empty text are of no class.
fn classify(call: &Call<'_>, function: fn(&str) -> bool) -> Result<ArrayRef> {
    let texts = call.argument(0)?;
    let texts = texts.texts()?;
    call.booleans(|row| Ok(Some(texts.get(row).is_some_and(|s| !s.is_empty() && function(s)))))
}

/// The first letter of each word of ASCII letters and digits upper, the others lower case.
fn capitalise(text: &str, out: &mut String) {
    let mut starts_word = true;
    for character in text.chars() {
        if !character.is_ascii_alphanumeric() {
            starts_word = true;
            out.push(character);
        } else if starts_word {
            starts_word = false;
            out.push(character.to_ascii_uppercase());
        } else {
            out.push(character.to_ascii_lowercase());
        }
    }
}

fn trim(call: &Call<'_>, from_start: bool, from_end: bool) -> Result<ArrayRef> {
    let texts = call.argument(0)?;
    let texts = texts.texts()?;
    let characters = if call.argument_count() > 1 { Some(call.argument(1)?) } else { None };
    let characters = characters.as_ref().map(super::call::Argument::texts).transpose()?;
    call.slices(|row| {
        let text = texts.get(row)?;
        let set = match &characters {
            Some(characters) => characters.get(row)?,
            None => " ",
        };
        let text = if from_start { text.trim_start_matches(|c| set.contains(c)) } else { text };
        Some(if from_end { text.trim_end_matches(|c| set.contains(c)) } else { text })
    })
}

/// The byte position of the character at an index, or the end.
fn byte_of(text: &str, index: usize) -> usize {
    if text.is_ascii() {
        return index.min(text.len());
    }
    text.char_indices().nth(index).map_or(text.len(), |(byte, _)| byte)
}

fn char_count(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// Part of a text in characters; positions behind the end are the end.
fn part(text: &str, start: usize, length: usize) -> &str {
    let rest = text.get(byte_of(text, start)..).unwrap_or_default();
    rest.get(..byte_of(rest, length)).unwrap_or(rest)
}

fn substring(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, starts) = (call.argument(0)?, call.argument(1)?);
    let (texts, starts) = (texts.texts()?, starts.ints()?);
    let lengths = if call.argument_count() > 2 { Some(call.argument(2)?) } else { None };
    let lengths = lengths.as_ref().map(super::call::Argument::ints).transpose()?;
    call.slices(|row| {
        let (text, start) = (texts.get(row)?, i64::from(starts.get(row)?));
        let length = match &lengths {
            Some(lengths) => i64::from(lengths.get(row)?),
            None => i64::from(i32::MAX),
        };
        let length = usize::try_from(length).ok()?;
        if start >= 0 {
            let start = usize::try_from((start - 1).max(0)).ok()?;
            return Some(part(text, start, length));
        }
        let back = usize::try_from(-start).ok()?;
        Some(match char_count(text).checked_sub(back) {
            Some(start) => part(text, start, length),
            None => "",
        })
    })
}

fn end(call: &Call<'_>, is_left: bool) -> Result<ArrayRef> {
    let (texts, counts) = (call.argument(0)?, call.argument(1)?);
    let (texts, counts) = (texts.texts()?, counts.ints()?);
    call.slices(|row| {
        let (text, count) = (texts.get(row)?, counts.get(row)?);
        let count = usize::try_from(count).unwrap_or(0);
        let skipped = if is_left { 0 } else { char_count(text).saturating_sub(count) };
        Some(part(text, skipped, count))
    })
}

fn concat(call: &Call<'_>) -> Result<ArrayRef> {
    let arguments =
        (0..call.argument_count()).map(|i| call.argument(i)).collect::<Result<Vec<_>>>()?;
    let columns = arguments.iter().map(super::call::Argument::texts).collect::<Result<Vec<_>>>()?;
    call.write_texts(|row, out| {
        for column in &columns {
            match column.get(row) {
                Some(text) => out.push_str(text),
                None => return Ok(None),
            }
        }
        Ok(Some(()))
    })
}

/// NULLs are left out; a NULL separator gives NULL.
fn concat_with_separator(call: &Call<'_>) -> Result<ArrayRef> {
    let arguments =
        (0..call.argument_count()).map(|i| call.argument(i)).collect::<Result<Vec<_>>>()?;
    let columns = arguments.iter().map(super::call::Argument::texts).collect::<Result<Vec<_>>>()?;
    let Some((separators, columns)) = columns.split_first() else {
        return exec_err!("`CONCAT_WS` lacks its separator");
    };
    call.write_texts(|row, out| {
        let Some(separator) = separators.get(row) else { return Ok(None) };
        let mut is_first = true;
        for text in columns.iter().filter_map(|column| column.get(row)) {
            if !is_first {
                out.push_str(separator);
            }
            out.push_str(text);
            is_first = false;
        }
        Ok(Some(()))
    })
}

fn as_int(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn char_length(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.argument(0)?;
    let texts = texts.texts()?;
    call.ints(|row| Ok(texts.get(row).map(|text| as_int(char_count(text)))))
}

/// 1-based position in characters of the `byte` in `text`.
fn position_of(text: &str, byte: usize) -> i32 {
    as_int(char_count(text.get(..byte).unwrap_or(text)) + 1)
}

/// The first place at or behind the start; 0 if there is none. The empty text is at 1.
fn locate(call: &Call<'_>, needle: usize, haystack: usize) -> Result<ArrayRef> {
    let (needles, texts) = (call.argument(needle)?, call.argument(haystack)?);
    let (needles, texts) = (needles.texts()?, texts.texts()?);
    let starts = if call.argument_count() > 2 { Some(call.argument(2)?) } else { None };
    let starts = starts.as_ref().map(super::call::Argument::ints).transpose()?;
    call.ints(|row| {
        let Some((needle, text)) = needles.get(row).zip(texts.get(row)) else { return Ok(None) };
        let start = match &starts {
            Some(starts) => match starts.get(row) {
                Some(start) => start,
                None => return Ok(None),
            },
            None => 1,
        };
        if needle.is_empty() {
            return Ok(Some(1));
        }
        let skipped = byte_of(text, usize::try_from(start - 1).unwrap_or(0));
        let found = text.get(skipped..).and_then(|rest| rest.find(needle));
        Ok(Some(found.map_or(0, |byte| position_of(text, skipped + byte))))
    })
}

/// The nth place from a start; a negative start searches backwards.
fn instr(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, needles) = (call.argument(0)?, call.argument(1)?);
    let (texts, needles) = (texts.texts()?, needles.texts()?);
    let numbers =
        (2..call.argument_count()).map(|i| call.argument(i)).collect::<Result<Vec<_>>>()?;
    let numbers = numbers.iter().map(super::call::Argument::ints).collect::<Result<Vec<_>>>()?;
    call.ints(|row| {
        let Some((text, needle)) = texts.get(row).zip(needles.get(row)) else { return Ok(None) };
        let mut given = [1, 1];
        for (slot, column) in given.iter_mut().zip(&numbers) {
            match column.get(row) {
                Some(number) => *slot = number,
                None => return Ok(None),
            }
        }
        let [start, nth] = given;
        Ok(Some(find_nth(text, needle, start, nth)))
    })
}

fn find_nth(text: &str, needle: &str, start: i32, nth: i32) -> i32 {
    if needle.is_empty() {
        return 1;
    }
    let nth = usize::try_from(nth).unwrap_or(0);
    if start == 0 || nth == 0 {
        return 0;
    }
    let mut places: Vec<usize> = Vec::new();
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(needle)) {
        let place = from + found;
        places.push(place);
        from = place + text.get(place..).and_then(|r| r.chars().next()).map_or(1, char::len_utf8);
    }
    let skipped = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX) - 1;
    let found = if start > 0 {
        let first = byte_of(text, skipped);
        places.iter().filter(|place| **place >= first).nth(nth - 1)
    } else {
        let last = char_count(text).saturating_sub(skipped + 1);
        let last = byte_of(text, last);
        places.iter().rev().filter(|place| **place <= last).nth(nth - 1)
    };
    found.map_or(0, |place| position_of(text, *place))
}

fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, from, to) = (call.argument(0)?, call.argument(1)?, call.argument(2)?);
    let (texts, from, to) = (texts.texts()?, from.texts()?, to.texts()?);
    call.write_texts(|row, out| {
        let (Some(text), Some(from), Some(to)) = (texts.get(row), from.get(row), to.get(row))
        else {
            return Ok(None);
        };
        let mut done = 0;
        for (place, found) in text.match_indices(from) {
            out.push_str(text.get(done..place).unwrap_or_default());
            out.push_str(to);
            done = place + found.len();
        }
        out.push_str(text.get(done..).unwrap_or_default());
        Ok(Some(()))
    })
}

/// The part at a 0-based index; NULL out of range, and of the empty text.
fn split_index(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, separators, indices) = (call.argument(0)?, call.argument(1)?, call.argument(2)?);
    let (texts, indices) = (texts.texts()?, indices.ints()?);
    if separators.array.data_type() == &DataType::Int32 {
        let codes = separators.ints()?;
        return call.slices(|row| {
            let index = usize::try_from(indices.get(row)?).ok()?;
            let code = char::from_u32(u32::try_from(codes.get(row)?).ok()?)?;
            texts.get(row).filter(|text| !text.is_empty())?.split(code).nth(index)
        });
    }
    let separators = separators.texts()?;
    call.slices(|row| {
        let (text, separator) = (texts.get(row)?, separators.get(row)?);
        let index = usize::try_from(indices.get(row)?).ok()?;
        if text.is_empty() {
            return None;
        }
        if separator.is_empty() {
            return (index == 0).then_some(text);
        }
        text.split(separator).nth(index)
    })
}

fn split(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, separators) = (call.argument(0)?, call.argument(1)?);
    let (texts, separators) = (texts.texts()?, separators.texts()?);
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        let pair = texts.get(row).zip(separators.get(row));
        if let Some((text, separator)) = pair.filter(|(text, _)| !text.is_empty()) {
            if separator.is_empty() {
                let mut buffer = [0; 4];
                text.chars().for_each(|c| lists.values().append_value(c.encode_utf8(&mut buffer)));
            } else {
                text.split(separator).for_each(|part| lists.values().append_value(part));
            }
        }
        lists.append(pair.is_some());
    }
    Ok(Arc::new(lists.finish()))
}

fn pad(call: &Call<'_>, is_left: bool) -> Result<ArrayRef> {
    let (texts, lengths, fillers) = (call.argument(0)?, call.argument(1)?, call.argument(2)?);
    let (texts, lengths, fillers) = (texts.texts()?, lengths.ints()?, fillers.texts()?);
    call.write_texts(|row, out| {
        let (Some(text), Some(length), Some(filler)) =
            (texts.get(row), lengths.get(row), fillers.get(row))
        else {
            return Ok(None);
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= TEXT_BYTES_MAX);
        let Some(length) = length.filter(|_| !filler.is_empty()) else { return Ok(None) };
        let Some(missing) = length.checked_sub(char_count(text)) else {
            out.push_str(part(text, 0, length));
            return Ok(Some(()));
        };
        let filling = filler.chars().cycle().take(missing);
        if is_left {
            out.extend(filling);
            out.push_str(text);
        } else {
            out.push_str(text);
            out.extend(filling);
        }
        Ok(Some(()))
    })
}

fn repeat(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, counts) = (call.argument(0)?, call.argument(1)?);
    let (texts, counts) = (texts.texts()?, counts.ints()?);
    call.write_texts(|row, out| {
        let Some((text, count)) = texts.get(row).zip(counts.get(row)) else { return Ok(None) };
        let count = usize::try_from(count).unwrap_or(0);
        if text.len().saturating_mul(count) > TEXT_BYTES_MAX {
            return exec_err!("`REPEAT` makes more than {TEXT_BYTES_MAX} bytes");
        }
        out.extend(std::iter::repeat_n(text, count));
        Ok(Some(()))
    })
}

/// Replaces a part, given by its place and, else by that of the new text, its length.
fn overlay(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, parts, starts) = (call.argument(0)?, call.argument(1)?, call.argument(2)?);
    let (texts, parts, starts) = (texts.texts()?, parts.texts()?, starts.ints()?);
    let lengths = if call.argument_count() > 3 { Some(call.argument(3)?) } else { None };
    let lengths = lengths.as_ref().map(super::call::Argument::ints).transpose()?;
    call.write_texts(|row, out| {
        let (Some(text), Some(new), Some(start)) =
            (texts.get(row), parts.get(row), starts.get(row))
        else {
            return Ok(None);
        };
        let length = match &lengths {
            Some(lengths) => match lengths.get(row) {
                Some(length) => i64::from(length),
                None => return Ok(None),
            },
            None => i64::from(as_int(char_count(new))),
        };
        let count = char_count(text);
        let Some(start) = usize::try_from(start).ok().filter(|start| (1..=count).contains(start))
        else {
            out.push_str(text);
            return Ok(Some(()));
        };
        out.push_str(part(text, 0, start - 1));
        out.push_str(new);
        if let Ok(length) = usize::try_from(length)
            && length > 0
        {
            out.push_str(part(text, start - 1 + length, count));
        }
        Ok(Some(()))
    })
}

fn translate(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, from, to) = (call.argument(0)?, call.argument(1)?, call.argument(2)?);
    let (texts, from, to) = (texts.texts()?, from.texts()?, to.texts()?);
    call.write_texts(|row, out| {
        let (Some(text), Some(from), Some(to)) = (texts.get(row), from.get(row), to.get(row))
        else {
            return Ok(None);
        };
        out.extend(text.chars().filter_map(|character| {
            match from.chars().position(|from| from == character) {
                Some(index) => to.chars().nth(index),
                None => Some(character),
            }
        }));
        Ok(Some(()))
    })
}

fn text_to_map(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.argument(0)?;
    let texts = texts.texts()?;
    let separators =
        (1..call.argument_count()).map(|i| call.argument(i)).collect::<Result<Vec<_>>>()?;
    let separators =
        separators.iter().map(super::call::Argument::texts).collect::<Result<Vec<_>>>()?;
    let mut maps = MapBuilder::new(
        Some(arrow::array::MapFieldNames {
            entry: "entries".to_owned(),
            key: "key".to_owned(),
            value: "value".to_owned(),
        }),
        StringBuilder::new(),
        StringBuilder::new(),
    );
    for row in 0..call.rows {
        let [pair, key] = [(0, ","), (1, "=")]
            .map(|(index, default)| separators.get(index).map_or(Some(default), |c| c.get(row)));
        let (Some(text), Some(pair), Some(key)) = (texts.get(row), pair, key) else {
            maps.append(false)?;
            continue;
        };
        let mut entries = std::collections::BTreeMap::new();
        for entry in text.split(pair).filter(|entry| !entry.is_empty()) {
            match entry.split_once(key) {
                Some((name, value)) => entries.insert(name, Some(value)),
                None => entries.insert(entry, None),
            };
        }
        for (name, value) in entries {
            maps.keys().append_value(name);
            maps.values().append_option(value);
        }
        maps.append(true)?;
    }
    Ok(Arc::new(maps.finish()))
}

/// The argument at a 1-based index.
fn choose(call: &Call<'_>) -> Result<ArrayRef> {
    let indices = call.argument(0)?;
    let indices = indices.ints()?;
    let arguments =
        (1..call.argument_count()).map(|i| call.array(i)).collect::<Result<Vec<_>>>()?;
    let columns: Vec<_> = arguments.iter().map(arrow::array::AsArray::as_string::<i32>).collect();
    call.slices(|row| {
        let index = usize::try_from(indices.get(row)?).ok()?.checked_sub(1)?;
        let column = columns.get(index)?;
        arrow::array::Array::is_valid(column, row).then(|| column.value(row))
    })
}
