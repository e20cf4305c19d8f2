//! Every page under `tests/diagnostics/` about a code of this crate says what the crate says.
//!
//! The convention is in that folder's README.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use catalog::diagnostic::{Diagnostic, Level};
use catalog::load::{LoadOptions, load_texts};
use catalog::place::Files;
use planner::plan::{PlanOptions, plan};

const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/diagnostics");

/// A fenced block: its info string's words and its text.
struct Block {
    language: String,
    attributes: BTreeMap<String, String>,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(info)) => {
                let mut words = info.split(' ');
                let language = words.next().unwrap_or_default().to_owned();
                let attributes = words
                    .filter_map(|word| word.split_once('='))
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .collect();
                open = Some(Block { language, attributes, text: String::new() });
            }
            (None, None) => {}
        }
    }
    blocks
}

/// One diagnostic as a page writes it: where, then its line.
fn written(files: &Files, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let place = diagnostic.primary_place().map_or_else(String::new, |place| {
        let (line, column) = files.line_and_column(place);
        format!(" file={} line={line} column={column}", files.path(place.file))
    });
    format!(
        "code={}{place}\n{level}[{}]: {}\n",
        diagnostic.code, diagnostic.code, diagnostic.message
    )
}

/// What is wrong with a page; nothing if it is right or not run.
fn check(name: &str, page: &str) -> Vec<String> {
    let code = name.trim_end_matches(".md");
    if !page.starts_with(&format!("# {code}: ")) {
        return vec![format!("{name} does not start with `# {code}: `")];
    }
    let blocks = blocks(page);
    let files: Vec<(&str, &str)> = blocks
        .iter()
        .filter(|block| block.language != "diagnostic")
        .filter_map(|block| Some((block.attributes.get("file")?.as_str(), block.text.as_str())))
        .collect();
    let mut problems = Vec::new();
    for block in blocks.iter().filter(|block| block.language == "diagnostic") {
        let loaded = load_texts(&files, &LoadOptions::default());
        let mut diagnostics = loaded.diagnostics;
        if let Some(project) = &loaded.project {
            diagnostics.extend(plan(project, &PlanOptions::default()).diagnostics);
        }
        let said: Vec<String> =
            diagnostics.iter().map(|diagnostic| written(&loaded.files, diagnostic)).collect();
        let mut expected = format!("code={code}");
        for key in ["file", "line", "column"] {
            if let Some(value) = block.attributes.get(key) {
                expected.extend([" ", key, "=", value]);
            }
        }
        expected.push('\n');
        expected.push_str(&block.text);
        let is_foreign =
            |diagnostic: &&Diagnostic| diagnostic.level == Level::Error && diagnostic.code != code;
        if !said.contains(&expected) || diagnostics.iter().any(|other| is_foreign(&other)) {
            problems
                .push(format!("{name} expects\n{expected}but this is said:\n{}", said.concat()));
        }
    }
    problems
}

#[test]
fn every_page_says_what_is_said() {
    let mut run = 0;
    let mut problems = Vec::new();
    for entry in fs::read_dir(Path::new(PAGES)).expect("the folder is there") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("named").to_string_lossy().into_owned();
        let is_page = path.extension().is_some_and(|ending| ending == "md") && name != "README.md";
        let is_planners = name.get(1..3).is_some_and(|band| matches!(band, "03" | "04"));
        if is_page && is_planners {
            let page = fs::read_to_string(&path).expect("readable");
            problems.extend(check(&name, &page));
            run += 1;
        }
    }
    assert!(run >= 20, "only {run} pages");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
