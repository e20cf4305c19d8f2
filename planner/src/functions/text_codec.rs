//! Encodings and digests of texts.

use arrow::array::ArrayRef;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use datafusion::common::{Result, exec_err};
use sha2::Digest;

use super::builtin::{Definition, define, returns};
use super::call::Call;
use super::java_text::write;
use super::text::rewrite;

pub(super) const DEFINITIONS: &[Definition] = &[
    define("ASCII", "S", returns::int, ascii),
    define("CHR", "L", returns::text, chr),
    define("TO_BASE64", "S", returns::text, |call| {
        rewrite(call, |text, out| {
            STANDARD.encode_string(text, out);
        })
    }),
    define("FROM_BASE64", "S", returns::text, from_base64),
    define("MD5", "S", returns::text, |call| rewrite(call, digest::<md5::Md5>)),
    define("SHA1", "S", returns::text, |call| rewrite(call, digest::<sha1::Sha1>)),
    define("SHA224", "S", returns::text, |call| rewrite(call, digest::<sha2::Sha224>)),
    define("SHA256", "S", returns::text, |call| rewrite(call, digest::<sha2::Sha256>)),
    define("SHA384", "S", returns::text, |call| rewrite(call, digest::<sha2::Sha384>)),
    define("SHA512", "S", returns::text, |call| rewrite(call, digest::<sha2::Sha512>)),
    define("SHA2", "SI", returns::text, sha2),
    define("HEX", "L S", returns::text, hex),
    define("BIN", "L", returns::text, bin),
    define("URL_ENCODE", "S", returns::text, |call| rewrite(call, url_encode)),
    define("URL_DECODE", "S", returns::text, url_decode),
    define("PARSE_URL", "SS SSS", returns::text, parse_url),
];

fn digest<D: Digest>(text: &str, out: &mut String) {
    for byte in D::digest(text.as_bytes()) {
        write(out, format_args!("{byte:02x}"));
    }
}

fn sha2(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, bits) = (call.argument(0)?, call.argument(1)?);
    let (texts, bits) = (texts.texts()?, bits.ints()?);
    call.write_texts(|row, out| {
        let Some((text, bits)) = texts.get(row).zip(bits.get(row)) else { return Ok(None) };
        match bits {
            224 => digest::<sha2::Sha224>(text, out),
            256 => digest::<sha2::Sha256>(text, out),
            384 => digest::<sha2::Sha384>(text, out),
            512 => digest::<sha2::Sha512>(text, out),
            other => return exec_err!("SHA-2 has no variant of {other} bits"),
        }
        Ok(Some(()))
    })
}

/// The first byte, signed as Java's bytes are; 0 for the empty text.
fn ascii(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.argument(0)?;
    let texts = texts.texts()?;
    call.ints(|row| {
        let byte = texts.get(row).map(|text| text.bytes().next().unwrap_or(0));
        Ok(byte.map(|byte| i32::from(byte.cast_signed())))
    })
}

/// The character of the lowest byte; none for a negative number.
fn chr(call: &Call<'_>) -> Result<ArrayRef> {
    let codes = call.argument(0)?;
    let codes = codes.bigints()?;
    call.write_texts(|row, out| {
        Ok(codes.get(row).map(|code| {
            let lowest = u8::try_from(code.rem_euclid(256)).unwrap_or(0);
            if code >= 0 {
                out.push(char::from(lowest));
            }
        }))
    })
}

fn from_base64(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.argument(0)?;
    let texts = texts.texts()?;
    let mut bytes = Vec::new();
    call.write_texts(|row, out| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        bytes.clear();
        if STANDARD.decode_vec(text, &mut bytes).is_err() {
            return exec_err!("`FROM_BASE64` was given a text that is no base64");
        }
        out.push_str(&String::from_utf8_lossy(&bytes));
        Ok(Some(()))
    })
}

fn hex(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.argument(0)?;
    if values.array.data_type() == &arrow::datatypes::DataType::Int64 {
        let numbers = values.bigints()?;
        return call.write_texts(|row, out| {
            Ok(numbers.get(row).map(|number| write(out, format_args!("{number:X}"))))
        });
    }
    rewrite(call, |text, out| {
        text.bytes().for_each(|byte| write(out, format_args!("{byte:02X}")));
    })
}

fn bin(call: &Call<'_>) -> Result<ArrayRef> {
    let numbers = call.argument(0)?;
    let numbers = numbers.bigints()?;
    call.write_texts(|row, out| {
        Ok(numbers.get(row).map(|number| write(out, format_args!("{number:b}"))))
    })
}

/// The form encoding of HTML, as `java.net.URLEncoder` writes it.
fn url_encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            other => write(out, format_args!("%{other:02X}")),
        }
    }
}

/// NULL if the text is not well formed.
fn url_decode(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.argument(0)?;
    let texts = texts.texts()?;
    call.write_texts(|row, out| {
        Ok(texts.get(row).and_then(decode).map(|decoded| out.push_str(&decoded)))
    })
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The parts that `java.net.URL` finds.
struct Url<'a> {
    protocol: &'a str,
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    reference: Option<&'a str>,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (protocol, rest) = text.split_once("://")?;
        let is_word = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric());
        if protocol.is_empty() || !is_word(protocol) {
            return None;
        }
        let (rest, reference) = split_off(rest, '#');
        let (rest, query) = split_off(rest, '?');
        let slash = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(slash);
        Some(Self { protocol, authority, path, query, reference })
    }

    fn host(&self) -> &'a str {
        let host = self.authority.rsplit_once('@').map_or(self.authority, |(_, host)| host);
        host.rsplit_once(':').map_or(host, |(host, _)| host)
    }
}

fn split_off(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(head, tail)| (head, Some(tail)))
}

fn parse_url(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, parts) = (call.argument(0)?, call.argument(1)?);
    let (texts, parts) = (texts.texts()?, parts.texts()?);
    let keys = if call.argument_count() > 2 { Some(call.argument(2)?) } else { None };
    let keys = keys.as_ref().map(super::call::Argument::texts).transpose()?;
    call.write_texts(|row, out| {
        let Some((text, part)) = texts.get(row).zip(parts.get(row)) else { return Ok(None) };
        let Some(url) = Url::parse(text) else { return Ok(None) };
        let found = match (part, &keys) {
            ("QUERY", Some(keys)) => keys.get(row).and_then(|key| {
                let pairs = url.query?.split('&').filter_map(|pair| pair.split_once('='));
                pairs.into_iter().find(|(name, _)| *name == key).map(|(_, value)| value)
            }),
            (_, Some(_)) => None,
            ("HOST", None) => Some(url.host()),
            ("PATH", None) => Some(url.path),
            ("QUERY", None) => url.query,
            ("REF", None) => url.reference,
            ("PROTOCOL", None) => Some(url.protocol),
            ("AUTHORITY", None) => Some(url.authority),
            ("USERINFO", None) => url.authority.rsplit_once('@').map(|(user, _)| user),
            ("FILE", None) => {
                out.push_str(url.path);
                url.query
                    .inspect(|_query| {
                        out.push('?');
                    })
                    .or(Some(""))
            }
            (_, None) => None,
        };
        Ok(found.map(|found| out.push_str(found)))
    })
}
