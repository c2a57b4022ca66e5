//! `DELETE /v1/leads/{id}`: whoever wants to be forgotten is, and nobody else is touched.

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{ADMIN, TestApp, run};

async fn lead(app: &TestApp, user: &str) -> Value {
    app.get(&format!("/v1/leads/by/external_id/{user}")).await.json()
}

async fn id(app: &TestApp, user: &str) -> String {
    lead(app, user).await["id"].as_str().unwrap().to_owned()
}

async fn erase(app: &TestApp, id: &str) -> StatusCode {
    app.call("DELETE", &format!("/v1/leads/{id}"), Some(ADMIN), "").await.status
}

async fn count(app: &TestApp, table: &str) -> i64 {
    let mut conn = app.database.connect().await;
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
        .fetch_one(&mut conn)
        .await
        .unwrap()
}

fn event(kind: &str, lead: &Value) -> Value {
    json!({"type": kind, "lead": lead, "traits": {"phone": "+49 30 1234567"}})
}

#[tokio::test]
async fn nothing_is_left_of_an_erased_person_but_what_was_counted() {
    run(async |app| {
        let ann = json!({"user_id": "ann", "email": "ann@acme.example"});
        app.events(json!([event("identify", &ann), event("demo_requested", &ann)])).await;
        app.advance(TimeDelta::minutes(1));
        let ann = id(app, "ann").await;
        let handoff = app.get(&format!("/v1/handoffs?lead_id={ann}")).await.json()["data"][0]["id"].clone();
        let accept = format!("/v1/handoffs/{}/accept", handoff.as_str().unwrap());
        assert_eq!(app.post(&accept, json!({"rep": "rob"}).to_string()).await.status, 200);
        let won =
            json!({"outcome": "won", "amount": {"value": 900, "currency": "EUR"}, "note": "Ann signed"});
        app.post(&format!("/v1/leads/{ann}/outcomes"), won.to_string()).await;
        let start =
            app.get("/v1/changes?cursor=now").await.json()["resume_cursor"].as_str().unwrap().to_owned();
        let passages = count(app, "transition").await;

        assert_eq!(erase(app, &ann).await, StatusCode::NO_CONTENT);

        for path in ["", "/timeline", "/score", "/qualification"] {
            let answer = app.get(&format!("/v1/leads/{ann}{path}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {answer:?}");
        }
        assert_eq!(app.get("/v1/leads/by/email/ann@acme.example").await.status, StatusCode::NOT_FOUND);
        for table in [
            "event",
            "identity",
            "identity_span",
            "identity_link",
            "lead",
            "lead_profile",
            "score",
            "handoff",
        ] {
            assert_eq!(count(app, table).await, 0, "{table}");
        }
        assert_eq!(count(app, "transition").await, passages);
        assert_eq!(count(app, "outcome where note is not null").await, 0);
        let told = app.get(&format!("/v1/changes?cursor={start}")).await.json();
        assert_eq!(
            (&told["data"][0]["type"], &told["data"][0]["lead_id"]),
            (&json!("lead.erased"), &json!(ann))
        );
        assert_eq!(erase(app, &ann).await, StatusCode::NOT_FOUND, "there is nobody left");
    })
    .await;
}

#[tokio::test]
async fn on_a_shared_device_the_others_keep_what_is_theirs() {
    run(async |app| {
        let phone = |user: &str| json!({"user_id": user, "anonymous_id": "phone"});
        let at = |minutes: i64| app.now() - TimeDelta::minutes(minutes);
        let visit = |minutes: i64| json!({"type": "page_viewed", "occurred_at": at(minutes), "lead": {"anonymous_id": "phone"}, "properties": {"path": "/pricing"}});
        let login = |user: &str, minutes: i64| json!({"type": "identify", "occurred_at": at(minutes), "lead": phone(user)});
        app.events(json!([login("ann", 50), visit(45), login("bob", 40), visit(35), login("cyd", 30), visit(25)])).await;
        let (ann, cyd) = (lead(app, "ann").await, lead(app, "cyd").await);
        let bob = id(app, "bob").await;

        assert_eq!(erase(app, &bob).await, StatusCode::NO_CONTENT);

        assert_eq!((lead(app, "ann").await, lead(app, "cyd").await), (ann.clone(), cyd.clone()));
        app.events(json!([{"type": "demo_requested", "occurred_at": at(36), "lead": {"anonymous_id": "phone"}}])).await;
        let late = lead(app, "ann").await;
        assert_ne!(late["score"], ann["score"], "what comes late of the time between counts for whoever was there before");
        let receipt = app.get(&format!("/v1/leads/{}/score", late["id"].as_str().unwrap())).await.json();
        assert_eq!(receipt["score"], late["score"], "and the log says the same");
        assert_eq!(lead(app, "cyd").await["score"], cyd["score"]);
    })
    .await;
}

#[tokio::test]
async fn a_person_is_erased_with_every_lead_that_it_was() {
    run(async |app| {
        for user in ["ann", "anna", "bob"] {
            app.events(json!([{"type": "signed_up", "lead": {"user_id": user}}])).await;
        }
        let (ann, anna) = (id(app, "ann").await, id(app, "anna").await);
        let merge = json!({"lead_id": anna, "reason": "the same person"});
        assert_eq!(app.post(&format!("/v1/leads/{ann}/merge"), merge.to_string()).await.status, 201);

        assert_eq!(erase(app, &anna).await, StatusCode::NO_CONTENT);

        for user in ["ann", "anna"] {
            assert_eq!(
                app.get(&format!("/v1/leads/by/external_id/{user}")).await.status,
                StatusCode::NOT_FOUND
            );
        }
        assert_eq!((count(app, "lead").await, count(app, "lead_merge").await), (1, 0));
        assert_eq!(app.get("/v1/leads/by/external_id/bob").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn who_comes_again_is_somebody_new_whom_nobody_may_write_to_who_was_told_not_to() {
    run(async |app| {
        let ann = json!({"user_id": "ann", "email": "ann@acme.example"});
        app.events(json!([
            {"type": "identify", "lead": ann},
            {"type": "email_unsubscribed", "lead": {"email": "ann@acme.example"}}
        ]))
        .await;
        let before = lead(app, "ann").await;
        let agreed = json!({"channel": "phone", "state": "granted", "reason": "said so"});
        let path = format!("/v1/leads/{}/consent", before["id"].as_str().unwrap());
        assert!(app.post(&path, agreed.to_string()).await.status.is_success());

        erase(app, before["id"].as_str().unwrap()).await;
        assert_eq!(
            app.get("/v1/suppressions").await.json()["data"],
            json!([]),
            "nobody can read the address"
        );
        app.events(json!([{"type": "identify", "lead": ann}])).await;

        let after = lead(app, "ann").await;
        assert_ne!(after["id"], before["id"]);
        assert_eq!(after["consent"]["channels"].as_object().unwrap().keys().collect::<Vec<_>>(), ["email"]);
        assert_eq!(after["consent"]["channels"]["email"]["state"], "withdrawn");
    })
    .await;
}

#[tokio::test]
async fn erasing_asks_for_a_key_that_may_do_everything() {
    run(async |app| {
        app.events(json!([{"type": "signed_up", "lead": {"user_id": "ann"}}])).await;
        let path = format!("/v1/leads/{}", id(app, "ann").await);

        let answer = app.call("DELETE", &path, Some(crate::harness::WRITE), "").await;

        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(app.get(&path).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn whoever_was_not_to_be_written_to_is_not_when_the_address_comes_again() {
    run(async |app| {
        let identify = |user: &str| json!({"type": "identify", "lead": {"user_id": user, "email": format!("{user}@acme.example")}});
        let people = ["silent", "withdrawn", "resubscribed", "fine"];
        app.events(Value::Array(people.map(identify).to_vec())).await;
        app.events(json!([
            {"type": "do_not_contact_requested", "lead": {"user_id": "silent"}},
            {"type": "email_unsubscribed", "lead": {"user_id": "withdrawn"}},
            {"type": "email_unsubscribed", "lead": {"email": "resubscribed@acme.example"}},
        ]))
        .await;
        app.advance(TimeDelta::minutes(1));
        app.events(json!([{"type": "email_subscribed", "lead": {"email": "resubscribed@acme.example"}}])).await;
        for user in people {
            assert_eq!(erase(app, &id(app, user).await).await, StatusCode::NO_CONTENT);
        }

        let again = |user: &str| json!({"type": "page_viewed", "lead": {"email": format!("{user}@acme.example")}});
        app.events(Value::Array(people.map(again).to_vec())).await;

        let suppressed = app.get("/v1/suppressions").await.json();
        let mut addresses: Vec<&str> =
            suppressed["data"].as_array().unwrap().iter().map(|row| row["email"].as_str().unwrap()).collect();
        addresses.sort_unstable();
        assert_eq!(addresses, ["silent@acme.example", "withdrawn@acme.example"]);
    })
    .await;
}

#[tokio::test]
async fn a_former_id_by_which_nobody_was_ever_known_goes_with_the_person() {
    run(async |app| {
        let alias = json!({"type": "alias", "userId": "ann", "previousId": "her-browser"}).to_string();
        app.post_with("/v1/alias", &[], alias).await;
        assert_eq!(
            count(app, "identity").await,
            3,
            "her own, and the former one as a user's and as a device's"
        );

        assert_eq!(erase(app, &id(app, "ann").await).await, StatusCode::NO_CONTENT);

        for table in ["identity", "identity_link", "identity_span"] {
            assert_eq!(count(app, table).await, 0, "{table}");
        }
    })
    .await;
}
