//! YAML text -> a tree in which every scalar and every key keeps its place.
//!
//! The tree is built from the parser's events rather than taken from a ready-made document type,
//! because those drop what is needed here: keys given twice, and how a scalar was written.
//!
//! **Invariant:** a tree has at most [`NODES_MAX`] nodes, [`BYTES_MAX`] bytes and [`DEPTH_MAX`]
//! levels, aliases expanded, whatever the text. **Invariant:** places are byte ranges on character
//! boundaries.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use crate::diagnostic::Diagnostic;
use crate::diagnostic::shape::ShapeMistake;
use crate::place::{FileId, Place};

mod alignment;

pub(crate) use alignment::Alignment;

/// Nodes of one file after aliases are expanded: a hundred times the largest project file seen.
pub(crate) const NODES_MAX: usize = 100_000;

/// Bytes of all scalars and keys of one file after aliases are expanded: four times the largest
/// file.
pub(crate) const BYTES_MAX: usize = 4 << 20;

/// The tags of YAML's core schema, which say what a value is anyway.
const CORE_TAGS: [&str; 7] = ["bool", "float", "int", "map", "null", "seq", "str"];

/// Levels of one file: ours need eight.
pub(crate) const DEPTH_MAX: usize = 64;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) data: Data,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A scalar before it is given a type.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    /// Its text, escapes and folds undone.
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
    Folded,
}

/// One key of a mapping with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) value: Node,
}

impl Node {
    /// Whether the value is YAML's null, which counts as not given.
    pub(crate) fn is_null(&self) -> bool {
        match &self.data {
            Data::Scalar(scalar) => {
                scalar.style == Style::Plain
                    && matches!(scalar.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            Data::Sequence(_) | Data::Mapping(_) => false,
        }
    }

    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.data {
            Data::Scalar(_) if self.is_null() => "empty",
            Data::Scalar(_) => "a single value",
            Data::Sequence(_) => "a list",
            Data::Mapping(_) => "a mapping",
        }
    }

    fn size(&self) -> Size {
        let mut size = Size { nodes: 1, bytes: 0 };
        match &self.data {
            Data::Scalar(scalar) => size.bytes += scalar.text.len(),
            Data::Sequence(items) => items.iter().for_each(|item| size.add(item.size())),
            Data::Mapping(entries) => entries.iter().for_each(|entry| {
                size.bytes += entry.key.len();
                size.add(entry.value.size());
            }),
        }
        size
    }
}

/// What a tree costs.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.nodes += other.nodes;
        self.bytes += other.bytes;
    }

    fn is_too_large(self) -> bool {
        self.nodes > NODES_MAX || self.bytes > BYTES_MAX
    }
}

/// Reads the first document of `text`. `None` for an empty file, or one that cannot be read.
pub(crate) fn parse(file: FileId, text: &str, mistakes: &mut Vec<Diagnostic>) -> Option<Node> {
    let mut tree = Tree {
        events: Parser::new_from_str(text),
        file,
        text,
        offsets: Offsets::new(text),
        anchors: BTreeMap::new(),
        size: Size::default(),
        mistakes,
    };
    match tree.document() {
        Ok(node) => node,
        Err(mistake) => {
            mistakes.push(mistake.into());
            None
        }
    }
}

/// Builds the tree from events.
struct Tree<'a, 'm> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    file: FileId,
    text: &'a str,
    offsets: Offsets,
    anchors: BTreeMap<usize, Node>,
    size: Size,
    mistakes: &'m mut Vec<Diagnostic>,
}

impl<'a> Tree<'a, '_> {
    fn document(&mut self) -> Result<Option<Node>, ShapeMistake> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(_) if root.is_none() => {
                    let (event, span) = self.next()?;
                    root = Some(self.node(event, span, 0)?);
                }
                _ => {
                    let reason = "a file holds one YAML document".to_owned();
                    return Err(ShapeMistake::Syntax { reason, at: self.place(span) });
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), ShapeMistake> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            None => Ok((Event::StreamEnd, Span::default())),
            Some(Err(error)) => {
                let at = self.offsets.byte(error.marker().index());
                let width = self.text.get(at..).and_then(|rest| rest.chars().next());
                Err(ShapeMistake::Syntax {
                    reason: error.info().to_owned(),
                    at: Place::new(self.file, at..at + width.map_or(0, char::len_utf8)),
                })
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, ShapeMistake> {
        self.size.nodes += 1;
        if depth > DEPTH_MAX || self.size.is_too_large() {
            let reason = format!(
                "it has more than {DEPTH_MAX} levels or {NODES_MAX} values, aliases expanded"
            );
            return Err(ShapeMistake::TooCostly { reason, at: self.place(span) });
        }
        match event {
            Event::Alias(id) => self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => {
                self.check_tag(tag.as_deref(), span)?;
                self.size.bytes += text.len();
                let node = self.scalar(text.into_owned(), style, span);
                Ok(self.remember(anchor, node))
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), span)?;
                let node = self.sequence(span, depth)?;
                Ok(self.remember(anchor, node))
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), span)?;
                let node = self.mapping(span, depth)?;
                Ok(self.remember(anchor, node))
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => {
                let reason = "a value is missing".to_owned();
                Err(ShapeMistake::Syntax { reason, at: self.place(span) })
            }
        }
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Node, ShapeMistake> {
        let at = self.place(span);
        let Some(node) = self.anchors.get(&id) else {
            let reason = "an alias stands inside its own anchor".to_owned();
            return Err(ShapeMistake::Syntax { reason, at });
        };
        // Counted before it is copied, so that a bomb of aliases is refused while it is small.
        self.size.add(node.size());
        if self.size.is_too_large() {
            let reason =
                format!("its aliases expand to more than {NODES_MAX} values or {BYTES_MAX} bytes");
            return Err(ShapeMistake::TooCostly { reason, at });
        }
        Ok(node.clone())
    }

    /// A tag that would change a value's meaning is refused rather than ignored.
    fn check_tag(&self, tag: Option<&Tag>, span: Span) -> Result<(), ShapeMistake> {
        let Some(tag) = tag else { return Ok(()) };
        let is_core = tag.is_yaml_core_schema() && CORE_TAGS.contains(&tag.suffix.as_str());
        if is_core || format!("{}{}", tag.handle, tag.suffix) == "!" {
            return Ok(());
        }
        let reason = format!("the tag `{}{}` is not known", tag.handle, tag.suffix);
        Err(ShapeMistake::Syntax { reason, at: self.place(span) })
    }

    fn remember(&mut self, anchor: usize, node: Node) -> Node {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }

    fn scalar(&self, text: String, style: ScalarStyle, span: Span) -> Node {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        let mut range = self.bytes(span);
        let written = self.text.get(range.clone()).unwrap_or("");
        range.end = range.start + written.trim_end().len();
        range.start += properties_length(written);
        range.end = range.end.max(range.start);
        Node { place: Place::new(self.file, range), data: Data::Scalar(Scalar { text, style }) }
    }

    fn sequence(&mut self, start: Span, depth: usize) -> Result<Node, ShapeMistake> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let inner = items.first().zip(items.last());
                let place = self.around(
                    start,
                    span,
                    inner.map(|(first, last): (&Node, &Node)| {
                        (first.place.clone(), last.place.clone())
                    }),
                );
                return Ok(Node { place, data: Data::Sequence(items) });
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn mapping(&mut self, start: Span, depth: usize) -> Result<Node, ShapeMistake> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut keys: BTreeMap<String, Place> = BTreeMap::new();
        let mut merged: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let inner = entries.first().zip(entries.last());
                let place = self.around(
                    start,
                    span,
                    inner.map(|(first, last)| (first.key_place.clone(), last.value.place.clone())),
                );
                self.merge(&mut entries, merged);
                return Ok(Node { place, data: Data::Mapping(entries) });
            }
            let key_node = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let Data::Scalar(key) = key_node.data else {
                let found = key_node.kind();
                self.mistakes.push(
                    ShapeMistake::WrongShape {
                        key: "a key".to_owned(),
                        expected: "a single value",
                        found,
                        at: key_node.place,
                    }
                    .into(),
                );
                continue;
            };
            if key.text == "<<" && key.style == Style::Plain {
                merged.push(value);
                continue;
            }
            let entry = Entry { key: key.text, key_place: key_node.place, value };
            match keys.entry(entry.key.clone()) {
                btree_map::Entry::Occupied(first) => {
                    let (key, at) = (entry.key, entry.key_place);
                    let first = first.get().clone();
                    self.mistakes.push(ShapeMistake::DuplicateKey { key, at, first }.into());
                }
                btree_map::Entry::Vacant(place) => {
                    place.insert(entry.key_place.clone());
                    entries.push(entry);
                }
            }
        }
    }

    /// `<<: *base` gives what the mapping itself does not, an earlier base before a later one.
    fn merge(&mut self, entries: &mut Vec<Entry>, merged: Vec<Node>) {
        let mut own: BTreeSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
        for node in merged {
            let bases = match node.data {
                Data::Sequence(items) => items,
                Data::Mapping(_) | Data::Scalar(_) => vec![node],
            };
            for base in bases {
                let found = base.kind();
                let Data::Mapping(inherited) = base.data else {
                    let (key, expected) = ("`<<`".to_owned(), "a mapping");
                    let at = base.place;
                    self.mistakes
                        .push(ShapeMistake::WrongShape { key, expected, found, at }.into());
                    continue;
                };
                let new = inherited.into_iter().filter(|entry| own.insert(entry.key.clone()));
                entries.extend(new);
            }
        }
    }

    /// The place of a collection: from bracket to bracket, or from first to last element.
    fn around(&self, start: Span, end: Span, inner: Option<(Place, Place)>) -> Place {
        let (start, end) = (self.bytes(start), self.bytes(end));
        if !end.is_empty() {
            return Place::new(self.file, start.start..end.end.max(start.start));
        }
        match inner {
            Some((first, last)) if first.file == last.file => first.to(&last),
            Some((first, _)) => first,
            None => Place::new(self.file, start),
        }
    }

    fn place(&self, span: Span) -> Place {
        Place::new(self.file, self.bytes(span))
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        let start = self.offsets.byte(span.start.index());
        start..self.offsets.byte(span.end.index()).max(start)
    }
}

/// Bytes of `&anchor` and `!tag` in front of a scalar, which the parser counts as part of it.
fn properties_length(written: &str) -> usize {
    let mut length = 0;
    loop {
        let rest = written.get(length..).unwrap_or("");
        if !rest.starts_with(['&', '!']) {
            return length;
        }
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let after = rest.get(word..).unwrap_or("");
        length += word + (after.len() - after.trim_start().len());
    }
}

/// Character numbers, in which the parser counts, to bytes.
struct Offsets {
    /// Byte of each character; empty for plain ASCII, where the two are the same.
    bytes: Vec<usize>,
    length: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let bytes = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(byte, _)| byte).collect()
        };
        Self { bytes, length: text.len() }
    }

    fn byte(&self, character: usize) -> usize {
        if self.bytes.is_empty() {
            return character.min(self.length);
        }
        self.bytes.get(character).copied().unwrap_or(self.length)
    }
}

#[cfg(test)]
mod tests;
