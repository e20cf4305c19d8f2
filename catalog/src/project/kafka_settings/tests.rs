use super::*;

fn check(name: &str, expected: Option<Verdict>) {
    assert_eq!(verdict(name), expected, "for `{name}`");
}

#[test]
fn settings_that_load_code_or_leak_are_refused() {
    for name in ["plugin.library.paths", "ssl.engine.location", "sasl.kerberos.kinit.cmd"] {
        check(name, Some(Verdict::Refused(CODE)));
    }
    for name in ["resolve_cb", "ssl.certificate.verify_cb", "oauthbearer_token_refresh_cb"] {
        check(name, Some(Verdict::Refused(CALLBACK)));
    }
    check("debug", Some(Verdict::Refused(LEAKS)));
    check("enable.ssl.certificate.verification", Some(Verdict::Only("true", UNVERIFIED)));
    check("ssl.endpoint.identification.algorithm", Some(Verdict::Only("https", UNVERIFIED)));
}

#[test]
fn the_engines_own_settings_are_refused() {
    for name in ["transactional.id", "group.id", "isolation.level", "enable.idempotence"] {
        check(name, Some(Verdict::Refused(OWNED)));
    }
    check("sasl.password", Some(Verdict::Refused(TYPED)));
}

#[test]
fn harmless_settings_pass_and_unknown_ones_are_unknown() {
    check("socket.timeout.ms", Some(Verdict::Allowed));
    check("ssl.ca.pem", Some(Verdict::Allowed));
    check("socket.timeout", None);
    check("", None);
}

#[test]
fn settings_that_librdkafka_hides_from_its_documentation_are_unknown() {
    for name in ["test.mock.num.brokers", "ut_handle_ProduceResponse", "unittest"] {
        check(name, None);
    }
}

#[test]
fn no_setting_has_two_verdicts() {
    for name in allowed() {
        assert!(!REFUSED.iter().any(|(refused, _)| *refused == name), "`{name}` is in both lists");
    }
}
