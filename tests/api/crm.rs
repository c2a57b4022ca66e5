//! What other systems know of leads: created, set, joined, and never written twice.

use axum::{
    body::Body,
    http::{Request, header},
};
use chrono::TimeDelta;
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, TestApp, run};

async fn call(app: &TestApp, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header(header::AUTHORIZATION, format!("Bearer {ADMIN}"));
    request = request.header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn post(app: &TestApp, body: Value) -> Answer {
    call(app, "POST", "/v1/leads", &[], &body).await
}

async fn put(app: &TestApp, path: &str, body: Value) -> Answer {
    call(app, "PUT", &format!("/v1/leads/by/{path}"), &[], &body).await
}

async fn batch(app: &TestApp, leads: Value) -> Vec<Value> {
    let answer = call(app, "POST", "/v1/leads/batch", &[], &json!({ "leads": leads })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["results"].as_array().unwrap().clone()
}

fn status(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["status"].as_str().unwrap_or_default().to_owned())
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["status"].as_str().unwrap()).collect()
}

/// The pointers of a refusal, and the words for what is wrong there.
fn mistakes(answer: &Answer) -> String {
    assert_eq!((answer.status.as_u16(), answer.problem()), (422, "invalid_request".to_owned()));
    let errors = answer.json()["errors"].clone();
    let said =
        |one: &Value| format!("{} {}", one["pointer"].as_str().unwrap(), one["code"].as_str().unwrap());
    errors.as_array().unwrap().iter().map(said).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_lead_is_created_then_updated_then_unchanged() {
    run(async |app| {
        let first = post(app, json!({"user_id": "003A", "traits": {"title": "Manager"}})).await;
        let lead = first.json();
        assert_eq!(status(&first), (201, "created".to_owned()));
        assert_eq!((&lead["fit"], &lead["stage"]), (&json!(10_000), &json!("lead")), "scored at once");
        let place = format!("/v1/leads/{}", lead["id"].as_str().unwrap());
        assert_eq!(first.headers[header::LOCATION], place);
        app.advance(TimeDelta::hours(1));

        let second = post(app, json!({"user_id": "003A", "traits": {"title": "CEO"}})).await;
        app.advance(TimeDelta::hours(1));
        let third = post(app, json!({"user_id": "003A", "traits": {"title": "CEO"}})).await;

        assert_eq!((status(&second), &second.json()["fit"]), ((200, "updated".to_owned()), &json!(20_000)));
        assert_eq!(status(&third), (200, "unchanged".to_owned()));
        assert_eq!(app.count("event").await, 2, "what says nothing new is no event");
        let read = app.get(&place).await;
        assert_eq!(third.headers[header::ETAG], read.headers[header::ETAG]);
        assert_eq!(read.json()["updated_at"], "2026-03-02T10:00:00Z");
        let logged: (String, Value) =
            sqlx::query_as("select type, context from event order by received_at limit 1")
                .fetch_one(&mut app.database.connect().await)
                .await
                .unwrap();
        assert_eq!(logged, ("identify".to_owned(), json!({"source": "admin key of the settings"})));
    })
    .await;
}

#[tokio::test]
async fn a_lead_is_read_and_written_by_what_it_is_known_as_elsewhere() {
    run(async |app| {
        let made = put(app, "email/A%2BB%40Acme.example", json!({"traits": {"title": "CEO"}})).await;
        assert_eq!(
            (status(&made), &made.json()["email"]),
            ((201, "created".to_owned()), &json!("a+b@acme.example"))
        );

        let tied = put(
            app,
            "external_id/crm%2F7",
            json!({"email": "a+b@ACME.example", "traits": {"phone": "+1 555 0100"}}),
        )
        .await;

        let lead = tied.json();
        assert_eq!((status(&tied), &lead["id"]), ((200, "updated".to_owned()), &made.json()["id"]));
        assert_eq!(lead["user_id"], "crm/7");
        for path in ["email/a+b@acme.example", "email/A%2bB@acme.example", "external_id/crm%2F7"] {
            let found = app.get(&format!("/v1/leads/by/{path}")).await;
            assert_eq!((&found.json()["id"], &found.json()["fit"]), (&lead["id"], &json!(25_000)), "{path}");
            assert_eq!(found.headers[header::ETAG], tied.headers[header::ETAG]);
        }
        assert_eq!(app.get("/v1/leads/by/external_id/crm").await.problem(), "not_found");
        assert_eq!(app.get("/v1/leads/by/phone/1").await.problem(), "invalid_parameter");
        assert_eq!(app.get("/v1/leads/by/email/nobody").await.problem(), "invalid_parameter");
        assert_eq!(put(app, "email/%00", json!({})).await.problem(), "invalid_parameter");
    })
    .await;
}

#[tokio::test]
async fn an_upsert_joins_a_visitor_and_a_person_as_an_identify_does() {
    run(async |app| {
        app.events(json!([
            {"id": "e1", "type": "page_viewed", "lead": {"anonymous_id": "d1"}, "properties": {"path": "/pricing"}},
            {"id": "e2", "type": "identify", "lead": {"anonymous_id": "d1", "email": "jane@acme.example"}},
        ]))
        .await;

        let joined = post(app, json!({"user_id": "003A", "email": "Jane@acme.example"})).await;
        let again = post(app, json!({"user_id": "003A", "email": "jane@Acme.example"})).await;

        assert_eq!((status(&joined).1, status(&again).1), ("updated".to_owned(), "unchanged".to_owned()));
        let lead = app.only_lead().await;
        assert_eq!((&lead["id"], &lead["engagement"]), (&joined.json()["id"], &json!(10_000)));
        assert_eq!(app.count("identity_link").await, 2, "what is known already is not said again");
    })
    .await;
}

#[tokio::test]
async fn two_user_ids_are_never_joined_by_an_address() {
    run(async |app| {
        post(app, json!({"user_id": "u1", "email": "jane@acme.example"})).await;

        for body in [
            json!({"user_id": "u2", "email": "jane@acme.example", "traits": {"title": "CEO"}}),
            json!({"user_id": "u2", "email": "jane@acme.example", "occurred_at": "2020-01-01T00:00:00Z"}),
        ] {
            let refused = post(app, body).await;
            assert_eq!((refused.status.as_u16(), refused.problem()), (409, "conflict".to_owned()));
            let errors = &refused.json()["errors"];
            assert_eq!(
                (&errors[0]["pointer"], &errors[0]["code"]),
                (&json!("/email"), &json!("identity_conflict"))
            );
        }

        assert_eq!(app.get("/v1/leads/by/external_id/u2").await.status, 404, "nothing of it was written");
        assert_eq!((app.count("event").await, app.count("identity").await), (1, 2));
        post(app, json!({"user_id": "u2"})).await;
        assert_eq!(
            post(app, json!({"user_id": "u2", "email": "jane@acme.example"})).await.problem(),
            "conflict"
        );
        app.call("POST", "/v1/alias", Some(ADMIN), json!({"previousId": "u2", "userId": "u1"}).to_string())
            .await;
        let one = post(app, json!({"user_id": "u2", "email": "jane@acme.example"})).await;
        assert_eq!(status(&one).1, "unchanged", "once they are one person, they are");
    })
    .await;
}

#[tokio::test]
async fn a_changed_address_is_the_one_shown_and_the_old_one_still_finds_the_lead() {
    run(async |app| {
        let made = post(app, json!({"user_id": "u1", "email": "jane@old.example"})).await.json();
        app.advance(TimeDelta::hours(1));

        let moved = put(app, "external_id/u1", json!({"email": "jane@new.example"})).await;

        assert_eq!(
            (status(&moved).1.as_str(), &moved.json()["email"]),
            ("updated", &json!("jane@new.example"))
        );
        for address in ["jane@old.example", "jane@new.example"] {
            let found = app.get(&format!("/v1/leads/by/email/{address}")).await.json();
            assert_eq!((&found["id"], &found["email"]), (&made["id"], &json!("jane@new.example")));
        }
        let by_old = put(app, "email/jane@old.example", json!({"traits": {"title": "CEO"}})).await.json();
        assert_eq!(by_old["email"], "jane@new.example", "a name by which to find a lead changes no address");
        let late = json!({"email": "jane@old.example", "occurred_at": "2026-03-02T09:30:00Z"});
        assert_eq!(put(app, "external_id/u1", late).await.json()["status"], "unchanged");
    })
    .await;
}

#[tokio::test]
async fn what_another_system_knew_earlier_overwrites_nothing_newer() {
    run(async |app| {
        app.events(json!({"id": "e1", "type": "form_submitted", "lead": {"email": "a@x.example"},
            "traits": {"title": "CEO"}, "occurred_at": "2026-03-01T09:00:00Z"}))
            .await;

        let late = json!({"traits": {"title": "Intern"}, "occurred_at": "2026-02-28T09:00:00Z"});
        let lost = put(app, "email/a@x.example", late).await;
        let mixed =
            json!({"traits": {"title": "Intern", "phone": "+1 555 0100"}, "occurred_at": "2026-02-28T09:00:00+01:00"});
        let half = put(app, "email/a@x.example", mixed).await.json();

        assert_eq!(
            (status(&lost).1.as_str(), &lost.json()["profile"]["title"]),
            ("unchanged", &json!("CEO"))
        );
        assert_eq!(
            [&half["status"], &half["profile"]["title"], &half["profile"]["phone"]],
            ["updated", "CEO", "+1 555 0100"]
        );
        assert_eq!(app.count("event").await, 2);
        let newer = json!({"traits": {"title": "Intern"}, "occurred_at": "2026-03-01T10:00:00Z"});
        assert_eq!(put(app, "email/a@x.example", newer).await.json()["profile"]["title"], "Intern");
    })
    .await;
}

#[tokio::test]
async fn a_patch_sets_attributes_and_null_removes_one() {
    run(async |app| {
        let made = post(app, json!({"user_id": "u1", "traits": {"title": "CEO", "phone": "+1 555 0100"}}))
            .await
            .json();
        let path = format!("/v1/leads/{}", made["id"].as_str().unwrap());
        app.advance(TimeDelta::hours(1));

        let patched =
            call(app, "PATCH", &path, &[], &json!({"traits": {"phone": null, "owner": "ann"}})).await;

        assert_eq!((status(&patched), &patched.json()["fit"]), ((200, "updated".to_owned()), &json!(20_000)));
        assert_eq!(patched.json()["profile"], json!({"title": "CEO", "owner": "ann"}));
        let nothing = json!({"traits": {"phone": null, "never": null}});
        assert_eq!(call(app, "PATCH", &path, &[], &nothing).await.json()["status"], "unchanged");
        assert_eq!(app.get("/v1/leads?owner=ann").await.json()["data"][0]["id"], made["id"]);
        let nobody = "/v1/leads/0196a000-0000-7000-8000-000000000000";
        assert_eq!(call(app, "PATCH", nobody, &[], &nothing).await.problem(), "not_found");
    })
    .await;
}

#[tokio::test]
async fn a_stranger_is_described_from_now_on() {
    run(async |app| {
        app.events(json!({"id": "e1", "type": "page_viewed", "lead": {"anonymous_id": "d1"}})).await;
        let path = format!("/v1/leads/{}", app.only_lead().await["id"].as_str().unwrap());
        let body = json!({"traits": {"title": "CEO"}});

        assert_eq!(call(app, "PATCH", &path, &[], &body).await.json()["profile"]["title"], "CEO");

        let dated = json!({"traits": {}, "occurred_at": "2026-03-01T09:00:00Z"});
        assert_eq!(mistakes(&call(app, "PATCH", &path, &[], &dated).await), "/occurred_at no_date");
    })
    .await;
}

#[tokio::test]
async fn a_lead_that_has_changed_since_it_was_read_is_left_as_it_is() {
    run(async |app| {
        let made = post(app, json!({"user_id": "u1", "traits": {"title": "CEO"}})).await;
        let tag = made.headers[header::ETAG].to_str().unwrap().to_owned();
        let path = format!("/v1/leads/{}", made.json()["id"].as_str().unwrap());
        app.advance(TimeDelta::hours(1));

        let fits = json!({"traits": {"title": "Manager"}});
        let first = call(app, "PATCH", &path, &[("if-match", &tag)], &fits).await;
        let second =
            call(app, "PATCH", &path, &[("if-match", &tag)], &json!({"traits": {"title": "Intern"}})).await;
        let third = call(app, "PUT", "/v1/leads/by/external_id/u1", &[("if-match", &tag)], &json!({})).await;

        assert_eq!(status(&first), (200, "updated".to_owned()));
        for refused in [second, third] {
            assert_eq!((refused.status.as_u16(), refused.problem()), (412, "precondition_failed".to_owned()));
        }
        let fresh = first.headers[header::ETAG].to_str().unwrap();
        let put = call(
            app,
            "PUT",
            "/v1/leads/by/external_id/u1",
            &[("if-match", fresh)],
            &json!({"traits": {"a": 1}}),
        )
        .await;
        assert_eq!(put.json()["profile"], json!({"title": "Manager", "a": 1}));
        for any in [fresh, "*"] {
            let nobody =
                call(app, "PUT", "/v1/leads/by/external_id/u2", &[("if-match", any)], &json!({})).await;
            assert_eq!(nobody.problem(), "precondition_failed");
        }
        assert_eq!(app.count("event").await, 3);
    })
    .await;
}

#[tokio::test]
async fn of_changes_to_what_several_have_read_one_is_made() {
    run(async |app| {
        let made = post(app, json!({"user_id": "u1", "traits": {"n": 0}})).await;
        let tag = made.headers[header::ETAG].to_str().unwrap().to_owned();
        let path = format!("/v1/leads/{}", made.json()["id"].as_str().unwrap());
        app.advance(TimeDelta::hours(1));

        let other = app.second_instance().await;
        let headers = [("if-match", tag.as_str())];
        let bodies: Vec<Value> = (1..=12).map(|n| json!({"traits": {"n": n}})).collect();
        let calls = bodies
            .iter()
            .enumerate()
            .map(|(n, body)| call(if n % 2 == 0 { app } else { &other }, "PATCH", &path, &headers, body));
        let answers = futures_util::future::join_all(calls).await;

        let made = answers.iter().filter(|answer| answer.status == 200).count();
        let refused = answers.iter().filter(|answer| answer.status == 412).count();
        assert_eq!((made, refused), (1, 11), "{answers:?}");
        assert_eq!(app.count("event").await, 2);
        other.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn the_same_call_under_the_same_key_is_made_once() {
    run(async |app| {
        let path = "/v1/leads/by/external_id/u1";
        let body = json!({"traits": {"title": "CEO"}});
        let key = [("idempotency-key", "k-1")];
        let first = call(app, "PUT", path, &key, &body).await;
        app.advance(TimeDelta::hours(1));
        put(app, "external_id/u1", json!({"traits": {"title": "Manager"}})).await;
        app.advance(TimeDelta::hours(1));

        let again = call(app, "PUT", path, &key, &body).await;
        let other = call(app, "PUT", path, &key, &json!({"traits": {"title": "Intern"}})).await;

        assert_eq!((status(&first).1.as_str(), status(&again).1.as_str()), ("created", "unchanged"));
        assert_eq!(again.json()["profile"]["title"], "Manager");
        assert_eq!((other.status.as_u16(), other.problem()), (409, "conflict".to_owned()));
        let leads =
            json!({"leads": [{"user_id": "u1", "traits": {"a": 1}}, {"user_id": "u1", "traits": {"a": 2}}]});
        for expected in [["updated", "updated"], ["unchanged", "unchanged"]] {
            let answer =
                call(app, "POST", "/v1/leads/batch", &[("idempotency-key", "k-2")], &leads).await.json();
            assert_eq!(statuses(answer["results"].as_array().unwrap()), expected);
        }
        assert_eq!(app.count("event").await, 4);
        let long = "k".repeat(513);
        let refused =
            call(app, "POST", "/v1/leads", &[("idempotency-key", &long)], &json!({"user_id": "u1"})).await;
        assert_eq!(refused.problem(), "invalid_parameter");
    })
    .await;
}

#[tokio::test]
async fn every_mistake_is_named_with_a_pointer_to_it() {
    run(async |app| {
        for (body, expected) in [
            (json!({"user_id": "u1", "title": "CEO"}), "/title unknown_field"),
            (json!({"traits": {"title": "CEO"}}), " missing_identity"),
            (json!({"user_id": 7}), "/user_id invalid"),
            (json!({"user_id": " ", "email": "jane"}), "/user_id invalid_user_id, /email invalid_email"),
            (json!({"user_id": "u1", "traits": []}), "/traits invalid"),
            (json!({"user_id": "u1", "traits": {"email": "a@x.example"}}), "/traits/email no_trait"),
            (json!({"user_id": "u1", "traits": {"a": "\u{0}"}}), "/traits/a invalid_character"),
            (json!({"user_id": "u1", "traits": {"a": "x".repeat(65 * 1024)}}), "/traits too_large"),
            (json!({"user_id": "u1", "occurred_at": "yesterday"}), "/occurred_at invalid_time"),
            (
                json!({"user_id": "u1", "occurred_at": "2026-03-04T09:00:00Z"}),
                "/occurred_at time_out_of_range",
            ),
            (json!({"user_id": "u1", "source": ""}), "/source invalid_text"),
        ] {
            assert_eq!(mistakes(&post(app, body.clone()).await), expected, "{body}");
        }
        let other = put(app, "external_id/u1", json!({"user_id": "u2"})).await;
        assert_eq!(mistakes(&other), "/user_id contradiction");
        let other = put(app, "email/a@x.example", json!({"email": "b@x.example"})).await;
        assert_eq!(mistakes(&other), "/email contradiction");
        assert_eq!(put(app, "email/a@x.example", json!({"email": "A@x.example"})).await.status, 201);
        assert_eq!(app.count("event").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_batch_answers_each_of_its_leads_in_order() {
    run(async |app| {
        post(app, json!({"user_id": "u1", "email": "one@x.example", "traits": {"title": "CEO"}})).await;
        app.advance(TimeDelta::hours(1));

        let results = batch(
            app,
            json!([
                {"user_id": "u2", "email": "two@x.example", "traits": {"title": "CEO"}},
                {"email": "nobody"},
                {"user_id": "u1", "traits": {"title": "CEO"}},
                {"email": "TWO@x.example", "traits": {"title": "Manager"}},
                {"user_id": "u2", "traits": {"title": "Manager"}},
                {"user_id": "u3", "email": "one@x.example"},
                7,
                {"user_id": "u1", "traits": {"title": "Intern"}, "colour": "blue"},
                {"user_id": "u1", "traits": {"title": "Intern"}},
                {"email": "two@x.example", "traits": {"title": "Student"}},
            ]),
        )
        .await;

        assert_eq!(
            statuses(&results),
            [
                "created",
                "rejected",
                "unchanged",
                "updated",
                "unchanged",
                "rejected",
                "rejected",
                "rejected",
                "updated",
                "updated"
            ]
        );
        let codes: Vec<&str> = results.iter().filter_map(|result| result["code"].as_str()).collect();
        assert_eq!(codes, ["invalid_email", "identity_conflict", "invalid", "unknown_field"]);
        let two = app.get("/v1/leads/by/external_id/u2").await.json();
        for (index, result) in results.iter().enumerate() {
            assert_eq!(result["index"], index);
            assert_eq!(result["lead_id"].is_null(), result["status"] == "rejected", "{result}");
        }
        assert_eq!([&results[0]["lead_id"], &results[9]["lead_id"]], [&two["id"]; 2]);
        assert_eq!(two["profile"]["title"], "Student", "of one instant, the later in the batch counts");
        assert_eq!(batch(app, json!([])).await, Vec::<Value>::new());
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_of_at_most_a_thousand() {
    run(async |app| {
        let leads: Vec<Value> = (0..1001).map(|n| json!({"user_id": format!("u{n}")})).collect();

        let large = call(app, "POST", "/v1/leads/batch", &[], &json!({"leads": leads})).await;

        assert_eq!((large.status.as_u16(), large.problem()), (413, "too_large".to_owned()));
        let whole = batch(app, json!(leads[..1000])).await;
        assert_eq!((whole.len(), statuses(&whole).contains(&"rejected")), (1000, false));
        assert_eq!(app.count("lead").await, 1000);
    })
    .await;
}

#[tokio::test]
async fn the_same_lead_from_everywhere_at_once_is_written_once() {
    run(async |app| {
        let other = app.second_instance().await;
        let body = json!({"user_id": "u1", "email": "jane@x.example", "traits": {"title": "CEO"}});
        let calls = (0..24).map(|n| post(if n % 2 == 0 { app } else { &other }, body.clone()));

        let answers = futures_util::future::join_all(calls).await;

        let said = |word: &str| answers.iter().filter(|answer| answer.json()["status"] == word).count();
        assert_eq!((said("created"), said("unchanged")), (1, 23), "{answers:?}");
        assert_eq!((app.count("event").await, app.count("lead").await), (1, 1));
        other.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn of_several_who_claim_an_address_at_once_one_gets_it() {
    run(async |app| {
        let other = app.second_instance().await;
        let claims: Vec<Value> =
            (0..16).map(|n| json!({"user_id": format!("u{n}"), "email": "jane@x.example"})).collect();
        let calls = claims
            .iter()
            .enumerate()
            .map(|(n, body)| post(if n % 2 == 0 { app } else { &other }, body.clone()));

        let answers = futures_util::future::join_all(calls).await;

        let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((with(201), with(409)), (1, 15), "{answers:?}");
        assert_eq!((app.count("lead").await, app.count("identity").await), (1, 2), "the others left nothing");
        other.app.shut_down().await;
    })
    .await;
}

#[test]
fn a_batch_comes_to_the_same_as_its_leads_one_by_one() {
    let user = prop::option::of(0..4u8);
    let email = prop::option::of(0..4u8);
    let title = prop::option::of(prop::sample::select(vec!["CEO", "Manager", "Intern"]));
    let item = (user, email, title, 0..20i64).prop_map(|(user, email, title, hours)| {
        let mut item = json!({"hours": hours, "traits": {}});
        if let Some(user) = user {
            item["user_id"] = json!(format!("u{user}"));
        }
        if let Some(email) = email {
            item["email"] = json!(format!("{email}@x.example"));
        }
        if let Some(title) = title {
            item["traits"]["title"] = json!(title);
        }
        item
    });
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    TestRunner::new(config)
        .run(&prop::collection::vec(item, 1..24), |mut items| {
            for (minute, item) in items.iter_mut().enumerate() {
                // No two at one instant: of those, the greater event id counts, and that is new each time.
                let hours = item.as_object_mut().unwrap().remove("hours").unwrap();
                item["occurred_at"] =
                    json!(format!("2026-03-01T{:02}:{minute:02}:00Z", hours.as_i64().unwrap()));
            }
            runtime.block_on(async {
                let mut outcomes = Vec::new();
                for together in [true, false] {
                    let (items, mut statuses, mut leads) = (items.clone(), Vec::new(), Vec::new());
                    run(async |app| {
                        if together {
                            statuses = batch(app, json!(items)).await;
                        } else {
                            for item in &items {
                                statuses.extend(batch(app, json!([item])).await);
                            }
                        }
                        leads = app.pages("/v1/leads").await;
                    })
                    .await;
                    let said: Vec<_> =
                        statuses.iter().map(|one| (one["status"].clone(), one["code"].clone())).collect();
                    let shape = |lead: &Value| {
                        ["user_id", "email", "score", "profile"].map(|field| lead[field].to_string())
                    };
                    let mut leads: Vec<_> = leads.iter().map(shape).collect();
                    leads.sort();
                    outcomes.push((said, leads));
                }
                assert_eq!(outcomes[0], outcomes[1], "{items:?}");
            });
            Ok(())
        })
        .unwrap();
}
