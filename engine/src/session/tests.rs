use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

#[test]
fn the_nearest_parent_with_a_root_file_is_the_project() {
    let folder = folder();
    let inner = folder.path().join("a/models");
    fs::create_dir_all(&inner).unwrap();
    assert_eq!(find_project(None, &inner).unwrap(), inner);
    fs::write(folder.path().join("stream_project.yml"), "").unwrap();
    assert_eq!(find_project(None, &inner).unwrap(), folder.path());
    fs::write(folder.path().join("a/stream_project.yml"), "").unwrap();
    assert_eq!(find_project(None, &inner).unwrap(), folder.path().join("a"));
}

#[test]
fn a_given_folder_counts_as_it_is() {
    let folder = folder();
    fs::write(folder.path().join("stream_project.yml"), "").unwrap();
    let inner = folder.path().join("inner");
    assert!(find_project(Some(&inner), folder.path()).is_err());
    fs::create_dir(&inner).unwrap();
    assert_eq!(find_project(Some(&inner), folder.path()).unwrap(), inner);
}

#[test]
fn a_bare_project_keeps_its_first_name() {
    let folder = folder();
    assert_eq!(kept_name(folder.path()), None);
    keep_name(folder.path(), "first").unwrap();
    keep_name(folder.path(), "second").unwrap();
    assert_eq!(kept_name(folder.path()).as_deref(), Some("first"));
    fs::write(folder.path().join("stream_project.yml"), "").unwrap();
    assert_eq!(kept_name(folder.path()), None);
}

#[test]
fn a_kept_name_that_is_no_topic_name_is_not_believed() {
    let folder = folder();
    fs::create_dir(engine_folder(folder.path())).unwrap();
    fs::write(engine_folder(folder.path()).join("project"), "../../x\n").unwrap();
    assert_eq!(kept_name(folder.path()), None);
}
