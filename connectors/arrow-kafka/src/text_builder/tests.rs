use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn gives_what_was_appended(batches in vec(vec(option::of("[a-zé]{0,40}"), 0..40), 1..4)) {
        let mut builder = TextBuilder::with_capacity(0, 0);
        for rows in batches {
            for row in &rows {
                match row {
                    Some(text) if text.len() % 2 == 0 => builder.append_value(text),
                    Some(text) => {
                        let within = format!("«{text}»{}", "z".repeat(text.len() % 20));
                        builder.append_part(within.as_bytes(), 2..2 + text.len());
                    }
                    None => builder.append_null(),
                }
            }
            prop_assert_eq!(builder.finish(), StringArray::from(rows));
        }
    }
}
