//! A manifest as bytes: one line of JSON, and a second one that seals it. Only the types here are
//! serialised.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stream::{Epoch, Fingerprint, Generation, ProcessingTime, ReaderName, Watermark};

use crate::manifest::{
    About, Column, Manifest, PartitionProgress, ReaderProgress, SnapshotId, TableFile,
};
use crate::{StateError, Table};

/// Version of the manifest and of the files that it names.
const FORMAT_VERSION: u64 = 1;

/// A manifest holds names, columns and the project's text: this is a hundred times what those need.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// What every version's first line has.
#[derive(Deserialize)]
struct Versioned {
    format: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestV1 {
    format: u64,
    id: String,
    journal_id: String,
    generation: u64,
    epoch: u64,
    journal_offset: i64,
    fold_version: u32,
    fingerprint: String,
    cluster_id: Option<String>,
    engine: String,
    created_ms: i64,
    readers: Vec<ReaderV1>,
    tables: Vec<TableV1>,
    project: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReaderV1 {
    reader: String,
    topic: String,
    watermark_ms: i64,
    is_carried: bool,
    /// Partition, start, position.
    partitions: Vec<(i32, i64, i64)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableV1 {
    operator: String,
    name: String,
    file: String,
    /// Name, Arrow type, whether it may be null.
    columns: Vec<(String, String, bool)>,
    rows: u64,
    bytes: u64,
    crc32c: u32,
}

/// The second line: length and CRC32C of the first, its line feed included.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealV1 {
    bytes: u64,
    crc32c: u32,
}

/// `pin.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PinV1 {
    format: u64,
    name: String,
}

/// The manifest's bytes.
pub(crate) fn encode(manifest: &Manifest) -> Vec<u8> {
    let Manifest { id, about, tables } = manifest;
    let written = ManifestV1 {
        format: FORMAT_VERSION,
        id: id.to_string(),
        journal_id: about.journal_id.clone(),
        generation: about.generation.0,
        epoch: about.epoch.0,
        journal_offset: about.journal_offset,
        fold_version: about.fold_version,
        fingerprint: about.fingerprint.0.clone(),
        cluster_id: about.cluster_id.clone(),
        engine: about.engine.clone(),
        created_ms: about.created.0,
        readers: about.readers.iter().map(written_reader).collect(),
        tables: tables.iter().map(written_table).collect(),
        project: about.project.clone(),
    };
    let mut bytes = json_line(&written);
    let seal = SealV1 { bytes: bytes.len() as u64, crc32c: crc32c::crc32c(&bytes) };
    bytes.extend(json_line(&seal));
    bytes
}

/// Reads a manifest's bytes.
///
/// # Errors
/// [`StateError::Damaged`], [`StateError::Version`].
pub(crate) fn decode(path: &str, bytes: &[u8]) -> Result<Manifest, StateError> {
    let damaged = |reason: String| StateError::Damaged { path: path.to_owned(), reason };
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| damaged("it has no end".to_owned()))? + 1;
    let (line, rest) = bytes.split_at(end);
    let seal: SealV1 = serde_json::from_slice(rest)
        .map_err(|error| damaged(format!("its seal cannot be read: {error}")))?;
    if seal.bytes != line.len() as u64 || seal.crc32c != crc32c::crc32c(line) {
        return Err(damaged("its checksum is another".to_owned()));
    }
    let unreadable = |error: serde_json::Error| damaged(format!("it cannot be read: {error}"));
    let found = serde_json::from_slice::<Versioned>(line).map_err(unreadable)?.format;
    if found != FORMAT_VERSION {
        let path = path.to_owned();
        return Err(StateError::Version { path, found, newest: FORMAT_VERSION });
    }
    let read: ManifestV1 = serde_json::from_slice(line).map_err(unreadable)?;
    let id = SnapshotId::parse(&read.id);
    let id = id.ok_or_else(|| damaged(format!("`{}` is no snapshot's name", read.id)))?;
    let tables = read.tables.into_iter().map(read_table).collect::<Result<Vec<_>, _>>();
    let about = About {
        journal_id: read.journal_id,
        generation: Generation(read.generation),
        epoch: Epoch(read.epoch),
        journal_offset: read.journal_offset,
        fold_version: read.fold_version,
        fingerprint: Fingerprint(read.fingerprint),
        cluster_id: read.cluster_id,
        engine: read.engine,
        created: ProcessingTime(read.created_ms),
        readers: read.readers.into_iter().map(read_reader).collect(),
        project: read.project,
    };
    let is_consistent = id.journal_id == about.journal_id
        && id.generation == about.generation
        && id.epoch == about.epoch;
    if !is_consistent {
        return Err(damaged("it contradicts its own name".to_owned()));
    }
    Ok(Manifest { id, about, tables: tables.map_err(damaged)? })
}

/// Name of the file of the table with this number.
pub(crate) fn file_name(number: usize) -> String {
    format!("{number:04}.arrow")
}

/// The bytes of a pin.
pub(crate) fn encode_pin(name: &str) -> Vec<u8> {
    json_line(&PinV1 { format: FORMAT_VERSION, name: name.to_owned() })
}

/// The name in a pin. What cannot be read is a pin all the same: it was put there to keep something.
pub(crate) fn decode_pin(bytes: &[u8]) -> String {
    serde_json::from_slice::<PinV1>(bytes).map(|pin| pin.name).unwrap_or_default()
}

fn json_line(value: &impl Serialize) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec(value).expect("structs of numbers, texts and lists are JSON");
    bytes.push(b'\n');
    bytes
}

fn written_reader(progress: &ReaderProgress) -> ReaderV1 {
    let partitions = progress.partitions.iter();
    ReaderV1 {
        reader: progress.reader.to_string(),
        topic: progress.topic.clone(),
        watermark_ms: progress.watermark.0,
        is_carried: progress.is_carried,
        partitions: partitions.map(|at| (at.partition, at.start, at.position)).collect(),
    }
}

fn read_reader(written: ReaderV1) -> ReaderProgress {
    let partition = |(partition, start, position)| PartitionProgress { partition, start, position };
    ReaderProgress {
        reader: ReaderName(Arc::from(written.reader)),
        topic: written.topic,
        watermark: Watermark(written.watermark_ms),
        is_carried: written.is_carried,
        partitions: written.partitions.into_iter().map(partition).collect(),
    }
}

fn written_table(table: &TableFile) -> TableV1 {
    let columns = table.columns.iter();
    TableV1 {
        operator: table.operator.clone(),
        name: table.name.clone(),
        file: table.file.clone(),
        columns: columns
            .map(|one| (one.name.clone(), one.data_type.clone(), one.is_nullable))
            .collect(),
        rows: table.rows,
        bytes: table.bytes,
        crc32c: table.crc32c,
    }
}

fn read_table(written: TableV1) -> Result<TableFile, String> {
    let digits = written.file.strip_suffix(".arrow").unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // A name from elsewhere must not lead out of the snapshot's folder.
        return Err(format!("`{}` is no file of a snapshot", written.file));
    }
    let column = |(name, data_type, is_nullable)| Column { name, data_type, is_nullable };
    Ok(TableFile {
        operator: written.operator,
        name: written.name,
        file: written.file,
        columns: written.columns.into_iter().map(column).collect(),
        rows: written.rows,
        bytes: written.bytes,
        crc32c: written.crc32c,
    })
}

/// A table's entry in the manifest.
pub(crate) fn describe(operator: &str, table: &Table, number: usize, bytes: &[u8]) -> TableFile {
    TableFile {
        operator: operator.to_owned(),
        name: table.name.clone(),
        file: file_name(number),
        columns: crate::manifest::columns_of(&table.schema),
        rows: table.row_count() as u64,
        bytes: bytes.len() as u64,
        crc32c: crc32c::crc32c(bytes),
    }
}
