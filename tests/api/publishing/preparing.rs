//! A version is prepared while the one before it serves.

use axum::http::StatusCode;
use chrono::TimeDelta;
use leadscore::publishing::jobs::{Step, rebuild_step};
use serde_json::json;
use sqlx::Executor;

use super::{call, phase, progress, roles, standing, states};
use crate::harness::{
    models::{begin, publish, visit, visits},
    rebuild_next, run,
};

#[tokio::test]
async fn the_old_version_serves_until_every_lead_has_a_state_under_the_new_one() {
    run(async |app| {
        publish(app, &visits(1)).await;
        for user in ["ann", "bob", "cid"] {
            visit(app, user, 3).await;
        }
        let new = begin(app, &visits(10)).await;

        rebuild_next(app, 2).await.unwrap();

        assert_eq!(states(app, &new).await, 2);
        assert_eq!(phase(app, &new).await, "rebuilding");
        assert_eq!(standing(app).await, ["cid 3 lead", "bob 3 lead", "ann 3 lead"]);
        rebuild_next(app, 2).await.unwrap();
        assert_eq!(standing(app).await, ["cid 3 lead", "bob 3 lead", "ann 3 lead"]);
        rebuild_next(app, 2).await.unwrap();
        assert_eq!(standing(app).await, ["cid 30 lead", "bob 30 lead", "ann 30 lead"]);
        assert_eq!(phase(app, &new).await, "settling");
        app.run_due().await;
        assert_eq!(phase(app, &new).await, "live");
        assert_eq!(roles(app).await, ["published: live", "retired: previous", "retired: -"]);
    })
    .await;
}

#[tokio::test]
async fn events_that_arrive_meanwhile_count_in_both() {
    run(async |app| {
        publish(app, &visits(1)).await;
        visit(app, "done", 1).await;
        visit(app, "to-do", 1).await;
        begin(app, &visits(10)).await;
        rebuild_next(app, 1).await.unwrap();

        visit(app, "done", 1).await;
        visit(app, "to-do", 2).await;
        visit(app, "born", 4).await;

        assert_eq!(standing(app).await, ["born 4 lead", "to-do 3 lead", "done 2 lead"]);
        app.run_due().await;
        assert_eq!(standing(app).await, ["born 40 lead", "to-do 30 lead", "done 20 lead"]);
    })
    .await;
}

#[tokio::test]
async fn identities_that_join_while_a_version_is_prepared_are_one_lead_under_it() {
    run(async |app| {
        publish(app, &visits(1)).await;
        app.events(json!([{"type": "page_viewed", "lead": {"anonymous_id": "phone"}}])).await;
        app.events(json!([{"type": "page_viewed", "lead": {"anonymous_id": "laptop"}}])).await;
        visit(app, "ann", 1).await;
        begin(app, &visits(10)).await;
        rebuild_next(app, 1).await.unwrap();

        for device in ["phone", "laptop"] {
            app.events(json!({"type": "identify", "lead": {"anonymous_id": device, "user_id": "ann"}})).await;
        }

        app.run_due().await;
        assert_eq!(standing(app).await, ["ann 30 lead"]);
    })
    .await;
}

#[tokio::test]
async fn what_happens_between_the_reading_of_the_log_and_a_leads_turn_counts() {
    run(async |app| {
        for user in ["ann", "bob", "cid", "dan"] {
            visit(app, user, 3).await;
        }
        begin(app, &visits(10)).await;
        assert_eq!(rebuild_step(&app.app.publishing, 10).await.unwrap(), Step::Read, "the pass begins");
        visit(app, "ann", 1).await;
        assert_eq!(rebuild_step(&app.app.publishing, 10).await.unwrap(), Step::Read, "the log is read");
        visit(app, "bob", 1).await;
        let phone = json!({"anonymous_id": "phone"});
        app.events(json!([{"type": "page_viewed", "lead": phone}])).await;
        let both = json!({"user_id": "cid", "anonymous_id": "phone"});
        app.events(json!([{"type": "identify", "lead": both}])).await;

        app.run_due().await;

        assert_eq!(standing(app).await, ["cid 40 lead", "bob 40 lead", "ann 40 lead", "dan 30 lead"]);
    })
    .await;
}

#[tokio::test]
async fn a_log_that_is_moved_to_another_file_while_it_is_read_is_read_again() {
    run(async |app| {
        visit(app, "ann", 3).await;
        let new = begin(app, &visits(10)).await;
        assert_eq!(rebuild_step(&app.app.publishing, 10).await.unwrap(), Step::Read, "the pass begins");
        app.database.connect().await.execute("vacuum full event").await.unwrap();

        assert_eq!(rebuild_step(&app.app.publishing, 10).await.unwrap(), Step::Read, "in vain");
        assert_eq!(progress(app, &new).await["log_read"], json!(0.0));

        app.run_due().await;
        assert_eq!(standing(app).await, ["ann 30 lead"]);
    })
    .await;
}

#[tokio::test]
async fn a_version_that_is_being_prepared_can_be_given_up() {
    run(async |app| {
        let live = publish(app, &visits(1)).await;
        visit(app, "ann", 2).await;
        visit(app, "bob", 2).await;
        let new = begin(app, &visits(10)).await;
        rebuild_next(app, 1).await.unwrap();

        let answer = call(app, "POST", &new, "rollback", "").await;

        assert_eq!(answer.json()["phase"], "removing");
        assert_eq!(
            call(app, "POST", &new, "publish", "").await.problem(),
            "conflict",
            "not before it is removed"
        );
        app.run_due().await;
        assert_eq!((states(app, &new).await, states(app, &live).await), (0, 2));
        assert_eq!(standing(app).await, ["bob 2 lead", "ann 2 lead"]);
        assert_eq!(call(app, "POST", &new, "publish", "").await.status, StatusCode::ACCEPTED);
        app.run_due().await;
        assert_eq!(standing(app).await, ["bob 20 lead", "ann 20 lead"]);
    })
    .await;
}

#[tokio::test]
async fn a_run_belongs_to_one_instance_until_that_is_silent_for_five_seconds() {
    run(async |app| {
        for user in ["a", "b", "c"] {
            visit(app, user, 1).await;
        }
        let second = app.second_instance().await;
        let new = begin(app, &visits(10)).await;
        assert_eq!(rebuild_next(app, 1).await.unwrap(), 1);

        assert_eq!(rebuild_next(&second, 1).await.unwrap(), 0, "the first is at work on it");
        app.advance(TimeDelta::seconds(5));
        assert_eq!(rebuild_next(&second, 1).await.unwrap(), 1, "the first was killed");
        assert_eq!(rebuild_next(app, 1).await.unwrap(), 0);

        second.run_due().await;
        assert_eq!(phase(app, &new).await, "live");
        assert_eq!(standing(app).await, ["c 10 lead", "b 10 lead", "a 10 lead"]);
        second.app.shut_down().await;
    })
    .await;
}
