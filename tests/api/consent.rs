//! What people agree to: a gate of its own, which no score opens.

use axum::http::StatusCode;
use chrono::TimeDelta;
use leadscore::{
    intake::ingest::{
        Submission,
        event::{Arrival, Found},
        submit,
    },
    leads::identity::{Identity, Kind, Named},
};
use serde_json::{Map, Value, json};

use crate::harness::{ADMIN, TestApp, run};

const JANE: &str = "jane@acme.example";

/// An event of an address, as mail providers tell of it.
fn mail(kind: &str, address: &str) -> Value {
    json!({"type": kind, "lead": {"email": address}})
}

async fn channels(app: &TestApp, email: &str) -> Value {
    let answer = app.get(&format!("/v1/leads/by/email/{email}")).await;
    let mut channels = answer.json()["consent"]["channels"].clone();
    for word in channels.as_object_mut().unwrap().values_mut() {
        *word = word["state"].clone();
    }
    channels
}

async fn suppressed(app: &TestApp) -> Vec<String> {
    let rows = app.pages("/v1/suppressions?limit=2").await;
    let mut said: Vec<String> =
        rows.iter().map(|row| format!("{} {}", row["email"], row["state"]).replace('"', "")).collect();
    said.sort();
    said
}

async fn agree(app: &TestApp, email: &str, body: Value) -> crate::harness::Answer {
    let id = app.get(&format!("/v1/leads/by/email/{email}")).await.json()["id"].as_str().unwrap().to_owned();
    app.post(&format!("/v1/leads/{id}/consent"), body.to_string()).await
}

/// Events that make nobody a lead, as a mail provider's are.
async fn in_passing(app: &TestApp, kind: &str, address: &str) {
    let arrival = Arrival { at: app.now(), api_key: None };
    let email = Identity::parse(Kind::Email, address).unwrap();
    let found = Found {
        id: None,
        kind: kind.to_owned(),
        name: None,
        named: Named::in_passing(email),
        original_at: None,
        sent_at: None,
        corrected: true,
        properties: Map::new(),
        traits: None,
        context: None,
        hint: None,
    };
    let event = found.into_event(arrival, || "passing".to_owned()).unwrap();
    let submission =
        Submission { arrival, events: vec![(0, event)], refused: Vec::new(), want_leads: false, size: 0 };
    assert_eq!(submit(&app.app.intake.writers, submission).await.unwrap().accepted, 1);
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
async fn a_change_of_consent_is_told_of_and_shows_in_updated_at() {
    run(async |app| {
        app.events(json!([mail("page_viewed", JANE)])).await;
        let start =
            app.get("/v1/changes?cursor=now").await.json()["resume_cursor"].as_str().unwrap().to_owned();
        app.advance(TimeDelta::minutes(1));

        app.events(json!([mail("email_complained", JANE)])).await;
        app.advance(TimeDelta::minutes(1));
        app.events(json!([mail("email_complained", JANE)])).await;

        let changes = app.get(&format!("/v1/changes?cursor={start}")).await.json();
        let told = |change: &&Value| change["type"] == "lead.consent_changed";
        let told: Vec<&Value> = changes["data"].as_array().unwrap().iter().filter(told).collect();
        assert_eq!(told.len(), 1, "{changes}");
        assert_eq!(told[0]["data"], json!({"channel": "email", "state": "complained"}));
        let lead = app.lead("jane").await;
        assert!(lead["updated_at"].as_str() >= told[0]["at"].as_str(), "{lead}");
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

/// Who follows the feed from here on.
async fn here(app: &TestApp) -> String {
    app.get("/v1/changes?cursor=now").await.json()["resume_cursor"].as_str().unwrap().to_owned()
}

/// What the feed has told of consents since, by lead: the last word on each channel.
async fn told_since(app: &TestApp, start: &str, lead: &Value) -> Value {
    let changes = app.get(&format!("/v1/changes?cursor={start}")).await.json();
    let mut told = json!({});
    for change in changes["data"].as_array().unwrap() {
        if change["type"] == "lead.consent_changed" && change["lead_id"] == lead["id"] {
            told[change["data"]["channel"].as_str().unwrap_or("do_not_contact")] =
                change["data"]["state"].clone();
        }
    }
    told
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
async fn who_follows_the_feed_learns_that_nobody_has_agreed() {
    run(async |app| {
        app.events(json!([{"id": "yes", "type": "email_subscribed", "lead": {"email": JANE}}])).await;
        let jane = app.lead("jane").await;
        let start = here(app).await;
        let body = json!({"verdict": "machine", "reason": "a form robot", "author": "ann"}).to_string();

        app.post(&format!("/v1/leads/{}/events/yes/verdict", jane["id"].as_str().unwrap()), body).await;

        assert_eq!(channels(app, JANE).await, json!({}));
        assert_eq!(told_since(app, &start, &jane).await, json!({"email": null}));
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

#[tokio::test]
async fn the_feed_does_not_tell_of_a_yes_by_one_name_of_somebody_who_said_no_by_another() {
    run(async |app| {
        app.events(json!([{"type": "identify", "lead": {"user_id": "jane", "email": JANE}}])).await;
        let jane = app.lead("jane").await;
        agree(app, JANE, json!({"channel": "email", "state": "withdrawn", "reason": "on the phone"})).await;
        app.advance(TimeDelta::minutes(1));
        let start = here(app).await;

        app.events(json!([mail("email_subscribed", JANE)])).await;

        assert_eq!(channels(app, JANE).await, json!({"email": "withdrawn"}));
        assert_eq!(told_since(app, &start, &jane).await, json!({}), "it stands as it stood");
    })
    .await;
}

#[tokio::test]
async fn the_feed_tells_of_consents_that_change_because_leads_become_one_and_two_again() {
    run(async |app| {
        in_passing(app, "email_unsubscribed", "jane@old.example").await;
        for user in ["jane", "joan"] {
            app.events(json!([{"type": "identify", "lead": {"user_id": user}}])).await;
        }
        app.events(json!([{"type": "email_complained", "lead": {"user_id": "joan"}}])).await;
        let (jane, joan) = (app.lead("jane").await, app.lead("joan").await);
        let body = json!({"lead_id": joan["id"], "author": "ann", "reason": "one person"}).to_string();
        let path = |verb: &str| format!("/v1/leads/{}/{verb}", jane["id"].as_str().unwrap());

        let start = here(app).await;
        app.events(json!([{"type": "identify", "lead": {"user_id": "jane", "email": "jane@old.example"}}]))
            .await;
        assert_eq!(told_since(app, &start, &jane).await, json!({"email": "withdrawn"}));
        let start = here(app).await;
        app.post(&path("merge"), body.clone()).await;
        assert_eq!(told_since(app, &start, &jane).await, json!({"email": "complained"}));
        let start = here(app).await;
        app.post(&path("unmerge"), body).await;
        assert_eq!(told_since(app, &start, &jane).await, json!({"email": "withdrawn"}));
        assert_eq!(told_since(app, &start, &joan).await, json!({"email": "complained"}));
    })
    .await;
}
