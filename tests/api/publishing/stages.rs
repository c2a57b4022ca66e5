//! What a version that goes live does to the stages of leads.

use chrono::TimeDelta;

use super::{call, standing};
use crate::harness::{
    TestApp,
    models::{add, begin, publish, visit, visits},
    rebuild_next, run,
};

async fn queue(app: &TestApp) -> Vec<String> {
    let page = app.get("/v1/queues/sales/leads").await.json();
    page["data"].as_array().unwrap().iter().map(|lead| lead["user_id"].as_str().unwrap().to_owned()).collect()
}

async fn passages(app: &TestApp) -> Vec<String> {
    sqlx::query_scalar(
        "select from_stage || ' > ' || to_stage || ': ' || cause from transition order by at, id",
    )
    .fetch_all(&mut app.database.connect().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn whom_only_the_new_version_makes_an_mql_is_not_offered_to_sales_before_doing_something_again() {
    run(async |app| {
        publish(app, &visits(1)).await;
        visit(app, "ann", 6).await;
        visit(app, "bob", 6).await;

        publish(app, &visits(10)).await;

        assert_eq!(standing(app).await, ["bob 60 mql", "ann 60 mql"]);
        assert_eq!(passages(app).await, ["lead > mql: model_change", "lead > mql: model_change"]);
        assert_eq!(queue(app).await, [""; 0]);
        app.advance(TimeDelta::hours(1));
        visit(app, "ann", 1).await;
        assert_eq!(queue(app).await, ["ann"]);
        assert_eq!(app.lead("ann").await["qualified_by"], "threshold");
        assert_eq!(app.lead("bob").await["qualified_by"], "model_change");
    })
    .await;
}

#[tokio::test]
async fn sales_is_offered_whom_the_new_version_makes_an_mql_if_that_is_asked_for() {
    run(async |app| {
        publish(app, &visits(1)).await;
        visit(app, "ann", 6).await;
        let new = add(app, &visits(10)).await;

        call(app, "POST", &new, "publish", r#"{"offer_to_sales": true}"#).await;
        app.run_due().await;

        assert_eq!(passages(app).await, ["lead > mql: model_change"]);
        assert_eq!(queue(app).await, ["ann"]);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_meets_a_lead_before_its_stage_was_looked_at_does_not_hide_what_the_version_did() {
    run(async |app| {
        publish(app, &visits(1)).await;
        visit(app, "ripe", 6).await;
        visit(app, "nearly", 4).await;
        begin(app, &visits(10)).await;
        app.advance(TimeDelta::hours(1));
        while rebuild_next(app, 10).await.unwrap() > 0 {}

        visit(app, "ripe", 1).await;
        visit(app, "nearly", 1).await;

        assert_eq!(passages(app).await, ["lead > mql: model_change", "lead > mql: threshold"]);
        assert_eq!(queue(app).await, ["ripe", "nearly"], "both did something since");
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn whom_the_new_version_holds_too_low_leaves_after_the_dwell_by_its_doing() {
    run(async |app| {
        publish(app, &visits(10)).await;
        visit(app, "ann", 6).await;
        assert_eq!(queue(app).await, ["ann"]);

        publish(app, &visits(1)).await;

        assert_eq!(standing(app).await, ["ann 6 mql"]);
        app.advance(TimeDelta::days(1) - TimeDelta::microseconds(1));
        assert_eq!(app.run_due().await, 0);
        app.advance(TimeDelta::microseconds(1));
        app.run_due().await;
        assert_eq!(standing(app).await, ["ann 6 lead"]);
        assert_eq!(passages(app).await, ["lead > mql: threshold", "mql > lead: model_change"]);
    })
    .await;
}
