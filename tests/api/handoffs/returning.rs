//! Sales gives a lead back: a rejection says where the lead goes, a recycled one waits.

use chrono::TimeDelta;
use serde_json::json;

use super::states;
use crate::harness::{
    run,
    sales::{act, answer, answered, last_passage, mql, open, stage},
};

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
