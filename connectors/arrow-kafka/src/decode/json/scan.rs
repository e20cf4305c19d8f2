//! A cursor over JSON text that checks what it passes.

use std::ops::Range;

use super::super::column::Token;
use crate::MAX_DEPTH;
use crate::rejected::RejectReason;

/// What kind of value a span holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Null,
    True,
    False,
    Number,
    /// A string without escapes.
    Text,
    /// A string with escapes.
    Escaped,
    /// An array or object.
    Nested,
}

// A place that has 30 bits must hold every place of a message.
const _: () = assert!(crate::MAX_BATCH_BYTES <= 1 << Span::PLACE_BITS);

impl Kind {
    /// The token of this kind with this text (without quotes and escapes).
    #[inline]
    pub(in super::super) fn token(self, text: &str) -> Token<'_> {
        match self {
            Self::Null => Token::Null,
            Self::True => Token::Bool(true),
            Self::False => Token::Bool(false),
            Self::Number => Token::Number(text),
            Self::Text | Self::Escaped => Token::Text(text),
            Self::Nested => Token::Nested(text),
        }
    }
}

/// Where a value stands, strings without their quotes, and what kind it is: three bits of kind and
/// thirty each of start and end. One number goes through registers; three fields went through
/// memory, and to wait for that took two fifths of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(u64);

impl Span {
    /// A field that is not there reads as null.
    pub(super) const MISSING: Self = Self(Kind::Null as u64);

    const KIND_BITS: u32 = 3;
    const PLACE_BITS: u32 = 30;

    const PLACE_MASK: u64 = (1 << Self::PLACE_BITS) - 1;

    #[inline]
    fn new(kind: Kind, start: usize, end: usize) -> Self {
        let (start, end) = (start as u64, end as u64);
        Self(kind as u64 | start << Self::KIND_BITS | end << (Self::KIND_BITS + Self::PLACE_BITS))
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        match self.0 & 0b111 {
            1 => Kind::True,
            2 => Kind::False,
            3 => Kind::Number,
            4 => Kind::Text,
            5 => Kind::Escaped,
            6 => Kind::Nested,
            _ => Kind::Null,
        }
    }

    /// The bytes of the text that it stands for.
    #[inline]
    pub(super) fn range(self) -> Range<usize> {
        let place = |shift| (self.0 >> shift & Self::PLACE_MASK) as usize;
        place(Self::KIND_BITS)..place(Self::KIND_BITS + Self::PLACE_BITS)
    }

    /// The text of the span in `json`, which is UTF-8.
    #[inline]
    pub(super) fn slice(self, json: &[u8]) -> &str {
        let bytes = json.get(self.range()).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The value; escapes are resolved into `scratch`.
    #[inline]
    pub(super) fn token<'a>(self, json: &'a [u8], scratch: &'a mut String) -> Token<'a> {
        let slice = self.slice(json);
        if self.kind() == Kind::Escaped {
            scratch.clear();
            unescape(slice, scratch);
            return Token::Text(scratch);
        }
        self.kind().token(slice)
    }
}

/// A scan stopped; its cursor knows why. Without size, so that results stay in registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopped;

/// Why a scan stopped.
#[derive(Clone, Copy, Debug)]
enum Stop {
    Syntax { at: usize, expected: &'static str },
    TooDeep { at: usize },
}

impl Stop {
    fn into_reason(self) -> RejectReason {
        match self {
            Self::Syntax { at, expected } => RejectReason::Syntax { at, expected },
            Self::TooDeep { at } => RejectReason::TooDeep { at },
        }
    }
}

/// A key as written with all that stands between the values around it, `,"name":` mostly, ready to
/// be compared at once.
pub(super) struct KeyBytes {
    bytes: Box<[u8]>,
    /// Its first bytes, and ones where it has bytes.
    start: u128,
    mask: u128,
}

impl KeyBytes {
    /// As many bytes are compared as one number.
    const INLINE: usize = 16;

    pub(super) fn of(bytes: &[u8]) -> Self {
        let (mut start, mut mask) = ([0; Self::INLINE], [0; Self::INLINE]);
        for ((byte, start), mask) in bytes.iter().zip(&mut start).zip(&mut mask) {
            (*start, *mask) = (*byte, 0xFF);
        }
        let (start, mask) = (u128::from_le_bytes(start), u128::from_le_bytes(mask));
        Self { bytes: bytes.into(), start, mask }
    }

    /// A key that no text has: its bytes are not UTF-8.
    pub(super) fn never() -> Self {
        Self { bytes: Box::default(), start: u128::MAX, mask: u128::MAX }
    }

    /// Whether the key is next.
    #[inline]
    pub(super) fn begins(&self, ahead: &Ahead<'_>) -> bool {
        (ahead.start ^ self.start) & self.mask == 0
            && (self.bytes.len() <= Self::INLINE || ahead.rest.starts_with(&self.bytes))
    }
}

/// What stands from a cursor on.
pub(super) struct Ahead<'a> {
    rest: &'a [u8],
    start: u128,
}

/// A place in JSON text.
pub(super) struct Cursor<'a> {
    json: &'a [u8],
    /// What has not been passed.
    rest: &'a [u8],
    stop: Option<Stop>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(json: &'a [u8]) -> Self {
        Self { json, rest: json, stop: None }
    }

    pub(super) fn json(&self) -> &'a [u8] {
        self.json
    }

    /// The bytes from `start` up to the cursor.
    pub(super) fn passed_since(&self, start: usize) -> &'a [u8] {
        self.json.get(start..self.at()).unwrap_or_default()
    }

    /// Where the cursor stands.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.json.len() - self.rest.len()
    }

    /// Passes `count` bytes, at most all.
    #[inline]
    fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// The next byte; NUL, which begins no token, at the end.
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        self.rest.first().copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn skip_whitespace(&mut self) {
        while let [b' ' | b'\n' | b'\r' | b'\t', after @ ..] = self.rest {
            self.rest = after;
        }
    }

    /// Passes `byte` if it is next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        match self.rest {
            [next, after @ ..] if *next == byte => {
                self.rest = after;
                true
            }
            _ => false,
        }
    }

    /// Passes `bytes` if they are next.
    #[inline]
    fn take_bytes(&mut self, bytes: &[u8]) -> bool {
        match self.rest.strip_prefix(bytes) {
            Some(after) => {
                self.rest = after;
                true
            }
            None => false,
        }
    }

    /// The bytes from here on, to compare with keys.
    #[inline]
    pub(super) fn ahead(&self) -> Option<Ahead<'a>> {
        let start = u128::from_le_bytes(*self.rest.first_chunk::<{ KeyBytes::INLINE }>()?);
        Some(Ahead { rest: self.rest, start })
    }

    /// Passes `key`, which is next.
    #[inline]
    pub(super) fn pass(&mut self, key: &KeyBytes) {
        self.advance(key.bytes.len());
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Stopped> {
        if self.take(byte) { Ok(()) } else { Err(self.stop(what)) }
    }

    /// Nothing may follow.
    pub(super) fn end(&mut self) -> Result<(), Stopped> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.stop("the end")) }
    }

    /// Passes a key and its colon.
    pub(super) fn key(&mut self) -> Result<Span, Stopped> {
        self.expect(b'"', "a field name")?;
        let key = self.string()?;
        self.skip_whitespace();
        self.expect(b':', "`:`")?;
        Ok(key)
    }

    /// Passes any value, and white space before it; `depth` is the number of arrays and objects
    /// around it.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a call costs as much as scanning a short string")]
    pub(super) fn value(&mut self, depth: usize) -> Result<Span, Stopped> {
        // Most values are strings.
        if self.take(b'"') { self.string() } else { self.other_value(depth) }
    }

    fn other_value(&mut self, depth: usize) -> Result<Span, Stopped> {
        self.skip_whitespace();
        match self.peek() {
            b'"' => {
                self.advance(1);
                self.string()
            }
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.word(b"null", Kind::Null),
            b't' => self.word(b"true", Kind::True),
            b'f' => self.word(b"false", Kind::False),
            b'{' | b'[' => {
                let start = self.at();
                self.container(depth)?;
                Ok(Span::new(Kind::Nested, start, self.at()))
            }
            _ => Err(self.stop("a value")),
        }
    }

    #[inline]
    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Span, Stopped> {
        let start = self.at();
        if self.take_bytes(word) {
            return Ok(Span::new(kind, start, self.at()));
        }
        Err(self.stop("a value"))
    }

    fn number(&mut self) -> Result<Span, Stopped> {
        let start = self.at();
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(Span::new(Kind::Number, start, self.at()))
    }

    fn digits(&mut self) -> Result<(), Stopped> {
        if !self.peek().is_ascii_digit() {
            return Err(self.stop("a digit"));
        }
        while let [b'0'..=b'9', after @ ..] = self.rest {
            self.rest = after;
        }
        Ok(())
    }

    /// Passes the rest of a string whose opening quote has been passed.
    #[inline]
    fn string(&mut self) -> Result<Span, Stopped> {
        let start = self.at();
        let length = plain_length(self.rest);
        self.advance(length);
        if self.take(b'"') {
            return Ok(Span::new(Kind::Text, start, start + length));
        }
        self.string_with_escapes(start)
    }

    #[cold]
    fn string_with_escapes(&mut self, start: usize) -> Result<Span, Stopped> {
        while self.peek() == b'\\' {
            self.escape()?;
            self.advance(plain_length(self.rest));
            let end = self.at();
            if self.take(b'"') {
                return Ok(Span::new(Kind::Escaped, start, end));
            }
        }
        if self.rest.is_empty() {
            return Err(self.stop("the end of a string"));
        }
        Err(self.stop("an escaped control character"))
    }

    fn escape(&mut self) -> Result<(), Stopped> {
        match self.rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.advance(2);
                Ok(())
            }
            Some(b'u') => {
                let unit = self.hex_unit()?;
                match unit {
                    0xD800..=0xDBFF => match self.hex_unit()? {
                        0xDC00..=0xDFFF => Ok(()),
                        _ => Err(self.stop("the other half of a surrogate pair")),
                    },
                    0xDC00..=0xDFFF => Err(self.stop("the first half of a surrogate pair")),
                    _ => Ok(()),
                }
            }
            _ => Err(self.stop("an escape")),
        }
    }

    /// Passes `\uXXXX`.
    fn hex_unit(&mut self) -> Result<u32, Stopped> {
        match self.rest.strip_prefix(b"\\u").and_then(hex4) {
            Some(unit) => {
                self.advance(6);
                Ok(unit)
            }
            None => Err(self.stop("`\\u` and four hexadecimal digits")),
        }
    }

    /// Passes an array or object with all that is in it.
    fn container(&mut self, depth: usize) -> Result<(), Stopped> {
        if depth >= MAX_DEPTH {
            self.stop = Some(Stop::TooDeep { at: self.at() });
            return Err(Stopped);
        }
        let is_object = self.peek() == b'{';
        let close = if is_object { b'}' } else { b']' };
        self.advance(1);
        self.skip_whitespace();
        if self.take(close) {
            return Ok(());
        }
        loop {
            if is_object {
                self.key()?;
            }
            self.value(depth + 1)?;
            self.skip_whitespace();
            if self.take(b',') {
                self.skip_whitespace();
                continue;
            }
            return self.expect(close, if is_object { "`,` or `}`" } else { "`,` or `]`" });
        }
    }

    #[cold]
    fn stop(&mut self, expected: &'static str) -> Stopped {
        self.stop = Some(Stop::Syntax { at: self.at(), expected });
        Stopped
    }

    /// Why the scan stopped.
    pub(super) fn reason(&self) -> RejectReason {
        let stop = self.stop.unwrap_or(Stop::Syntax { at: self.at(), expected: "JSON" });
        stop.into_reason()
    }
}

/// The value of four hexadecimal digits at the start of `bytes`.
fn hex4(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

/// Every byte of a word.
const fn every(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// How many bytes come before the first quote, backslash or control character. Eight bytes a step.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        // A byte that is zero, or below 0x20, borrows into its high bit; one that had it set is no
        // ASCII and is left out. Bytes above the first that is found may be marked wrongly.
        let borrowed = (word ^ every(b'"')).wrapping_sub(every(0x01))
            | (word ^ every(b'\\')).wrapping_sub(every(0x01))
            | word.wrapping_sub(every(0x20));
        let found = borrowed & !word & every(0x80);
        if found != 0 {
            return length + (found.trailing_zeros() / 8) as usize;
        }
        length += 8;
        rest = after;
    }
    length + rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1F)).count()
}

/// Resolves the escapes of a string's inside, which a cursor has passed.
fn unescape(inside: &str, out: &mut String) {
    let mut rest = inside;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let Some(kind) = escape.chars().next() else { return };
        let mut after = escape.get(kind.len_utf8()..).unwrap_or_default();
        match kind {
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'u' => {
                let mut unit = hex4(after.as_bytes()).unwrap_or(0);
                after = after.get(4..).unwrap_or_default();
                if let 0xD800..=0xDBFF = unit {
                    let low = after.get(2..).and_then(|low| hex4(low.as_bytes())).unwrap_or(0);
                    unit = 0x1_0000 + ((unit - 0xD800) << 10) + (low.wrapping_sub(0xDC00) & 0x3FF);
                    after = after.get(6..).unwrap_or_default();
                }
                out.extend(char::from_u32(unit));
            }
            itself => out.push(itself),
        }
        rest = after;
    }
    out.push_str(rest);
}
