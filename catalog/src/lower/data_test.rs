//! `tests:`.

use crate::diagnostic::demand::DemandMistake;
use crate::lower::{self, Names, assertion};
use crate::place::Spanned;
use crate::project::data_test::{
    Action, Alert, AlertChannel, DataTest, DataTestKind, OnFailure, SAMPLE_SIZE_DEFAULT, Severity,
};
use crate::read::{Fields, Found, Reader};
use crate::yaml::{Data, Node};

/// One element of `tests:`.
pub(crate) fn data_test(
    reader: &mut Reader<'_>,
    node: &Node,
    names: &Names,
    sample_size_default: Option<u64>,
) -> Option<DataTest> {
    let mut fields = Fields::new(reader, node, "test", "a test")?;
    let name = lower::name(reader, &mut fields, "test");
    let target = fields.required(reader, "model").map(|target| names.resolve(target));
    let kinds = [
        ("schema", DataTestKind::Schema),
        ("sample", DataTestKind::Sample),
        ("continuous", DataTestKind::Continuous),
    ];
    let has_kind = fields.take(reader, "type").is_some();
    if !has_kind {
        fields.report_missing(reader, "type");
    }
    let kind = fields.choice(reader, "type", &kinds);
    let description = fields.text(reader, "description");
    let nodes = fields.list(reader, "assertions");
    let has_assertions = !nodes.is_empty();
    let assertions =
        nodes.into_iter().filter_map(|node| assertion::assertion(reader, node, names)).collect();
    let sample_size = fields.integer_from::<u64>(reader, "sample_size", 1);
    let timeout = fields.duration(reader, "timeout");
    let on_failure = on_failure(reader, &mut fields, names);
    fields.finish(reader);
    let (name, kind) = (name?, kind?);
    let ignored = match kind.value {
        DataTestKind::Schema => Some("schema"),
        DataTestKind::Continuous => Some("continuous"),
        DataTestKind::Sample => None,
    };
    if let Some((size, kind)) = sample_size.as_ref().zip(ignored) {
        reader.report(DemandMistake::SampleSizeIgnored { kind, at: size.place.clone() });
    }
    if !has_assertions {
        let (test, at) = (name.value.clone(), name.place.clone());
        reader.report(DemandMistake::NoAssertions { test, at });
    }
    Some(DataTest {
        name,
        target: target?,
        kind,
        description,
        assertions,
        sample_size: sample_size
            .map(|size| size.value)
            .or(sample_size_default)
            .unwrap_or(SAMPLE_SIZE_DEFAULT),
        timeout: timeout.map(|timeout| timeout.value),
        on_failure,
    })
}

/// `on_failure` as a list of actions, or as `{severity, actions}`.
fn on_failure(reader: &mut Reader<'_>, fields: &mut Fields<'_>, names: &Names) -> OnFailure {
    let Some(found) = fields.take(reader, "on_failure") else { return OnFailure::default() };
    let (severity, nodes): (_, Vec<&Node>) = match &found.node.data {
        Data::Sequence(items) => (None, items.iter().collect()),
        Data::Scalar(_) | Data::Mapping(_) => {
            let Some(mut section) = Fields::new(reader, found.node, "on_failure", "`on_failure`")
            else {
                return OnFailure::default();
            };
            let words = [("error", Severity::Error), ("warning", Severity::Warning)];
            let severity = section.choice(reader, "severity", &words);
            let nodes = section.list(reader, "actions");
            section.finish(reader);
            (severity, nodes)
        }
    };
    OnFailure {
        severity: severity.map(|severity| severity.value).unwrap_or_default(),
        actions: nodes.into_iter().filter_map(|node| action(reader, node, names)).collect(),
    }
}

fn action(reader: &mut Reader<'_>, node: &Node, names: &Names) -> Option<Spanned<Action>> {
    const EXPECTED: &str = "one of `alert`, `pause`, `pause_model`, `dlq`, `block_deploy`";
    let entry = match &node.data {
        Data::Mapping(entries) if entries.len() == 1 => entries.first(),
        Data::Mapping(_) | Data::Sequence(_) | Data::Scalar(_) => None,
    };
    let Some(found) = entry.map(Found::of) else {
        reader.invalid("on_failure", node, EXPECTED);
        return None;
    };
    let action = match found.key {
        "alert" => Action::Alert(alert(reader, found.node)?),
        "pause" => {
            let mut fields = Fields::new(reader, found.node, "pause", "`pause`")?;
            let model = fields.string(reader, "model").map(|name| names.resolve(name));
            fields.finish(reader);
            Action::Pause { model }
        }
        "pause_model" => Action::Pause { model: None },
        "dlq" => dead_letter(reader, found.node, names)?,
        "block_deploy" => Action::BlockDeploy,
        _ => {
            reader.invalid("on_failure", node, EXPECTED);
            return None;
        }
    };
    Some(Spanned::new(action, node.place.clone()))
}

fn dead_letter(reader: &mut Reader<'_>, node: &Node, names: &Names) -> Option<Action> {
    let mut fields = Fields::new(reader, node, "dlq", "`dlq`")?;
    let topic = fields.text(reader, "topic");
    let model = fields.string(reader, "model").map(|name| names.resolve(name));
    let include_error = fields.boolean(reader, "include_error");
    let include_metadata = fields.boolean(reader, "include_metadata");
    fields.finish(reader);
    Some(Action::DeadLetter {
        topic,
        model,
        include_error: include_error.is_none_or(|include| include.value),
        include_metadata: include_metadata.is_none_or(|include| include.value),
    })
}

/// `{channel: slack, webhook}` or `{type: slack, channel: "#room", url}`.
fn alert(reader: &mut Reader<'_>, node: &Node) -> Option<Alert> {
    const CHANNELS: [(&str, AlertChannel); 4] = [
        ("slack", AlertChannel::Slack),
        ("pagerduty", AlertChannel::PagerDuty),
        ("webhook", AlertChannel::Webhook),
        ("email", AlertChannel::Email),
    ];
    let mut fields = Fields::new(reader, node, "alert", "`alert`")?;
    let by_type = fields.choice(reader, "type", &CHANNELS);
    let (channel, room) = match by_type {
        Some(channel) => (Some(channel), fields.text(reader, "channel|room")),
        None => (fields.choice(reader, "channel", &CHANNELS), fields.text(reader, "room")),
    };
    if channel.is_none() && fields.take(reader, "channel|type").is_none() {
        fields.report_missing(reader, "channel");
    }
    let url = fields.secret(reader, "webhook|url");
    let routing_key = fields.secret(reader, "routing_key");
    let severity = fields.text(reader, "severity");
    let message = fields.text(reader, "message");
    fields.finish(reader);
    Some(Alert { channel: channel?, url, routing_key, room, severity, message })
}
