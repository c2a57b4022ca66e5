//! The version before is kept, and a rollback brings it back in one step.

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::json;

use super::{call, progress, roles, standing, states};
use crate::harness::{
    models::{publish, visit, visits},
    run,
};

#[tokio::test]
async fn a_rollback_is_one_step_and_brings_back_every_score_with_what_happened_since() {
    run(async |app| {
        let old = publish(app, &visits(1)).await;
        visit(app, "ann", 2).await;
        let new = publish(app, &visits(10)).await;
        visit(app, "ann", 1).await;
        visit(app, "bob", 1).await;
        assert_eq!(standing(app).await, ["ann 30 lead", "bob 10 lead"]);

        let answer = call(app, "POST", &new, "rollback", "").await;

        assert_eq!((answer.status, &answer.json()["model_id"]), (StatusCode::OK, &json!(old)));
        assert_eq!(standing(app).await, ["ann 3 lead", "bob 1 lead"]);
        app.run_due().await;
        assert_eq!(roles(app).await[..2], ["retired: previous", "published: live"]);
        // And forth again: the newer one is now the one before.
        assert_eq!(call(app, "POST", &new, "rollback", "").await.status, StatusCode::OK);
        assert_eq!(standing(app).await, ["ann 30 lead", "bob 10 lead"]);
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn the_version_before_is_kept_for_a_week() {
    run(async |app| {
        let old = publish(app, &visits(1)).await;
        visit(app, "ann", 2).await;
        let new = publish(app, &visits(10)).await;
        let until = app.now() + TimeDelta::days(7);
        assert_eq!(progress(app, &old).await["kept_until"], json!(until));

        app.advance(TimeDelta::days(7));
        app.run_due().await;

        assert_eq!(states(app, &old).await, 0);
        assert_eq!(call(app, "POST", &new, "rollback", "").await.problem(), "conflict");
        assert_eq!(app.get(&format!("/v1/models/{old}/progress")).await.problem(), "not_found");
        assert_eq!(roles(app).await[..2], ["published: live", "retired: -"]);
    })
    .await;
}

#[tokio::test]
async fn only_the_last_version_before_is_kept() {
    run(async |app| {
        let first = publish(app, &visits(1)).await;
        visit(app, "ann", 2).await;
        let second = publish(app, &visits(2)).await;

        publish(app, &visits(3)).await;

        assert_eq!((states(app, &first).await, states(app, &second).await), (0, 1));
    })
    .await;
}
