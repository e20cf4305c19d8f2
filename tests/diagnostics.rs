//! Runs every page of tests/diagnostics/: the project that it shows must get the diagnostic that
//! it shows, at its line and column. The convention is in tests/diagnostics/README.md.

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::Path;

use command::Folder;
use serde_json::Value;

/// A page, read.
#[derive(Debug, Default)]
struct Page {
    name: String,
    files: Vec<(String, String)>,
    expected: Vec<Expected>,
}

/// What `engine check` must say.
#[derive(Debug, Default)]
struct Expected {
    code: String,
    file: Option<String>,
    position: Option<(u64, u64)>,
    arguments: Vec<String>,
    text: String,
}

fn pages() -> Vec<Page> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics");
    let mut pages: Vec<Page> = fs::read_dir(folder)
        .expect("tests/diagnostics")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .filter(|path| path.file_stem().is_some_and(|stem| stem != "README"))
        .map(|path| {
            let name = path.file_stem().expect("filtered above").to_string_lossy().into_owned();
            page(&name, &fs::read_to_string(&path).expect("a page"))
        })
        .collect();
    pages.sort_by(|one, other| one.name.cmp(&other.name));
    pages
}

fn page(name: &str, text: &str) -> Page {
    let mut page = Page { name: name.to_owned(), ..Page::default() };
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) else {
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let value = |key: &str| {
            let prefix = format!("{key}=");
            info.split_whitespace().find_map(|word| word.strip_prefix(&prefix)).map(str::to_owned)
        };
        if info.starts_with("diagnostic") {
            let number = |key: &str| value(key).map(|text| text.parse().expect("a number"));
            page.expected.push(Expected {
                code: value("code").expect("a diagnostic block has `code=`"),
                file: value("file"),
                position: number("line").zip(number("column")),
                arguments: value("args")
                    .map(|all| all.split(',').map(str::to_owned).collect())
                    .unwrap_or_default(),
                text: body.join("\n"),
            });
        } else if let Some(path) = value("file") {
            page.files.push((path, format!("{}\n", body.join("\n"))));
        }
    }
    page
}

/// What is wrong with what `engine check` says of the page; nothing if all is as shown.
fn check(page: &Page) -> Vec<String> {
    let mut wrong = Vec::new();
    for expected in &page.expected {
        let folder = Folder::new();
        for (path, text) in &page.files {
            folder.write(path, text);
        }
        let mut arguments = vec!["check", "--diagnostics", "json"];
        arguments.extend(expected.arguments.iter().map(String::as_str));
        let output = folder.engine(&arguments);
        let reported: Vec<Value> = output
            .err
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|value| value["type"] == "diagnostic")
            .collect();
        let found = reported.iter().find(|one| is_expected(one, expected));
        let others: Vec<&Value> = reported
            .iter()
            .filter(|one| one["level"] == "error" && one["code"] != expected.code.as_str())
            .collect();
        if found.is_none() || !others.is_empty() {
            wrong.push(format!("{}: expected {expected:?}, got\n{}", page.name, output.err));
        }
        let is_error = expected.code.starts_with('E');
        if (output.code == 2) != is_error && !expected.arguments.iter().any(|one| one == "--strict")
        {
            wrong.push(format!("{}: exit code {}", page.name, output.code));
        }
    }
    wrong
}

fn is_expected(reported: &Value, expected: &Expected) -> bool {
    let level = reported["level"].as_str().unwrap_or_default();
    let message = reported["message"].as_str().unwrap_or_default();
    let text = format!("{level}[{}]: {message}", expected.code);
    let position = reported["line"].as_u64().zip(reported["column"].as_u64());
    reported["code"] == expected.code.as_str()
        && reported["file"].as_str() == expected.file.as_deref()
        && position == expected.position
        && text == expected.text.trim()
}

#[test]
fn every_page_gets_the_diagnostic_that_it_shows() {
    let pages = pages();
    let run: Vec<&Page> = pages.iter().filter(|page| !page.expected.is_empty()).collect();
    assert!(run.len() >= 25, "only {} pages show a project", run.len());
    let wrong: Vec<String> = run.iter().flat_map(|page| check(page)).collect();
    assert!(wrong.is_empty(), "{} pages are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_page_is_explained_and_begins_with_its_code() {
    let folder = Folder::new();
    for page in pages() {
        let output = folder.engine(&["explain", &page.name.to_lowercase()]);
        assert_eq!(output.code, 0, "{}", output.err);
        assert!(output.out.starts_with(&format!("# {}: ", page.name)), "{}", output.out);
    }
    let output = folder.engine(&["explain", "E9999"]);
    assert_eq!((output.code, output.out.as_str()), (2, ""));
}
