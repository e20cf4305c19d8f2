//! JSON texts and paths into them. Numbers keep their text.

use std::borrow::Cow;

use super::java_text::write;

/// How deep arrays and objects may nest; deeper texts count as broken.
const DEPTH_MAX: usize = 100;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    /// In order of the names; of two equal names the last one counts.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Reads a text; nothing if it is no JSON.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut reader = Reader { rest: text };
        let value = reader.value(0)?;
        reader.skip_blanks();
        reader.rest.is_empty().then_some(value)
    }

    /// Writes the value without blanks.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => out.push_str(text),
            Self::Text(text) => write_text(out, text),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_text(out, name);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => write(out, format_args!("\\u{:04X}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, token: &str) -> Option<()> {
        self.skip_blanks();
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Json<'a>> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.skip_blanks();
        match self.rest.bytes().next()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.text().map(Json::Text),
            b't' => self.take("true").map(|()| Json::Bool(true)),
            b'f' => self.take("false").map(|()| Json::Bool(false)),
            b'n' => self.take("null").map(|()| Json::Null),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Option<Json<'a>> {
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        let unsigned = number.strip_prefix('-').unwrap_or(number);
        let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit())
            && (!unsigned.starts_with('0')
                || !unsigned.chars().nth(1).is_some_and(|c| c.is_ascii_digit()))
            && !unsigned.ends_with('.')
            && !unsigned.contains(".e")
            && unsigned.parse::<f64>().is_ok();
        self.rest = rest;
        is_number.then_some(Json::Number(number))
    }

    fn array(&mut self, depth: usize) -> Option<Json<'a>> {
        self.take("[")?;
        let mut items = Vec::new();
        if self.take("]").is_some() {
            return Some(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take(",").is_none() {
                self.take("]")?;
                return Some(Json::Array(items));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json<'a>> {
        self.take("{")?;
        let mut members = std::collections::BTreeMap::new();
        if self.take("}").is_some() {
            return Some(Json::Object(Vec::new()));
        }
        loop {
            self.skip_blanks();
            let name = self.text()?;
            self.take(":")?;
            let value = self.value(depth + 1)?;
            members.insert(name, value);
            if self.take(",").is_none() {
                self.take("}")?;
                return Some(Json::Object(members.into_iter().collect()));
            }
        }
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        let body = self.rest.strip_prefix('"')?;
        let plain = body.find(['"', '\\'])?;
        let (head, tail) = body.split_at(plain);
        if let Some(rest) = tail.strip_prefix('"') {
            self.rest = rest;
            return (!head.contains(|c: char| c < ' ')).then_some(Cow::Borrowed(head));
        }
        let mut text = head.to_owned();
        let mut characters = tail.chars();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => text.push(escaped(&mut characters)?),
                control if control < ' ' => return None,
                other => text.push(other),
            }
        }
        self.rest = characters.as_str();
        Some(Cow::Owned(text))
    }
}

fn escaped(characters: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match characters.next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => {
            let unit = code_unit(characters)?;
            if !(0xD800..0xDC00).contains(&unit) {
                return char::from_u32(unit);
            }
            (characters.next()? == '\\' && characters.next()? == 'u').then_some(())?;
            let low = code_unit(characters)?.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
            return char::from_u32(0x10000 + ((unit - 0xD800) << 10) + low);
        }
        plain @ ('"' | '\\' | '/') => plain,
        _ => return None,
    })
}

fn code_unit(characters: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |unit, _| Some(unit * 16 + characters.next()?.to_digit(16)?))
}

/// A path: `[lax|strict] $` and steps `.name`, `['name']`, `[index]`, `[*]`, `.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonPath {
    /// Whether what is missing is nothing rather than an error.
    is_lax: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    /// Negative from the end.
    Index(i64),
    Every,
}

impl JsonPath {
    /// Reads a path; nothing if it has more than these steps.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_lax = text.starts_with("lax ");
        let text =
            text.strip_prefix("lax ").or_else(|| text.strip_prefix("strict ")).unwrap_or(text);
        let text = text.trim_start();
        let mut steps = Vec::new();
        let mut rest = match text.strip_prefix('$') {
            Some(rest) => rest,
            None => {
                let (name, rest) = member(text)?;
                steps.push(Step::Member(name));
                rest
            }
        };
        while !rest.is_empty() {
            if let Some(tail) = rest.strip_prefix(".*").or_else(|| rest.strip_prefix("[*]")) {
                steps.push(Step::Every);
                rest = tail;
            } else if let Some(tail) = rest.strip_prefix('.') {
                let (name, tail) = member(tail)?;
                steps.push(Step::Member(name));
                rest = tail;
            } else {
                let (inside, tail) = rest.strip_prefix('[')?.split_once(']')?;
                let inside = inside.trim();
                let quoted = |quote| inside.strip_prefix(quote)?.strip_suffix(quote);
                steps.push(match quoted('\'').or_else(|| quoted('"')) {
                    Some(name) => Step::Member(name.to_owned()),
                    None => Step::Index(inside.parse().ok()?),
                });
                rest = tail;
            }
        }
        Some(Self { is_lax, steps })
    }

    /// Whether what is missing is nothing rather than an error.
    pub(super) fn is_lax(&self) -> bool {
        self.is_lax
    }

    /// Whether the path may find several values.
    pub(super) fn is_indefinite(&self) -> bool {
        self.steps.contains(&Step::Every)
    }

    /// The values that the path finds.
    pub(super) fn find<'a>(&self, json: Json<'a>) -> Vec<Json<'a>> {
        let mut found = vec![json];
        for step in &self.steps {
            found = found.into_iter().flat_map(|json| step.take(json)).collect();
        }
        found
    }
}

/// A name up to the next step; blanks and quotes are none of it.
fn member(text: &str) -> Option<(String, &str)> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let is_name =
        !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || "*?()'\"$@".contains(c));
    is_name.then(|| (name.to_owned(), rest))
}

impl Step {
    fn take<'a>(&self, json: Json<'a>) -> Vec<Json<'a>> {
        match (self, json) {
            (Self::Member(name), Json::Object(members)) => {
                let found = members.into_iter().find(|(member, _)| member == name);
                found.map(|(_, value)| value).into_iter().collect()
            }
            (Self::Index(index), Json::Array(mut items)) => {
                let index = match usize::try_from(*index) {
                    Ok(index) => Some(index),
                    Err(_) => usize::try_from(index.unsigned_abs())
                        .ok()
                        .and_then(|back| items.len().checked_sub(back)),
                };
                match index.filter(|index| *index < items.len()) {
                    Some(index) => vec![items.swap_remove(index)],
                    None => Vec::new(),
                }
            }
            (Self::Every, Json::Array(items)) => items,
            (Self::Every, Json::Object(members)) => {
                members.into_iter().map(|(_, value)| value).collect()
            }
            _ => Vec::new(),
        }
    }
}
