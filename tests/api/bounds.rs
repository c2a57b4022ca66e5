//! Bounds that keep one lead, or one document, from costing everybody.

use serde_json::{Map, Value, json};

use crate::harness::{
    TestApp,
    models::{publish, visits},
    run,
};

/// Attributes with these numbers in their names.
fn attributes(numbers: std::ops::Range<usize>) -> Map<String, Value> {
    numbers.map(|n| (format!("attribute_{n:05}"), json!(n))).collect()
}

fn identify(id: &str, lead: &Value, traits: &Map<String, Value>) -> Value {
    json!({"id": id, "type": "identify", "lead": lead, "traits": traits})
}

async fn sends(app: &TestApp, events: Value) -> Value {
    let answer = app.post("/v1/events", events.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn count(app: &TestApp, user: &str) -> usize {
    app.lead(user).await["profile"].as_object().unwrap().len()
}

#[tokio::test]
async fn a_lead_has_at_most_a_thousand_attributes_however_they_come() {
    run(async |app| {
        let me = json!({"user_id": "many"});
        let sent = sends(
            app,
            json!([
                identify("a", &me, &attributes(0..600)),
                identify("b", &me, &attributes(600..1_001)),
                identify("a", &json!({"user_id": "innocent"}), &attributes(0..5)),
                identify("c", &me, &attributes(600..1_000)),
            ]),
        )
        .await;

        assert_eq!((&sent["accepted"], &sent["rejected"][0]["index"]), (&json!(3), &json!(1)), "{sent}");
        assert_eq!(sent["rejected"][0]["code"], "too_many_attributes");
        assert_eq!((count(app, "many").await, count(app, "innocent").await), (1_000, 5));
        assert_eq!(app.count("event").await, 3, "what is rejected is not in the log");
        for (id, traits, taken) in [
            ("d", json!({"attribute_00000": "new", "attribute_00001": null}), 1),
            ("e", json!({"one_more": 1}), 0),
            ("f", json!({"attribute_00000": "x".repeat(40_000)}), 1),
        ] {
            let sent = sends(app, identify(id, &me, traits.as_object().unwrap())).await;
            assert_eq!(sent["accepted"], taken, "{id}: {sent}");
        }
        assert_eq!(count(app, "many").await, 999);
    })
    .await;
}

#[tokio::test]
async fn a_lead_has_at_most_256_kib_of_attributes() {
    run(async |app| {
        let me = json!({"user_id": "large"});
        let mut taken = 0;
        for n in 0..6 {
            let traits = json!({(format!("text_{n}")): "x".repeat(60_000)});
            let sent = sends(app, identify(&format!("e{n}"), &me, traits.as_object().unwrap())).await;
            taken += sent["accepted"].as_u64().unwrap();
        }

        assert_eq!((taken, count(app, "large").await), (4, 4));
        let shorter = sends(app, identify("s", &me, json!({"text_0": "short"}).as_object().unwrap())).await;
        assert_eq!(shorter["accepted"], 1);
    })
    .await;
}

#[tokio::test]
async fn the_bound_holds_for_upserts_and_for_leads_that_are_joined_and_a_replay_agrees() {
    run(async |app| {
        let traits = |numbers| json!({"user_id": "crm", "traits": attributes(numbers)}).to_string();
        assert_eq!(app.post("/v1/leads", traits(0..900)).await.status, 201);

        let refused = app.post("/v1/leads", traits(900..1_200)).await;

        assert_eq!(
            (refused.status.as_u16(), refused.problem()),
            (422, "invalid_request".to_owned()),
            "{refused:?}"
        );
        let batch = json!({"leads": [
            {"user_id": "crm", "traits": attributes(900..1_200)},
            {"user_id": "other", "traits": {"a": 1}},
            {"user_id": "crm", "traits": attributes(900..1_000)},
        ]});
        let results = app.post("/v1/leads/batch", batch.to_string()).await.json()["results"].clone();
        assert_eq!(results[0]["code"], "too_many_attributes", "{results}");
        assert_eq!((&results[1]["status"], &results[2]["status"]), (&json!("created"), &json!("updated")));
        let device = json!({"anonymous_id": "device"});
        assert_eq!(sends(app, identify("dev", &device, &attributes(2_000..2_900))).await["accepted"], 1);
        let joining = json!({"user_id": "crm", "anonymous_id": "device"});
        assert_eq!(
            sends(app, identify("j1", &joining, &attributes(3_000..3_010))).await["rejected"][0]["code"],
            "too_many_attributes"
        );
        assert_eq!(sends(app, identify("j2", &joining, &Map::new())).await["accepted"], 1);
        assert_eq!(count(app, "crm").await, 1_900, "leads that are one have the attributes of both");
        assert_eq!(sends(app, identify("j3", &joining, &attributes(0..10))).await["accepted"], 1);
        assert_eq!(sends(app, identify("j4", &joining, &attributes(9_000..9_001))).await["accepted"], 0);
        let before = app.lead("crm").await["profile"].clone();
        publish(app, &visits(60)).await;
        let other = json!({"user_id": "crm", "anonymous_id": "another device"});
        assert_eq!(
            sends(app, identify("j5", &other, &attributes(0..1))).await["accepted"],
            1,
            "replayed by the join"
        );
        assert_eq!(app.lead("crm").await["profile"], before);
    })
    .await;
}

#[tokio::test]
async fn a_lead_does_not_grow_by_one_device_after_the_other() {
    run(async |app| {
        let device = |n: usize| json!({"anonymous_id": format!("d{n}")});
        let joined = |n: usize| json!({"anonymous_id": format!("d{n}"), "user_id": "fat"});
        for n in 0..3 {
            let traits = attributes(n * 1_000..n * 1_000 + 900);
            let sent = sends(app, identify(&format!("a{n}"), &device(n), &traits)).await;
            assert_eq!(sent["accepted"], 1, "{sent}");
        }
        for n in 0..2 {
            let sent = sends(app, identify(&format!("b{n}"), &joined(n), &Map::new())).await;
            assert_eq!(sent["accepted"], 1, "{sent}");
        }

        let third = sends(app, identify("b2", &joined(2), &Map::new())).await;

        assert_eq!(third["rejected"][0]["code"], "too_many_attributes", "{third}");
        assert_eq!(count(app, "fat").await, 1_800);
        let page = json!({"type": "page_viewed", "lead": {"user_id": "fat"}, "properties": {"path": "/"}});
        assert_eq!(sends(app, page).await["accepted"], 1, "the lead goes on");
    })
    .await;
}

#[tokio::test]
async fn a_lead_does_not_grow_by_one_address_after_the_other() {
    run(async |app| {
        let address = |n: usize| format!("a{n}@mail.example");
        let opened = |n: usize| {
            json!({"id": format!("o{n}"), "type": "email_opened", "lead": {"user_id": "fat", "email": address(n)}})
        };
        for n in 0..3 {
            let traits = attributes(n * 1_000..n * 1_000 + 900);
            let sent = sends(app, identify(&format!("a{n}"), &json!({"email": address(n)}), &traits)).await;
            assert_eq!(sent["accepted"], 1, "{sent}");
        }
        sends(app, json!([opened(0), opened(1)])).await;

        let third = sends(app, opened(2)).await;

        assert_eq!(third["rejected"][0]["code"], "too_many_attributes", "{third}");
        let own = app.get(&format!("/v1/leads/by/email/{}", address(2))).await.json();
        assert_eq!(own["profile"].as_object().unwrap().len(), 901, "it is a lead of its own still");
        assert_eq!(own["user_id"], Value::Null);
        let fat = app.get("/v1/leads/by/external_id/fat").await.json();
        assert!(fat["profile"].as_object().unwrap().len() <= 1_801, "{}", fat["id"]);
    })
    .await;
}

#[tokio::test]
async fn what_only_describes_a_lead_is_taken_beside_what_would_join_too_much_to_it() {
    run(async |app| {
        for n in 0..3 {
            let device = json!({"anonymous_id": format!("d{n}")});
            let traits = attributes(n * 1_000..n * 1_000 + 900);
            assert_eq!(sends(app, identify(&format!("a{n}"), &device, &traits)).await["accepted"], 1);
        }
        let joined = |n: usize| {
            let lead = json!({"anonymous_id": format!("d{n}"), "user_id": "fat"});
            identify(&format!("b{n}"), &lead, &Map::new())
        };
        let described = identify("c", &json!({"user_id": "fat"}), &attributes(0..1));

        let sent = sends(app, json!([joined(0), joined(1), joined(2), described])).await;

        assert_eq!(sent["accepted"], 1, "{sent}");
        let refused: Vec<&Value> =
            sent["rejected"].as_array().unwrap().iter().map(|one| &one["index"]).collect();
        assert_eq!(refused, [0, 1, 2], "two of them would have fitted: they can be sent again one by one");
        assert_eq!(count(app, "fat").await, 1);
        assert_eq!(sends(app, json!([joined(0), joined(1)])).await["accepted"], 2);
        assert_eq!(count(app, "fat").await, 1_800);
    })
    .await;
}

#[tokio::test]
async fn nobody_becomes_large_by_merges_aliases_and_placeholders() {
    run(async |app| {
        for n in 0..3 {
            let user = json!({"user_id": format!("u{n}")});
            let traits = attributes(n * 1_000..n * 1_000 + 900);
            assert_eq!(sends(app, identify(&format!("a{n}"), &user, &traits)).await["accepted"], 1);
        }
        let mut ids = Vec::new();
        for n in 0..3 {
            ids.push(app.lead(&format!("u{n}")).await["id"].as_str().unwrap().to_owned());
        }
        let merge = async |lead: &str| {
            let body = json!({"lead_id": lead, "reason": "one person"}).to_string();
            app.post(&format!("/v1/leads/{}/merge", ids[0]), body).await
        };
        assert_eq!(merge(&ids[1]).await.status, 201);

        let refused = merge(&ids[2]).await;

        assert_eq!((refused.status.as_u16(), refused.problem()), (409, "conflict".to_owned()), "{refused:?}");
        assert_eq!((count(app, "u0").await, count(app, "u2").await), (1_800, 900));
        assert_eq!(app.count("lead_merge").await, 1, "a merge that is refused leaves nothing");
        let alias = json!({"userId": "u0", "previousId": "u2"}).to_string();
        app.post("/v1/alias", alias).await;
        assert_eq!((count(app, "u0").await, count(app, "u2").await), (1_800, 900));
        for n in 0..3 {
            let nobody = json!({"user_id": "undefined", "anonymous_id": format!("d{n}")});
            let traits = attributes(n * 1_000..n * 1_000 + 900);
            assert_eq!(sends(app, identify(&format!("d{n}"), &nobody, &traits)).await["accepted"], 1);
        }
        assert_eq!(app.count("lead where merged_into is null").await, 5, "each device is somebody else");
    })
    .await;
}

#[tokio::test]
async fn a_document_that_would_take_long_to_read_is_refused_at_once() {
    run(async |app| {
        let yaml = [("content-type", "application/yaml")];
        let repeating = format!("a: &a [{}]\nb: [{}]", "x,".repeat(50_000), "*a,".repeat(50_000));
        for (body, status) in [
            (format!("a: {}", "[".repeat(50_000)), 400),
            (format!("a: {}", "{a: ".repeat(100_000)), 400),
            (repeating, 400),
            ("x".repeat(513 * 1024), 413),
        ] {
            for path in ["/v1/models/check", "/v1/models"] {
                let answer = app.post_with(path, &yaml, body.clone()).await;
                assert_eq!(answer.status, status, "{path} {body:.20}: {answer:?}");
            }
        }
        let large = json!({"model": "x".repeat(600 * 1024)}).to_string();
        assert_eq!(app.post("/v1/models/check", large).await.status, 413);
        let nested = format!("{}{}", "[".repeat(65), "]".repeat(65));
        assert_eq!(app.post("/v1/models/check", nested).await.status, 400);
    })
    .await;
}
