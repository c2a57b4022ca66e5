//! Whether the service is alive and ready, and how it stops.

use axum::http::header;
use leadscore::platform::db;
use serde_json::json;

use crate::harness::run;

#[tokio::test]
async fn a_service_that_runs_is_alive_and_ready() {
    run(async |app| {
        for path in ["/livez", "/healthz", "/readyz"] {
            let answer = app.call("GET", path, None, "").await;
            assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"status": "ok"})), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_service_that_stops_is_alive_but_no_longer_ready() {
    run(async |app| {
        app.app.stop.cancel();

        let answer = app.call("GET", "/readyz", None, "").await;

        assert_eq!((answer.status.as_u16(), answer.problem()), (503, "overloaded".to_owned()));
        assert_eq!(answer.headers[header::RETRY_AFTER], "1");
        assert_eq!(app.call("GET", "/livez", None, "").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn events_for_a_service_that_has_stopped_are_refused_and_not_lost_in_silence() {
    run(async |app| {
        let stopped = app.second_instance().await;
        stopped.events(json!({"type": "trial_started", "lead": {"user_id": "u1"}})).await;
        stopped.app.shut_down().await;

        let late = json!({"type": "trial_started", "lead": {"user_id": "u2"}}).to_string();
        let answer = stopped.post("/v1/events", late).await;

        assert_eq!((answer.status.as_u16(), answer.problem()), (503, "overloaded".to_owned()));
        assert_eq!(answer.headers[header::RETRY_AFTER], "1");
        assert_eq!(app.count("event").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_service_whose_schema_is_not_its_own_is_not_ready() {
    run(async |app| {
        sqlx::query(
            "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)",
        )
        .execute(&mut app.database.connect().await)
        .await
        .unwrap();

        let answer = app.call("GET", "/readyz", None, "").await;

        assert_eq!((answer.status.as_u16(), answer.problem()), (503, "overloaded".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_schema_with_a_newer_migration_is_fit_unless_that_says_otherwise() {
    run(async |app| {
        let mut conn = app.database.connect().await;
        sqlx::query(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
            values (29991231000000, 'newer', true, '', 0)",
        )
        .execute(&mut conn)
        .await
        .unwrap();
        assert_eq!(app.call("GET", "/readyz", None, "").await.status, 200);
        db::migrate(&app.app.db).await.unwrap();

        sqlx::query("update schema_floor set migration = 29991231000000").execute(&mut conn).await.unwrap();

        assert_eq!(app.call("GET", "/readyz", None, "").await.status, 503);
        let refused = db::migrate(&app.app.db).await.unwrap_err().to_string();
        assert!(refused.contains("too new for this version"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn what_is_acknowledged_is_on_disk_whatever_the_database_does_by_default() {
    run(async |app| {
        let theirs: String = sqlx::query_scalar("show synchronous_commit")
            .fetch_one(&mut app.database.connect().await)
            .await
            .unwrap();
        let ours: String =
            sqlx::query_scalar("show synchronous_commit").fetch_one(&app.app.db).await.unwrap();

        assert_eq!((theirs.as_str(), ours.as_str()), ("off", "on"));
    })
    .await;
}

#[tokio::test]
async fn a_connection_goes_back_without_the_transaction_that_was_left_open() {
    run(async |app| {
        for left in ["begin", "begin; select 1/0"] {
            let mut conn = app.app.db.acquire().await.unwrap();
            // Behind the driver's back, as a future does that is dropped between the two.
            let _ = sqlx::raw_sql(left).execute(&mut *conn).await;
            drop(conn);

            assert_eq!(app.database.open_transactions().await, 0, "{left}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_service_that_is_about_to_stop_serves_and_has_clients_go_elsewhere() {
    run(async |app| {
        app.app.leaving.cancel();

        assert_eq!(app.call("GET", "/readyz", None, "").await.status, 503);
        let answer = app.get("/v1/leads").await;

        assert_eq!(
            (answer.status.as_u16(), &answer.headers[header::CONNECTION]),
            (200, &"close".parse().unwrap())
        );
    })
    .await;
}
