//! Where something stands in the user's files.
//!
//! A [`Place`] is a file and a range of bytes; [`Files`] keeps the texts, so that a place can be
//! shown as a line and a column, or quoted with carets.

use std::ops::{Deref, Range};
use std::sync::Arc;

/// One text of the project. Only [`Files`] makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(usize);

/// A range of bytes in one file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// Bytes of the file's text, end exclusive.
    pub range: Range<usize>,
}

impl Place {
    /// The place of `range` in `file`.
    pub fn new(file: FileId, range: Range<usize>) -> Self {
        Self { file, range }
    }

    /// The place of what `range` has of `text`, the text of `file`, on character boundaries.
    ///
    /// For ranges that somebody else has counted, and may have counted past the end.
    pub(crate) fn within(file: FileId, range: Range<usize>, text: &str) -> Self {
        let is_boundary = |at: &usize| text.is_char_boundary(*at);
        let start = (0..=range.start.min(text.len())).rev().find(is_boundary).unwrap_or(0);
        let end = (range.end.min(text.len())..=text.len()).find(is_boundary);
        Self::new(file, start..end.unwrap_or(start).max(start))
    }

    /// The smallest place that covers both; `self` if they are in different files.
    #[must_use]
    pub fn to(&self, other: &Self) -> Self {
        if self.file != other.file {
            return self.clone();
        }
        let start = self.range.start.min(other.range.start);
        Self::new(self.file, start..self.range.end.max(other.range.end))
    }
}

/// The texts of a project, by [`FileId`]. A clone shares the texts.
#[derive(Clone, Debug, Default)]
pub struct Files {
    files: Vec<File>,
}

/// One text of a project.
#[derive(Clone, Debug)]
pub struct File {
    /// Path relative to the project's folder, with `/`.
    pub path: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

impl Files {
    /// Takes in one text.
    pub fn add(&mut self, path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> FileId {
        let id = FileId(self.files.len());
        self.files.push(File { path: path.into(), text: text.into() });
        id
    }

    /// The file of `id`; `None` for an id of another registry.
    pub fn get(&self, id: FileId) -> Option<&File> {
        self.files.get(id.0)
    }

    /// The path of `id`, empty for an id of another registry.
    pub fn path(&self, id: FileId) -> &str {
        self.get(id).map_or("", |file| &file.path)
    }

    /// The text of `id`, empty for an id of another registry.
    pub fn text(&self, id: FileId) -> &str {
        self.get(id).map_or("", |file| &file.text)
    }

    /// The text under `place`; empty where the place is not one of its file.
    pub fn quote(&self, place: &Place) -> &str {
        self.text(place.file).get(place.range.clone()).unwrap_or("")
    }

    /// Line and column of the start of `place`, both counted from 1, the column in characters.
    pub fn line_and_column(&self, place: &Place) -> (usize, usize) {
        let text = self.text(place.file);
        let mut start = place.range.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = text.get(..start).unwrap_or("");
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        (line, column)
    }

    /// All files with their ids, in the order of [`Files::add`].
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &File)> {
        self.files.iter().enumerate().map(|(id, file)| (FileId(id), file))
    }
}

/// A value and where the user wrote it (for a default: what it was derived from).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<T> Spanned<T> {
    /// `value` as written at `place`.
    pub fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }

    /// Another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), place: self.place }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
