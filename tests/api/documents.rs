//! The models that we hand out: whatever lies in the folder can be published as it is, and without a warning.

use std::{fs, path::Path};

use leadscore::models::document::from_yaml;
use scoring::check::check;

#[test]
fn every_document_in_the_folder_of_models_is_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let document = from_yaml(&fs::read_to_string(&path).unwrap()).unwrap();
        let report = check(&document, None);
        assert_eq!(report.errors, [], "{name}");
        assert_eq!(report.warnings, [], "{name}");
        assert_eq!(document["name"], name.as_str(), "a document is found by its model's name");
        assert!(!report.tests.is_empty(), "{name} says nowhere what it is for");
        let failed: Vec<_> = report.tests.iter().filter(|test| !test.passed).collect();
        assert!(failed.is_empty(), "{name}: {failed:#?}");
        names.push(name);
    }
    assert!(names.iter().any(|name| name == "b2b-saas"), "{names:?}");
}
