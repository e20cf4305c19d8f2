//! One JSON object a message, scanned once, straight to the fields that are wanted.
//!
//! The whole value is checked against RFC 8259, also where nothing is wanted from it. Fields mostly
//! come in the same order, written the same way, so each key remembers which came after it, with the
//! comma, colon and white space around it: a guess that holds costs one comparison, no search.
//!
//! **Invariant:** a scan that fails leaves no column touched; appending is another step.

mod scan;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

pub(super) use scan::Kind;
use scan::{Cursor, KeyBytes, Span, Stopped};

use super::column::Token;
use crate::rejected::RejectReason;

/// Finds the wanted fields of JSON objects.
pub(super) struct JsonScanner {
    /// Wanted names and their slots.
    names: HashMap<Box<str>, usize>,
    /// Keys seen so far; the first two are no keys but [`START`] and [`UNKNOWN`].
    known: Vec<KnownKey>,
    /// The same by their bytes as written.
    ids: HashMap<Box<[u8]>, usize>,
    slots: Vec<Span>,
}

/// A key that has occurred.
struct KnownKey {
    bytes: KeyBytes,
    /// Where its value goes; [`UNWANTED`] if nowhere.
    slot: usize,
    /// The keys that came after it last, the latest first; [`START`] is none.
    next: [usize; 2],
}

/// How many keys are remembered; a stream whose keys are data must not fill the memory.
const MAX_KNOWN_KEYS: usize = 4_096;
/// How long a remembered key may be.
const MAX_KNOWN_KEY_BYTES: usize = 256;
/// The id of the object's start.
const START: usize = 0;
/// The id of a key that is not remembered.
const UNKNOWN: usize = 1;
/// A slot that does not exist.
const UNWANTED: usize = usize::MAX;

impl JsonScanner {
    /// A scanner for `names`, which differ; the slots are numbered in their order.
    pub(super) fn new(names: &[String]) -> Self {
        let slots = vec![Span::MISSING; names.len()];
        let names = names
            .iter()
            .enumerate()
            .map(|(slot, name)| (name.clone().into_boxed_str(), slot))
            .collect();
        let no_key = || KnownKey { bytes: KeyBytes::never(), slot: UNWANTED, next: [START; 2] };
        Self { names, known: vec![no_key(), no_key()], ids: HashMap::new(), slots }
    }

    /// Finds the fields of `json`, which is UTF-8: one object with nothing around it but white space.
    pub(super) fn scan(&mut self, json: &[u8]) -> Result<(), RejectReason> {
        self.slots.fill(Span::MISSING);
        let mut cursor = Cursor::new(json);
        self.record(&mut cursor).map_err(|_stopped| cursor.reason())
    }

    /// Where the value in `slot` stands in the JSON that was scanned last, if it is a string without
    /// escapes.
    #[inline]
    pub(super) fn plain_text(&self, slot: usize) -> Option<Range<usize>> {
        self.slots.get(slot).filter(|span| span.kind() == Kind::Text).map(|span| span.range())
    }

    /// The value in `slot` of the JSON that was scanned last.
    #[inline]
    pub(super) fn token<'a>(
        &self,
        slot: usize,
        json: &'a [u8],
        scratch: &'a mut String,
    ) -> Token<'a> {
        let span = self.slots.get(slot).copied().unwrap_or(Span::MISSING);
        span.token(json, scratch)
    }

    fn record(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stopped> {
        self.object(cursor)?;
        cursor.skip_whitespace();
        cursor.end()
    }

    fn object(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stopped> {
        cursor.skip_whitespace();
        let mut previous = START;
        loop {
            let (id, slot) = match self.expected_key(cursor, previous) {
                Some(key) => key,
                None => match self.unexpected_key(cursor, previous)? {
                    Some(key) => key,
                    None => return Ok(()),
                },
            };
            previous = id;
            let span = cursor.value(1)?;
            // The last of duplicates wins.
            if let Some(place) = self.slots.get_mut(slot) {
                *place = span;
            }
        }
    }

    /// Passes a key that came after `previous` before, and all that stands between the values around
    /// it: its id and its slot.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is called in one place, for every field")]
    fn expected_key(&self, cursor: &mut Cursor<'_>, previous: usize) -> Option<(usize, usize)> {
        let before = self.known.get(previous)?;
        let ahead = cursor.ahead()?;
        for id in before.next {
            if let Some(guess) = self.known.get(id)
                && guess.bytes.begins(&ahead)
            {
                cursor.pass(&guess.bytes);
                return Some((id, guess.slot));
            }
        }
        None
    }

    /// Passes any key, and all that stands between the values around it; none at the object's end.
    #[cold]
    fn unexpected_key(
        &mut self,
        cursor: &mut Cursor<'_>,
        previous: usize,
    ) -> Result<Option<(usize, usize)>, Stopped> {
        let start = cursor.at();
        if previous == START {
            cursor.expect(b'{', "an object")?;
            cursor.skip_whitespace();
            if cursor.take(b'}') {
                return Ok(None);
            }
        } else {
            cursor.skip_whitespace();
            if !cursor.take(b',') {
                return cursor.expect(b'}', "`,` or `}`").map(|()| None);
            }
            cursor.skip_whitespace();
        }
        let key = cursor.key()?;
        cursor.skip_whitespace();
        let mut scratch = String::new();
        let slot = self.slot(key.token(cursor.json(), &mut scratch).text());
        let bytes = cursor.passed_since(start);
        let known = self.ids.get(bytes).copied();
        let Some(id) = known.or_else(|| self.remember(bytes, slot)) else {
            return Ok(Some((UNKNOWN, slot)));
        };
        if let Some(before) = self.known.get_mut(previous) {
            before.next = [id, before.next.first().copied().unwrap_or(START)];
        }
        Ok(Some((id, slot)))
    }

    fn slot(&self, name: &str) -> usize {
        self.names.get(name).copied().unwrap_or(UNWANTED)
    }

    fn remember(&mut self, bytes: &[u8], slot: usize) -> Option<usize> {
        if self.known.len() >= MAX_KNOWN_KEYS || bytes.len() > MAX_KNOWN_KEY_BYTES {
            return None;
        }
        let id = self.known.len();
        self.known.push(KnownKey { bytes: KeyBytes::of(bytes), slot, next: [START; 2] });
        self.ids.insert(bytes.into(), id);
        Some(id)
    }
}

/// A token that owns its text where it had escapes.
pub(super) struct Parsed<'a> {
    kind: Kind,
    text: Cow<'a, str>,
}

impl<'a> Parsed<'a> {
    fn new(span: Span, json: &'a [u8]) -> Self {
        let mut scratch = String::new();
        if span.kind() == Kind::Escaped {
            span.token(json, &mut scratch);
            return Self { kind: Kind::Text, text: Cow::Owned(scratch) };
        }
        Self { kind: span.kind(), text: Cow::Borrowed(span.slice(json)) }
    }

    pub(super) fn as_token(&self) -> Token<'_> {
        self.kind.token(&self.text)
    }
}

/// The items of an array that is known to be well formed.
pub(super) struct Items<'a>(Members<'a>);

impl<'a> Items<'a> {
    /// None if `json` is no array.
    pub(super) fn of(json: &'a str) -> Option<Self> {
        Members::of(json, b'[').map(Self)
    }

    pub(super) fn next_token(&mut self) -> Option<Parsed<'a>> {
        self.0.advance(b']')?;
        self.0.value()
    }
}

/// The entries of an object that is known to be well formed.
pub(super) struct Entries<'a>(Members<'a>);

impl<'a> Entries<'a> {
    /// None if `json` is no object.
    pub(super) fn of(json: &'a str) -> Option<Self> {
        Members::of(json, b'{').map(Self)
    }

    pub(super) fn next_entry(&mut self) -> Option<(String, Parsed<'a>)> {
        self.0.advance(b'}')?;
        let key = self.0.cursor.key().ok()?;
        let name = Parsed::new(key, self.0.cursor.json()).text.into_owned();
        Some((name, self.0.value()?))
    }
}

struct Members<'a> {
    cursor: Cursor<'a>,
    is_first: bool,
}

impl<'a> Members<'a> {
    fn of(json: &'a str, open: u8) -> Option<Self> {
        let mut cursor = Cursor::new(json.as_bytes());
        cursor.take(open).then_some(Self { cursor, is_first: true })
    }

    /// Stands before the next member; none after the last.
    fn advance(&mut self, close: u8) -> Option<()> {
        self.cursor.skip_whitespace();
        if self.cursor.take(close) {
            return None;
        }
        if !self.is_first {
            self.cursor.take(b',').then_some(())?;
            self.cursor.skip_whitespace();
        }
        self.is_first = false;
        Some(())
    }

    fn value(&mut self) -> Option<Parsed<'a>> {
        let span = self.cursor.value(1).ok()?;
        Some(Parsed::new(span, self.cursor.json()))
    }
}

/// Well-formed JSON without white space between its tokens.
pub(super) fn compact(json: &str) -> Cow<'_, str> {
    if !json.bytes().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
        return Cow::Borrowed(json);
    }
    let mut in_string = false;
    let mut is_escaped = false;
    let kept = json.chars().filter(|char| {
        let keep = in_string || !matches!(char, ' ' | '\t' | '\n' | '\r');
        if in_string && *char == '\\' && !is_escaped {
            is_escaped = true;
        } else {
            if *char == '"' && !is_escaped {
                in_string = !in_string;
            }
            is_escaped = false;
        }
        keep
    });
    Cow::Owned(kept.collect())
}

/// What `text` stands for, which is one JSON string with nothing around it; none if it is not.
pub(super) fn string_text(text: &str) -> Option<String> {
    let mut cursor = Cursor::new(text.as_bytes());
    if cursor.peek() != b'"' {
        return None;
    }
    let span = cursor.value(0).ok()?;
    cursor.end().ok()?;
    Some(Parsed::new(span, text.as_bytes()).text.into_owned())
}

#[cfg(test)]
mod tests;
