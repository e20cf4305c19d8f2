use super::*;

#[test]
fn settings_are_checked() {
    let facts = [
        ("max.message.bytes", "1000", true),
        ("max.message.bytes", "-1", false),
        ("max.message.bytes", "many", false),
        ("retention.ms", "-1", true),
        ("retention.ms", "-2", false),
        ("cleanup.policy", "compact,delete", true),
        ("cleanup.policy", "shred", false),
        ("message.timestamp.type", "LogAppendTime", true),
        ("message.timestamp.type", "Now", false),
        ("preallocate", "maybe", false),
        ("min.cleanable.dirty.ratio", "0.7", true),
        ("min.cleanable.dirty.ratio", "7", false),
        ("no.such.setting", "1", false),
    ];
    for (name, value, is_taken) in facts {
        let set = TopicConfig::default().set(name, value);
        assert_eq!(set.is_ok(), is_taken, "{name}={value}");
    }
}

#[test]
fn defaults_are_sound() {
    for (name, default, form) in SETTINGS {
        assert!(is_formed(*form, default), "{name}");
    }
    let config = TopicConfig::default();
    assert_eq!(config.max_message_bytes(), MAX_MESSAGE_BYTES_DEFAULT);
    assert_eq!(config.segment_bytes(), SEGMENT_BYTES_DEFAULT);
    assert!(config.shown().iter().all(|setting| setting.is_default));
}

#[test]
fn whoever_asks_for_what_does_not_happen_is_told() {
    let facts = [
        ("retention.ms", "1000", 1),
        ("retention.ms", "-1", 0),
        ("retention.bytes", "1", 1),
        ("cleanup.policy", "compact", 1),
        ("cleanup.policy", "delete", 0),
        ("compression.type", "lz4", 1),
        ("max.message.bytes", "5", 0),
    ];
    for (name, value, count) in facts {
        let mut config = TopicConfig::default();
        config.set(name, value).expect("a good setting");
        let notes = config.notes("clicks");
        assert_eq!(notes.len(), count, "{name}={value}");
        assert!(notes.iter().all(|note| note.contains("`clicks`") && note.contains(name)));
    }
}

#[test]
fn lists_are_changed_word_by_word() {
    let mut config = TopicConfig::default();
    config.change_list("cleanup.policy", "compact", true).expect("a list");
    assert_eq!(config.value("cleanup.policy"), "delete,compact");
    config.change_list("cleanup.policy", "delete", false).expect("a list");
    assert_eq!(config.value("cleanup.policy"), "compact");
    config.reset("cleanup.policy").expect("a setting");
    assert_eq!(config.value("cleanup.policy"), "delete");
    assert!(config.change_list("max.message.bytes", "1", true).is_err());
}
