//! Which files of a folder belong to a project.
//!
//! **Invariant:** nothing outside the folder is read, whatever links lie in it; what is read is
//! bounded in number and size.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;
use crate::diagnostic::shape::ShapeMistake;
use crate::load::Text;

/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Files of one project.
const FILES_MAX: usize = 5_000;

/// Folders within folders.
const FOLDER_DEPTH_MAX: usize = 16;

/// The root file's names, the first that exists counts.
pub(super) const ROOT_FILES: [&str; 2] = ["stream_project.yml", "stream_project.yaml"];

/// Folders that are searched, with the endings of the files that count in them.
pub(super) const FOLDERS: [(&str, &[&str]); 6] = [
    ("sources", &["yml", "yaml"]),
    ("models", &["yml", "yaml"]),
    ("tests", &["yml", "yaml"]),
    ("exposures", &["yml", "yaml"]),
    ("environments", &["yml", "yaml"]),
    ("macros", &["sql", "jinja", "j2"]),
];

/// All files of the project in `root`, in a fixed order.
pub(super) fn discover(root: &Path, mistakes: &mut Vec<Diagnostic>) -> Vec<Text> {
    let mut search =
        Search { root: root.to_path_buf(), texts: Vec::new(), visited: BTreeSet::new(), mistakes };
    match fs::canonicalize(root) {
        Ok(canonical) if canonical.is_dir() => search.root = canonical,
        Ok(_) => search.refuse(&root.to_string_lossy(), "it is not a folder"),
        Err(error) => search.refuse(&root.to_string_lossy(), &error.to_string()),
    }
    if !search.mistakes.is_empty() {
        return Vec::new();
    }
    if let Some(name) = ROOT_FILES.iter().find(|name| search.root.join(name).exists()) {
        search.read(Path::new(name));
    }
    for entry in search.entries(Path::new("")) {
        let is_dotenv =
            entry.to_str().is_some_and(|name| name == ".env" || name.starts_with(".env."));
        if is_dotenv && entry.to_str() != Some(".env.example") {
            search.read(&entry);
        }
    }
    for (folder, endings) in FOLDERS {
        search.folder(Path::new(folder), endings, 0);
    }
    search.texts
}

struct Search<'m> {
    /// Canonical.
    root: PathBuf,
    texts: Vec<Text>,
    /// Canonical folders, since links may lead to one of them again.
    visited: BTreeSet<PathBuf>,
    mistakes: &'m mut Vec<Diagnostic>,
}

impl Search<'_> {
    fn folder(&mut self, folder: &Path, endings: &[&str], depth: usize) {
        if !self.root.join(folder).is_dir() || !self.is_inside(folder) {
            return;
        }
        if depth > FOLDER_DEPTH_MAX {
            let reason = format!("it is more than {FOLDER_DEPTH_MAX} folders deep");
            self.refuse(&slashed(folder), &reason);
            return;
        }
        let canonical = fs::canonicalize(self.root.join(folder));
        if !canonical.is_ok_and(|canonical| self.visited.insert(canonical)) {
            return;
        }
        for entry in self.entries(folder) {
            let is_hidden =
                entry.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
            if is_hidden {
                continue;
            }
            let ending = entry.extension().and_then(|ending| ending.to_str());
            if self.root.join(&entry).is_dir() {
                self.folder(&entry, endings, depth + 1);
            } else if ending.is_some_and(|ending| endings.contains(&ending)) {
                self.read(&entry);
            }
        }
    }

    /// The entries of `folder`, relative to the root, sorted by name.
    fn entries(&mut self, folder: &Path) -> Vec<PathBuf> {
        let entries = match fs::read_dir(self.root.join(folder)) {
            Ok(entries) => entries,
            Err(error) => {
                self.refuse(&slashed(folder), &error.to_string());
                return Vec::new();
            }
        };
        let mut names: Vec<PathBuf> =
            entries.flatten().map(|entry| folder.join(entry.file_name())).collect();
        names.sort_unstable();
        names
    }

    fn read(&mut self, path: &Path) {
        if self.texts.len() >= FILES_MAX {
            if self.texts.len() == FILES_MAX && !self.has_refused_count() {
                self.refuse(&slashed(path), &format!("a project has at most {FILES_MAX} files"));
            }
            return;
        }
        if !self.is_inside(path) {
            return;
        }
        match read_text(&self.root.join(path)) {
            Ok(text) => self.texts.push(Text { path: slashed(path), text }),
            Err(reason) => self.refuse(&slashed(path), &reason),
        }
    }

    fn has_refused_count(&self) -> bool {
        self.mistakes.iter().any(|mistake| mistake.message.contains("a project has at most"))
    }

    /// Whether `path` is inside the folder once links are followed; reported if not.
    fn is_inside(&mut self, path: &Path) -> bool {
        let reason = match fs::canonicalize(self.root.join(path)) {
            Ok(canonical) if canonical.starts_with(&self.root) => return true,
            Ok(_) => "it is a link that leads out of the project".to_owned(),
            Err(error) => error.to_string(),
        };
        self.refuse(&slashed(path), &reason);
        false
    }

    fn refuse(&mut self, path: &str, reason: &str) {
        let (path, reason) = (path.to_owned(), reason.to_owned());
        self.mistakes.push(ShapeMistake::FileRefused { path, reason }.into());
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    // Reading a pipe or a device could wait for ever.
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(format!("it has more than {FILE_BYTES_MAX} bytes"));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes)
        .map_err(|error| format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()))?;
    Ok(text)
}

fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}
