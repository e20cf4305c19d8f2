use super::*;

fn check(text: &str, expected: &str) {
    assert_eq!(hidden(text), expected);
    assert_eq!(hidden(text).len(), text.len());
}

#[test]
fn values_of_secret_keys_are_hidden() {
    check("  sasl_password: hunter2\n  x: 1\n", "  sasl_password: *******\n  x: 1\n");
    check("kafka: {sasl_password: 'a b', x: 1}", "kafka: {sasl_password: ************");
    check("\"SSL.Key.Password\" : pässword", "\"SSL.Key.Password\" : *********");
    check("  password: \"unclosed", "  password: *********");
}

#[test]
fn blocks_under_secret_keys_are_hidden() {
    check(
        "ssl.key.pem: |\n  -----BEGIN\n\n  abc\nnext: 1\n",
        "ssl.key.pem: *\n  **********\n\n  ***\nnext: 1\n",
    );
    check("- webhook:\n    https://x\n- a", "- webhook:\n    *********\n- a");
}

#[test]
fn references_and_other_keys_stay() {
    for text in [
        "sasl_password: ${KAFKA_PASSWORD}",
        "sasl_password: '${KAFKA_PASSWORD}'",
        "key: session_id",
        "sql: |\n  SELECT a FROM b",
    ] {
        check(text, text);
    }
    check("token: ${TOKEN:-abc}", "token: *************");
}

#[test]
fn credentials_in_addresses_are_hidden() {
    check("url: https://me:pw@host/a@b", "url: https://*****@host/a@b");
    check("url: \"http://host/x@y\"", "url: \"http://host/x@y\"");
}
