//! Versions going live, and back: nobody's score jumps unexplained, and sales is not flooded.

use axum::http::StatusCode;
use chrono::TimeDelta;
use leadscore::publishing::jobs::{Step, rebuild_step};
use serde_json::{Value, json};
use sqlx::Executor;

use crate::harness::{
    ADMIN, Answer, TestApp,
    models::{add, begin, publish, visit, visits},
    rebuild_next, run,
};

async fn call(app: &TestApp, method: &str, model: &str, verb: &str, body: &str) -> Answer {
    app.call(method, &format!("/v1/models/{model}/{verb}"), Some(ADMIN), body.to_owned()).await
}

async fn phase(app: &TestApp, model: &str) -> String {
    progress(app, model).await["phase"].as_str().unwrap().to_owned()
}

async fn progress(app: &TestApp, model: &str) -> Value {
    let answer = app.get(&format!("/v1/models/{model}/progress")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// `user score stage` of every lead, best first.
async fn standing(app: &TestApp) -> Vec<String> {
    let leads = app.get("/v1/leads").await.json();
    let said = |lead: &Value| {
        format!("{} {} {}", lead["user_id"].as_str().unwrap(), lead["score"], lead["stage"].as_str().unwrap())
    };
    leads["data"].as_array().unwrap().iter().map(said).collect()
}

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

async fn states(app: &TestApp, model: &str) -> i64 {
    sqlx::query_scalar("select count(*) from score where model_id = $1::uuid")
        .bind(model)
        .fetch_one(&mut app.database.connect().await)
        .await
        .unwrap()
}

async fn roles(app: &TestApp) -> Vec<String> {
    let versions = app.get("/v1/models").await.json();
    let said =
        |one: &Value| format!("{}: {}", one["state"].as_str().unwrap(), one["role"].as_str().unwrap_or("-"));
    versions["data"].as_array().unwrap().iter().map(said).collect()
}

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
async fn progress_tells_how_far_it_is_how_fast_and_how_long_it_takes() {
    run(async |app| {
        for user in ["a", "b", "c", "d", "e", "f"] {
            visit(app, user, 1).await;
        }
        let new = begin(app, &visits(10)).await;
        let before = progress(app, &new).await;
        rebuild_next(app, 1).await.unwrap();
        app.advance(TimeDelta::seconds(1));
        rebuild_next(app, 2).await.unwrap();

        let between = progress(app, &new).await;

        assert_eq!((&before["leads_done"], &before["leads_total"]), (&json!(0), &json!(6)));
        assert_eq!((&before["leads_per_second"], &before["seconds_left"]), (&json!(null), &json!(null)));
        assert_eq!((&between["leads_done"], &between["leads_total"]), (&json!(3), &json!(6)));
        assert_eq!((&between["leads_per_second"], &between["seconds_left"]), (&json!(3.0), &json!(1)));
        app.run_due().await;
        let after = progress(app, &new).await;
        assert_eq!((&after["leads_done"], &after["phase"]), (&json!(6), &json!("live")));
        assert_eq!(after["live_since"], json!(app.now()));
    })
    .await;
}

#[tokio::test]
async fn progress_tells_how_much_of_the_log_has_been_read() {
    run(async |app| {
        for user in ["a", "b"] {
            visit(app, user, 1).await;
        }
        let new = begin(app, &visits(10)).await;
        let before = progress(app, &new).await;

        assert_eq!(rebuild_step(&app.app.publishing, 1).await.unwrap(), Step::Read, "the pass begins");
        assert_eq!(rebuild_step(&app.app.publishing, 1).await.unwrap(), Step::Read, "the log is read");
        assert_eq!(rebuild_step(&app.app.publishing, 1).await.unwrap(), Step::Rebuilt(1));

        assert_eq!((&before["log_read"], &before["leads_done"]), (&json!(0.0), &json!(0)));
        let after = progress(app, &new).await;
        assert_eq!((&after["log_read"], &after["leads_done"]), (&json!(1.0), &json!(1)));
        app.run_due().await;
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

#[tokio::test]
async fn a_version_whose_own_tests_fail_is_not_published() {
    run(async |app| {
        let mut document = visits(1);
        document["tests"] = json!([{"name": "a visit is worth two", "as_of": "2026-01-02T00:00:00Z",
            "events": [{"type": "page_viewed", "occurred_at": "2026-01-01T00:00:00Z"}], "expect": {"score": 2}}]);
        let id = add(app, &document).await;

        let answer = call(app, "POST", &id, "publish", "").await;

        assert_eq!(answer.problem(), "invalid_request");
        assert_eq!(
            answer.json()["errors"][0]["message"],
            "a visit is worth two: score should be 2 but is 1"
        );
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_published_says_why() {
    run(async |app| {
        let live = publish(app, &visits(1)).await;
        visit(app, "ann", 1).await;
        let under_way = begin(app, &visits(2)).await;
        let other = add(app, &visits(3)).await;
        let unknown = "01a4de95-2b41-7835-a2fd-cd4d4cf496d4";

        assert_eq!(call(app, "POST", &live, "publish", "").await.problem(), "conflict");
        let busy = call(app, "POST", &other, "publish", "").await;
        assert_eq!(busy.problem(), "conflict");
        assert!(busy.json()["message"].as_str().unwrap().contains(&under_way), "{busy:?}");
        assert_eq!(call(app, "POST", unknown, "publish", "").await.problem(), "not_found");
        assert_eq!(call(app, "POST", unknown, "rollback", "").await.problem(), "not_found");
        assert_eq!(call(app, "POST", &other, "rollback", "").await.problem(), "conflict");
        assert_eq!(call(app, "GET", &other, "progress", "").await.problem(), "not_found");
        assert_eq!(call(app, "PUT", &live, "shadow", "").await.problem(), "conflict");
        assert_eq!(call(app, "DELETE", &other, "shadow", "").await.problem(), "not_found");
        let odd = call(app, "POST", &other, "publish", r#"{"offer": true}"#).await;
        assert_eq!(odd.problem(), "invalid_request");
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn a_version_never_changes_once_leads_are_scored_by_it() {
    run(async |app| {
        visit(app, "ann", 1).await;
        let under_way = begin(app, &visits(2)).await;
        let path = format!("/v1/models/{under_way}");

        assert_eq!(app.call("PUT", &path, Some(ADMIN), visits(9).to_string()).await.problem(), "conflict");
        assert_eq!(app.call("DELETE", &path, Some(ADMIN), "").await.problem(), "conflict");
        app.run_due().await;
        assert_eq!(app.call("PUT", &path, Some(ADMIN), visits(9).to_string()).await.problem(), "conflict");
    })
    .await;
}

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
