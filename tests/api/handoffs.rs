//! Handoffs to sales: made when a lead is ripe, with the evidence of that moment; answered once.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    TestApp, call, does,
    models::{publish, visits},
    run,
    sales::{
        act, answer, answered, change_policy, change_terms, changes, handoffs, last_passage, mql, open, stage,
    },
};

async fn states(app: &TestApp, lead: &str) -> Vec<String> {
    handoffs(app, lead).await.iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect()
}

/// `type state` of every change about handoffs.
async fn told(app: &TestApp) -> Vec<String> {
    let feed = changes(app).await;
    let about = |one: &&Value| one["type"].as_str().unwrap().starts_with("handoff.");
    let line =
        |one: &Value| format!("{} {}", one["type"].as_str().unwrap(), one["data"]["state"].as_str().unwrap());
    feed.iter().filter(about).map(line).collect()
}

#[tokio::test]
async fn who_becomes_an_mql_is_offered_with_what_speaks_for_it() {
    run(async |app| {
        let lead = mql(app, "u1").await;

        let handoff = open(app, &lead).await;

        assert_eq!(
            (&handoff["lead_id"], &handoff["cycle"], &handoff["score"]),
            (&json!(lead), &json!(1), &json!(65))
        );
        assert_eq!(
            (&handoff["offered_at"], &handoff["due_at"], &handoff["overdue"]),
            (&json!("2026-03-02T09:00:00Z"), &json!("2026-03-02T13:00:00Z"), &json!(false))
        );
        let evidence = &handoff["evidence"];
        assert_eq!(
            (&evidence["score"], &evidence["fit"], &evidence["engagement"], &evidence["grade"]),
            (&json!(65), &json!(40_000), &json!(25_000), &json!("A2"))
        );
        let lines = evidence["receipt"]["lines"].as_array().unwrap();
        assert_eq!(lines.iter().map(|line| line["points"].as_i64().unwrap()).sum::<i64>(), 65_000);
        let events = evidence["events"].as_array().unwrap();
        assert_eq!((events.len(), &events[0]["type"]), (3, &json!("email_subscribed")), "{events:?}");
        assert_eq!(
            (&evidence["qualified_by"], &evidence["model_name"]),
            (&json!("threshold"), &json!("b2b-saas"))
        );
        assert_eq!(evidence["model_version"], handoff["model_version"]);
        assert_eq!(evidence["consent"]["do_not_contact"], false);
        let rules: Vec<i64> = evidence["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["points"].as_i64().unwrap())
            .collect();
        assert!(rules.len() >= 4 && rules.is_sorted_by(|a, b| a >= b), "{rules:?}");
        assert_eq!(told(app).await, ["handoff.offered open"]);
    })
    .await;
}

#[tokio::test]
async fn the_evidence_stays_as_it_was_whatever_comes_later() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let before = open(app, &lead).await;

        app.events(json!({"id": "late", "type": "chat_started", "lead": {"user_id": "u1"},
            "occurred_at": "2026-03-01T09:00:00Z"}))
            .await;
        app.advance(TimeDelta::hours(1));
        act(app, "u1", "more", "demo_requested").await;

        let path = format!("/v1/handoffs/{}", before["id"].as_str().unwrap());
        assert_eq!(app.get(&path).await.json(), before);
    })
    .await;
}

#[tokio::test]
async fn who_accepts_makes_the_sql_and_has_the_lead() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let handoff = open(app, &lead).await;
        app.advance(TimeDelta::hours(1));

        let accepted = answered(app, &handoff, "accept", json!({"rep": "ana", "note": "called"})).await;

        assert_eq!(
            (&accepted["state"], &accepted["rep"], &accepted["accepted_by"], &accepted["answered_by"]),
            (&json!("accepted"), &json!("ana"), &json!("ana"), &json!("ana"))
        );
        assert_eq!(
            (&accepted["note"], &accepted["accepted_at"]),
            (&json!("called"), &json!("2026-03-02T10:00:00Z"))
        );
        assert_eq!(stage(app, &lead).await, "sql");
        assert_eq!(last_passage(app).await, "mql > sql: accepted by ana");
        assert_eq!(told(app).await, ["handoff.offered open", "handoff.accepted accepted"]);
        app.advance(TimeDelta::days(400));
        app.run_due().await;
        assert_eq!(stage(app, &lead).await, "sql", "no score moves what sales has");
    })
    .await;
}

#[tokio::test]
async fn the_same_answer_again_is_told_the_same_and_any_other_is_a_conflict() {
    run(async |app| {
        let (first, second) = (mql(app, "u1").await, mql(app, "u2").await);
        let (first, second) = (open(app, &first).await, open(app, &second).await);
        let accepted = answered(app, &first, "accept", json!({"rep": "ana"})).await;
        let rejected = answered(app, &second, "reject", json!({"rep": "ana", "reason": "no_need"})).await;
        app.advance(TimeDelta::hours(1));

        assert_eq!(answered(app, &first, "accept", json!({"rep": "ana"})).await, accepted);
        assert_eq!(
            answered(app, &second, "reject", json!({"rep": "ana", "reason": "no_need"})).await,
            rejected
        );
        for (handoff, verb, body) in [
            (&first, "accept", json!({"rep": "bob"})),
            (&first, "reject", json!({"rep": "ana", "reason": "no_need"})),
            (&first, "reassign", json!({"rep": "bob"})),
            (&second, "accept", json!({"rep": "ana"})),
            (&second, "reject", json!({"rep": "ana", "reason": "other"})),
            (&second, "recycle", json!({"rep": "ana"})),
        ] {
            let refused = answer(app, handoff, verb, body).await;
            assert_eq!((refused.status.as_u16(), refused.problem()), (409, "conflict".to_owned()));
        }
        assert_eq!(app.count("transition").await, 4);
    })
    .await;
}

#[tokio::test]
async fn of_many_answers_at_one_moment_one_is_given() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let handoff = open(app, &lead).await;
        let calls = (0..12).map(|n| {
            let rep = format!("rep-{n}");
            let (verb, body) = match n % 3 {
                0 => ("accept", json!({"rep": rep})),
                1 => ("reject", json!({"rep": rep, "reason": "other"})),
                _ => ("recycle", json!({"rep": rep})),
            };
            answer(app, &handoff, verb, body)
        });

        let answers = join_all(calls).await;

        let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        // Who accepted may have been recycled by another at once: that is a second answer to another state.
        assert!(with(200) == 1 || states(app, &lead).await == ["recycled"], "{answers:?}");
        assert_eq!(with(200) + with(409), 12, "{answers:?}");
    })
    .await;
}

#[tokio::test]
async fn the_reason_of_a_rejection_says_where_the_lead_goes() {
    run(async |app| {
        for (user, reason, then) in
            [("u1", "not_a_fit", "disqualified"), ("u2", "bad_timing", "recycled"), ("u3", "other", "lead")]
        {
            let lead = mql(app, user).await;
            let handoff = open(app, &lead).await;

            let rejected =
                answered(app, &handoff, "reject", json!({"reason": reason, "rep": "ana", "note": "n"})).await;

            assert_eq!((&rejected["state"], &rejected["reason"]), (&json!("rejected"), &json!(reason)));
            assert_eq!(stage(app, &lead).await, then);
            assert_eq!(last_passage(app).await, format!("mql > {then}: rejected by ana for {reason}"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_reason_that_the_policy_does_not_know_is_refused_with_those_that_it_knows() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        change_policy(app, json!({"reject_reasons": [{"code": "nope", "label": "No", "then": "lead"}]}))
            .await;

        let refused = answer(app, &open(app, &lead).await, "reject", json!({"reason": "other"})).await;

        assert_eq!((refused.status.as_u16(), refused.problem()), (422, "invalid_request".to_owned()));
        assert_eq!(refused.json()["errors"][0]["pointer"], "/reason");
        assert!(refused.json()["message"].as_str().unwrap().contains("nope"));
        assert_eq!(states(app, &lead).await, ["open"]);
    })
    .await;
}

#[tokio::test]
async fn what_sales_recycles_waits_until_its_date_and_then_needs_something_new() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let handoff = open(app, &lead).await;
        let past = answer(app, &handoff, "recycle", json!({"until": "2026-03-02T09:00:00Z"})).await;
        assert_eq!(past.json()["errors"][0]["pointer"], "/until");

        let until = json!("2026-06-01T00:00:00Z");
        let recycled = answered(app, &handoff, "recycle", json!({"until": until, "rep": "ana"})).await;

        assert_eq!((&recycled["state"], &recycled["recycle_until"]), (&json!("recycled"), &until));
        assert_eq!(stage(app, &lead).await, "recycled");
        app.advance(TimeDelta::days(40));
        act(app, "u1", "again", "demo_requested").await;
        app.run_due().await;
        assert_eq!(stage(app, &lead).await, "recycled", "the cooldown is over, the date has not come");
        app.advance(TimeDelta::days(51));
        app.run_due().await;
        let lead = app.get(&format!("/v1/leads/{lead}")).await.json();
        assert_eq!((&lead["stage"], &lead["cycle"]), (&json!("mql"), &json!(2)));
        assert_eq!(states(app, lead["id"].as_str().unwrap()).await, ["open", "recycled"]);
    })
    .await;
}

#[tokio::test]
async fn what_sales_has_accepted_may_still_be_recycled() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let handoff = open(app, &lead).await;
        answered(app, &handoff, "accept", json!({"rep": "ana"})).await;
        app.advance(TimeDelta::days(1));

        let recycled =
            answered(app, &handoff, "recycle", json!({"rep": "ana", "reason": "went quiet"})).await;

        assert_eq!(
            (&recycled["state"], &recycled["accepted_at"]),
            (&json!("recycled"), &json!("2026-03-02T09:00:00Z"))
        );
        assert_eq!(last_passage(app).await, "sql > recycled: recycled by ana for went quiet");
    })
    .await;
}

#[tokio::test]
async fn an_offer_that_nobody_answers_in_time_is_overdue_and_that_is_told_once() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        app.advance(TimeDelta::hours(4) - TimeDelta::microseconds(1));
        app.run_due().await;
        assert_eq!((open(app, &lead).await["overdue"].clone(), told(app).await.len()), (json!(false), 1));
        assert_eq!(app.get("/v1/handoffs?overdue=true").await.json()["data"], json!([]));

        app.advance(TimeDelta::microseconds(1));
        assert_eq!(open(app, &lead).await["overdue"], true, "late at the very instant, and seen at once");
        assert_eq!(open(app, &lead).await["breached_at"], json!(null));
        app.run_due().await;
        app.advance(TimeDelta::hours(1));
        app.run_due().await;

        assert_eq!(told(app).await, ["handoff.offered open", "handoff.overdue open"]);
        let handoff = open(app, &lead).await;
        assert_eq!(handoff["breached_at"], "2026-03-02T13:00:00Z");
        assert_eq!(app.get("/v1/handoffs?overdue=true").await.json()["data"][0]["id"], handoff["id"]);
        let accepted = answered(app, &handoff, "accept", json!({})).await;
        assert_eq!(
            (&accepted["overdue"], &accepted["breached_at"]),
            (&json!(false), &handoff["breached_at"])
        );
    })
    .await;
}

#[tokio::test]
async fn an_offer_that_expires_sends_its_lead_where_the_policy_says() {
    run(async |app| {
        for (user, to) in [("u1", "recycled"), ("u2", "lead")] {
            change_terms(app, json!({"sla": null, "expires_after": "3d", "expired_to": to})).await;
            let lead = mql(app, user).await;
            assert_eq!(open(app, &lead).await["due_at"], json!(null));
            app.advance(TimeDelta::days(3) - TimeDelta::microseconds(1));
            app.run_due().await;
            assert_eq!(states(app, &lead).await, ["open"]);

            app.advance(TimeDelta::microseconds(1));
            app.run_due().await;

            assert_eq!(states(app, &lead).await, ["expired"]);
            assert_eq!(
                (stage(app, &lead).await, last_passage(app).await),
                (to.to_owned(), format!("mql > {to}: expired"))
            );
        }
        assert_eq!(told(app).await.iter().filter(|line| *line == "handoff.expired expired").count(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_offer_is_taken_back_when_its_lead_is_no_longer_ripe() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        act(app, "u1", "a", "email_unsubscribed").await;
        act(app, "u1", "b", "review_negative").await;
        app.advance(TimeDelta::days(1));

        app.run_due().await;

        let [handoff] = &handoffs(app, &lead).await[..] else { panic!("one") };
        assert_eq!((&handoff["state"], &handoff["reason"]), (&json!("withdrawn"), &json!("score_fell")));
        assert_eq!((&handoff["answered_by"], stage(app, &lead).await), (&json!(null), "lead".to_owned()));
        assert_eq!(told(app).await.last().unwrap(), "handoff.withdrawn withdrawn");
    })
    .await;
}

#[tokio::test]
async fn who_asks_not_to_be_contacted_is_offered_no_more_until_it_asks_for_contact() {
    run(async |app| {
        let lead = mql(app, "u1").await;

        act(app, "u1", "a", "do_not_contact_requested").await;

        let [handoff] = &handoffs(app, &lead).await[..] else { panic!("one") };
        assert_eq!((&handoff["state"], &handoff["reason"]), (&json!("withdrawn"), &json!("do_not_contact")));
        let refused = call(app, "POST", &format!("/v1/leads/{lead}/handoff"), &json!({})).await;
        assert_eq!(refused.problem(), "conflict");
        app.advance(TimeDelta::hours(1));
        act(app, "u1", "b", "demo_requested").await;
        assert_eq!(states(app, &lead).await, ["open", "withdrawn"]);
    })
    .await;
}

#[tokio::test]
async fn somebody_may_offer_a_lead_by_hand_and_vouches_for_it() {
    run(async |app| {
        app.events(
            json!({"id": "e1", "type": "identify", "lead": {"user_id": "u1"}, "traits": {"owner": "ola"}}),
        )
        .await;
        let lead = app.lead("u1").await["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/leads/{lead}/handoff");

        let answer = call(app, "POST", &path, &json!({"author": "mia"})).await;

        assert_eq!(answer.status, 201, "{answer:?}");
        let handoff = answer.json();
        assert_eq!(
            (&handoff["offered_by"], &handoff["rep"], &handoff["score"], &handoff["cycle"]),
            (&json!("mia"), &json!("ola"), &json!(0), &json!(1))
        );
        assert_eq!(handoff["evidence"]["qualified_by"], "person");
        assert_eq!(answer.headers["location"], format!("/v1/handoffs/{}", handoff["id"].as_str().unwrap()));
        assert_eq!(last_passage(app).await, "lead > mql: person by mia");
        app.advance(TimeDelta::days(100));
        app.run_due().await;
        assert_eq!(stage(app, &lead).await, "mql", "no score takes back what a colleague vouches for");
        let again = call(app, "POST", &path, &json!({"rep": "bob"})).await;
        assert_eq!((again.status.as_u16(), &again.json()["id"]), (200, &handoff["id"]));
        assert_eq!(states(app, &lead).await, ["open"]);
    })
    .await;
}

#[tokio::test]
async fn the_same_call_under_the_same_key_is_the_same_offer_also_when_that_was_answered() {
    run(async |app| {
        act(app, "u1", "e1", "page_viewed").await;
        let lead = app.lead("u1").await["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/leads/{lead}/handoff");
        let headers = [("content-type", "application/json"), ("idempotency-key", "k-1")];
        let first = app.post_with(&path, &headers, "{}").await;
        assert_eq!(first.status, 201);
        answered(app, &first.json(), "reject", json!({"reason": "other"})).await;

        let second = app.post_with(&path, &headers, "{}").await;

        assert_eq!((second.status.as_u16(), &second.json()["id"]), (200, &first.json()["id"]));
        assert_eq!(second.json()["state"], "rejected");
        assert_eq!(call(app, "POST", &path, &json!({})).await.status, 201, "another call is another offer");
    })
    .await;
}

#[tokio::test]
async fn nobody_is_offered_by_hand_who_is_unknown_or_with_sales_already() {
    run(async |app| {
        app.events(json!({"id": "e1", "type": "page_viewed", "lead": {"anonymous_id": "d1"}})).await;
        let stranger = app.only_lead().await["id"].as_str().unwrap().to_owned();
        let taken = mql(app, "u1").await;
        answered(app, &open(app, &taken).await, "accept", json!({})).await;

        for lead in [&stranger, &taken] {
            let refused = call(app, "POST", &format!("/v1/leads/{lead}/handoff"), &json!({})).await;
            assert_eq!((refused.status.as_u16(), refused.problem()), (409, "conflict".to_owned()));
        }
        let nobody = "0196a000-0000-7000-8000-000000000000";
        for path in [format!("/v1/leads/{nobody}/handoff"), format!("/v1/handoffs/{nobody}/accept")] {
            assert_eq!(call(app, "POST", &path, &json!({})).await.problem(), "not_found");
        }
    })
    .await;
}

#[tokio::test]
async fn an_open_offer_may_be_given_to_somebody_else() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let handoff = open(app, &lead).await;
        answered(app, &handoff, "reassign", json!({"rep": "ana"})).await;

        let moved = answered(app, &handoff, "reassign", json!({"rep": "bob", "author": "boss"})).await;
        answered(app, &handoff, "reassign", json!({"rep": "bob"})).await;

        assert_eq!((&moved["rep"], &moved["due_at"]), (&json!("bob"), &handoff["due_at"]));
        assert_eq!(app.get("/v1/handoffs?rep=ana").await.json()["data"], json!([]));
        assert_eq!(app.get("/v1/handoffs?rep=bob").await.json()["data"][0]["id"], handoff["id"]);
        let feed = changes(app).await;
        let last = feed.last().unwrap();
        assert_eq!(
            (&last["type"], &last["data"]["from"], &last["data"]["rep"], &last["data"]["by"]),
            (&json!("handoff.reassigned"), &json!("ana"), &json!("bob"), &json!("boss"))
        );
        assert_eq!(told(app).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn whom_only_a_new_model_made_an_mql_is_offered_when_the_person_does_something() {
    run(async |app| {
        publish(app, &visits(10)).await;
        for n in 0..5 {
            act(app, "u1", &format!("v{n}"), "page_viewed").await;
        }
        let lead = app.lead("u1").await["id"].as_str().unwrap().to_owned();
        assert_eq!(states(app, &lead).await, ["open"]);
        act(app, "u2", "w1", "page_viewed").await;
        let other = app.lead("u2").await["id"].as_str().unwrap().to_owned();
        app.advance(TimeDelta::hours(1));

        publish(app, &visits(50)).await;

        assert_eq!((stage(app, &other).await, states(app, &other).await.len()), ("mql".to_owned(), 0));
        app.advance(TimeDelta::hours(1));
        act(app, "u2", "w2", "page_viewed").await;
        assert_eq!(open(app, &other).await["evidence"]["qualified_by"], "threshold");
    })
    .await;
}

#[tokio::test]
async fn without_the_policys_word_nobody_is_offered_but_by_hand() {
    run(async |app| {
        change_terms(app, json!({"auto_offer": false})).await;

        let lead = mql(app, "u1").await;

        assert_eq!(states(app, &lead).await, Vec::<String>::new());
        does(app, "POST", &format!("/v1/leads/{lead}/handoff"), json!({})).await;
        assert_eq!((states(app, &lead).await, app.count("transition").await), (vec!["open".to_owned()], 1));
    })
    .await;
}

#[tokio::test]
async fn very_high_intent_makes_an_sql_by_itself_if_the_policy_says_so() {
    run(async |app| {
        change_terms(app, json!({"auto_sql": {"min_score": 66}})).await;
        let lead = mql(app, "u1").await;
        assert_eq!(states(app, &lead).await, ["open"], "65 is not enough");

        act(app, "u1", "more", "chat_started").await;

        assert_eq!(
            (stage(app, &lead).await, last_passage(app).await),
            ("sql".to_owned(), "mql > sql: policy".to_owned())
        );
        let [handoff] = &handoffs(app, &lead).await[..] else { panic!("one") };
        assert_eq!((&handoff["state"], &handoff["accepted_by"]), (&json!("accepted"), &json!(null)));
        change_terms(app, json!({"auto_sql": {"min_score": 0, "hand_raise_only": true}})).await;
        let (slow, fast) = (mql(app, "u2").await, {
            act(app, "u3", "hand", "demo_requested").await;
            app.lead("u3").await["id"].as_str().unwrap().to_owned()
        });
        assert_eq!((stage(app, &slow).await, stage(app, &fast).await), ("mql".to_owned(), "sql".to_owned()));
        assert_eq!(states(app, &fast).await, ["accepted"]);
    })
    .await;
}

#[tokio::test]
async fn of_two_leads_that_are_one_the_heir_keeps_one_open_offer() {
    run(async |app| {
        let (first, second) = (mql(app, "u1").await, mql(app, "u2").await);
        let (mine, theirs) = (open(app, &second).await, open(app, &first).await);
        app.advance(TimeDelta::hours(1));

        let joined = app
            .post("/v1/alias", json!({"messageId": "m", "userId": "u2", "previousId": "u1"}).to_string())
            .await;
        assert_eq!(joined.status, 200, "{joined:?}");

        assert_eq!(app.get(&format!("/v1/leads/{first}")).await.json()["id"], json!(second));
        let all = handoffs(app, &second).await;
        let find = |wanted: &Value| all.iter().find(|one| one["id"] == wanted["id"]).unwrap().clone();
        assert_eq!(find(&mine)["state"], "open");
        assert_eq!((&find(&theirs)["state"], &find(&theirs)["merged_into"]), (&json!("merged"), &mine["id"]));
    })
    .await;
}

#[tokio::test]
async fn an_heir_without_an_offer_takes_over_the_others_and_what_sales_made_of_it() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let handoff = open(app, &lead).await;
        act(app, "u2", "x", "page_viewed").await;
        let heir = app.lead("u2").await["id"].as_str().unwrap().to_owned();

        app.post("/v1/alias", json!({"messageId": "m", "userId": "u2", "previousId": "u1"}).to_string())
            .await;

        assert_eq!(
            (stage(app, &heir).await, open(app, &heir).await["id"].clone()),
            ("mql".to_owned(), handoff["id"].clone())
        );
        let accepted = answered(app, &handoff, "accept", json!({})).await;
        assert_eq!((&accepted["lead_id"], stage(app, &heir).await), (&json!(heir), "sql".to_owned()));
        assert_eq!(told(app).await, ["handoff.offered open", "handoff.accepted accepted"]);
    })
    .await;
}

#[tokio::test]
async fn handoffs_are_listed_newest_first_and_by_what_they_are() {
    run(async |app| {
        let mut ids = Vec::new();
        for n in 0..5 {
            let lead = mql(app, &format!("u{n}")).await;
            ids.push(open(app, &lead).await["id"].clone());
            app.advance(TimeDelta::seconds(1));
        }
        answered(app, &json!({"id": ids[3]}), "accept", json!({"rep": "ana"})).await;

        let pages: Vec<Value> =
            app.pages("/v1/handoffs?limit=2").await.iter().map(|one| one["id"].clone()).collect();

        assert_eq!(pages, ids.iter().rev().cloned().collect::<Vec<_>>());
        let accepted = app.get("/v1/handoffs?state=accepted").await.json();
        assert_eq!((accepted["data"].as_array().unwrap().len(), &accepted["data"][0]["id"]), (1, &ids[3]));
        assert_eq!(app.get("/v1/handoffs?state=open").await.json()["data"].as_array().unwrap().len(), 4);
        for query in ["state=ajar", "colour=blue", "rep=%00", "limit=0"] {
            assert_eq!(
                app.get(&format!("/v1/handoffs?{query}")).await.problem(),
                "invalid_parameter",
                "{query}"
            );
        }
        assert_eq!(app.get("/v1/handoffs?cursor=x").await.problem(), "invalid_cursor");
    })
    .await;
}

#[tokio::test]
async fn a_handoff_carries_a_tag_and_every_mistake_is_named() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let handoff = open(app, &lead).await;
        let path = format!("/v1/handoffs/{}", handoff["id"].as_str().unwrap());
        assert!(app.get(&path).await.headers.contains_key("etag"));

        for (verb, body, pointer) in [
            ("accept", json!({"rep": ""}), "/rep"),
            ("accept", json!({"colour": "blue"}), "/colour"),
            ("reject", json!({}), ""),
            ("reject", json!({"reason": "other", "note": "a\u{0}b"}), "/note"),
            ("recycle", json!({"until": "soon"}), "/until"),
            ("reassign", json!({"rep": "  "}), "/rep"),
        ] {
            let refused = answer(app, &handoff, verb, body).await;
            assert_eq!(refused.problem(), "invalid_request", "{refused:?}");
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
        }
        assert_eq!(states(app, &lead).await, ["open"]);
    })
    .await;
}
