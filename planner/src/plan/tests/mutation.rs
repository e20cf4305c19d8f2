//! No text of a model makes planning panic.

use proptest::prelude::*;

use super::*;

const SEEDS: [&str; 4] = [
    "SELECT o.id, i.name FROM {{ source(\"orders\") }} AS o LEFT JOIN {{ source(\"items\") }} \
     FOR SYSTEM_TIME AS OF o.ts AS i ON o.item = i.sku WHERE o.amount > 1",
    "SELECT id, TUMBLE_START(ts, INTERVAL '5' MINUTE) AS s, COUNT(DISTINCT item) AS n, \
     SUM(CASE WHEN note = 'x' THEN 1 ELSE 0 END) AS m FROM {{ source(\"orders\") }} \
     GROUP BY id, TUMBLE(ts, INTERVAL '5' MINUTE) HAVING COUNT(*) > 1",
    "WITH a AS (SELECT * FROM {{ source(\"orders\") }}) SELECT COALESCE(note, id) AS x, price * 2 \
     AS y FROM a WHERE ok AND note IN ('a', 'b')",
    "SELECT window_start, window_end, AVG(price) AS p FROM TABLE(TUMBLE(TABLE \
     {{ source(\"orders\") }}, DESCRIPTOR(ts), INTERVAL '1' HOUR)) GROUP BY window_start, window_end",
];

const WORDS: [&str; 24] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "JOIN",
    "(",
    ")",
    ",",
    "*",
    "TUMBLE",
    "ts",
    "id",
    "NULL",
    "CASE",
    "END",
    "AS",
    "INTERVAL '1' DAY",
    "COUNT(*)",
    "COLLECT(",
    "1",
    "'x'",
    ".",
    "FOR SYSTEM_TIME AS OF",
    "HAVING",
];

#[derive(Debug, Clone)]
enum Edit {
    Delete(usize),
    Insert(usize, usize),
    Swap(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        any::<usize>().prop_map(Edit::Delete),
        (any::<usize>(), any::<usize>()).prop_map(|(at, word)| Edit::Insert(at, word)),
        (any::<usize>(), any::<usize>()).prop_map(|(left, right)| Edit::Swap(left, right)),
    ]
}

fn mutate(seed: &str, edits: &[Edit]) -> String {
    // Templates are the catalog's business, and stay whole.
    let marked =
        seed.replace("{{ source(\"orders\") }}", "@O").replace("{{ source(\"items\") }}", "@I");
    let mut words: Vec<String> = marked.split(' ').map(str::to_owned).collect();
    for edit in edits {
        let count = words.len().max(1);
        match edit {
            Edit::Delete(at) if words.len() > 1 => {
                words.remove(at % count);
            }
            Edit::Delete(_) => {}
            Edit::Insert(at, word) => {
                words.insert(at % count, WORDS[word % WORDS.len()].to_owned());
            }
            Edit::Swap(left, right) => words.swap(left % count, right % count),
        }
    }
    words
        .join(" ")
        .replace("@O", "{{ source(\"orders\") }}")
        .replace("@I", "{{ source(\"items\") }}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_text_never_panics(seed in 0..SEEDS.len(), edits in proptest::collection::vec(edit(), 1..6)) {
        let sql = mutate(SEEDS[seed], &edits);
        let model = model_yaml("a", &sql);
        let texts = [("sources/shop.yml", SHOP), ("models/a.yml", model.as_str())];
        if let Some(project) = load_texts(&texts, &LoadOptions::default()).project {
            let planned = plan(&project, &PlanOptions::default());
            prop_assert_eq!(planned.dataflow.is_some(), planned.diagnostics.is_empty());
        }
    }
}
