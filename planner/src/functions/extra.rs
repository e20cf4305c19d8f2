//! Functions of DataFusion that Flink lacks: immutable ones, with types that we have.

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

/// Their names; those that Flink has too are ours.
const NAMES: [&str; 24] = [
    "acosh",
    "asinh",
    "atanh",
    "bit_length",
    "cbrt",
    "coalesce",
    "contains",
    "date_bin",
    "date_trunc",
    "factorial",
    "find_in_set",
    "gcd",
    "isnan",
    "iszero",
    "lcm",
    "levenshtein",
    "nanvl",
    "nvl",
    "nvl2",
    "octet_length",
    "regexp_like",
    "split_part",
    "strpos",
    "to_hex",
];

/// The functions with their upper-case names.
pub(super) fn functions() -> Vec<(String, Arc<ScalarUDF>)> {
    let all = datafusion::functions::all_default_functions();
    let names = |function: &Arc<ScalarUDF>| {
        let mut names = vec![function.name().to_owned()];
        names.extend(function.aliases().iter().cloned());
        names.retain(|name| NAMES.contains(&name.as_str()));
        names
    };
    all.into_iter()
        .flat_map(|function| {
            let names = names(&function);
            names.into_iter().map(move |name| (name.to_uppercase(), Arc::clone(&function)))
        })
        .collect()
}
