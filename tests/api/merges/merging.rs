//! Somebody says that two leads are one.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{decide, everything, known, lead, merge, points, unmerge, visit};
use crate::harness::run;

#[tokio::test]
async fn a_merged_leads_score_is_that_of_one_person_and_limits_count_across_both() {
    run(async |app| {
        let (one, two) = (known(app, "a", 2).await, known(app, "b", 2).await);
        let twin = known(app, "t", 2).await;
        app.events(json!([
            {"id": "g0", "type": "form_submitted", "lead": {"user_id": "t"}},
            {"id": "g1", "type": "form_submitted", "lead": {"user_id": "t"}},
        ]))
        .await;

        let merged = merge(app, &one, &two).await;

        assert_eq!(points(&merged["lead"]), points(&lead(app, &twin).await));
        assert_eq!((&merged["lead"]["user_id"], &merged["merge"]["author"]), (&json!("a"), &json!("ana")));
        assert_eq!(lead(app, &two).await["id"], one, "the old id leads to the one that goes on");
        let found = app.get("/v1/leads/by/external_id/b").await.json();
        assert_eq!(found["id"], one, "and so does the other user id");
    })
    .await;
}

#[tokio::test]
async fn both_logs_and_the_feed_tell_of_it() {
    run(async |app| {
        let (one, two) = (known(app, "a", 0).await, known(app, "b", 0).await);
        let cursor = app.get("/v1/changes?cursor=now").await.json()["resume_cursor"].clone();

        merge(app, &one, &two).await;
        unmerge(app, &one, &two).await;

        for id in [&one, &two] {
            let events = app.pages(&format!("/v1/leads/{id}/events")).await;
            let told = events.iter().filter(|event| event["properties"]["reason"] == "they are one");
            let told: Vec<&Value> = told.map(|event| &event["type"]).collect();
            assert_eq!(told.len(), 2, "{events:?}");
            assert!(told.contains(&&json!("lead_merged")) && told.contains(&&json!("lead_unmerged")));
        }
        let feed = app.get(&format!("/v1/changes?cursor={}", cursor.as_str().unwrap())).await.json();
        let of = |kind: &str| {
            let found = feed["data"].as_array().unwrap().iter().find(|one| one["type"] == kind);
            let found = found.unwrap_or_else(|| panic!("{kind}: {feed}"));
            (found["lead_id"].clone(), found["data"].clone())
        };
        assert_eq!(of("lead.merged"), (json!(two), json!({"into": one})));
        assert_eq!(of("lead.unmerged"), (json!(two), json!({"from": one})));
    })
    .await;
}

#[tokio::test]
async fn the_same_call_again_changes_nothing() {
    run(async |app| {
        let (one, two) = (known(app, "a", 0).await, known(app, "b", 0).await);
        let body = json!({"lead_id": two, "author": "ana", "reason": "they are one"}).to_string();
        let call = async |verb: &str, body: &str| {
            let headers = [("idempotency-key", "k1"), ("content-type", "application/json")];
            app.post_with(&format!("/v1/leads/{one}/{verb}"), &headers, body.to_owned()).await
        };

        for verb in ["merge", "unmerge"] {
            let (first, again) = (call(verb, &body).await, call(verb, &body).await);
            assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 200), "{first:?} {again:?}");
            assert_eq!(first.json()["merge"], again.json()["merge"]);
            let other = call(verb, &body.replace("they", "we")).await;
            assert_eq!(other.json()["code"], "conflict");
        }
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_to_do() {
    run(async |app| {
        let ids = [known(app, "a", 0).await, known(app, "b", 0).await, known(app, "c", 0).await];
        let nobody = uuid::Uuid::nil().to_string();
        let code = async |into: &str, verb: &str, other: &str| {
            let answer = decide(app, into, verb, other).await;
            (answer.status.as_u16(), answer.json()["message"].as_str().unwrap().to_owned())
        };
        assert_eq!(code(&ids[0], "merge", &ids[0]).await.0, 422);
        assert_eq!(code(&ids[0], "merge", &nobody).await.0, 404);
        assert_eq!(code(&nobody, "unmerge", &ids[0]).await.0, 409);
        assert!(code(&ids[0], "unmerge", &ids[1]).await.1.contains("nothing to undo"));
        merge(app, &ids[0], &ids[1]).await;

        let (status, message) = code(&ids[2], "merge", &ids[1]).await;
        assert!(status == 409 && message.contains(&ids[0]), "{message}");
        assert_eq!(code(&ids[1], "merge", &ids[2]).await.0, 409, "nor into a signpost");
        assert!(code(&ids[2], "unmerge", &ids[1]).await.1.contains("/unmerge"));

        let joined = json!({"id": "j", "type": "identify", "lead": {"user_id": "c", "anonymous_id": "d"}});
        app.events(visit("v", &json!({"anonymous_id": "d"}), "2026-02-01T09:00:00Z")).await;
        let device = app.get("/v1/leads?stage=anonymous").await.json()["data"][0]["id"].clone();
        app.events(joined).await;
        assert!(code(&ids[2], "unmerge", device.as_str().unwrap()).await.1.contains("identify or alias"));

        let reader = app.key_with(&["read"]).await;
        let body = json!({"lead_id": ids[2], "reason": "x"}).to_string();
        let answer = app.call("POST", &format!("/v1/leads/{}/merge", ids[0]), Some(&reader), body).await;
        assert_eq!(answer.status, 403);
    })
    .await;
}

#[tokio::test]
async fn a_claim_on_anothers_address_is_reported_until_a_merge_settles_it() {
    run(async |app| {
        app.events(json!([
            {"id": "1", "type": "identify", "lead": {"user_id": "a", "email": "x@acme.example"}, "occurred_at": "2026-02-01T09:00:00Z"},
            {"id": "2", "type": "identify", "lead": {"user_id": "b", "email": "x@acme.example"}, "occurred_at": "2026-02-02T09:00:00Z"},
            {"id": "3", "type": "identify", "lead": {"user_id": "b", "email": "x@acme.example"}, "occurred_at": "2026-02-03T09:00:00Z"},
            {"id": "4", "type": "identify", "lead": {"user_id": "c", "email": "y@acme.example"}},
        ]))
        .await;
        let (owner, claimant) = (app.lead("a").await["id"].clone(), app.lead("b").await["id"].clone());

        let found = app.pages("/v1/conflicts?limit=1").await;

        assert_eq!(
            found,
            [json!({"email": "x@acme.example", "lead_id": owner, "claimant_lead_id": claimant,
                "claimant_user_id": "b", "at": "2026-02-02T09:00:00Z"})]
        );
        let of = async |lead: &Value| {
            app.pages(&format!("/v1/conflicts?lead_id={}", lead.as_str().unwrap())).await.len()
        };
        assert_eq!((of(&claimant).await, of(&app.lead("c").await["id"]).await), (1, 0));
        merge(app, owner.as_str().unwrap(), claimant.as_str().unwrap()).await;
        assert_eq!(of(&owner).await, 0);
        unmerge(app, owner.as_str().unwrap(), claimant.as_str().unwrap()).await;
        assert_eq!(of(&owner).await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_one_of_two_refused_the_other_does_not_permit_until_somebody_asks_for_contact() {
    run(async |app| {
        let at = |minutes: i64| app.now() - TimeDelta::minutes(minutes);
        let (silent, asking) = (known(app, "silent", 0).await, known(app, "asking", 0).await);
        app.events(json!([
            {"type": "do_not_contact_requested", "lead": {"user_id": "silent"}, "occurred_at": at(40)},
            {"type": "demo_requested", "lead": {"user_id": "asking"}, "occurred_at": at(30)},
        ]))
        .await;
        let before = everything(app, &asking).await;
        assert_eq!(before["lead"]["stage"], "mql");

        let merged = merge(app, &asking, &silent).await;

        assert_eq!(merged["lead"]["consent"]["do_not_contact"], true);
        assert_eq!(
            app.get("/v1/queues/sales/leads").await.json()["data"],
            json!([]),
            "it has left the queue at once"
        );
        unmerge(app, &asking, &silent).await;
        assert_eq!(lead(app, &silent).await["consent"]["do_not_contact"], true);
        assert_eq!(everything(app, &asking).await["lead"], before["lead"]);

        merge(app, &asking, &silent).await;
        app.advance(TimeDelta::minutes(1));
        app.events(json!([{"type": "demo_requested", "lead": {"user_id": "asking"}}])).await;
        assert_eq!(
            lead(app, &asking).await["consent"]["do_not_contact"],
            false,
            "asking for a demo is asking for contact"
        );
    })
    .await;
}
