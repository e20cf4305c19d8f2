//! Flink's scalar functions and operators for DataFusion.
//!
//! **Invariant:** a function that is not in the registry does not exist: the pass over the AST
//! (`sql::expressions`) refuses it by name. What each function does is written down in the tables
//! of `tests/functions/`, which Apache Flink itself has filled in.
//!
//! A failure that Flink throws (a text that is no number, division by zero) is an error of the
//! expression, never a silent NULL; the runtime then finds the row and sends it to the dead letters.
//! Aggregates and window functions are elsewhere.

mod builtin;
mod call;
mod types;

mod conversion;
mod decimal;
mod java_text;
mod math;
mod text;
mod text_codec;
mod pattern;
mod calendar;
mod date_pattern;
mod temporal;
mod time_text;
mod now;
mod json;
mod json_path;
mod collection;
mod extra;

mod operators;
mod settle;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

use crate::dataflow::StepClock;
use builtin::Builtin;

pub(crate) use collection::{MAP, ROW};
pub(crate) use conversion::{CAST, TRY_CAST, is_time_literal};
pub(crate) use json::{IS_JSON, JSON_EXISTS, JSON_QUERY, JSON_VALUE};
pub(crate) use now::UNIX_NOW;
pub(crate) use operators::FlinkOperators;
pub(crate) use pattern::{LIKE, SIMILAR};
pub(crate) use settle::settle_types;
pub(crate) use temporal::{CEIL_TO, EXTRACT, FLOOR_TO};
pub(crate) use types::arrow_type;
#[cfg(test)]
pub(crate) use types::flink_type_name;

/// Every scalar function by its upper-case name; those that the AST pass alone may call start
/// with `$`.
#[derive(Debug)]
pub(crate) struct FunctionRegistry {
    functions: BTreeMap<String, Arc<ScalarUDF>>,
}

impl FunctionRegistry {
    /// All functions; those of the current time read `clock`.
    pub(crate) fn new(clock: &StepClock) -> Self {
        let definitions = [
            conversion::DEFINITIONS,
            decimal::DEFINITIONS,
            math::DEFINITIONS,
            text::DEFINITIONS,
            text_codec::DEFINITIONS,
            pattern::DEFINITIONS,
            temporal::DEFINITIONS,
            time_text::DEFINITIONS,
            now::DEFINITIONS,
            json::DEFINITIONS,
            collection::DEFINITIONS,
        ];
        let mut functions = BTreeMap::new();
        for definition in definitions.into_iter().flatten() {
            let function = ScalarUDF::from(Builtin::new(definition, clock.clone()));
            functions.insert(definition.name.to_owned(), Arc::new(function));
        }
        for (name, function) in extra::functions() {
            functions.entry(name).or_insert(function);
        }
        Self { functions }
    }

    /// The function of that name, in any case.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.get(&name.to_uppercase()).map(Arc::clone)
    }

    /// The names that users may call, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str).filter(|name| !name.starts_with('$'))
    }

    /// Whether users may call a function of that name, in any case.
    pub(crate) fn is_callable(&self, name: &str) -> bool {
        !name.starts_with('$') && self.functions.contains_key(&name.to_uppercase())
    }
}

#[cfg(test)]
mod tests;
