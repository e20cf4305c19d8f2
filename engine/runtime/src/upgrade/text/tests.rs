use super::*;

fn course(marks: Vec<Mark>) -> Course {
    let rebuild = Rebuild {
        models: ["a".to_owned(), "b".to_owned()].into(),
        silent: ["b".to_owned()].into(),
        readers: [ReaderName(Arc::from("clicks@k"))].into(),
    };
    Course { rebuild, marks }
}

fn mark() -> Mark {
    let idle = Place { position: 0, is_idle: true };
    let partitions = BTreeMap::from([(0, Place { position: 7, is_idle: false }), (1, idle)]);
    let stand = Stand { watermark: Watermark(-5), partitions };
    let empty = Stand { watermark: Watermark::NONE, partitions: BTreeMap::new() };
    let readers = BTreeMap::from([
        (ReaderName(Arc::from("clicks@k")), stand),
        (ReaderName(Arc::from("items")), empty),
    ]);
    Mark { models: ["b".to_owned()].into(), readers }
}

#[test]
fn a_plan_that_rebuilds_is_split_into_what_it_was_made_of() {
    for project in ["# select a\n{}\n", "", "models: []"] {
        for marks in [vec![], vec![mark()], vec![mark(), mark()]] {
            let course = course(marks);
            let text = with_rebuild(project, &course);
            assert_eq!(split(&text), (Some(course), project));
        }
        assert_eq!(split(project), (None, project));
    }
}

/// What released engines have written must be read: without marks, the other models stood still.
#[test]
fn a_rebuild_that_was_written_without_marks_is_read() {
    let text = "# rebuild {\"models\":[\"a\",\"b\"],\"silent\":[\"b\"],\"readers\":[\"clicks@k\"]}\nmodels: []";
    assert_eq!(split(text), (Some(course(vec![])), "models: []"));
    assert_eq!(with_rebuild("models: []", &course(vec![])), text);
    let marked = "# rebuild {\"models\":[\"a\",\"b\"],\"silent\":[\"b\"],\"readers\":[\"clicks@k\"],\"marks\":[{\"models\":[\"b\"],\"readers\":{\"clicks@k\":{\"watermark\":-5,\"partitions\":{\"0\":{\"position\":7,\"is_idle\":false},\"1\":{\"position\":0,\"is_idle\":true}}},\"items\":{\"watermark\":-9223372036854775808,\"partitions\":{}}}}]}\n";
    assert_eq!(split(marked), (Some(course(vec![mark()])), ""));
}

/// What cannot be read is no rebuild, and then no project either: whoever plans it says so.
#[test]
fn a_line_of_another_version_is_left_in_the_text() {
    let text = "# rebuild {\"models\":[],\"more\":1}\nmodels: []";
    assert_eq!(split(text), (None, text));
}
