//! A lead is described by another system.

use axum::http::header;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{call, post, put, status};
use crate::harness::{Answer, run};

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
