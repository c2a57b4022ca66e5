//! `models` and `keys`: what admins do.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::{
    run::{command, end, json_out, out, run, service_with_leads, settled},
    scratch::Scratch,
};

/// A file with the default model, in which a demo is worth 25 points and not 30.
fn changed_model(scratch: &Scratch) -> String {
    let path = scratch.folder.join("changed.yaml");
    let text = leadscore::models::DEFAULT_DOCUMENT.replace("points: 30", "points: 25");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What was printed, without the folder of the test.
fn without_folder(scratch: &Scratch, text: &str) -> String {
    settled(&text.replace(scratch.folder.to_str().unwrap(), "/tmp"))
}

#[test]
fn a_model_is_checked_without_a_service() {
    let scratch = Scratch::new();
    let (good, bad) = (changed_model(&scratch), scratch.folder.join("bad.yaml"));
    fs::write(&bad, "name: x\nfit: 3\n").unwrap();
    let bad = bad.to_str().unwrap();

    let passed = end(command(&["models", "check", &good]));
    assert_eq!(passed.code, Some(0), "{passed:?}");
    assert_snapshot!(without_folder(&scratch, &passed.out));
    let failed = end(command(&["models", "check", bad]));
    assert_eq!(failed.code, Some(1));
    assert_snapshot!(without_folder(&scratch, &format!("{}{}", failed.out, failed.err)));
    let report: Value = serde_json::from_str(&end(command(&["models", "check", bad, "--json"])).out).unwrap();
    assert_eq!(report["errors"][0]["pointer"], "/fit");
    let missing = end(command(&["models", "check", "nowhere.yaml"]));
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.contains("cannot read nowhere.yaml"), "{}", missing.err);
}

#[test]
fn a_model_is_compared_previewed_published_and_taken_back() {
    let scratch = Scratch::new();
    let service = service_with_leads(&scratch);
    let file = changed_model(&scratch);

    assert_snapshot!(without_folder(&scratch, &out(&service, &["models", "diff", &file])));
    assert_eq!(
        out(&service, &["models", "diff", "live", "b2b-saas@1"]),
        "From b2b-saas@1 to b2b-saas@1: 0 changes\n"
    );
    assert_eq!(json_out(&service, &["models", "diff", &file])[0][0]["after"], 25);
    assert_snapshot!(settled(&out(&service, &["models", "preview", &file])));
    assert_eq!(
        service.get("/v1/models").body["data"].as_array().unwrap().len(),
        1,
        "a preview leaves no draft"
    );

    let unasked = run(&service, &["models", "publish", &file]);
    assert_eq!(unasked.code, Some(2), "nobody is there to be asked");
    assert_snapshot!(unasked.err);
    assert_snapshot!(settled(&out(&service, &["models", "publish", &file, "--yes"])));
    assert_snapshot!(settled(&out(&service, &["models", "list"])));
    assert_eq!(json_out(&service, &["models", "list"]), [service.get("/v1/models").body]);
    assert_snapshot!(settled(&out(&service, &["models", "progress", "b2b-saas@1"])));

    assert_snapshot!(settled(&out(&service, &["models", "rollback", "--yes"])));
    let live = service.get("/v1/models").body["data"][1].clone();
    assert_eq!(live["role"], "live", "{live}");
    let progress = service.get(&format!("/v1/models/{}/progress", live["id"].as_str().unwrap())).body;
    assert_eq!(json_out(&service, &["models", "progress"]), [progress]);
    service.stop();
}

#[test]
fn a_model_that_is_refused_is_told_with_the_places_and_leaves_no_draft() {
    let scratch = Scratch::new();
    let service = service_with_leads(&scratch);
    let (bad, failing) = (scratch.folder.join("bad.yaml"), scratch.folder.join("failing.yaml"));
    fs::write(&bad, "name: x\nfit: 3\n").unwrap();
    let text = leadscore::models::DEFAULT_DOCUMENT.replace("score: 13", "score: 14");
    fs::write(&failing, text).unwrap();

    let mistakes = run(&service, &["models", "preview", bad.to_str().unwrap()]);
    assert_eq!((mistakes.code, mistakes.out.as_str()), (Some(1), ""));
    assert_snapshot!(mistakes.err);
    let failed = run(&service, &["models", "publish", failing.to_str().unwrap(), "--yes"]);
    assert_eq!((failed.code, failed.out.as_str()), (Some(1), ""));
    assert_snapshot!(failed.err);
    let unknown = run(&service, &["models", "publish", "b2b-saas@7", "--yes"]);
    assert_eq!(unknown.code, Some(1));
    assert_snapshot!(unknown.err);
    let unnamed = run(&service, &["models", "diff", "nothing"]);
    assert_eq!(unnamed.code, Some(2));
    assert!(unnamed.err.contains("an id, NAME@VERSION or `live`"), "{}", unnamed.err);
    assert_eq!(service.get("/v1/models").body["data"].as_array().unwrap().len(), 1);
    service.stop();
}

#[test]
fn a_key_is_made_listed_and_revoked() {
    let scratch = Scratch::new();
    let service = service_with_leads(&scratch);

    assert_snapshot!(settled(&out(&service, &["keys", "create", "dashboard", "--scope", "read"])));
    let made = json_out(
        &service,
        &["keys", "create", "web", "--scope", "ingest", "--origin", "https://acme.example"],
    );
    assert_eq!(made[0]["allowed_origins"][0], "https://acme.example");
    assert_snapshot!(settled(&out(&service, &["keys", "list"])));
    assert_eq!(json_out(&service, &["keys", "list"]), [service.get("/v1/keys?limit=500").body]);
    let id = made[0]["id"].as_str().unwrap();
    assert_eq!(run(&service, &["keys", "revoke", id]).code, Some(2), "nobody is there to be asked");
    assert_snapshot!(settled(&out(&service, &["keys", "revoke", id, "--yes"])));
    assert_eq!(service.get("/v1/keys").body["data"].as_array().unwrap().len(), 3);

    let unknown = run(&service, &["keys", "revoke", "none", "--yes"]);
    assert_eq!(unknown.code, Some(1));
    assert_eq!(run(&service, &["keys", "create", "x", "--scope", "all"]).code, Some(2));
    service.stop();
}
