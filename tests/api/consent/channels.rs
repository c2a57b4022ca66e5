//! What a person agrees to and refuses on each channel.

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::json;

use super::{JANE, agree, channels, here, in_passing, mail, told_since};
use crate::harness::{ADMIN, TestApp, run};

async fn suppressed(app: &TestApp) -> Vec<String> {
    let rows = app.pages("/v1/suppressions?limit=2").await;
    let mut said: Vec<String> =
        rows.iter().map(|row| format!("{} {}", row["email"], row["state"]).replace('"', "")).collect();
    said.sort();
    said
}

#[tokio::test]
async fn the_newest_word_on_an_address_holds_whatever_order_it_comes_in() {
    run(async |app| {
        let at = |kind: &str, minutes: i64| {
            let at = app.now() - TimeDelta::minutes(minutes);
            json!({"type": kind, "occurred_at": at, "lead": {"email": JANE}})
        };
        app.events(json!([
            at("email_subscribed", 1),
            at("email_unsubscribed", 5),
            at("email_complained", 9)
        ]))
        .await;
        assert_eq!(channels(app, JANE).await, json!({"email": "granted"}));
        assert_eq!(suppressed(app).await, [""; 0]);

        app.events(json!([at("email_bounced", 0), at("email_unsubscribed", 7)])).await;

        assert_eq!(channels(app, JANE).await, json!({"email": "bounced"}));
        assert_eq!(suppressed(app).await, ["jane@acme.example bounced"]);
    })
    .await;
}

#[tokio::test]
async fn of_two_who_turn_out_to_be_one_the_more_restrictive_word_holds() {
    run(async |app| {
        app.events(json!([mail("email_unsubscribed", "jane@old.example")])).await;
        app.advance(TimeDelta::minutes(1));
        app.events(json!([mail("email_subscribed", JANE)])).await;
        for email in ["jane@old.example", JANE] {
            app.events(json!([{"type": "identify", "lead": {"user_id": "jane", "email": email}}])).await;
        }

        assert_eq!(channels(app, JANE).await, json!({"email": "withdrawn"}));
        assert_eq!(
            suppressed(app).await,
            ["jane@acme.example withdrawn", "jane@old.example withdrawn"],
            "it is the person who said no"
        );
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_nobodys_lead_is_suppressed_and_stays_so_when_it_becomes_one() {
    run(async |app| {
        in_passing(app, "email_unsubscribed", JANE).await;
        assert_eq!(app.get("/v1/leads").await.json()["data"], json!([]));
        let rows = app.get("/v1/suppressions").await.json();
        assert_eq!(rows["data"][0]["lead_id"], json!(null));

        app.events(json!([{"type": "identify", "lead": {"user_id": "jane", "email": JANE}}])).await;

        assert_eq!(channels(app, JANE).await, json!({"email": "withdrawn"}));
        let lead = app.only_lead().await;
        assert_eq!(app.get("/v1/suppressions").await.json()["data"][0]["lead_id"], lead["id"]);
    })
    .await;
}

#[tokio::test]
async fn a_person_records_a_consent_with_a_reason_and_once() {
    run(async |app| {
        app.events(json!([mail("page_viewed", JANE)])).await;
        let yes =
            json!({"channel": "phone", "state": "granted", "reason": "said so at the fair", "author": "ann"});

        let answer = agree(app, JANE, yes).await;

        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let said = answer.json();
        assert_eq!(
            (&said["type"], &said["properties"]["author"]),
            (&json!("consent_changed"), &json!("ann"))
        );
        assert_eq!(said["lead"]["consent"]["channels"]["phone"]["state"], "granted");
        assert_eq!(said["lead"]["last_activity_at"], app.lead("jane").await["last_activity_at"]);
        let no = json!({"channel": "phone", "state": "withdrawn", "reason": "changed her mind"});
        app.advance(TimeDelta::minutes(1));
        agree(app, JANE, no).await;
        assert_eq!(channels(app, JANE).await, json!({"phone": "withdrawn"}));
    })
    .await;
}

#[tokio::test]
async fn who_is_not_to_be_contacted_leaves_the_queue_at_once_and_only_asking_for_contact_brings_it_back() {
    run(async |app| {
        app.events(json!([{"type": "demo_requested", "lead": {"user_id": "jane", "email": JANE}},
            {"type": "identify", "lead": {"user_id": "jane", "email": JANE}}]))
            .await;
        let queue = async || app.get("/v1/queues/sales/leads").await.json()["data"].as_array().unwrap().len();
        assert_eq!(queue().await, 1);
        app.advance(TimeDelta::minutes(1));

        let stop = json!({"state": "withdrawn", "reason": "asked on the phone"});
        assert_eq!(agree(app, JANE, stop).await.status, StatusCode::CREATED);

        assert_eq!(queue().await, 0);
        assert_eq!(app.lead("jane").await["consent"]["do_not_contact"], true);
        let allow = agree(app, JANE, json!({"state": "granted", "reason": "we want to"})).await;
        assert_eq!(allow.problem(), "invalid_request", "{allow:?}");
        let points = json!({"points": 100, "reason": "we really want to"});
        let id = app.lead("jane").await["id"].as_str().unwrap().to_owned();
        app.post(&format!("/v1/leads/{id}/adjustments"), points.to_string()).await;
        assert_eq!(queue().await, 0, "no points buy it back");

        app.advance(TimeDelta::minutes(1));
        app.events(json!([{"type": "demo_requested", "lead": {"user_id": "jane"}}])).await;
        assert_eq!(queue().await, 1);
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn whoever_says_no_by_any_of_its_names_is_written_to_at_none_of_its_addresses() {
    run(async |app| {
        for user in ["unsubscribed", "complained", "bounced"] {
            let email = format!("{user}@acme.example");
            app.events(json!([{"type": "identify", "lead": {"user_id": user, "email": email}}])).await;
            app.events(json!([{"type": format!("email_{user}"), "lead": {"user_id": user}}])).await;
        }
        let asked = json!({"user_id": "silent", "email": "silent@acme.example"});
        app.events(json!([{"type": "identify", "lead": asked}])).await;
        app.events(json!([{"type": "do_not_contact_requested", "lead": {"user_id": "silent"}}])).await;
        app.events(json!([{"type": "identify", "lead": {"user_id": "fine", "email": "fine@acme.example"}}]))
            .await;

        let rows = suppressed(app).await;

        assert_eq!(
            rows,
            [
                "complained@acme.example complained",
                "silent@acme.example null",
                "unsubscribed@acme.example withdrawn"
            ],
            "a bounce is of an address, and it was not said of which"
        );
        app.advance(TimeDelta::minutes(1));
        app.events(json!([{"type": "demo_requested", "lead": {"user_id": "silent"}}])).await;
        assert_eq!(suppressed(app).await.len(), 2, "asking for a demo is a request to be contacted");
    })
    .await;
}

#[tokio::test]
async fn the_list_of_suppressions_is_read_page_by_page_and_not_with_a_write_key() {
    run(async |app| {
        for (number, kind) in ["email_bounced", "email_unsubscribed", "email_complained"].iter().enumerate() {
            app.advance(TimeDelta::minutes(1));
            app.events(json!([mail(kind, &format!("{number}@acme.example"))])).await;
        }

        let words = ["0@acme.example bounced", "1@acme.example withdrawn", "2@acme.example complained"];
        assert_eq!(suppressed(app).await, words);
        let refused = app.call("GET", "/v1/suppressions", Some(crate::harness::WRITE), "").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert_eq!(
            app.call("GET", "/v1/suppressions?cursor=x", Some(ADMIN), "").await.status,
            StatusCode::BAD_REQUEST
        );
    })
    .await;
}

#[tokio::test]
async fn a_machine_may_refuse_and_not_agree_and_what_was_said_before_comes_back() {
    run(async |app| {
        let said = |id: &str, kind: &str, agent: &str, minutes: i64| {
            json!({"id": id, "type": kind, "lead": {"email": JANE}, "context": {"user_agent": agent},
                "occurred_at": app.now() - TimeDelta::minutes(minutes)})
        };
        let person = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0";
        app.events(json!([
            said("no", "email_unsubscribed", person, 9),
            said("bot", "email_subscribed", "HeadlessChrome/156", 8),
            said("yes", "email_subscribed", person, 7),
        ]))
        .await;
        assert_eq!(channels(app, JANE).await, json!({"email": "granted"}));
        let id = app.lead("jane").await["id"].as_str().unwrap().to_owned();
        let decide = async |event: &str, verdict: &str| {
            let body = json!({"verdict": verdict, "reason": "we looked", "author": "ann"}).to_string();
            app.advance(TimeDelta::seconds(1));
            app.post(&format!("/v1/leads/{id}/events/{event}/verdict"), body).await;
            channels(app, JANE).await["email"].clone()
        };
        let start = here(app).await;

        assert_eq!(decide("yes", "machine").await, "withdrawn", "it was no person who agreed");
        assert_eq!(told_since(app, &start, &json!({"id": id})).await, json!({"email": "withdrawn"}));
        assert_eq!(decide("bot", "human").await, "granted", "it was one after all");
        assert_eq!(decide("bot", "machine").await, "withdrawn");
        assert_eq!(
            decide("no", "machine").await,
            "withdrawn",
            "a scanner that unsubscribes has unsubscribed"
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_said_on_a_shared_device_is_said_by_whoever_uses_it_then() {
    run(async |app| {
        let at = |minutes: i64| app.now() - TimeDelta::minutes(minutes);
        let login = |user: &str, minutes: i64| json!({"type": "identify", "occurred_at": at(minutes),
            "lead": {"user_id": user, "email": format!("{user}@acme.example"), "anonymous_id": "kiosk"}});
        let says = |kind: &str, minutes: i64| json!({"type": kind, "occurred_at": at(minutes), "lead": {"anonymous_id": "kiosk"}});

        app.events(json!([login("ann", 60), says("email_unsubscribed", 55), login("bob", 50), says("email_subscribed", 45)]))
            .await;

        assert_eq!(channels(app, "ann@acme.example").await, json!({"email": "withdrawn"}));
        assert_eq!(channels(app, "bob@acme.example").await, json!({"email": "granted"}));
        assert_eq!(suppressed(app).await, ["ann@acme.example withdrawn"]);
    })
    .await;
}
