//! For fuzzers: everything that reads the files of a snapshot.

use serde_json::json;

use crate::{StateError, Table, format};

/// Reads `bytes` as a manifest, as a manifest whose seal is right whatever it says, and as a table
/// whose checksum was right. Gives the table, if it is one.
///
/// # Panics
/// Never for foreign bytes: it checks that what is refused is refused with path and reason.
pub fn fuzz_read(bytes: &[u8]) -> Option<Table> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut sealed = [line, b"\n"].concat();
    let seal = json!({"bytes": sealed.len(), "crc32c": crc32c::crc32c(&sealed)});
    sealed.extend_from_slice(seal.to_string().as_bytes());
    for manifest in [bytes, &sealed] {
        match format::decode("manifest.jsonl", manifest) {
            Ok(manifest) => {
                let again = format::decode("manifest.jsonl", &format::encode(&manifest));
                assert_eq!(again.ok(), Some(manifest), "what was read is written as it was");
            }
            Err(StateError::Damaged { path, reason }) => {
                assert!(path == "manifest.jsonl" && !reason.is_empty());
            }
            Err(error) => assert!(matches!(error, StateError::Version { .. }), "{error}"),
        }
    }
    // What a pin says is for people only.
    let _name = format::decode_pin(bytes);
    Table::from_bytes("table", bytes).ok()
}
