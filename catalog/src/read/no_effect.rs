//! Keys that streamt documents and that mean nothing here: the one list.

use crate::diagnostic::Level;

/// By kind of mapping. A key of `notes` is not needed here and only noted; one of `warnings`
/// promises something that does not happen.
const KEYS: [(&str, Kind); 20] = [
    ("root", Kind { notes: &[], warnings: &["unit_tests"] }),
    ("file", Kind { notes: &[], warnings: &["unit_tests"] }),
    ("runtime", Kind { notes: &["flink", "connect", "conduktor", "gateway"], warnings: &[] }),
    ("kafka", Kind { notes: &["bootstrap_servers_internal"], warnings: &[] }),
    ("schema_registry", Kind { notes: &[], warnings: &["ssl"] }),
    ("default models", Kind { notes: &["cluster", "flink_cluster"], warnings: &[] }),
    ("default tests", Kind { notes: &["flink_cluster"], warnings: &[] }),
    ("watermark", Kind { notes: &[], warnings: &["expression"] }),
    (
        "model",
        Kind {
            notes: &["flink_cluster", "connect_cluster", "cluster"],
            warnings: &["ml_outputs", "gateway", "virtual_topic"],
        },
    ),
    (
        "engine",
        Kind {
            notes: &["cluster", "state_backend", "resources"],
            warnings: &[
                "checkpoint_timeout",
                "checkpoint_timeout_ms",
                "checkpoint_min_pause_ms",
                "max_concurrent_checkpoints",
                "restart_strategy",
                "checkpoint",
                "state",
                "restart",
                "savepoint",
            ],
        },
    ),
    ("security", Kind { notes: &[], warnings: &["classification"] }),
    ("policy", Kind { notes: &[], warnings: &["allow", "deny"] }),
    ("mask", Kind { notes: &[], warnings: &["config"] }),
    ("test", Kind { notes: &["flink_cluster"], warnings: &[] }),
    (
        "exposure",
        Kind { notes: &[], warnings: &["contracts", "access", "freshness", "data_requirements"] },
    ),
    ("model rules", Kind { notes: &[], warnings: &["allowed_materializations"] }),
    ("source rules", Kind { notes: &[], warnings: &["max_freshness_warn", "max_freshness_error"] }),
    (
        "security rules",
        Kind {
            notes: &[],
            warnings: &[
                "highly_sensitive_columns_require_encryption",
                "pii_column_patterns",
                "require_access_level",
            ],
        },
    ),
    (
        "exposure rules",
        Kind {
            notes: &[],
            warnings: &["require_contacts", "max_latency_p99_ms", "min_availability"],
        },
    ),
    ("test rules", Kind { notes: &[], warnings: &["require_continuous_for_critical"] }),
];

struct Kind {
    notes: &'static [&'static str],
    warnings: &'static [&'static str],
}

/// How a key without effect is mentioned; `None` if it is not on the list.
pub(super) fn level(kind: &str, key: &str) -> Option<Level> {
    let (_, keys) = KEYS.iter().find(|(name, _)| *name == kind)?;
    if keys.notes.contains(&key) {
        Some(Level::Note)
    } else {
        keys.warnings.contains(&key).then_some(Level::Warning)
    }
}
