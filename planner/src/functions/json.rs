//! `JSON_VALUE`, `JSON_EXISTS`, `JSON_QUERY`.
//!
//! A path without a mode is strict, as in Flink: what is missing is an error, and an error is NULL
//! (FALSE for `JSON_EXISTS`). The clauses `ON EMPTY` and `ON ERROR` are not parsed.

use arrow::array::ArrayRef;
use datafusion::common::{DataFusionError, Result};

use super::builtin::{Definition, define, returns};
use super::call::Call;
use super::json_path::{Json, JsonPath};

pub(super) const DEFINITIONS: &[Definition] = &[
    define("JSON_VALUE", "SS", returns::text, |call| {
        texts(call, |found, out| match found {
            [Json::Text(text)] => {
                let _: () = out.push_str(text);
                Some(())
            }
            [Json::Number(text)] => {
                let _: () = out.push_str(text);
                Some(())
            }
            [Json::Bool(value)] => {
                let _: () = out.push_str(if *value { "true" } else { "false" });
                Some(())
            }
            _ => None,
        })
    }),
    define("JSON_QUERY", "SS", returns::text, |call| {
        texts(call, |found, out| match found {
            [value @ (Json::Object(_) | Json::Array(_))] => {
                let _: () = value.write(out);
                Some(())
            }
            _ => None,
        })
    }),
    define("JSON_EXISTS", "SS", returns::boolean, exists),
];

/// The row's path; the last one is kept.
struct Paths<'a> {
    column: super::call::Column<&'a arrow::array::StringArray>,
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

fn texts(call: &Call<'_>, write: fn(&[Json<'_>], &mut String) -> Option<()>) -> Result<ArrayRef> {
    let (texts, paths) = (call.argument(0)?, call.argument(1)?);
    let texts = texts.texts()?;
    let mut paths = Paths { column: paths.texts()?, known: None };
    call.write_texts(|row, out| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let Some(path) = paths.get(row)? else { return Ok(None) };
        let Some(json) = Json::parse(text) else { return Ok(None) };
        let mut found = path.find(json);
        if path.is_indefinite() {
            found = vec![Json::Array(found)];
        }
        Ok(write(&found, out))
    })
}

fn exists(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, paths) = (call.argument(0)?, call.argument(1)?);
    let texts = texts.texts()?;
    let mut paths = Paths { column: paths.texts()?, known: None };
    call.booleans(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let Some(path) = paths.get(row)? else { return Ok(None) };
        let found = Json::parse(text).map(|json| path.find(json)).unwrap_or_default();
        Ok(Some(found.iter().any(|json| !matches!(json, Json::Null))))
    })
}
