//! E05xx to E09xx: rules, tests, Kafka settings and sinks.

use crate::diagnostic::{Diagnose, Label, did_you_mean};
use crate::place::Place;

/// What a rule, a test, a broker or a sink demands and does not get.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DemandMistake {
    #[error("{message}, against rule `{rule}`")]
    RuleBroken { area: RuleArea, rule: &'static str, message: String, at: Place, rule_at: Place },
    #[error("unknown assertion `{name}`")]
    UnknownAssertion { name: String, suggestions: Vec<String>, at: Place },
    #[error("`sample_size` has no effect on a `{kind}` test")]
    SampleSizeIgnored { kind: &'static str, at: Place },
    #[error("test `{test}` asserts nothing")]
    NoAssertions { test: String, at: Place },
    #[error("the Kafka setting `{key}` is refused: {reason}")]
    KafkaSettingRefused { key: String, reason: &'static str, at: Place },
    #[error("unknown Kafka setting `{key}`")]
    KafkaSettingUnknown { key: String, suggestions: Vec<String>, at: Place },
    #[error("{reason}")]
    KafkaSettingsContradict { reason: &'static str, help: &'static str, at: Place },
    #[error("sink `{model}` has no `{key}`")]
    MissingSinkConfig { model: String, key: &'static str, at: Place },
}

/// Which part of `rules:` was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RuleArea {
    Topics,
    Models,
    Sources,
    Security,
    Exposures,
    DataTests,
}

impl Diagnose for DemandMistake {
    fn code(&self) -> &'static str {
        match self {
            Self::RuleBroken { area, .. } => match area {
                RuleArea::Topics => "E0501",
                RuleArea::Models => "E0502",
                RuleArea::Sources => "E0503",
                RuleArea::Security => "E0504",
                RuleArea::Exposures => "E0505",
                RuleArea::DataTests => "E0506",
            },
            Self::UnknownAssertion { .. } => "E0601",
            Self::SampleSizeIgnored { .. } => "W0602",
            Self::NoAssertions { .. } => "W0603",
            Self::KafkaSettingRefused { .. } => "E0701",
            Self::KafkaSettingUnknown { .. } => "E0702",
            Self::KafkaSettingsContradict { .. } => "E0703",
            Self::MissingSinkConfig { .. } => "E0901",
        }
    }

    fn labels(&self) -> Vec<Label> {
        match self {
            Self::RuleBroken { at, rule_at, .. } => {
                vec![Label::primary(at, "breaks the rule"), Label::secondary(rule_at, "the rule")]
            }
            Self::UnknownAssertion { at, .. } => vec![Label::primary(at, "not an assertion")],
            Self::KafkaSettingRefused { at, .. } | Self::KafkaSettingUnknown { at, .. } => {
                vec![Label::primary(at, "not passed on")]
            }
            Self::SampleSizeIgnored { at, .. }
            | Self::NoAssertions { at, .. }
            | Self::KafkaSettingsContradict { at, .. }
            | Self::MissingSinkConfig { at, .. } => vec![Label::primary(at, "")],
        }
    }

    fn alias(&self) -> Option<&'static str> {
        match self {
            Self::RuleBroken { area, .. } => Some(match area {
                RuleArea::Topics => "RULE_TOPICS",
                RuleArea::Models => "RULE_MODELS",
                RuleArea::Sources => "RULE_SOURCES",
                RuleArea::Security => "RULE_SECURITY",
                RuleArea::Exposures => "RULE_EXPOSURES",
                RuleArea::DataTests => "RULE_TESTS",
            }),
            Self::SampleSizeIgnored { .. } => Some("SAMPLE_SIZE_IGNORED"),
            Self::MissingSinkConfig { .. } => Some("MISSING_SINK_CONFIG"),
            Self::UnknownAssertion { .. }
            | Self::NoAssertions { .. }
            | Self::KafkaSettingRefused { .. }
            | Self::KafkaSettingUnknown { .. }
            | Self::KafkaSettingsContradict { .. } => None,
        }
    }

    fn helps(&self) -> Vec<String> {
        match self {
            Self::UnknownAssertion { suggestions, .. }
            | Self::KafkaSettingUnknown { suggestions, .. } => did_you_mean(suggestions),
            Self::KafkaSettingsContradict { help, .. } => vec![(*help).to_owned()],
            Self::RuleBroken { .. }
            | Self::SampleSizeIgnored { .. }
            | Self::NoAssertions { .. }
            | Self::KafkaSettingRefused { .. }
            | Self::MissingSinkConfig { .. } => Vec::new(),
        }
    }
}
