//! Takes secrets that are written out in a project's files from the lines that a diagnostic quotes.
//!
//! A secret belongs into the environment, as `${NAME}`; where somebody wrote it down all the same,
//! it must not go on into a terminal or the log of a build. The lines are read as text, not as
//! YAML, so that it also holds for the file that cannot be parsed.

/// What stands for a hidden byte.
const HIDDEN: u8 = b'*';

/// Parts of the keys whose values are hidden.
const SECRET_WORDS: [&str; 9] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "credential",
    "api_key",
    "routing_key",
    "webhook",
    ".pem",
];

/// `text` with every secret in it hidden. Its length, its lines and its characters' boundaries
/// outside of what is hidden stay, so that places in it stay right.
pub(super) fn hidden(text: &str) -> String {
    let mut shown = text.as_bytes().to_vec();
    let mut start = 0;
    // The indentation of a secret key; what is indented deeper is its value, a block of lines.
    let mut block: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let indent = content.len() - content.trim_start().len();
        let is_blank = content.trim().is_empty();
        let mut hide = |from: usize, to: usize| shown[start + from..start + to].fill(HIDDEN);
        if block.is_some_and(|key| is_blank || indent > key) {
            hide(indent.min(content.len()), content.len());
        } else {
            block = None;
            if let Some(value) = secret_value(content) {
                block = Some(indent);
                if !is_reference(content.get(value..).unwrap_or("")) {
                    hide(value, content.len());
                }
            }
            for (from, to) in credentials(content) {
                hide(from, to);
            }
        }
        start += line.len();
    }
    // Only whole stretches up to the ends of lines or around `@` were replaced.
    String::from_utf8(shown).unwrap_or_default()
}

/// Where the value of the line's first secret key begins.
fn secret_value(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    lower.match_indices(':').map(|(at, _)| at).find_map(|colon| {
        let before = lower.get(..colon)?.trim_end_matches(['"', '\'', ' ']);
        let is_key = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let key = before.get(before.trim_end_matches(is_key).len()..)?;
        let is_secret = SECRET_WORDS.iter().any(|word| key.contains(word));
        let after = lower.get(colon + 1..)?;
        let spaces = after.len() - after.trim_start().len();
        is_secret.then_some(colon + 1 + spaces)
    })
}

/// Whether a value is `${NAME}` and nothing else, which tells no more than the name.
fn is_reference(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    let name = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// What stands between `://` and `@`.
fn credentials(line: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, mark) in line.match_indices("://") {
        let from = at + mark.len();
        let host = line.get(from..).unwrap_or("");
        let end = host.find(|c: char| c.is_whitespace() || "/\"'".contains(c));
        let authority = host.get(..end.unwrap_or(host.len())).unwrap_or("");
        if let Some(length) = authority.rfind('@') {
            found.push((from, from + length));
        }
    }
    found
}

#[cfg(test)]
mod tests;
