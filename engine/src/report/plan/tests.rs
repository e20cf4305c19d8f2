use std::collections::BTreeSet;
use std::sync::Arc;

use planner::dataflow::upgrade::{Reason, Upgrade, Weight};
use stream::{Epoch, ReaderName};

use super::*;

fn picture() -> PlanPicture {
    let change = |model: &str, verdict: Verdict, reasons: &[&str]| ModelChange {
        model: model.to_owned(),
        verdict,
        reasons: reasons
            .iter()
            .map(|text| Reason { weight: Weight::Rebuild, text: (*text).to_owned() })
            .collect(),
    };
    let models = vec![
        change("a", Verdict::Unchanged, &[]),
        change("b", Verdict::Rebuild, &["GROUP BY gained `c`", "it reads other rows"]),
        change("n", Verdict::Added, &[]),
        change("gone", Verdict::Removed, &[]),
    ];
    PlanPicture {
        epoch: Some(Epoch(7)),
        upgrade: Upgrade { models, operators: Vec::new(), reset: BTreeSet::new() },
        inputs: vec![RebuildInput {
            reader: ReaderName(Arc::from("s")),
            topic: "t".to_owned(),
            partitions: vec![(0, 5, 200_005), (1, 0, 1)],
            models: vec!["b".to_owned(), "n".to_owned()],
        }],
        unfinished: Vec::new(),
    }
}

#[test]
fn the_table_says_what_and_why_and_the_lines_what_is_read_and_what_next() {
    assert_eq!(
        plan_text(&picture(), None),
        " model  state      why
 a      unchanged
 b      rebuild    GROUP BY gained `c`; it reads other rows
 n      added      new: reads what its inputs still hold
 gone   removed    its state is forgotten, its topic stays
topic t: partition 0: 5 to 200005, 1: 0 to 1; for b, n
reads 200001 records again: about 3 s at an assumed 100000 records/s, while the other models go on
compared with the state of epoch 7
next: engine run --accept-plan
"
    );
}

#[test]
fn a_project_without_state_has_nothing_to_plan() {
    let nothing = PlanPicture { epoch: None, ..picture() };
    assert_eq!(plan_text(&nothing, None), "this project has no state yet\nnext: engine run\n");
    let json = plan_json(&nothing);
    assert!(!json.contains("\"model\""), "{json}");
}
