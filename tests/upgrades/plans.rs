//! `engine plan`.

use serde_json::Value;

use crate::shop::{EARLY, Shop, edited, first};

#[test]
fn a_plan_says_what_why_from_where_and_what_next() {
    let shop = Shop::new(&first());
    let output = shop.folder.engine(&["plan", "--detailed-exitcode"]);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.out.contains("no state yet"), "{}", output.out);
    shop.click(&EARLY);
    shop.run(&[]);
    assert_eq!(shop.folder.engine(&["plan", "--detailed-exitcode"]).code, 0);
    shop.become_of(&edited("minutes", "GROUP BY k,", "GROUP BY k, country,"));
    let output = shop.folder.engine(&["plan", "--detailed-exitcode"]);
    assert_eq!(output.code, 2, "{}", output.err);
    for part in [
        "minutes  rebuild",
        "GROUP BY gained `country`",
        "topic clicks: partition 0: 0 to",
        "for minutes",
        "reads 6 records again: about 1 s",
        "next: engine run --accept-plan",
    ] {
        assert!(output.out.contains(part), "{part}\n{}", output.out);
    }
    assert_eq!(shop.folder.engine(&["plan"]).code, 0);
    let json = shop.folder.succeed(&["plan", "--output", "json"]);
    let lines: Vec<Value> =
        json.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert_eq!(lines[0]["type"], "version");
    let minutes = lines.iter().find(|line| line["name"] == "minutes").expect("its line");
    assert_eq!(
        (&minutes["verdict"], &minutes["needs_acceptance"]),
        (&"rebuild".into(), &true.into())
    );
    let plan = lines.last().expect("a line");
    assert_eq!((&plan["type"], &plan["records"]), (&"plan".into(), &6.into()));
    // A mistake is no change.
    shop.folder.write("models/m.yml", "models: 3\n");
    assert_eq!(shop.folder.engine(&["plan", "--detailed-exitcode"]).code, 1);
    assert_eq!(shop.folder.engine(&["plan"]).code, 2);
}

#[test]
fn the_flags_of_a_changed_plan_do_not_go_with_fresh() {
    let shop = Shop::new(&first());
    for flag in [["--accept-plan"].as_slice(), &["--rebuild", "minutes"], &["--re-emit"]] {
        assert_eq!(shop.try_run(&[&["--fresh"], flag].concat()).code, 2, "{flag:?}");
    }
}
