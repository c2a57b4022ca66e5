//! Models: checked, computed with, and read, without touching a lead.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{TestApp, run, shown};

fn document() -> Value {
    leadscore::models::document::from_yaml(leadscore::models::DEFAULT_DOCUMENT).unwrap()
}

async fn check(app: &TestApp, document: &Value) -> Value {
    let answer = app.post("/v1/models/check", document.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn live(app: &TestApp) -> String {
    app.get("/v1/models").await.json()["data"][0]["id"].as_str().unwrap().to_owned()
}

fn vectors(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/scoring/tests/vectors").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_good_document_is_valid_however_it_is_sent() {
    run(async |app| {
        let yaml = [("content-type", "application/yaml")];
        for answer in [
            app.post("/v1/models/check", document().to_string()).await,
            app.post("/v1/models/check", json!({"model": document()}).to_string()).await,
            app.post_with("/v1/models/check", &yaml, leadscore::models::DEFAULT_DOCUMENT).await,
            app.post_with("/v1/models/check", &yaml, document().to_string()).await,
            app.post_with("/v1/models/check", &[], document().to_string()).await,
        ] {
            let report = answer.json();
            assert_eq!((&report["valid"], &report["errors"]), (&json!(true), &json!([])));
            assert_eq!(
                report["tests"].as_array().map(Vec::len),
                document()["tests"].as_array().map(Vec::len)
            );
        }
    })
    .await;
}

#[tokio::test]
async fn every_mistake_of_a_document_is_named_with_a_pointer_to_it() {
    run(async |app| {
        let mut document = document();
        document["bands"] = json!([]);
        document["dimensions"]["fit"]["groups"][0]["rules"][0]["points"] = json!("many");
        document["dimensions"]["engagement"]["groups"][0]["rules"][0]["decay"] = json!({"curve": "steep"});
        document["colour"] = json!("blue");

        let report = check(app, &document).await;

        assert_eq!((&report["valid"], &report["tests"]), (&json!(false), &json!([])));
        insta::assert_snapshot!(shown(&report["errors"]), @r#"
        [
          {
            "code": "unknown_key",
            "message": "remove `colour`; the keys known here are name, description, score, dimensions, grades, bands, mql, hand_raise, tests",
            "pointer": "/colour"
          },
          {
            "code": "wrong_type",
            "message": "write a number here",
            "pointer": "/dimensions/fit/groups/0/rules/0/points"
          },
          {
            "code": "unknown_value",
            "message": "write `compound`, `linear` or `half_life`",
            "pointer": "/dimensions/engagement/groups/0/rules/0/decay/curve"
          },
          {
            "code": "empty",
            "message": "list at least one label; the last has no `from`",
            "pointer": "/bands"
          }
        ]
        "#);
    })
    .await;
}

#[tokio::test]
async fn a_document_whose_own_test_fails_is_not_valid() {
    run(async |app| {
        let mut document = document();
        document["tests"] = json!([{"name": "a stranger is hot", "profile": {}, "events": [],
            "as_of": "2026-03-02T09:00:00Z", "expect": {"score": 90}}]);

        let report = check(app, &document).await;

        assert_eq!((&report["valid"], &report["errors"]), (&json!(false), &json!([])));
        insta::assert_snapshot!(shown(&report["tests"]), @r#"
        [
          {
            "failures": [
              "score should be 90 but is 0"
            ],
            "name": "a stranger is hot",
            "passed": false
          }
        ]
        "#);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_document_is_reported_and_what_cannot_be_read_is_a_400() {
    run(async |app| {
        for body in ["null", "[]", "7", "\"text\"", "{}", "{\"model\":null}"] {
            let report = app.post("/v1/models/check", body).await.json();
            assert_eq!(report["valid"], false, "{body}");
            assert!(!report["errors"].as_array().unwrap().is_empty(), "{body}");
        }
        let yaml = [("content-type", "application/yaml")];
        let laughs = (1..12).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
            let before = vec![format!("*a{}", n - 1); 9].join(", ");
            format!("{text}a{n}: &a{n} [{before}]\n")
        });
        for (headers, body) in [
            (&[][..], &b"{"[..]),
            (&[], b"{\"name\":\"\xff\"}"),
            (&yaml, b"a: [1"),
            (&yaml, b"a: \xff"),
            (&yaml, b"? [1, 2]\n: 3"),
            (&yaml, laughs.as_bytes()),
        ] {
            let answer = app.post_with("/v1/models/check", headers, body.to_vec()).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(20)]);
            assert_eq!(
                (answer.status.as_u16(), answer.problem()),
                (400, "invalid_body".to_owned()),
                "{shown}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn every_vector_is_met_over_http() {
    run(async |app| {
        for (file, count) in [("worked.json", 60), ("random.json", 60)] {
            let cases = vectors(file);
            assert_eq!(cases.len(), count);
            // Some models name conditions that a model could once have.
            let taken = |case: &&Value| scoring::Model::parse(&case["model"]).is_ok();
            assert!(cases.iter().filter(taken).count() >= 48, "{file}");
            for (n, case) in cases.iter().filter(taken).enumerate() {
                meet(app, case, &format!("{file} {n} {}", case["name"])).await;
            }
        }
    })
    .await;
}

async fn meet(app: &TestApp, case: &Value, name: &str) {
    let body = json!({"model": case["model"], "profile": case["profile"], "events": case["events"], "as_of": case["as_of"]});

    let answer = app.post("/v1/models/evaluate", body.to_string()).await;

    assert_eq!(answer.status, 200, "{name}: {answer:?}");
    let found = answer.json();
    for (key, expected) in case["expect"].as_object().unwrap() {
        assert_eq!(&found[key], expected, "{name}: {key}");
    }
    let lines = found["receipt"]["lines"].as_array().unwrap().iter();
    let sum: i64 = lines.map(|line| line["points"].as_i64().unwrap()).sum();
    assert_eq!(sum, found["score"].as_i64().unwrap() * 1000, "{name}: the receipt");
    if let Some(different) = case["next_different_at"].as_str() {
        let time = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap();
        let next = found["next_change_at"].as_str().unwrap_or_else(|| panic!("{name}: it does change"));
        assert!(time(next) <= time(different), "{name}: {next} after {different}");
    }
}

#[tokio::test]
async fn a_score_is_computed_by_a_version_as_by_its_document_and_touches_no_lead() {
    run(async |app| {
        let version = live(app).await;
        let case = |model: Value| {
            json!({"model": model, "profile": {"title": "Director"}, "as_of": "2026-03-02T09:00:00Z", "events": [
                {"id": "e1", "type": "trial_started", "occurred_at": "2026-03-01T09:00:00Z"},
                {"id": "e1", "type": "trial_started", "occurred_at": "2026-03-01T09:00:00Z"},
            ]})
            .to_string()
        };

        let by_version = app.post("/v1/models/evaluate", case(json!(version))).await.json();

        assert_eq!(by_version, app.post("/v1/models/evaluate", case(document())).await.json());
        assert_eq!((&by_version["score"], &by_version["grade"]), (&json!(40), &json!("B2")));
        assert_eq!((app.count("lead").await, app.count("event").await), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn an_evaluation_is_as_of_now_of_nobody_who_did_nothing_unless_it_says_otherwise() {
    run(async |app| {
        let answer =
            app.post("/v1/models/evaluate", json!({"model": live(app).await}).to_string()).await.json();

        assert_eq!(
            (&answer["as_of"], &answer["score"], &answer["grade"]),
            (&json!("2026-03-02T09:00:00Z"), &json!(0), &json!("C4"))
        );
    })
    .await;
}

#[tokio::test]
async fn an_evaluation_that_cannot_be_made_is_refused_with_a_pointer() {
    run(async |app| {
        let mut broken = document();
        broken["bands"] = json!([]);
        let event = |key: &str, value: Value| {
            let mut event = json!({"id": "e1", "type": "a", "occurred_at": "2026-03-01T09:00:00Z"});
            event[key] = value;
            json!([event])
        };
        for (field, value, pointer) in [
            ("model", broken, "/model/bands"),
            ("model", json!("b2b-saas"), "/model"),
            ("model", json!(7), "/model"),
            ("profile", json!([]), "/profile"),
            ("events", json!({}), "/events"),
            ("events", event("occurred_at", json!("yesterday")), "/events/0/occurred_at"),
            ("events", event("type", json!(7)), "/events/0/type"),
            ("as_of", json!("2026-13-45"), "/as_of"),
        ] {
            let mut body = json!({"model": document()});
            body[field] = value;
            let answer = app.post("/v1/models/evaluate", body.to_string()).await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem()),
                (422, "invalid_request".to_owned()),
                "{body}"
            );
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{answer:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_evaluation_at_the_ends_of_time_breaks_nothing() {
    run(async |app| {
        let event = json!({"id": "e1", "type": "trial_started", "occurred_at": "0001-01-01T00:00:00Z"});
        for (as_of, score) in [("0001-01-01T00:00:00Z", 20), ("9999-12-31T23:59:59Z", 0)] {
            let body = json!({"model": document(), "events": [event], "as_of": as_of}).to_string();
            let answer = app.post("/v1/models/evaluate", body).await;
            assert_eq!(answer.json()["score"], score, "{as_of}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_version_that_does_not_exist_is_a_404() {
    run(async |app| {
        let unknown = "01939e1c-0000-7000-8000-000000000000";
        for answer in [
            app.get(&format!("/v1/models/{unknown}")).await,
            app.post("/v1/models/evaluate", json!({"model": unknown}).to_string()).await,
        ] {
            assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not_found".to_owned()));
        }
    })
    .await;
}

#[tokio::test]
async fn the_live_version_is_listed_and_read_with_its_document() {
    run(async |app| {
        let list = app.get("/v1/models").await.json();

        let version = list["data"][0].clone();
        assert_eq!((&list["has_more"], &list["next_cursor"]), (&json!(false), &Value::Null));
        assert_eq!(
            [&version["name"], &version["version"], &version["state"]],
            [&json!("b2b-saas"), &json!(1), &json!("published")]
        );
        assert_eq!(version["document"], document());
        let read = app.get(&format!("/v1/models/{}", live(app).await)).await;
        assert_eq!(read.json(), version);
        assert!(read.headers.contains_key("etag"), "one thing that is read has a tag");
    })
    .await;
}
