use super::*;

#[test]
fn white_space_goes_but_not_inside_strings() {
    for (json, expected) in [
        ("[1,2]", "[1,2]"),
        ("[ 1 ,\n2 ]", "[1,2]"),
        (r#"{ "a b" : "c\" d" }"#, r#"{"a b":"c\" d"}"#),
        (r#"[ "x\\" , "y" ]"#, r#"["x\\","y"]"#),
    ] {
        assert_eq!(compact(json), expected);
    }
}

#[test]
fn a_stream_whose_keys_are_data_does_not_fill_the_memory() {
    let mut scanner = JsonScanner::new(&["wanted".to_owned()]);
    for id in 0..2 * MAX_KNOWN_KEYS {
        let record = format!("{{\"key-{id}\":1,\"wanted\":{id}}}");
        scanner.scan(record.as_bytes()).expect("an object");
        let expected = id.to_string();
        assert_eq!(
            scanner.token(0, record.as_bytes(), &mut String::new()),
            Token::Number(&expected)
        );
    }
    assert_eq!(scanner.known.len(), MAX_KNOWN_KEYS);
}
