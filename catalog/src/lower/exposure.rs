//! `exposures:`.

use crate::diagnostic::reference::ReferenceMistake;
use crate::lower::{self, Names};
use crate::project::exposure::{Exposure, ExposureKind, Role, Sla};
use crate::read::{Fields, Reader};
use crate::yaml::Node;

/// Keys that are for people only; they are read so that they are known.
const FOR_PEOPLE: [&str; 4] = ["repo", "language", "tool", "schedule"];

/// One element of `exposures:`.
pub(crate) fn exposure(reader: &mut Reader<'_>, node: &Node, names: &Names) -> Option<Exposure> {
    let mut fields = Fields::new(reader, node, "exposure", "an exposure")?;
    let name = lower::name(reader, &mut fields, "exposure");
    let kinds = [
        ("application", ExposureKind::Application),
        ("dashboard", ExposureKind::Dashboard),
        ("ml_training", ExposureKind::MlTraining),
        ("ml_inference", ExposureKind::MlInference),
        ("api", ExposureKind::Api),
    ];
    let kind = fields.choice(reader, "type", &kinds);
    if kind.is_none() && fields.take(reader, "type").is_none() {
        fields.report_missing(reader, "type");
    }
    let roles = [("producer", Role::Producer), ("consumer", Role::Consumer), ("both", Role::Both)];
    let role = fields.choice(reader, "role", &roles);
    let mut consumes = lower::references(reader, &mut fields, "consumes", names);
    consumes.extend(lower::references(reader, &mut fields, "depends_on", names));
    let produces = lower::references(reader, &mut fields, "produces", names);
    let exposure = Exposure {
        description: fields.text(reader, "description"),
        owner: fields.string(reader, "owner"),
        tags: fields.strings(reader, "tags"),
        url: fields.text(reader, "url"),
        consumer_group: fields.string(reader, "consumer_group"),
        sla: sla(reader, &mut fields),
        role,
        consumes,
        produces,
        kind: kind.clone()?,
        name: name?,
    };
    for key in FOR_PEOPLE {
        fields.text(reader, key);
    }
    contacts(reader, &mut fields);
    fields.finish(reader);
    check_role(reader, &exposure);
    Some(exposure)
}

fn contacts(reader: &mut Reader<'_>, fields: &mut Fields<'_>) {
    for mut contact in fields.sections(reader, "contacts", "contact") {
        for key in ["name", "email", "slack", "pagerduty"] {
            contact.text(reader, key);
        }
        contact.finish(reader);
    }
}

/// The role gives the direction of the lineage, so its lists must agree with it.
fn check_role(reader: &mut Reader<'_>, exposure: &Exposure) {
    let Some(role) = &exposure.role else { return };
    let contradiction = match role.value {
        Role::Consumer => exposure.produces.first().map(|first| ("consumer", "produces", first)),
        Role::Producer => exposure.consumes.first().map(|first| ("producer", "consumes", first)),
        Role::Both => None,
    };
    if let Some((word, list, first)) = contradiction {
        reader.report(ReferenceMistake::RoleContradicted {
            exposure: exposure.name.value.clone(),
            role: word,
            list,
            at: first.place.clone(),
            role_at: role.place.clone(),
        });
    }
}

fn sla(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Option<Sla> {
    let mut section = fields.section(reader, "sla", "sla")?;
    let sla = Sla {
        latency_p99: section.duration(reader, "latency_p99|latency_p99_ms"),
        latency_p50: section.duration(reader, "latency_p50|latency_p50_ms"),
        availability: section.float(reader, "availability"),
        throughput_per_second: section.float(reader, "throughput_per_second"),
        max_lag: section.duration(reader, "max_lag|max_lag_seconds|max_lag_minutes"),
        max_lag_messages: section.integer(reader, "max_lag_messages"),
        freshness: section.duration(reader, "freshness|freshness_seconds"),
        max_end_to_end_latency: section
            .duration(reader, "max_end_to_end_latency|max_end_to_end_latency_ms"),
        max_produce_latency: section.duration(reader, "max_produce_latency|max_produce_latency_ms"),
        max_error_rate: section.float(reader, "max_error_rate"),
    };
    section.finish(reader);
    Some(sla)
}
