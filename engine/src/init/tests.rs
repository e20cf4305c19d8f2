use super::*;

#[test]
fn a_project_is_written_once() {
    for template in [Template::Ecommerce, Template::Empty] {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("my shop");
        let dry = template.write(&inner, false, true).expect("a dry run");
        assert!(!inner.exists());
        let written = template.write(&inner, false, false).expect("an empty folder");
        assert_eq!(dry, written);
        assert!(written.iter().all(|path| path.is_file()));
        let again = template.write(&inner, false, false).expect_err("files are there");
        assert!(again.to_string().contains("is there already"), "{again}");
        template.write(&inner, true, false).expect("forced");
    }
}

#[test]
fn samples_lie_in_the_template() {
    for template in [Template::Ecommerce, Template::Empty] {
        for sample in template.samples() {
            let (_, text) =
                template.files().find(|(path, _)| *path == sample.file).expect("its file");
            let first = text.lines().next().expect("a line");
            let first: serde_json::Value = serde_json::from_str(first).expect("a JSON line");
            assert!(first[sample.key].is_string());
            assert!(sample.timestamp.is_none_or(|field| first[field].is_string()));
        }
    }
}

#[test]
fn the_projects_name_is_the_folders() {
    assert_eq!(project_name(Path::new("/x/my shop!")), "my-shop-");
    assert_eq!(project_name(Path::new("/")), "project");
}
