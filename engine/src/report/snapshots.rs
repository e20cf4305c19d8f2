//! Snapshots: how they fare in a run, lists of them, and what is in one.

use arrow::temporal_conversions::timestamp_ms_to_datetime;
use runtime::{SnapshotStatus, SnapshotSummary};
use serde_json::{Value, json};
use state::{Condition, Listed, Manifest, TableFile};
use stream::{ProcessingTime, Watermark};

use super::run::{bare_table, right_align};
use super::{Append, bytes_text};

/// The operator's name of what belongs to no operator.
const WHOLE: &str = "fold";

/// The newest snapshot, for the end of a sentence.
pub(crate) fn snapshot_words(newest: &SnapshotSummary) -> String {
    format!("snapshot of epoch {} ({})", newest.epoch, bytes_text(newest.bytes))
}

/// How snapshots fare, for people.
pub(crate) fn snapshot_line(status: &SnapshotStatus, now: ProcessingTime) -> String {
    let newest = status.newest.as_ref().map_or_else(
        || "no snapshot yet".to_owned(),
        |newest| format!("{}, {} ago", snapshot_words(newest), age(newest.created, now)),
    );
    match &status.failing {
        None => newest,
        Some((since, _)) => {
            format!("{newest} · snapshots have failed for {}", age(*since, now))
        }
    }
}

/// How snapshots fare, for logs.
pub(crate) fn snapshot_plain(status: &SnapshotStatus, now: ProcessingTime) -> String {
    let mut text = "snapshot".to_owned();
    if let Some(newest) = &status.newest {
        let age_ms = now.0.saturating_sub(newest.created.0);
        let (epoch, bytes, rows) = (newest.epoch, newest.bytes, newest.rows);
        text.append(format_args!(" epoch={epoch} age_ms={age_ms} bytes={bytes} rows={rows}"));
    }
    if let Some((since, _)) = &status.failing {
        text.append(format_args!(" failing_ms={}", now.0.saturating_sub(since.0)));
    }
    text.append(format_args!(" written={}", status.written));
    text.append(format_args!(" pause_us_max={}\n", status.pause_max.as_micros()));
    text
}

/// The same for programs.
pub(crate) fn snapshots_json(status: &SnapshotStatus) -> Value {
    let pause_us_max = u64::try_from(status.pause_max.as_micros()).unwrap_or(u64::MAX);
    json!({
        "written": status.written,
        "epoch": status.newest.as_ref().map(|newest| newest.epoch.0),
        "bytes": status.newest.as_ref().map(|newest| newest.bytes),
        "rows": status.newest.as_ref().map(|newest| newest.rows),
        "failing": status.failing.as_ref().map(|(_, reason)| reason),
        "pause_us_max": pause_us_max,
    })
}

/// A list of snapshots as a table.
pub(crate) fn snapshot_table(listed: &[Listed], now: ProcessingTime, width: Option<u16>) -> String {
    let mut table = bare_table(width);
    table.set_header(["snapshot", "epoch", "age", "rows", "bytes", "pin", ""]);
    for one in listed {
        let (created, rows) = match one.manifest() {
            Some(manifest) => (age(manifest.about.created, now), manifest.rows().to_string()),
            None => ("–".to_owned(), "–".to_owned()),
        };
        let pin = one.pin.clone().unwrap_or_else(|| "–".to_owned());
        let epoch = one.id.epoch.to_string();
        let bytes = bytes_text(one.bytes);
        table.add_row([one.id.to_string(), epoch, created, rows, bytes, pin, condition(one)]);
    }
    format!("{table}\n")
}

/// One value a snapshot.
pub(crate) fn snapshot_list_json(one: &Listed) -> Value {
    json!({
        "type": "snapshot", "id": one.id.to_string(), "journal": one.id.journal_id,
        "generation": one.id.generation.0, "epoch": one.id.epoch.0, "bytes": one.bytes,
        "created_ms": one.manifest().map(|manifest| manifest.about.created.0),
        "rows": one.manifest().map(Manifest::rows), "pin": one.pin,
        "complete": one.manifest().is_some(), "reason": condition(one),
    })
}

fn condition(one: &Listed) -> String {
    match &one.condition {
        Condition::Complete(_) => String::new(),
        Condition::Broken { reason } => format!("cannot be used: {reason}"),
        Condition::Unfinished => "not finished".to_owned(),
    }
}

/// What is in a snapshot.
pub(crate) fn manifest_text(manifest: &Manifest, width: Option<u16>) -> String {
    let about = &manifest.about;
    let mut text = format!("{}\n", manifest.id);
    let created = time(about.created.0);
    text.append(format_args!(
        "epoch {} of generation {}, taken {created} by engine {}, plan {}\n\n",
        about.epoch, about.generation, about.engine, about.fingerprint
    ));
    let mut table = bare_table(width);
    table.set_header(["table", "rows", "bytes", "columns"]);
    for one in &manifest.tables {
        let columns: Vec<String> =
            one.columns.iter().map(|it| format!("{} {}", it.name, it.data_type)).collect();
        let (rows, bytes) = (one.rows.to_string(), bytes_text(one.bytes));
        table.add_row([table_name(one), rows, bytes, columns.join(", ")]);
    }
    text.append(format_args!("{table}\n\n"));
    let mut table = bare_table(width);
    table.set_header(["reader", "topic", "partition", "next offset", "watermark"]);
    for reader in &about.readers {
        for at in &reader.partitions {
            table.add_row([
                reader.reader.to_string(),
                reader.topic.clone(),
                at.partition.to_string(),
                at.position.to_string(),
                watermark(reader.watermark),
            ]);
        }
    }
    right_align(&mut table);
    text.append(format_args!("{table}\n"));
    text
}

/// The same for programs.
pub(crate) fn manifest_json(manifest: &Manifest) -> Value {
    let about = &manifest.about;
    let table = |one: &TableFile| {
        let columns: Vec<Value> = one
            .columns
            .iter()
            .map(|it| json!({"name": it.name, "type": it.data_type, "nullable": it.is_nullable}))
            .collect();
        json!({
            "table": table_name(one), "rows": one.rows, "bytes": one.bytes, "file": one.file,
            "columns": columns,
        })
    };
    let readers: Vec<Value> = about
        .readers
        .iter()
        .map(|reader| {
            let at = |at: &state::PartitionProgress| {
                json!({"partition": at.partition, "start": at.start, "position": at.position})
            };
            json!({
                "reader": reader.reader.to_string(), "topic": reader.topic,
                "watermark_ms": reader.watermark.is_some().then_some(reader.watermark.0),
                "partitions": reader.partitions.iter().map(at).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "type": "snapshot", "id": manifest.id.to_string(), "journal": about.journal_id,
        "generation": about.generation.0, "epoch": about.epoch.0,
        "created_ms": about.created.0, "engine": about.engine, "plan": about.fingerprint.0,
        "cluster": about.cluster_id, "journal_offset": about.journal_offset,
        "tables": manifest.tables.iter().map(table).collect::<Vec<_>>(), "readers": readers,
    })
}

/// `OPERATOR.TABLE`.
pub(crate) fn table_name(table: &TableFile) -> String {
    format!("{}.{}", operator_name(&table.operator), table.name)
}

/// The operator's id; a name for what belongs to none.
pub(crate) fn operator_name(operator: &str) -> &str {
    if operator.is_empty() { WHOLE } else { operator }
}

fn watermark(watermark: Watermark) -> String {
    if watermark.is_some() { time(watermark.0) } else { "none".to_owned() }
}

/// A time in milliseconds since the epoch, as ISO-8601.
pub(super) fn time(ms: i64) -> String {
    let time = timestamp_ms_to_datetime(ms);
    time.map_or_else(
        || format!("{ms} ms"),
        |time| time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
    )
}

/// How long ago, in the unit that people would use.
fn age(then: ProcessingTime, now: ProcessingTime) -> String {
    let seconds = now.0.saturating_sub(then.0).max(0) / 1_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} m", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
