//! What the feed tells of consent.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{JANE, agree, channels, here, in_passing, mail, told_since};
use crate::harness::run;

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
