//! A mapping of the YAML read key by key: each value gets its type, each key is accounted for.
//!
//! A key may have several spellings and may stand in several mappings (`topic:` and
//! `advanced.topic:`); [`Fields`] looks in all of them, and two that are given are a mistake that
//! shows both. What was never asked for is an unknown key when [`Fields::finish`] is called.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnostic::shape::ShapeMistake;
use crate::diagnostic::{Diagnostic, closest};
use crate::duration;
use crate::place::{Files, Place, Spanned};
use crate::project::secret::Secret;
use crate::yaml::{Data, Entry, Node, Scalar};

pub(crate) mod expand;
mod no_effect;

pub(crate) use expand::Variables;

/// What is shared while the files of one project are read.
pub(crate) struct Reader<'a> {
    pub(crate) files: &'a Files,
    pub(crate) variables: &'a Variables,
    pub(crate) is_strict: bool,
    /// Inside `runtime`, where an unset `${VAR}` is an error.
    pub(crate) is_runtime: bool,
    /// The names of all `${VAR}`, and whether they are set.
    pub(crate) named_variables: BTreeMap<String, bool>,
    pub(crate) mistakes: Vec<Diagnostic>,
}

/// One mapping, or several that are read as one.
pub(crate) struct Fields<'n> {
    /// As messages call it.
    thing: String,
    /// As the list of keys without effect calls it.
    kind: &'static str,
    place: Place,
    layers: Vec<Layer<'n>>,
    asked: Vec<&'static str>,
}

struct Layer<'n> {
    entries: &'n [Entry],
    is_used: Vec<bool>,
}

/// A key that is there.
#[derive(Clone, Copy)]
pub(crate) struct Found<'n> {
    /// The spelling that the user chose.
    pub(crate) key: &'n str,
    pub(crate) key_place: &'n Place,
    pub(crate) node: &'n Node,
}

impl Reader<'_> {
    pub(crate) fn report(&mut self, mistake: impl Into<Diagnostic>) {
        self.mistakes.push(mistake.into());
    }

    pub(crate) fn wrong_shape(&mut self, key: &str, expected: &'static str, node: &Node) {
        let (found, at) = (node.kind(), node.place.clone());
        self.report(ShapeMistake::WrongShape { key: format!("`{key}`"), expected, found, at });
    }

    /// The value is not shown as it is but as it is written: it may come from a `${VAR}`.
    pub(crate) fn invalid(&mut self, key: &str, node: &Node, expected: impl Into<String>) {
        let value = match &node.data {
            Data::Scalar(scalar) => scalar.text.clone(),
            Data::Sequence(_) | Data::Mapping(_) => node.kind().to_owned(),
        };
        let (key, at) = (key.to_owned(), node.place.clone());
        self.report(ShapeMistake::InvalidValue { key, value, expected: expected.into(), at });
    }

    /// A scalar with its `${VAR}` filled in. `None` is reported, or means not given.
    pub(crate) fn string(&mut self, key: &str, node: &Node) -> Option<Spanned<String>> {
        if node.is_null() {
            return None;
        }
        let Data::Scalar(scalar) = &node.data else {
            self.wrong_shape(key, "a single value", node);
            return None;
        };
        let text = self.expand(scalar, node)?;
        Some(Spanned::new(text, node.place.clone()))
    }

    /// A list of scalars, or one scalar for a list of one.
    pub(crate) fn strings(&mut self, key: &str, node: &Node) -> Vec<Spanned<String>> {
        match &node.data {
            Data::Sequence(items) => {
                items.iter().filter_map(|item| self.string(key, item)).collect()
            }
            Data::Scalar(_) => self.string(key, node).into_iter().collect(),
            Data::Mapping(_) => {
                self.wrong_shape(key, "a list", node);
                Vec::new()
            }
        }
    }

    /// A duration. The end of the key says the unit of a bare number; without one it is
    /// milliseconds, which is said.
    pub(crate) fn duration(&mut self, key: &str, node: &Node) -> Option<Spanned<Duration>> {
        if let Data::Mapping(_) = &node.data {
            return self.counted_period(key, node);
        }
        let text = self.string(key, node)?;
        let value = match text.trim().parse::<u64>() {
            Ok(count) => match unit_of_key(key) {
                Some(unit) => duration::of_unit(count, unit),
                None => {
                    let value = Duration::from_millis(count);
                    self.report(ShapeMistake::NoUnit {
                        key: key.to_owned(),
                        unit: "milliseconds",
                        written: duration::format(value),
                        at: node.place.clone(),
                    });
                    Some(value)
                }
            },
            Err(_) => duration::parse(&text),
        };
        if value.is_none() {
            self.invalid(key, node, "a duration such as `20ms`, `30s`, `5m`, `1h` or `1d`");
        }
        Some(Spanned::new(value?, text.place))
    }

    /// dbt's `{count: 12, period: hour}`.
    fn counted_period(&mut self, key: &str, node: &Node) -> Option<Spanned<Duration>> {
        let mut fields = Fields::new(self, node, "duration", format!("`{key}`"))?;
        let count = fields.integer::<u64>(self, "count");
        let period = fields.required(self, "period");
        fields.finish(self);
        let value = duration::of_unit(count?.value, &period?);
        if value.is_none() {
            self.invalid(key, node, "a count and a period of `minute`, `hour` or `day`");
        }
        Some(Spanned::new(value?, node.place.clone()))
    }
}

fn unit_of_key(key: &str) -> Option<&'static str> {
    let units = [("_ms", "ms"), ("_seconds", "s"), ("_minutes", "m"), ("_hours", "h")];
    let is_bare = |unit: &str| key == unit.trim_start_matches('_');
    units.iter().find(|(end, _)| key.ends_with(end) || is_bare(end)).map(|(_, unit)| *unit)
}

impl<'n> Fields<'n> {
    /// The keys of `node`, which must be a mapping.
    pub(crate) fn new(
        reader: &mut Reader<'_>,
        node: &'n Node,
        kind: &'static str,
        thing: impl Into<String>,
    ) -> Option<Self> {
        let mut fields = Self {
            thing: thing.into(),
            kind,
            place: node.place.clone(),
            layers: Vec::new(),
            asked: Vec::new(),
        };
        fields.add_layer(reader, node).then_some(fields)
    }

    /// Lets the keys of `node` count as this mapping's own.
    pub(crate) fn add_layer(&mut self, reader: &mut Reader<'_>, node: &'n Node) -> bool {
        match &node.data {
            Data::Mapping(entries) => {
                self.layers.push(Layer { entries, is_used: vec![false; entries.len()] });
                true
            }
            Data::Scalar(_) | Data::Sequence(_) => {
                let (key, expected) = (self.thing.clone(), "a mapping");
                let (found, at) = (node.kind(), node.place.clone());
                reader.report(ShapeMistake::WrongShape { key, expected, found, at });
                false
            }
        }
    }

    /// Names the thing once its own name is known.
    pub(crate) fn rename(&mut self, thing: impl Into<String>) {
        self.thing = thing.into();
    }

    pub(crate) fn thing(&self) -> &str {
        &self.thing
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// All entries in the order they are written; each counts as asked for.
    pub(crate) fn take_all(&mut self) -> Vec<Found<'n>> {
        let mut all = Vec::new();
        for layer in &mut self.layers {
            layer.is_used.fill(true);
            all.extend(layer.entries.iter().map(Found::of));
        }
        all
    }

    /// The one spelling of `spellings` (separated by `|`) that is given. Null counts as not given.
    pub(crate) fn take(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
    ) -> Option<Found<'n>> {
        let found = self.matches(spellings);
        let (first, others) = found.split_first()?;
        for other in others {
            reader.report(ShapeMistake::ConflictingSpellings {
                key: other.key.to_owned(),
                first_key: first.key.to_owned(),
                at: other.key_place.clone(),
                first: first.key_place.clone(),
            });
        }
        Some(*first)
    }

    /// The mapping under any of `spellings`; several are read as one.
    pub(crate) fn section(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
        kind: &'static str,
    ) -> Option<Fields<'n>> {
        let found = self.matches(spellings);
        let (first, others) = found.split_first()?;
        let thing = format!("`{}` of {}", first.key, self.thing);
        let mut section = Fields::new(reader, first.node, kind, thing)?;
        for other in others {
            section.add_layer(reader, other.node);
        }
        Some(section)
    }

    /// The elements of a list, each a mapping.
    pub(crate) fn sections(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
        kind: &'static str,
    ) -> Vec<Fields<'n>> {
        let nodes = self.list(reader, spellings);
        nodes
            .into_iter()
            .filter_map(|node| Fields::new(reader, node, kind, format!("a {kind}")))
            .collect()
    }

    /// The elements of a list.
    pub(crate) fn list(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
    ) -> Vec<&'n Node> {
        let Some(found) = self.take(reader, spellings) else { return Vec::new() };
        match &found.node.data {
            Data::Sequence(items) => items.iter().collect(),
            Data::Scalar(_) | Data::Mapping(_) => {
                reader.wrong_shape(found.key, "a list", found.node);
                Vec::new()
            }
        }
    }

    pub(crate) fn string(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
    ) -> Option<Spanned<String>> {
        let found = self.take(reader, spellings)?;
        reader.string(found.key, found.node)
    }

    /// As [`Fields::string`], without the place.
    pub(crate) fn text(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
    ) -> Option<String> {
        self.string(reader, spellings).map(|string| string.value)
    }

    /// A string that must be there and not be empty.
    pub(crate) fn required(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
    ) -> Option<Spanned<String>> {
        match self.take(reader, spellings) {
            Some(found) => {
                let string = reader.string(found.key, found.node)?;
                if string.is_empty() {
                    reader.invalid(found.key, found.node, "not empty");
                    return None;
                }
                Some(string)
            }
            None => {
                self.report_missing(reader, spellings);
                None
            }
        }
    }

    pub(crate) fn report_missing(&self, reader: &mut Reader<'_>, spellings: &'static str) {
        let key = spellings.split('|').next().unwrap_or(spellings);
        // The first line of the mapping is enough to point at; all of it would be a wall.
        let start = self.place.range.start;
        let rest = reader.files.text(self.place.file).get(start..).unwrap_or("");
        let end = start + rest.find(['\r', '\n']).unwrap_or(rest.len());
        let at = Place::new(self.place.file, start..end.min(self.place.range.end));
        reader.report(ShapeMistake::MissingKey { thing: self.thing.clone(), key, at });
    }

    pub(crate) fn strings(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
    ) -> Vec<Spanned<String>> {
        self.take(reader, spellings)
            .map(|found| reader.strings(found.key, found.node))
            .unwrap_or_default()
    }

    pub(crate) fn secret(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
    ) -> Option<Spanned<Secret>> {
        self.string(reader, spellings).map(|string| string.map(Secret::new))
    }

    /// A whole number that fits `T`.
    pub(crate) fn integer<T: TryFrom<u64>>(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
    ) -> Option<Spanned<T>> {
        self.integer_from(reader, spellings, 0)
    }

    /// A whole number of at least `least` that fits `T`.
    pub(crate) fn integer_from<T: TryFrom<u64>>(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
        least: u64,
    ) -> Option<Spanned<T>> {
        let found = self.take(reader, spellings)?;
        let text = reader.string(found.key, found.node)?;
        let number = text.trim().parse::<u64>().ok().filter(|number| *number >= least);
        match number.and_then(|number| T::try_from(number).ok()) {
            Some(number) => Some(Spanned::new(number, text.place)),
            None => {
                reader.invalid(
                    found.key,
                    found.node,
                    format!("a whole number of at least {least}"),
                );
                None
            }
        }
    }

    /// A finite number; a percent sign after it is fine.
    pub(crate) fn float(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
    ) -> Option<Spanned<f64>> {
        let found = self.take(reader, spellings)?;
        let text = reader.string(found.key, found.node)?;
        let number = text.trim().trim_end_matches('%').trim_end().parse::<f64>();
        match number {
            Ok(number) if number.is_finite() => Some(Spanned::new(number, text.place)),
            Ok(_) | Err(_) => {
                reader.invalid(found.key, found.node, "a number");
                None
            }
        }
    }

    pub(crate) fn boolean(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
    ) -> Option<Spanned<bool>> {
        const WORDS: [(&str, bool); 4] =
            [("true", true), ("false", false), ("yes", true), ("no", false)];
        self.choice(reader, spellings, &WORDS)
    }

    pub(crate) fn duration(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
    ) -> Option<Spanned<Duration>> {
        let found = self.take(reader, spellings)?;
        reader.duration(found.key, found.node)
    }

    /// One of `words`, in any case.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
        words: &[(&str, T)],
    ) -> Option<Spanned<T>> {
        let found = self.take(reader, spellings)?;
        let text = reader.string(found.key, found.node)?;
        match words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text.trim())) {
            Some((_, value)) => Some(Spanned::new(*value, text.place)),
            None => {
                let known: Vec<String> =
                    words.iter().map(|(word, _)| format!("`{word}`")).collect();
                reader.invalid(found.key, found.node, format!("one of {}", known.join(", ")));
                None
            }
        }
    }

    /// A mapping from any key to a scalar.
    pub(crate) fn settings(
        &mut self,
        reader: &mut Reader<'_>,
        spellings: &'static str,
    ) -> BTreeMap<String, Spanned<String>> {
        let Some(mut section) = self.section(reader, spellings, "settings") else {
            return BTreeMap::new();
        };
        let all = section.take_all();
        all.into_iter()
            .filter_map(|found| Some((found.key.to_owned(), reader.string(found.key, found.node)?)))
            .collect()
    }

    /// Reports every key that nobody asked for.
    pub(crate) fn finish(self, reader: &mut Reader<'_>) {
        let known: Vec<&str> = self.asked.iter().flat_map(|keys| keys.split('|')).collect();
        for layer in &self.layers {
            for (entry, is_used) in layer.entries.iter().zip(&layer.is_used) {
                if *is_used {
                    continue;
                }
                let (key, at) = (entry.key.clone(), entry.key_place.clone());
                if let Some(level) = no_effect::level(self.kind, &key) {
                    reader.report(ShapeMistake::NoEffect { key, level, at });
                    continue;
                }
                let suggestions = closest(&key, known.iter().copied());
                let (thing, is_strict) = (self.thing.clone(), reader.is_strict);
                reader.report(ShapeMistake::UnknownKey { thing, key, suggestions, is_strict, at });
            }
        }
    }

    /// All given spellings, null ones left out.
    fn matches(&mut self, spellings: &'static str) -> Vec<Found<'n>> {
        self.asked.push(spellings);
        let mut found = Vec::new();
        for layer in &mut self.layers {
            for (entry, is_used) in layer.entries.iter().zip(&mut layer.is_used) {
                if spellings.split('|').any(|spelling| spelling == entry.key) {
                    *is_used = true;
                    if !entry.value.is_null() {
                        found.push(Found::of(entry));
                    }
                }
            }
        }
        found
    }
}

impl<'n> Found<'n> {
    pub(crate) fn of(entry: &'n Entry) -> Self {
        Self { key: &entry.key, key_place: &entry.key_place, node: &entry.value }
    }

    /// The scalar as it is, without `${VAR}`; for SQL, which is Jinja's.
    pub(crate) fn raw(&self, reader: &mut Reader<'_>) -> Option<(&'n Node, &'n Scalar)> {
        match &self.node.data {
            Data::Scalar(scalar) => Some((self.node, scalar)),
            Data::Sequence(_) | Data::Mapping(_) => {
                reader.wrong_shape(self.key, "text", self.node);
                None
            }
        }
    }
}
