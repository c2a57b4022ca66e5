//! Two leads that somebody makes one, and takes apart again.

use chrono::TimeDelta;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::harness::{
    Answer, TestApp, does, run,
    sales::{mql, open},
};

fn visit(id: &str, lead: &Value, at: &str) -> Value {
    json!({"id": id, "type": "page_viewed", "lead": lead, "occurred_at": at, "properties": {"path": "/pricing"}})
}

/// A lead known by a user id, which has sent so many forms.
async fn known(app: &TestApp, user: &str, forms: usize) -> String {
    let mut events =
        vec![json!({"id": "i", "type": "identify", "lead": {"user_id": user}, "traits": {"name": user}})];
    events.extend(
        (0..forms)
            .map(|n| json!({"id": format!("f{n}"), "type": "form_submitted", "lead": {"user_id": user}})),
    );
    app.events(Value::Array(events)).await;
    app.lead(user).await["id"].as_str().unwrap().to_owned()
}

async fn decide(app: &TestApp, into: &str, verb: &str, lead: &str) -> Answer {
    let body = json!({"lead_id": lead, "author": "ana", "reason": "they are one"});
    app.post(&format!("/v1/leads/{into}/{verb}"), body.to_string()).await
}

async fn merge(app: &TestApp, into: &str, lead: &str) -> Value {
    let answer = decide(app, into, "merge", lead).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

async fn unmerge(app: &TestApp, from: &str, lead: &str) -> Value {
    let answer = decide(app, from, "unmerge", lead).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

async fn lead(app: &TestApp, id: &str) -> Value {
    app.get(&format!("/v1/leads/{id}")).await.json()
}

fn points(lead: &Value) -> Value {
    json!([lead["score"], lead["raw"], lead["fit"], lead["engagement"], lead["grade"], lead["band"]])
}

fn is_of_a_merge(entry: &Value) -> bool {
    let data = &entry["data"];
    ["lead_merged", "lead_unmerged"].iter().any(|kind| data["type"] == *kind)
        || ["identified", "merge", "unmerge"].iter().any(|cause| data["cause"] == *cause)
}

/// Everything that readers see of a lead, but when it last changed and what was noted of merges.
async fn everything(app: &TestApp, id: &str) -> Value {
    let mut view = lead(app, id).await;
    view.as_object_mut().unwrap().remove("updated_at");
    let mut timeline = app.pages(&format!("/v1/leads/{id}/timeline")).await;
    timeline.retain(|entry| !is_of_a_merge(entry));
    let claims = app.pages(&format!("/v1/claims?lead_id={id}")).await;
    let claim = |one: &Value| json!([one["id"], one["rep"], one["state"], one["expires_at"], one["token"]]);
    let receipt = app.get(&format!("/v1/leads/{id}/score")).await.json();
    let queue = app.get("/v1/queues/sales/leads").await.json();
    let place = |row: &Value| json!([row["lead_id"], row["score"], row["tier"]]);
    json!({
        "lead": view,
        "timeline": timeline,
        "score": points(&receipt),
        "handoffs": app.pages(&format!("/v1/handoffs?lead_id={id}")).await,
        "claims": claims.iter().map(claim).collect::<Vec<_>>(),
        "outcomes": app.get(&format!("/v1/leads/{id}/outcomes")).await.json()["data"],
        "checklists": app.get(&format!("/v1/leads/{id}/qualification")).await.json()["checklists"],
        "queue": queue["data"].as_array().unwrap().iter().map(place).collect::<Vec<_>>(),
    })
}

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
async fn taken_apart_at_once_both_are_what_they_were_to_the_letter() {
    run(async |app| {
        let (ripe, riper) = (mql(app, "ripe").await, mql(app, "riper").await);
        let sold = mql(app, "sold").await;
        let offer = open(app, &sold).await["id"].as_str().unwrap().to_owned();
        does(app, "POST", &format!("/v1/handoffs/{offer}/accept"), json!({"rep": "rep"})).await;
        does(app, "POST", &format!("/v1/leads/{sold}/outcome"), json!({"outcome": "opportunity"})).await;
        let plain = known(app, "plain", 1).await;
        app.events(visit("v", &json!({"anonymous_id": "d"}), "2026-02-01T09:00:00Z")).await;
        let stranger = app.get("/v1/leads?stage=anonymous").await.json()["data"][0]["id"].clone();
        let stranger = stranger.as_str().unwrap().to_owned();
        let answers = json!({"framework": "bant", "answers": {"budget": {"answer": "yes"}}});
        does(app, "PUT", &format!("/v1/leads/{ripe}/qualification"), answers).await;
        let answers =
            json!({"framework": "bant", "answers": {"budget": {"answer": "no"}, "need": {"answer": "yes"}}});
        does(app, "PUT", &format!("/v1/leads/{riper}/qualification"), answers).await;
        for rep in ["ann", "bob"] {
            does(app, "POST", "/v1/queues/sales/next", json!({"rep": rep})).await;
        }
        app.advance(TimeDelta::minutes(1));
        let all = [&ripe, &riper, &sold, &plain, &stranger];
        let mut differing = Vec::new();
        for into in all {
            for other in all {
                if into == other {
                    continue;
                }
                let before = (everything(app, into).await, everything(app, other).await);

                merge(app, into, other).await;
                app.run_due().await;
                app.advance(TimeDelta::seconds(1));
                unmerge(app, into, other).await;
                app.run_due().await;

                let after = (everything(app, into).await, everything(app, other).await);
                for (after, before) in [(after.0, before.0), (after.1, before.1)] {
                    for (field, before) in before.as_object().unwrap() {
                        if &after[field] != before {
                            differing.push(format!(
                                "{field} after {other} into {into}: {} was {before}",
                                after[field]
                            ));
                        }
                    }
                }
            }
        }
        assert_eq!(differing, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn what_came_while_they_were_one_goes_back_with_the_identities_it_hangs_on() {
    let mut outcomes = Vec::new();
    for merging in [true, false] {
        run(async |app| {
            let (one, two) = (known(app, "a", 1).await, known(app, "b", 0).await);
            if merging {
                merge(app, &one, &two).await;
            }
            app.advance(TimeDelta::hours(1));
            app.events(json!([
                visit("v1", &json!({"user_id": "a"}), "2026-03-01T09:00:00Z"),
                visit("v2", &json!({"anonymous_id": "d"}), "2026-03-01T10:00:00Z"),
                {"id": "j", "type": "identify", "lead": {"user_id": "b", "anonymous_id": "d", "email": "b@acme.example"},
                 "traits": {"title": "Director"}},
                {"id": "x", "type": "do_not_contact_requested", "lead": {"email": "b@acme.example"}},
            ]))
            .await;
            if merging {
                assert_eq!(lead(app, &one).await["consent"]["do_not_contact"], true, "a request by either holds");
                unmerge(app, &one, &two).await;
            }
            for user in ["a", "b"] {
                let mut found = everything(app, app.lead(user).await["id"].as_str().unwrap()).await;
                found["lead"].as_object_mut().unwrap().remove("id");
                let lead = &found["lead"];
                outcomes.push(json!([lead, found["score"], found["timeline"].as_array().unwrap().len()]));
            }
        })
        .await;
    }
    for twin in 0..2 {
        assert_eq!(outcomes[twin], outcomes[twin + 2]);
    }
}

#[tokio::test]
async fn merges_in_a_chain_are_undone_in_any_order() {
    for first_out in [0, 1] {
        run(async |app| {
            let ids = [known(app, "a", 1).await, mql(app, "b").await, known(app, "c", 0).await];
            let mut before = Vec::new();
            for id in &ids {
                before.push(everything(app, id).await["lead"].clone());
            }
            merge(app, &ids[1], &ids[0]).await;
            merge(app, &ids[2], &ids[1]).await;
            let whole = lead(app, &ids[0]).await;
            assert_eq!((&whole["id"], &whole["stage"]), (&json!(ids[2]), &json!("mql")));

            unmerge(app, &ids[2], &ids[first_out]).await;
            let between = [lead(app, &ids[0]).await["id"].clone(), lead(app, &ids[1]).await["id"].clone()];
            let expected = if first_out == 0 { [&ids[0], &ids[2]] } else { [&ids[1], &ids[1]] };
            assert_eq!(between, expected.map(|id| json!(id)));
            let from = if first_out == 0 { &ids[2] } else { &ids[1] };
            unmerge(app, from, &ids[1 - first_out]).await;

            for (id, before) in ids.iter().zip(before) {
                assert_eq!(everything(app, id).await["lead"], before);
            }
            assert_eq!(open(app, &ids[1]).await["lead_id"], ids[1]);
        })
        .await;
    }
}

#[tokio::test]
async fn what_people_decided_of_the_one_that_goes_on_stays_with_it() {
    run(async |app| {
        let (one, two) = (known(app, "a", 0).await, mql(app, "b").await);
        merge(app, &one, &two).await;
        let offer = open(app, &one).await["id"].as_str().unwrap().to_owned();
        app.advance(TimeDelta::hours(1));
        does(app, "POST", &format!("/v1/handoffs/{offer}/accept"), json!({"rep": "rep"})).await;
        app.advance(TimeDelta::hours(1));

        unmerge(app, &one, &two).await;

        assert_eq!(lead(app, &one).await["stage"], "sql");
        assert_eq!(lead(app, &two).await["stage"], "mql");
        assert_ne!(open(app, &two).await["id"], offer, "and it is offered anew");
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
        assert!(code(&ids[0], "unmerge", &ids[1]).await.1.contains("stands for itself"));
        merge(app, &ids[0], &ids[1]).await;

        let (status, message) = code(&ids[2], "merge", &ids[1]).await;
        assert!(status == 409 && message.contains(&ids[0]), "{message}");
        assert_eq!(code(&ids[1], "merge", &ids[2]).await.0, 409, "nor into a signpost");
        assert!(code(&ids[2], "unmerge", &ids[1]).await.1.contains("take it out of that one"));

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

/// Something that is said of a few people, or decided.
#[derive(Debug, Clone)]
enum Deed {
    Visit(u8),
    Identify { user: Option<u8>, email: Option<u8>, device: Option<u8> },
    Alias(u8, u8),
    Merge(prop::sample::Index, prop::sample::Index),
    Unmerge(prop::sample::Index),
}

fn deed() -> impl Strategy<Value = Deed> {
    let one_of = |n: u8| prop_oneof![1 => Just(None), 2 => (0..n).prop_map(Some)];
    prop_oneof![
        3 => (0..6_u8).prop_map(Deed::Visit),
        4 => (one_of(3), one_of(3), one_of(3)).prop_map(|(user, email, device)| Deed::Identify { user, email, device }),
        1 => (0..3_u8, 0..3_u8).prop_map(|(a, b)| Deed::Alias(a, b)),
        3 => any::<(prop::sample::Index, prop::sample::Index)>().prop_map(|(a, b)| Deed::Merge(a, b)),
        2 => any::<prop::sample::Index>().prop_map(Deed::Unmerge),
    ]
}

/// Does what was said, and the merges too if they are wanted.
async fn act(app: &TestApp, step: usize, deed: &Deed, merging: bool, merged: &mut Vec<(String, String)>) {
    let at = |minutes: usize| {
        app.now() - TimeDelta::days(20) + TimeDelta::minutes(i64::try_from(minutes).unwrap())
    };
    // Some of what is said happened before what was said already.
    let at = at(step * 7 % 40 * 60);
    match deed {
        Deed::Visit(n) => {
            let lead = if *n < 3 {
                json!({"anonymous_id": format!("d{n}")})
            } else {
                json!({"user_id": format!("u{}", n - 3)})
            };
            app.events(visit(&format!("v{step}"), &lead, &at.to_rfc3339())).await;
        }
        Deed::Identify { user, email, device } => {
            let mut lead = serde_json::Map::new();
            lead.extend(user.map(|n| ("user_id".to_owned(), json!(format!("u{n}")))));
            lead.extend(email.map(|n| ("email".to_owned(), json!(format!("e{n}@acme.example")))));
            lead.extend(device.map(|n| ("anonymous_id".to_owned(), json!(format!("d{n}")))));
            if lead.is_empty() {
                return;
            }
            app.events(json!({"id": format!("i{step}"), "type": "identify", "lead": lead, "occurred_at": at,
                "traits": {"seen": step}}))
                .await;
        }
        Deed::Alias(former, user) => {
            let body = json!({"messageId": format!("a{step}"), "userId": format!("u{user}"),
                "previousId": format!("u{former}"), "timestamp": at});
            app.post("/v1/alias", body.to_string()).await;
        }
        Deed::Merge(..) | Deed::Unmerge(_) if !merging => {}
        Deed::Merge(into, other) => {
            let leads = app.pages("/v1/leads?sort=created_at").await;
            if leads.is_empty() {
                return;
            }
            let id = |index: &prop::sample::Index| index.get(&leads)["id"].as_str().unwrap().to_owned();
            let (into, other) = (id(into), id(other));
            if into != other {
                merge(app, &into, &other).await;
                merged.push((into, other));
            }
        }
        Deed::Unmerge(which) => {
            if !merged.is_empty() {
                take_out(app, merged.remove(which.index(merged.len()))).await;
            }
        }
    }
}

/// Takes a lead out of the one that it was merged into.
async fn take_out(app: &TestApp, (into, other): (String, String)) {
    unmerge(app, &into, &other).await;
}

#[tokio::test]
async fn after_all_merges_are_undone_the_leads_are_those_of_the_same_traffic_without_merges() {
    let cases = std::env::var("LEADSCORE_CASES").map_or(25, |cases| cases.parse().unwrap());
    let mut runner = TestRunner::deterministic();
    for case in 0..cases {
        let deeds = prop::collection::vec(deed(), 5..25).new_tree(&mut runner).unwrap().current();
        let mut outcomes = Vec::new();
        for merging in [true, false] {
            run(async |app| {
                let mut merged = Vec::new();
                for (step, deed) in deeds.iter().enumerate() {
                    act(app, step, deed, merging, &mut merged).await;
                }
                app.run_due().await;
                check(app, case, &deeds).await;
                while let Some(one) = merged.pop() {
                    take_out(app, one).await;
                }
                app.run_due().await;
                check(app, case, &deeds).await;
                let mut leads: Vec<String> = Vec::new();
                for lead in app.pages("/v1/leads").await {
                    let profile = &lead["profile"];
                    leads.push(
                        json!([lead["user_id"], lead["email"], lead["stage"], points(&lead), profile])
                            .to_string(),
                    );
                }
                leads.sort();
                outcomes.push(leads);
            })
            .await;
        }
        assert_eq!(outcomes[0], outcomes[1], "case {case}: {deeds:#?}");
    }
}

/// What is stored of every lead is what a replay of its log says.
async fn check(app: &TestApp, case: u32, deeds: &[Deed]) {
    for stored in app.pages("/v1/leads").await {
        let id = stored["id"].as_str().unwrap();
        let replayed = app.get(&format!("/v1/leads/{id}/score")).await.json();
        for piece in ["score", "raw", "fit", "engagement"] {
            assert_eq!(stored[piece], replayed[piece], "case {case}: {piece} of {id}: {deeds:#?}");
        }
    }
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

#[tokio::test]
async fn a_merge_is_undone_though_another_into_the_same_lead_has_gone_elsewhere() {
    run(async |app| {
        let mail =
            |name: &str| json!({"type": "form_submitted", "lead": {"email": format!("{name}@acme.example")}});
        app.events(
            json!([mail("a"), mail("b"), mail("h"), {"type": "form_submitted", "lead": {"user_id": "u"}}]),
        )
        .await;
        let id = async |name: &str| app.lead(&format!("{name}@")).await["id"].as_str().unwrap().to_owned();
        let (a, b, h) = (id("a").await, id("b").await, id("h").await);
        merge(app, &h, &a).await;
        merge(app, &h, &b).await;
        app.events(json!([{"type": "identify", "lead": {"user_id": "u", "email": "b@acme.example"}}])).await;

        unmerge(app, &h, &a).await;

        assert_eq!(
            (lead(app, &a).await["id"].clone(), lead(app, &h).await["id"].clone()),
            (json!(a), json!(h))
        );
        assert_eq!(lead(app, &a).await["raw"], lead(app, &h).await["raw"], "a form each");
    })
    .await;
}

#[tokio::test]
async fn nobody_stays_an_mql_by_what_counts_for_another_again() {
    run(async |app| {
        app.events(json!([
            {"type": "demo_requested", "lead": {"user_id": "c"}},
            {"type": "email_opened", "lead": {"email": "e@acme.example"}},
            {"type": "identify", "lead": {"user_id": "a"}},
        ]))
        .await;
        let (c, e) = (
            app.lead("c").await["id"].as_str().unwrap().to_owned(),
            app.lead("e@").await["id"].as_str().unwrap().to_owned(),
        );
        merge(app, &e, &c).await;
        app.advance(TimeDelta::minutes(1));
        app.events(json!([{"type": "identify", "lead": {"user_id": "a", "email": "e@acme.example"}}])).await;
        let a = app.lead("a").await["id"].as_str().unwrap().to_owned();
        assert_eq!(lead(app, &a).await["stage"], "mql", "they are all one");

        unmerge(app, &a, &c).await;

        assert_eq!(lead(app, &a).await["stage"], "lead", "who never raised a hand");
        assert_eq!(lead(app, &c).await["stage"], "mql");
    })
    .await;
}

#[tokio::test]
async fn what_is_recorded_under_a_merged_leads_own_id_is_its_own_when_they_are_two_again() {
    run(async |app| {
        let (heir, gone) = (known(app, "heir", 0).await, known(app, "gone", 0).await);
        merge(app, &heir, &gone).await;
        let no = json!({"channel": "phone", "state": "withdrawn", "reason": "called them"}).to_string();

        app.post(&format!("/v1/leads/{gone}/consent"), no).await;

        assert_eq!(
            lead(app, &heir).await["consent"]["channels"]["phone"]["state"],
            "withdrawn",
            "they are one"
        );
        unmerge(app, &heir, &gone).await;
        assert_eq!(lead(app, &gone).await["consent"]["channels"]["phone"]["state"], "withdrawn");
        assert_eq!(lead(app, &heir).await["consent"]["channels"], json!({}));
    })
    .await;
}

#[tokio::test]
async fn an_alias_leaves_a_merge_as_it_is_whichever_of_the_two_went_on() {
    for first_goes_on in [true, false] {
        run(async |app| {
            let (one, two) = (known(app, "one", 1).await, known(app, "two", 1).await);
            known(app, "three", 1).await;
            let (heir, gone) = if first_goes_on { (&one, &two) } else { (&two, &one) };
            merge(app, heir, gone).await;
            let alias = json!({"type": "alias", "previousId": "one", "userId": "three"}).to_string();

            app.post_with("/v1/alias", &[], alias).await;

            let id = async |user: &str| {
                app.get(&format!("/v1/leads/by/external_id/{user}")).await.json()["id"].clone()
            };
            assert_eq!((id("one").await, id("two").await), (id("three").await, id("three").await));
            let log = app.pages(&format!("/v1/leads/{heir}/events?type=form_submitted")).await;
            assert_eq!(log.len(), 3, "one person, with all the events");
            unmerge(app, id("one").await.as_str().unwrap(), gone).await;
            assert_eq!(id("one").await, id("three").await, "an alias is not undone by it");
            assert_ne!(id("one").await, id("two").await);
        })
        .await;
    }
}
