//! Rules of the repository that no compiler checks: crate arrows, sizes, names, codes, versions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which of our crates a crate may import; the table of ARCHITECTURE.md.
const ARROWS: [(&str, &[&str]); 9] = [
    ("stream", &[]),
    ("arrow-kafka", &[]),
    ("broker", &[]),
    ("catalog", &[]),
    ("state", &["stream"]),
    ("connectors", &["arrow-kafka", "catalog", "stream"]),
    ("planner", &["catalog", "stream"]),
    ("runtime", &["planner", "connectors", "state", "stream", "arrow-kafka"]),
    (
        "engine",
        &[
            "arrow-kafka",
            "broker",
            "catalog",
            "connectors",
            "planner",
            "runtime",
            "state",
            "stream",
        ],
    ),
];

/// A source file without its tests has at most so many lines.
const LINES_MAX: usize = 800;

/// The binary's entry has at most so many lines.
const MAIN_LINES_MAX: usize = 40;

/// The map of the architecture has at most so many lines.
const ARCHITECTURE_LINES_MAX: usize = 400;

/// Words that say nothing, as names of files, folders or types.
const BANNED_NAMES: [&str; 8] =
    ["utils", "util", "common", "helpers", "helper", "misc", "manager", "handler"];

/// Crates of which the lock file holds one version.
const SINGLE_VERSIONS: [&str; 4] = ["arrow", "datafusion", "object_store", "sqlparser"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below the root with one of these endings, without what is built or generated.
fn files(endings: &[&str]) -> Vec<PathBuf> {
    let mut open = vec![root()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder that was listed") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && (!name.starts_with('.') || name == ".ci") {
                    open.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Whether the file holds tests only.
fn is_test(path: &Path) -> bool {
    let path = shown(path);
    path.ends_with("tests.rs") || path.starts_with("tests/") || path.contains("/tests/")
}

#[test]
fn crates_import_only_what_the_table_allows() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON of cargo");
    let table: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let packages = metadata["packages"].as_array().expect("a list");
    let ours: BTreeSet<&str> = packages.iter().filter_map(|one| one["name"].as_str()).collect();
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let Some(allowed) = table.get(name) else {
            wrong.push(format!("`{name}` is not in the table"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("a list") {
            let imported = dependency["name"].as_str().expect("a name");
            let is_for_tests = dependency["kind"] == "dev";
            if ours.contains(imported) && !is_for_tests && !allowed.contains(&imported) {
                wrong.push(format!("`{name}` imports `{imported}`"));
            }
        }
    }
    assert_eq!(ours, table.keys().copied().collect(), "the table names all crates");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn files_are_short() {
    let mut long = Vec::new();
    for path in files(&[".rs"]) {
        let lines = read(&path).lines().count();
        let most = if shown(&path) == "engine/src/main.rs" { MAIN_LINES_MAX } else { LINES_MAX };
        if lines > most && !is_test(&path) {
            long.push(format!("{}: {lines} lines", shown(&path)));
        }
    }
    let architecture = root().join("ARCHITECTURE.md");
    if architecture.is_file() {
        let lines = read(&architecture).lines().count();
        assert!(lines < ARCHITECTURE_LINES_MAX, "ARCHITECTURE.md has {lines} lines");
    }
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn names_say_something() {
    let mut banned = Vec::new();
    for path in files(&[".rs"]) {
        let relative = shown(&path);
        let parts = relative.trim_end_matches(".rs").split('/');
        for part in parts.filter(|part| BANNED_NAMES.contains(part)) {
            banned.push(format!("{relative}: `{part}`"));
        }
        for name in declared_names(&read(&path)) {
            let words = snake_words(&name);
            if let Some(word) = words.iter().find(|word| BANNED_NAMES.contains(&word.as_str()))
                && words.last() == Some(word)
                && word != "common"
            {
                banned.push(format!("{relative}: `{name}`"));
            }
        }
    }
    assert_eq!(banned, Vec::<String>::new());
}

/// Names of the types and modules that a file declares.
fn declared_names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
        if let (Some("struct" | "enum" | "trait" | "mod" | "type"), Some(name)) =
            (words.next(), words.next())
        {
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            names.push(name.chars().take(end).collect());
        }
    }
    names
}

/// `TopicManager` -> `topic`, `manager`.
fn snake_words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter == '_' || (letter.is_uppercase() && words.last().is_some_and(|w| !w.is_empty())) {
            words.push(String::new());
        }
        if letter != '_' {
            let last = words.last_mut().expect("begins with one");
            last.extend(letter.to_lowercase());
        }
    }
    words
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let mut used: BTreeSet<String> = BTreeSet::new();
    for path in files(&[".rs"]) {
        let relative = shown(&path);
        let is_source = ["catalog/src", "planner/src", "engine/src/online.rs"]
            .iter()
            .any(|place| relative.starts_with(place));
        if is_source && !is_test(&path) {
            used.extend(codes_in(&read(&path)));
        }
    }
    let folder = root().join("tests/diagnostics");
    let pages: BTreeSet<String> = fs::read_dir(&folder)
        .expect("tests/diagnostics")
        .filter_map(|entry| {
            let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
            let code = name.strip_suffix(".md")?;
            (code != "README").then(|| code.to_owned())
        })
        .collect();
    let embedded: BTreeSet<String> =
        engine::CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
    let missing: Vec<_> = used.difference(&pages).collect();
    let unused: Vec<_> = pages.difference(&used).collect();
    assert!(missing.is_empty(), "codes without a page in tests/diagnostics: {missing:?}");
    assert!(unused.is_empty(), "pages of codes that no crate uses: {unused:?}");
    assert_eq!(embedded, pages, "the list in engine/src/explain.rs is that of tests/diagnostics");
    assert!(used.len() > 25, "only {} codes were found", used.len());
}

/// The codes that stand in quotes: `E`, `W` or `N` and four digits.
fn codes_in(text: &str) -> Vec<String> {
    let is_code = |word: &&str| {
        let mut letters = word.chars();
        word.len() == 5
            && matches!(letters.next(), Some('E' | 'W' | 'N'))
            && letters.all(|c| c.is_ascii_digit())
    };
    text.split('"').filter(is_code).map(str::to_owned).collect()
}

#[test]
fn the_arrow_family_has_one_version_each() {
    let lock = read(&root().join("Cargo.lock"));
    for name in SINGLE_VERSIONS {
        let wanted = format!("name = \"{name}\"");
        let count = lock.lines().filter(|line| *line == wanted).count();
        assert_eq!(count, 1, "versions of `{name}` in Cargo.lock");
    }
}

#[test]
fn nothing_is_left_undone_or_tied_to_a_machine() {
    // Put together here, so that this file does not hold what it forbids.
    let code =
        [["to", "do!("].concat(), ["unimple", "mented!("].concat(), ["#[ign", "ore"].concat()];
    let places = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), ["/ho", "me/"].concat()];
    let mut found = Vec::new();
    for path in files(&[".rs", ".md", ".toml", ".yml", ".yaml", ".sh", ".case", "run"]) {
        let text = read(&path);
        let is_code = path.extension().is_some_and(|ending| ending == "rs");
        for (number, line) in text.lines().enumerate() {
            let has = |words: &[String]| words.iter().any(|word| line.contains(word.as_str()));
            if has(&places) || (is_code && has(&code)) {
                found.push(format!("{}:{}: {}", shown(&path), number + 1, line.trim()));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for path in files(&["Cargo.toml"]) {
        let text = read(&path);
        if text.contains("[package]") {
            assert!(text.contains("[lints]\nworkspace = true"), "{}", shown(&path));
        }
    }
}
