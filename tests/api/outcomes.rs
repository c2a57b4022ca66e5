//! What became of leads: an opportunity, won, lost; and moves by hand.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::{Connection, Executor};

use crate::harness::{
    Answer, TestApp, call, does, run,
    sales::{act, answered, changes, handoffs, mql, open, passages, stage},
};

/// A lead that sales has accepted.
async fn sql(app: &TestApp, user: &str) -> String {
    let lead = mql(app, user).await;
    answered(app, &open(app, &lead).await, "accept", json!({"rep": "ana"})).await;
    lead
}

async fn record(app: &TestApp, lead: &str, body: Value) -> Answer {
    call(app, "POST", &format!("/v1/leads/{lead}/outcome"), &body).await
}

async fn recorded(app: &TestApp, lead: &str, body: Value) -> Value {
    let answer = record(app, lead, body.clone()).await;
    assert_eq!(answer.status, 201, "{body}: {answer:?}");
    answer.json()
}

fn won(amount: i64) -> Value {
    json!({"outcome": "won", "amount": amount, "currency": "EUR", "author": "ana"})
}

#[tokio::test]
async fn a_deal_goes_from_opportunity_to_won_with_an_amount() {
    run(async |app| {
        let lead = sql(app, "u1").await;
        let handoff = handoffs(app, &lead).await[0]["id"].clone();
        recorded(
            app,
            &lead,
            json!({"outcome": "opportunity", "amount": 90_000, "currency": "EUR", "author": "ana"}),
        )
        .await;
        app.advance(TimeDelta::days(9));

        let outcome = recorded(app, &lead, won(120_050)).await;

        assert_eq!(
            (&outcome["outcome"], &outcome["amount"], &outcome["currency"], &outcome["recorded_by"]),
            (&json!("won"), &json!(120_050), &json!("EUR"), &json!("ana"))
        );
        assert_eq!((&outcome["lead"]["stage"], &outcome["handoff_id"]), (&json!("customer"), &handoff));
        assert_eq!(
            (&outcome["occurred_at"], &outcome["recorded_at"]),
            (&json!("2026-03-11T09:00:00Z"), &json!("2026-03-11T09:00:00Z"))
        );
        assert_eq!(
            passages(app, 2).await,
            ["sql > opportunity: outcome by ana", "opportunity > customer: outcome by ana"]
        );
        let feed = changes(app).await;
        let told: Vec<&Value> = feed.iter().filter(|one| one["type"] == "lead.outcome_recorded").collect();
        assert_eq!((told.len(), &told[1]["data"]["amount"]), (2, &json!(120_050)));
    })
    .await;
}

#[tokio::test]
async fn won_needs_no_opportunity_before_it_and_a_customer_may_buy_again() {
    run(async |app| {
        let lead = sql(app, "u1").await;

        recorded(app, &lead, won(1_000)).await;
        recorded(app, &lead, won(2_000)).await;

        assert_eq!(passages(app, 1).await, ["sql > customer: outcome by ana"]);
        let all = app.get(&format!("/v1/leads/{lead}/outcomes")).await.json();
        let amounts: Vec<&Value> = all["data"].as_array().unwrap().iter().map(|one| &one["amount"]).collect();
        assert_eq!(amounts, [&json!(1_000), &json!(2_000)]);
    })
    .await;
}

#[tokio::test]
async fn a_lost_deal_has_a_reason_and_the_lead_comes_back_only_by_asking() {
    run(async |app| {
        let lead = sql(app, "u1").await;

        let lost =
            recorded(app, &lead, json!({"outcome": "lost", "reason": "price", "author": "ana", "note": "n"}))
                .await;

        assert_eq!((&lost["reason"], &lost["note"]), (&json!("price"), &json!("n")));
        assert_eq!(passages(app, 1).await, ["sql > lost: outcome by ana for price"]);
        app.advance(TimeDelta::hours(1));
        act(app, "u1", "look", "chat_started").await;
        assert_eq!(stage(app, &lead).await, "lost", "looking around is not asking");
        act(app, "u1", "ask", "demo_requested").await;
        assert_eq!(passages(app, 1).await, ["lost > mql: hand_raise"]);
        assert_eq!(app.lead("u1").await["cycle"], 2);
        assert_eq!(open(app, &lead).await["cycle"], 2);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_have_become_of_a_lead_is_refused() {
    run(async |app| {
        act(app, "u1", "e1", "page_viewed").await;
        let plain = app.lead("u1").await["id"].as_str().unwrap().to_owned();
        app.events(json!({"type": "page_viewed", "lead": {"anonymous_id": "d"}})).await;
        let leads = app.pages("/v1/leads").await;
        let stranger =
            leads.iter().find(|lead| lead["stage"] == "anonymous").unwrap()["id"].as_str().unwrap();
        let offered = mql(app, "u2").await;
        let customer = sql(app, "u3").await;
        recorded(app, &customer, won(1)).await;
        let opportunity = sql(app, "u4").await;
        recorded(app, &opportunity, json!({"outcome": "opportunity"})).await;
        let before = app.count("outcome").await;

        for (lead, body, says) in [
            (plain.as_str(), json!({"outcome": "lost", "reason": "price"}), "Sales never had the lead"),
            (stranger, won(1), "cannot move from anonymous to customer"),
            (&offered, won(1), "is open; accept, reject or recycle it first"),
            (
                &customer,
                json!({"outcome": "opportunity"}),
                "says so. If that was recorded wrongly, send its id as `replaces`",
            ),
            (&customer, json!({"outcome": "lost", "reason": "price"}), "send its id as `replaces`"),
            (&opportunity, json!({"outcome": "opportunity"}), "at stage opportunity already. If outcome"),
        ] {
            let refused = record(app, lead, body.clone()).await;
            assert_eq!((refused.status.as_u16(), refused.problem()), (409, "conflict".to_owned()), "{body}");
            let said = refused.json()["message"].to_string();
            assert!(said.contains(says), "{said}");
        }
        assert_eq!(app.count("outcome").await, before);
        recorded(app, &plain, won(1)).await;
        assert_eq!(stage(app, &plain).await, "customer", "sales may have found it by itself");
    })
    .await;
}

#[tokio::test]
async fn what_was_recorded_wrongly_is_replaced_and_stays_to_be_seen() {
    run(async |app| {
        let lead = sql(app, "u1").await;
        let first = recorded(app, &lead, won(1_000)).await;
        let wrong = recorded(app, &lead, won(2_000)).await;

        let amount = recorded(
            app,
            &lead,
            json!({"outcome": "won", "amount": 3_000, "currency": "EUR", "replaces": first["id"]}),
        )
        .await;
        assert_eq!(amount["lead"]["stage"], "customer");
        let right = recorded(
            app,
            &lead,
            json!({"outcome": "lost", "reason": "price", "author": "ana", "replaces": wrong["id"]}),
        )
        .await;

        assert_eq!(passages(app, 1).await, ["customer > lost: correction by ana for price"]);
        let all = app.get(&format!("/v1/leads/{lead}/outcomes")).await.json()["data"].clone();
        let replaced: Vec<&Value> = all.as_array().unwrap().iter().map(|one| &one["replaced_by"]).collect();
        assert_eq!(replaced, [&amount["id"], &right["id"], &json!(null), &json!(null)]);
        let again =
            record(app, &lead, json!({"outcome": "lost", "reason": "price", "replaces": wrong["id"]})).await;
        assert_eq!(again.problem(), "conflict");
        let stranger =
            record(app, &lead, json!({"outcome": "lost", "reason": "price", "replaces": lead})).await;
        assert_eq!(stranger.problem(), "not_found");
    })
    .await;
}

#[tokio::test]
async fn the_same_call_under_the_same_key_is_the_same_outcome() {
    run(async |app| {
        let lead = sql(app, "u1").await;
        let path = format!("/v1/leads/{lead}/outcome");
        let headers = [("content-type", "application/json"), ("idempotency-key", "k-1")];
        let first = app.post_with(&path, &headers, won(5).to_string()).await;
        app.advance(TimeDelta::hours(1));

        let second = app.post_with(&path, &headers, won(5).to_string()).await;
        let other = app.post_with(&path, &headers, won(6).to_string()).await;

        assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 200));
        assert_eq!(
            (&first.json()["id"], &first.json()["recorded_at"]),
            (&second.json()["id"], &second.json()["recorded_at"])
        );
        assert_eq!((other.problem(), app.count("outcome").await), ("conflict".to_owned(), 1));
    })
    .await;
}

#[tokio::test]
async fn every_mistake_is_named_with_a_pointer_to_it() {
    run(async |app| {
        let lead = sql(app, "u1").await;
        for (body, pointers) in [
            (json!({"outcome": "won"}), "/amount"),
            (json!({"outcome": "won", "amount": 5}), "/currency"),
            (json!({"outcome": "won", "amount": -5, "currency": "eur"}), "/amount /currency"),
            (json!({"outcome": "won", "amount": 1.5, "currency": "EUR"}), "/amount"),
            (json!({"outcome": "won", "amount": 5, "currency": "EUR", "reason": "price"}), "/reason"),
            (json!({"outcome": "opportunity", "currency": "EUR"}), "/currency"),
            (json!({"outcome": "lost"}), "/reason"),
            (json!({"outcome": "lost", "reason": "mood"}), "/reason"),
            (json!({"outcome": "lost", "reason": "price", "amount": 5, "currency": "EUR"}), "/amount"),
            (json!({"outcome": "opportunity", "occurred_at": "2026-03-02T09:00:00.000001Z"}), "/occurred_at"),
            (json!({"outcome": "married"}), "/outcome"),
            (json!({"outcome": "opportunity", "author": "", "note": "x".repeat(5_000)}), "/author /note"),
            // A text that nothing can hold is refused where it stands, before anything else is looked at.
            (json!({"outcome": "opportunity", "author": "", "note": "\u{0}"}), "/note"),
        ] {
            let refused = record(app, &lead, body.clone()).await;
            assert_eq!(refused.problem(), "invalid_request", "{body}");
            let errors = refused.json()["errors"].clone();
            let found: Vec<&str> =
                errors.as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
            assert_eq!(found.join(" "), pointers, "{body}");
        }
        assert_eq!((app.count("outcome").await, stage(app, &lead).await), (0, "sql".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn an_outcome_may_have_happened_before_it_is_recorded_but_the_stage_changes_now() {
    run(async |app| {
        let lead = sql(app, "u1").await;
        let body = json!({"outcome": "opportunity", "occurred_at": "2026-02-01T10:00:00+01:00"});

        let outcome = recorded(app, &lead, body).await;

        assert_eq!(outcome["occurred_at"], "2026-02-01T09:00:00Z");
        let at: chrono::DateTime<chrono::Utc> =
            sqlx::query_scalar("select at from transition order by seq desc limit 1")
                .fetch_one(&mut app.database.connect().await)
                .await
                .unwrap();
        assert_eq!(at, app.now());
    })
    .await;
}

#[tokio::test]
async fn a_person_may_disqualify_a_lead_and_begin_anew_with_it() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let path = format!("/v1/leads/{lead}/stage");

        let moved = does(
            app,
            "POST",
            &path,
            json!({"stage": "disqualified", "reason": "a student", "author": "mia"}),
        )
        .await;

        assert_eq!(moved["stage"], "disqualified");
        assert_eq!(passages(app, 1).await, ["mql > disqualified: person by mia for a student"]);
        let handoff = &handoffs(app, &lead).await[0];
        assert_eq!((&handoff["state"], &handoff["reason"]), (&json!("withdrawn"), &json!("person")));
        app.advance(TimeDelta::hours(1));
        act(app, "u1", "ask", "demo_requested").await;
        assert_eq!(stage(app, &lead).await, "disqualified");
        let anew = does(app, "POST", &path, json!({"stage": "lead", "reason": "no student after all"})).await;
        assert_eq!(anew["stage"], "mql", "what the person did meanwhile counts");
        let same = does(app, "POST", &path, json!({"stage": "disqualified", "reason": "r"})).await;
        assert_eq!(same["stage"], "disqualified");
        does(app, "POST", &path, json!({"stage": "disqualified", "reason": "r"})).await;
        assert_eq!(passages(app, 1).await, ["mql > disqualified: person by admin key of the settings for r"]);
    })
    .await;
}

#[tokio::test]
async fn a_move_by_hand_that_the_table_does_not_have_is_refused() {
    run(async |app| {
        let lead = sql(app, "u1").await;
        let path = format!("/v1/leads/{lead}/stage");

        let refused = call(app, "POST", &path, &json!({"stage": "lead", "reason": "r"})).await;

        assert_eq!((refused.status.as_u16(), refused.problem()), (409, "conflict".to_owned()));
        for (body, pointer) in [
            (json!({"stage": "mql", "reason": "r"}), "/stage"),
            (json!({"stage": "recycled"}), ""),
            (json!({"stage": "disqualified", "reason": "r", "until": "2027-01-01T00:00:00Z"}), "/until"),
            (json!({"stage": "recycled", "reason": "r", "until": "2026-01-01T00:00:00Z"}), "/until"),
            (json!({"stage": "recycled", "reason": " "}), "/reason"),
        ] {
            let refused = call(app, "POST", &path, &body).await;
            assert_eq!(refused.problem(), "invalid_request", "{body}");
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body}");
        }
        does(
            app,
            "POST",
            &path,
            json!({"stage": "recycled", "reason": "r", "until": "2026-09-01T00:00:00Z"}),
        )
        .await;
        let later = does(
            app,
            "POST",
            &path,
            json!({"stage": "recycled", "reason": "r", "until": "2026-10-01T00:00:00Z"}),
        )
        .await;
        assert_eq!(later["stage"], "recycled");
        let until: chrono::DateTime<chrono::Utc> = sqlx::query_scalar("select recycled_until from lead")
            .fetch_one(&mut app.database.connect().await)
            .await
            .unwrap();
        assert_eq!(until.to_rfc3339(), "2026-10-01T00:00:00+00:00", "the date may be changed");
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_a_lead_is_recorded_after_what_it_waited_for() {
    run(async |app| {
        let lead = sql(app, "u1").await;
        let mut conn = app.database.connect().await;
        let mut other = conn.begin().await.unwrap();
        other.execute("select from lead for update").await.unwrap();
        let (waiting, path) = (app.clone(), format!("/v1/leads/{lead}/outcome"));
        let waiting = tokio::spawn(async move { call(&waiting, "POST", &path, &won(120_050)).await });
        while !app.database.is_blocked("leads::stored_leads").await {
            assert!(!waiting.is_finished(), "another has the lead");
        }
        app.advance(TimeDelta::minutes(1));

        other.rollback().await.unwrap();

        let recorded = waiting.await.unwrap();
        assert_eq!(recorded.status, 201, "{recorded:?}");
        assert_eq!(recorded.json()["recorded_at"], json!(app.now()));
    })
    .await;
}
