//! Somebody takes a merge back: both leads are what they would have been.

use chrono::TimeDelta;
use serde_json::json;

use super::{everything, known, lead, merge, unmerge, visit};
use crate::harness::{
    does, run,
    sales::{mql, open},
};

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
