//! A version is scored on the same traffic beside the one that is live.

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::json;

use super::{call, roles, standing, states};
use crate::harness::{
    models::{add, begin, publish, visit, visits},
    rebuild_next, run,
};

#[tokio::test]
async fn a_version_in_shadow_is_scored_on_the_same_traffic_and_decides_nothing() {
    run(async |app| {
        publish(app, &visits(1)).await;
        visit(app, "ann", 3).await;
        let shadow = add(app, &visits(10)).await;
        assert_eq!(call(app, "PUT", &shadow, "shadow", "").await.status, StatusCode::ACCEPTED);
        app.run_due().await;

        visit(app, "ann", 3).await;

        assert_eq!(standing(app).await, ["ann 6 lead"]);
        let score: i32 = sqlx::query_scalar("select score from score where model_id = $1::uuid")
            .bind(&shadow)
            .fetch_one(&mut app.database.connect().await)
            .await
            .unwrap();
        assert_eq!(score, 60);
        assert_eq!(roles(app).await[0], "draft: shadow");
        // Leads have states under it: it goes live at once.
        call(app, "POST", &shadow, "publish", "").await;
        assert_eq!(standing(app).await, ["ann 60 lead"]);
        app.run_due().await;
        assert_eq!(standing(app).await, ["ann 60 mql"]);
    })
    .await;
}

#[tokio::test]
async fn a_shadow_that_ends_leaves_nothing_behind() {
    run(async |app| {
        visit(app, "ann", 3).await;
        let shadow = add(app, &visits(10)).await;
        call(app, "PUT", &shadow, "shadow", "").await;
        app.run_due().await;

        assert_eq!(call(app, "DELETE", &shadow, "shadow", "").await.status, StatusCode::NO_CONTENT);

        app.run_due().await;
        assert_eq!(states(app, &shadow).await, 0);
        assert_eq!(roles(app).await[0], "draft: -");
    })
    .await;
}

#[tokio::test]
async fn scores_that_change_by_themselves_do_so_under_every_version() {
    run(async |app| {
        let fading = |points: i64| {
            let mut document = visits(points);
            document["dimensions"]["engagement"]["groups"][0]["rules"][0]["window"] = json!("1h");
            document
        };
        publish(app, &fading(1)).await;
        visit(app, "ann", 3).await;
        begin(app, &fading(10)).await;
        rebuild_next(app, 1).await.unwrap();
        app.advance(TimeDelta::hours(1));

        app.run_due().await;

        assert_eq!(standing(app).await, ["ann 0 lead"]);
    })
    .await;
}
