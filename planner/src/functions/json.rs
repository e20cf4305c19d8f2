//! `JSON_VALUE`, `JSON_EXISTS`, `JSON_QUERY`, `IS JSON`.
//!
//! A path without a mode is strict, as in Flink: what is missing is an error; with `lax` it is
//! empty. Without clauses both are NULL (FALSE for `JSON_EXISTS`).

use arrow::array::{ArrayRef, StringArray};
use datafusion::common::{DataFusionError, Result, exec_err};

use super::builtin::{Definition, define, returns};
use super::call::{Call, Column};
use super::json_path::{Json, JsonPath};

/// `JSON_VALUE` with clauses: text, path, word and default on empty, word and default on error.
pub(crate) const JSON_VALUE: &str = "$JSON_VALUE";
/// `JSON_QUERY` with clauses: text, path, wrapper, word on empty, word on error.
pub(crate) const JSON_QUERY: &str = "$JSON_QUERY";
/// `JSON_EXISTS` with a clause: text, path, word on error.
pub(crate) const JSON_EXISTS: &str = "$JSON_EXISTS";
/// `x IS JSON`: text, kind.
pub(crate) const IS_JSON: &str = "$IS_JSON";

pub(super) const DEFINITIONS: &[Definition] = &[
    define("JSON_VALUE", "SS", returns::text, value),
    define(JSON_VALUE, "SSSSSS", returns::text, value),
    define("JSON_QUERY", "SS", returns::text, query),
    define(JSON_QUERY, "SSSSS", returns::text, query),
    define("JSON_EXISTS", "SS", returns::boolean, exists),
    define(JSON_EXISTS, "SSS", returns::boolean, exists),
    define(IS_JSON, "SS", returns::boolean, is_json),
];

/// The row's path; the last one is kept.
struct Paths<'a> {
    column: Column<&'a StringArray>,
    known: Option<(&'a str, JsonPath)>,
}

impl Paths<'_> {
    fn get(&mut self, row: usize) -> Result<Option<&JsonPath>> {
        let Some(text) = self.column.get(row) else { return Ok(None) };
        if self.known.as_ref().is_none_or(|(known, _)| *known != text) {
            let path = JsonPath::parse(text).ok_or_else(|| {
                DataFusionError::Execution(format!("`{text}` is no JSON path that is supported"))
            })?;
            self.known = Some((text, path));
        }
        Ok(self.known.as_ref().map(|(_, path)| path))
    }
}

/// What a path finds in a text.
enum Found<'a> {
    /// A value of the wanted kind.
    Value(Json<'a>),
    /// Nothing usable, and the path is lax: no JSON, nothing there, NULL, or the other kind.
    Empty,
    /// The same, and the path is strict.
    Wrong,
}

/// What `path` finds in `text`, if it is `is_wanted`.
fn find<'a>(text: &'a str, path: &JsonPath, is_wanted: fn(&Json<'_>) -> bool) -> Found<'a> {
    let found = Json::parse(text).and_then(|json| {
        let mut found = path.find(json);
        // What several values could match finds an array of them, be it empty.
        if path.is_indefinite() { Some(Json::Array(found)) } else { found.pop() }
    });
    match found {
        Some(value) if value != Json::Null && is_wanted(&value) => Found::Value(value),
        _ if path.is_lax() => Found::Empty,
        _ => Found::Wrong,
    }
}

fn is_scalar(json: &Json<'_>) -> bool {
    !matches!(json, Json::Object(_) | Json::Array(_))
}

/// The constant word at `index`, `NULL` where the call has no clauses.
fn word(call: &Call<'_>, index: usize) -> Result<String> {
    if index >= call.argument_count() {
        return Ok("NULL".to_owned());
    }
    let argument = call.argument(index)?;
    Ok(argument.texts()?.get(0).unwrap_or("NULL").to_owned())
}

fn value(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, paths) = (call.argument(0)?, call.argument(1)?);
    let texts = texts.texts()?;
    let mut paths = Paths { column: paths.texts()?, known: None };
    let (on_empty, on_error) = (word(call, 2)?, word(call, 4)?);
    let default =
        |index: usize| (index < call.argument_count()).then(|| call.argument(index)).transpose();
    let (empty_default, error_default) = (default(3)?, default(5)?);
    call.write_texts(|row, out| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let Some(path) = paths.get(row)? else { return Ok(None) };
        let (behaviour, default) = match find(text, path, is_scalar) {
            Found::Value(found) => {
                match found {
                    Json::Text(text) => out.push_str(&text),
                    other => other.write(out),
                }
                return Ok(Some(()));
            }
            Found::Empty => (&on_empty, &empty_default),
            Found::Wrong => (&on_error, &error_default),
        };
        match (behaviour.as_str(), default) {
            ("DEFAULT", Some(default)) => {
                Ok(default.texts()?.get(row).map(|default| out.push_str(default)))
            }
            ("ERROR", _) => exec_err!("`JSON_VALUE` finds no value"),
            _ => Ok(None),
        }
    })
}

fn query(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, paths) = (call.argument(0)?, call.argument(1)?);
    let texts = texts.texts()?;
    let mut paths = Paths { column: paths.texts()?, known: None };
    let (wrapper, on_empty, on_error) = (word(call, 2)?, word(call, 3)?, word(call, 4)?);
    let is_any: fn(&Json<'_>) -> bool = |_| true;
    let is_compound: fn(&Json<'_>) -> bool = |json| !is_scalar(json);
    let has_wrapper = matches!(wrapper.as_str(), "CONDITIONAL" | "UNCONDITIONAL");
    let is_wanted = if has_wrapper { is_any } else { is_compound };
    call.write_texts(|row, out| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let Some(path) = paths.get(row)? else { return Ok(None) };
        let behaviour = match find(text, path, is_wanted) {
            Found::Value(found) => {
                let is_array = matches!(found, Json::Array(_));
                let is_wrapped = has_wrapper && !(is_array && wrapper == "CONDITIONAL");
                let found = if is_wrapped { Json::Array(vec![found]) } else { found };
                found.write(out);
                return Ok(Some(()));
            }
            Found::Empty => &on_empty,
            Found::Wrong => &on_error,
        };
        match behaviour.as_str() {
            "ARRAY" => out.push_str("[]"),
            "OBJECT" => out.push_str("{}"),
            "ERROR" => return exec_err!("`JSON_QUERY` finds no value"),
            _ => return Ok(None),
        }
        Ok(Some(()))
    })
}

fn exists(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, paths) = (call.argument(0)?, call.argument(1)?);
    let texts = texts.texts()?;
    let mut paths = Paths { column: paths.texts()?, known: None };
    let on_error = word(call, 2)?;
    call.booleans(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let Some(path) = paths.get(row)? else { return Ok(None) };
        match (find(text, path, |_| true), on_error.as_str()) {
            (Found::Value(_), _) => Ok(Some(true)),
            (Found::Wrong, "TRUE") => Ok(Some(true)),
            (Found::Wrong, "UNKNOWN") => Ok(None),
            (Found::Wrong, "ERROR") => exec_err!("`JSON_EXISTS` cannot follow its path"),
            (Found::Empty | Found::Wrong, _) => Ok(Some(false)),
        }
    })
}

/// A NULL is no JSON, as in Flink.
fn is_json(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.argument(0)?;
    let texts = texts.texts()?;
    let kind = word(call, 1)?;
    call.booleans(|row| {
        let json = texts.get(row).and_then(Json::parse);
        Ok(Some(json.is_some_and(|json| match kind.as_str() {
            "OBJECT" => matches!(json, Json::Object(_)),
            "ARRAY" => matches!(json, Json::Array(_)),
            "SCALAR" => is_scalar(&json),
            _ => true,
        })))
    })
}
