//! Whatever is done, in any order: no move is made that the table has not.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use leadscore::leads::{Cause, Stage};
use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::harness::{
    Answer, TestApp, call,
    models::{publish, visits},
    run,
    sales::{change_policy, change_terms, changes},
};

/// One thing that may be done to a lead, or to all.
#[derive(Debug, Clone)]
enum Deed {
    Event(usize, &'static str),
    Answer(usize, &'static str),
    Offer(usize),
    Outcome(usize, &'static str),
    Correct(usize, &'static str),
    Move(usize, &'static str),
    Join(usize, usize),
    Wait(i64),
    Terms(Value),
    Exclude(bool),
    Publish(i64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let who = 0..3_usize;
    let of = |words: &'static [&'static str]| proptest::sample::select(words);
    let kinds = of(&[
        "page_viewed",
        "trial_started",
        "chat_started",
        "demo_requested",
        "email_unsubscribed",
        "review_negative",
        "complaint_received",
        "do_not_contact_requested",
        "webinar_attended",
    ]);
    let terms = proptest::sample::select(vec![
        json!({"auto_sql": {"min_score": 40}}),
        json!({"auto_sql": null, "auto_offer": false}),
        json!({"auto_offer": true, "expires_after": "2d", "expired_to": "lead"}),
        json!({"expires_after": null, "accept_needs": {"framework": "bant", "answered": 1}}),
        json!({"accept_needs": null}),
    ]);
    prop_oneof![
        8 => (who.clone(), kinds).prop_map(|(who, kind)| Deed::Event(who, kind)),
        5 => (who.clone(), of(&["accept", "reject", "recycle", "reassign"])).prop_map(|(who, verb)| Deed::Answer(who, verb)),
        2 => who.clone().prop_map(Deed::Offer),
        4 => (who.clone(), of(&["opportunity", "won", "lost"])).prop_map(|(who, what)| Deed::Outcome(who, what)),
        1 => (who.clone(), of(&["opportunity", "won", "lost"])).prop_map(|(who, what)| Deed::Correct(who, what)),
        2 => (who.clone(), of(&["lead", "recycled", "disqualified"])).prop_map(|(who, to)| Deed::Move(who, to)),
        1 => (who.clone(), who).prop_map(|(from, into)| Deed::Join(from, into)),
        4 => (1..40_i64).prop_map(Deed::Wait),
        1 => terms.prop_map(Deed::Terms),
        1 => any::<bool>().prop_map(Deed::Exclude),
        1 => (1..4_i64).prop_map(Deed::Publish),
    ]
}

/// The lead that a person is now.
async fn lead_of(app: &TestApp, who: usize) -> Option<String> {
    let leads = app.get(&format!("/v1/leads?q=p{who}")).await.json();
    Some(leads["data"][0]["id"].as_str()?.to_owned())
}

async fn do_it(app: &TestApp, round: usize, step: usize, deed: &Deed) {
    match deed {
        Deed::Wait(days) => {
            app.advance(TimeDelta::days(*days));
            app.run_due().await;
        }
        Deed::Terms(terms) => change_terms(app, terms.clone()).await,
        Deed::Exclude(some) => {
            let lines = if *some { json!([{"label": "other", "tag": "odd"}]) } else { json!([]) };
            change_policy(app, json!({"exclusions": lines})).await;
            let odd = json!({"type": "identify", "lead": {"user_id": "p0"}, "traits": {"tags": ["odd"]}});
            app.events(odd).await;
        }
        Deed::Publish(points) => {
            publish(app, &visits(points * 20)).await;
        }
        of_a_lead => {
            let Some(answer) = ask(app, round, step, of_a_lead).await else { return };
            let status = answer.status.as_u16();
            assert!([200, 201, 409].contains(&status), "{deed:?}: {answer:?}");
        }
    }
}

/// A call about one lead; none if there is nothing to call about.
async fn ask(app: &TestApp, round: usize, step: usize, deed: &Deed) -> Option<Answer> {
    let id = format!("{round}-{step}");
    let (path, body) = match deed {
        Deed::Event(who, kind) => {
            let event = json!({"id": id, "type": kind, "lead": {"user_id": format!("p{who}")}});
            ("/v1/events".to_owned(), event)
        }
        Deed::Join(from, into) if from != into => {
            let alias =
                json!({"messageId": id, "userId": format!("p{into}"), "previousId": format!("p{from}")});
            ("/v1/alias".to_owned(), alias)
        }
        Deed::Answer(who, verb) => answering(app, *who, verb, step).await?,
        Deed::Offer(who) => (format!("/v1/leads/{}/handoff", lead_of(app, *who).await?), json!({})),
        Deed::Outcome(who, what) => {
            (format!("/v1/leads/{}/outcome", lead_of(app, *who).await?), outcome(what))
        }
        Deed::Correct(who, what) => correcting(app, *who, what).await?,
        Deed::Move(who, to) => {
            let lead = lead_of(app, *who).await?;
            (format!("/v1/leads/{lead}/stage"), json!({"stage": to, "reason": "r"}))
        }
        _ => return None,
    };
    Some(call(app, "POST", &path, &body).await)
}

fn outcome(what: &str) -> Value {
    match what {
        "won" => json!({"outcome": "won", "amount": 1, "currency": "EUR"}),
        "lost" => json!({"outcome": "lost", "reason": "price"}),
        other => json!({"outcome": other}),
    }
}

/// An answer to the newest handoff of a lead.
async fn answering(app: &TestApp, who: usize, verb: &str, step: usize) -> Option<(String, Value)> {
    let lead = lead_of(app, who).await?;
    let found = app.get(&format!("/v1/handoffs?lead_id={lead}")).await.json();
    let body = match verb {
        "reject" => json!({"reason": (["other", "no_need", "not_a_fit"])[step % 3]}),
        "reassign" => json!({"rep": format!("rep-{step}")}),
        _ => json!({}),
    };
    Some((format!("/v1/handoffs/{}/{verb}", found["data"][0]["id"].as_str()?), body))
}

/// An outcome in the place of the last one.
async fn correcting(app: &TestApp, who: usize, what: &str) -> Option<(String, Value)> {
    let lead = lead_of(app, who).await?;
    let all = app.get(&format!("/v1/leads/{lead}/outcomes")).await.json();
    let mut body = outcome(what);
    body["replaces"] = all["data"].as_array()?.last()?["id"].clone();
    Some((format!("/v1/leads/{lead}/outcome"), body))
}

/// What must hold of every lead, whatever was done.
async fn check(app: &TestApp) {
    let moves = moves(app).await;
    check_stages(app, &moves).await;
    check_handoffs(app).await;
    check_feed(app).await;
}

/// Where the moves of every lead end, with its cycle then. Each move is one of the table, and begins where the one
/// before ended.
async fn moves(app: &TestApp) -> BTreeMap<uuid::Uuid, (Stage, i32)> {
    let rows: Vec<(uuid::Uuid, Cause, Stage, Stage, i32)> =
        sqlx::query_as("select lead_id, cause, from_stage, to_stage, cycle from transition order by seq")
            .fetch_all(&mut app.database.connect().await)
            .await
            .unwrap();
    let mut ends: BTreeMap<uuid::Uuid, (Stage, i32)> = BTreeMap::new();
    for (lead, cause, from, to, cycle) in &rows {
        assert!(cause.allows(*from, *to), "{from:?} > {to:?}: {cause:?}");
        if let Some((stage, former)) = ends.insert(*lead, (*to, *cycle)) {
            assert_eq!(stage, *from, "a move is missing: {rows:?}");
            let enters = *to == Stage::Mql && *cause != Cause::Merge;
            assert!(*cycle >= former + i32::from(enters), "{rows:?}");
        }
    }
    ends
}

/// Every lead stands where its moves end, and the ranking says so too.
async fn check_stages(app: &TestApp, moves: &BTreeMap<uuid::Uuid, (Stage, i32)>) {
    let leads: Vec<(uuid::Uuid, Stage, i32, bool, Option<String>)> = sqlx::query_as(
        "select l.id, l.stage, l.cycle, l.merged_into is null, s.stage
        from lead l left join score s on s.lead_id = l.id
            and s.model_id = (select model_id from scored_model where live_since is not null)",
    )
    .fetch_all(&mut app.database.connect().await)
    .await
    .unwrap();
    for (id, stage, cycle, lives, ranked) in leads {
        if let Some((last, kept)) = moves.get(&id) {
            assert_eq!(*last, stage);
            assert!(*kept <= cycle);
        }
        assert!(
            !lives || ranked.as_deref() == Some(stage.as_str()),
            "the ranking says {ranked:?}, not {stage:?}"
        );
    }
}

async fn check_handoffs(app: &TestApp) {
    let astray: Vec<String> = sqlx::query_scalar(
        "select l.id || ' ' || l.stage || ' ' || h.state || ' ' || (l.merged_into is not null)
        from handoff h join lead l on l.id = h.lead_id
        where l.merged_into is not null or (h.state = 'open' and l.stage <> 'mql')",
    )
    .fetch_all(&mut app.database.connect().await)
    .await
    .unwrap();
    assert!(astray.is_empty(), "a handoff is open of no MQL, or is of a lead that is no more: {astray:?}");
}

/// The feed tells every move once. It has forgotten the older ones.
async fn check_feed(app: &TestApp) {
    let since = app.now() - TimeDelta::days(29);
    let kept: i64 = sqlx::query_scalar("select count(*) from transition where at > $1")
        .bind(since)
        .fetch_one(&mut app.database.connect().await)
        .await
        .unwrap();
    let recent = |one: &&Value| one["at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap() > since;
    let feed = changes(app).await;
    let told = feed.iter().filter(|one| one["type"] == "lead.stage_changed").filter(recent).count();
    assert_eq!(told as i64, kept, "the feed tells every move once");
}

#[tokio::test]
async fn whatever_is_done_no_move_is_made_that_the_table_has_not_and_none_is_left_untold() {
    let cases = std::env::var("LEADSCORE_CASES").map_or(12, |cases| cases.parse().unwrap());
    let mut runner = TestRunner::deterministic();
    for round in 0..cases {
        let deeds = vec(deed(), 40..60).new_tree(&mut runner).unwrap().current();
        run(async |app| {
            publish(app, &visits(20)).await;
            for (step, deed) in deeds.iter().enumerate() {
                do_it(app, round, step, deed).await;
            }
            app.run_due().await;
            check(app).await;
        })
        .await;
    }
}
