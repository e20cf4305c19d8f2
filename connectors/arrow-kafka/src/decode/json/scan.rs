//! A cursor over JSON text that checks what it passes.

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

/// Where a value stands; strings without their quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) kind: Kind,
    start: usize,
    end: usize,
}

impl Span {
    /// A field that is not there reads as null.
    pub(super) const MISSING: Self = Self { kind: Kind::Null, start: 0, end: 0 };

    /// The text of the span.
    #[inline]
    pub(super) fn slice(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// The value; escapes are resolved into `scratch`.
    #[inline]
    pub(super) fn token<'a>(self, text: &'a str, scratch: &'a mut String) -> Token<'a> {
        let slice = self.slice(text);
        if self.kind == Kind::Escaped {
            scratch.clear();
            unescape(slice, scratch);
            return Token::Text(scratch);
        }
        self.kind.token(slice)
    }
}

/// Why a scan stopped. Small, since every step returns one or none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    Syntax { at: usize, expected: &'static str },
    TooDeep { at: usize },
}

impl Stop {
    pub(super) fn into_reason(self) -> RejectReason {
        match self {
            Self::Syntax { at, expected } => RejectReason::Syntax { at, expected },
            Self::TooDeep { at } => RejectReason::TooDeep { at },
        }
    }
}

/// A place in JSON text.
pub(super) struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0 }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// The next byte; NUL, which begins no token, at the end.
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn skip_whitespace(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// Passes `byte` if it is next.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == byte;
        self.at += usize::from(is_next);
        is_next
    }

    /// Passes `bytes` if they are next.
    #[inline]
    pub(super) fn take_bytes(&mut self, bytes: &[u8]) -> bool {
        let is_next = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(bytes));
        if is_next {
            self.at += bytes.len();
        }
        is_next
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Stop> {
        if self.take(byte) { Ok(()) } else { Err(self.stop(what)) }
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), Stop> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.stop("the end")) }
    }

    /// Passes a key and its colon.
    pub(super) fn key(&mut self) -> Result<Span, Stop> {
        self.expect(b'"', "a field name")?;
        let key = self.string()?;
        self.skip_whitespace();
        self.expect(b':', "`:`")?;
        Ok(key)
    }

    /// Passes any value; `depth` is the number of arrays and objects around it.
    #[inline]
    pub(super) fn value(&mut self, depth: usize) -> Result<Span, Stop> {
        match self.peek() {
            b'"' => {
                self.at += 1;
                self.string()
            }
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.word(b"null", Kind::Null),
            b't' => self.word(b"true", Kind::True),
            b'f' => self.word(b"false", Kind::False),
            b'{' | b'[' => {
                let start = self.at;
                self.container(depth)?;
                Ok(Span { kind: Kind::Nested, start, end: self.at })
            }
            _ => Err(self.stop("a value")),
        }
    }

    #[inline]
    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Span, Stop> {
        let start = self.at;
        if self.take_bytes(word) {
            return Ok(Span { kind, start, end: self.at });
        }
        Err(self.stop("a value"))
    }

    fn number(&mut self) -> Result<Span, Stop> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Span { kind: Kind::Number, start, end: self.at })
    }

    fn digits(&mut self) -> Result<(), Stop> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { Err(self.stop("a digit")) } else { Ok(()) }
    }

    /// Passes the rest of a string whose opening quote has been passed.
    #[inline]
    fn string(&mut self) -> Result<Span, Stop> {
        let start = self.at;
        self.at = plain_end(self.bytes, start);
        if self.take(b'"') {
            return Ok(Span { kind: Kind::Text, start, end: self.at - 1 });
        }
        self.string_with_escapes(start)
    }

    #[cold]
    fn string_with_escapes(&mut self, start: usize) -> Result<Span, Stop> {
        while self.peek() == b'\\' {
            self.escape()?;
            self.at = plain_end(self.bytes, self.at);
            if self.take(b'"') {
                return Ok(Span { kind: Kind::Escaped, start, end: self.at - 1 });
            }
        }
        if self.at >= self.bytes.len() {
            return Err(self.stop("the end of a string"));
        }
        Err(self.stop("an escaped control character"))
    }

    fn escape(&mut self) -> Result<(), Stop> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
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
    fn hex_unit(&mut self) -> Result<u32, Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let unit = rest.strip_prefix(b"\\u").and_then(hex4);
        match unit {
            Some(unit) => {
                self.at += 6;
                Ok(unit)
            }
            None => Err(self.stop("`\\u` and four hexadecimal digits")),
        }
    }

    /// Passes an array or object with all that is in it.
    fn container(&mut self, depth: usize) -> Result<(), Stop> {
        if depth >= MAX_DEPTH {
            return Err(Stop::TooDeep { at: self.at });
        }
        let is_object = self.peek() == b'{';
        let close = if is_object { b'}' } else { b']' };
        self.at += 1;
        self.skip_whitespace();
        if self.take(close) {
            return Ok(());
        }
        loop {
            if is_object {
                self.key()?;
                self.skip_whitespace();
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
    fn stop(&self, expected: &'static str) -> Stop {
        Stop::Syntax { at: self.at, expected }
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

/// The high bit of the lowest byte that is zero, and perhaps of bytes above it.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(every(0x01)) & !word & every(0x80)
}

/// The first place from `at` on with a quote, a backslash or a control character; the end if there
/// is none. Eight bytes a step.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(every(0x20)) & !word & every(0x80);
        let found = zero_bytes(word ^ every(b'"')) | zero_bytes(word ^ every(b'\\')) | control;
        if found != 0 {
            // The lowest mark is exact; those above it may come from a borrow.
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1F)).count();
    at + plain
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
