//! Diagnostics as SARIF 2.1.0, the form that code scanning services read.

use catalog::diagnostic::{Diagnostic, Level};
use catalog::place::{Files, Place};
use serde_json::{Value, json};

/// Where the format is described; readers look at it to know what they have.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// All diagnostics as one document.
pub(super) fn document(diagnostics: &[Diagnostic], files: &Files) -> Value {
    let mut codes: Vec<&str> = diagnostics.iter().map(|one| one.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let results: Vec<Value> = diagnostics.iter().map(|one| result(one, files)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "engine",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            }},
            // Columns are counted in characters, not in the UTF-16 units of the default.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: &str) -> Value {
    let page = crate::explain::page(code).unwrap_or_default();
    let title = page.lines().next().and_then(|line| line.split_once(": ")).map(|(_, title)| title);
    json!({
        "id": code,
        "shortDescription": {"text": title.unwrap_or(code)},
        "help": {"text": format!("engine explain {code}"), "markdown": page},
    })
}

fn result(diagnostic: &Diagnostic, files: &Files) -> Value {
    let mut message = diagnostic.message.clone();
    for further in diagnostic.helps.iter().chain(&diagnostic.notes) {
        message.push('\n');
        message.push_str(further);
    }
    let of = |is_primary: bool| -> Vec<Value> {
        let labels = diagnostic.labels.iter().filter(|label| label.is_primary == is_primary);
        labels
            .map(|label| {
                let mut value = location(&label.place, files);
                if !label.text.is_empty() {
                    value["message"] = json!({"text": label.text});
                }
                value
            })
            .collect()
    };
    json!({
        "ruleId": diagnostic.code,
        "level": match diagnostic.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        },
        "message": {"text": message},
        "locations": of(true),
        "relatedLocations": of(false),
    })
}

fn location(place: &Place, files: &Files) -> Value {
    let (line, column) = files.line_and_column(place);
    let end = Place::new(place.file, place.range.end..place.range.end);
    let (end_line, end_column) = files.line_and_column(&end);
    json!({"physicalLocation": {
        "artifactLocation": {"uri": files.path(place.file), "uriBaseId": "%SRCROOT%"},
        "region": {
            "startLine": line, "startColumn": column,
            "endLine": end_line, "endColumn": end_column,
        },
    }})
}
