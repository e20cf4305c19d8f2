use super::*;

fn rebuild() -> Rebuild {
    Rebuild {
        models: ["a".to_owned(), "b".to_owned()].into(),
        silent: ["b".to_owned()].into(),
        readers: [ReaderName(Arc::from("clicks@k"))].into(),
    }
}

#[test]
fn a_plan_that_rebuilds_is_split_into_what_it_was_made_of() {
    for project in ["# select a\n{}\n", "", "models: []"] {
        let text = with_rebuild(project, &rebuild());
        assert_eq!(split(&text), (Some(rebuild()), project));
        assert_eq!(split(project), (None, project));
    }
}

/// What cannot be read is no rebuild, and then no project either: whoever plans it says so.
#[test]
fn a_line_of_another_version_is_left_in_the_text() {
    let text = "# rebuild {\"models\":[],\"more\":1}\nmodels: []";
    assert_eq!(split(text), (None, text));
}
