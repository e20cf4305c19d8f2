//! What becomes of the state of a changed project.

use comfy_table::{ContentArrangement, Table};
use planner::dataflow::upgrade::{ModelChange, Verdict};
use runtime::{PlanPicture, RebuildInput};
use serde_json::{Value, json};

use super::{Append, count};

/// Records that a rebuild reads in a second, for want of a better guess: a release build on one core
/// of a small server, with outputs.
const ASSUMED_RECORDS_PER_SECOND: u64 = 100_000;

/// The plan for people: a table, what is read again, and the next step.
pub(crate) fn plan_text(picture: &PlanPicture, width: Option<u16>) -> String {
    let Some(epoch) = picture.epoch else {
        return "this project has no state yet\nnext: engine run\n".to_owned();
    };
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = width {
        table.set_width(width);
    }
    table.set_header(["model", "state", "why"]);
    for change in &picture.upgrade.models {
        let why: Vec<&str> = change.reasons.iter().map(|reason| reason.text.as_str()).collect();
        let why = match change.verdict {
            Verdict::Added => "new: reads what its inputs still hold".to_owned(),
            Verdict::Removed => "its state is forgotten, its topic stays".to_owned(),
            Verdict::Unchanged | Verdict::Compatible { .. } | Verdict::Rebuild => why.join("; "),
        };
        table.add_row([change.model.as_str(), state_word(change), &why]);
    }
    let mut text: String =
        table.lines().flat_map(|line| [line.trim_end().to_owned(), "\n".to_owned()]).collect();
    for input in &picture.inputs {
        text.append(format_args!("{}\n", read_again(input)));
    }
    let records: u64 = picture.inputs.iter().map(RebuildInput::records).sum();
    if records > 0 {
        let seconds = records.div_ceil(ASSUMED_RECORDS_PER_SECOND);
        text.append(format_args!(
            "reads {records} records again: about {seconds} s at an assumed {ASSUMED_RECORDS_PER_SECOND} records/s, while the other models go on\n"
        ));
    }
    text.append(format_args!(
        "compared with the state of epoch {epoch}\nnext: {}\n",
        next_step(picture)
    ));
    text
}

/// The plan for programs: a line a model and a line an input.
pub(crate) fn plan_json(picture: &PlanPicture) -> String {
    let mut text = "{\"type\":\"version\",\"format\":\"1.0\"}\n".to_owned();
    let has_state = picture.epoch.is_some();
    for change in picture.upgrade.models.iter().filter(|_| has_state) {
        let reasons: Vec<&str> = change.reasons.iter().map(|one| one.text.as_str()).collect();
        let line = json!({
            "type": "model", "name": change.model, "verdict": change.verdict.word(),
            "needs_acceptance": change.verdict.needs_acceptance(), "reasons": reasons,
        });
        text.append(format_args!("{line}\n"));
    }
    for input in &picture.inputs {
        let partitions = input
            .partitions
            .iter()
            .map(|(partition, from, to)| json!({ "partition": partition, "from": from, "to": to }));
        let line = json!({
            "type": "input", "reader": input.reader.0.to_string(), "topic": input.topic,
            "models": input.models, "records": input.records(),
            "partitions": partitions.collect::<Vec<Value>>(),
        });
        text.append(format_args!("{line}\n"));
    }
    let records: u64 = picture.inputs.iter().map(RebuildInput::records).sum();
    let line = json!({
        "type": "plan", "epoch": picture.epoch.map(|epoch| epoch.0), "records": records,
        "assumed_records_per_second": ASSUMED_RECORDS_PER_SECOND,
        "unfinished": picture.unfinished, "next": next_step(picture),
    });
    text.append(format_args!("{line}\n"));
    text
}

fn state_word(change: &ModelChange) -> &'static str {
    match change.verdict {
        Verdict::Compatible { needs_acceptance: true } => "compatible, to be accepted",
        other => other.word(),
    }
}

fn read_again(input: &RebuildInput) -> String {
    let partitions =
        input.partitions.iter().map(|(partition, from, to)| format!("{partition}: {from} to {to}"));
    let partitions: Vec<String> = partitions.collect();
    let partitions = match partitions.len() {
        0 => "nothing is retained".to_owned(),
        1..=4 => format!("partition {}", partitions.join(", ")),
        many => format!("{}, offsets {} and so on", count(many, "partition"), partitions[0]),
    };
    format!("topic {}: {partitions}; for {}", input.topic, input.models.join(", "))
}

fn next_step(picture: &PlanPicture) -> &'static str {
    let needs_acceptance =
        picture.upgrade.models.iter().any(|change| change.verdict.needs_acceptance());
    if needs_acceptance && picture.epoch.is_some() {
        "engine run --accept-plan"
    } else {
        "engine run"
    }
}

#[cfg(test)]
mod tests;
