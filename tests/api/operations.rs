//! What operators and their tools see: health, counters, request ids, and answers outside every room.

use axum::{
    body::Body,
    http::{Request, header},
};
use chrono::TimeDelta;
use leadscore::{
    app::{App, Settings},
    feed::{
        outbox::{Change, Kind, publish},
        webhooks::jobs::FanOut,
    },
    platform::{
        db,
        ids::{Ids, LeadId},
        sweep::Sweep,
    },
    routes,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use tower::ServiceExt;

use crate::harness::{ADMIN, TestApp, WRITE, run, shown};

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

            assert_eq!(app.database.idle_in_transaction().await, 0, "{left}");
        }
    })
    .await;
}

#[tokio::test]
async fn odd_methods_and_paths_make_no_series_of_their_own() {
    run(async |app| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let service = counting(app, &recorder).await;
        let _counted = metrics::set_default_local_recorder(&recorder);
        let series = async || {
            let text = String::from_utf8(service.call("GET", "/metrics", None, "").await.body).unwrap();
            text.lines().filter(|line| line.starts_with("leadscore_http_seconds")).count()
        };
        for method in ["GET", "ODD"] {
            service.call(method, "/v1/leads", None, "").await;
            service.call(method, "/nowhere", None, "").await;
        }
        let before = series().await;

        for number in 0..200 {
            service.call(&format!("ODD{number}"), "/v1/leads", None, "").await;
            service.call(&format!("ODD{number}"), &format!("/nowhere/{number}"), None, "").await;
        }

        // The scrape before is counted since.
        assert!(series().await <= before + 12, "{} and then {}", before, series().await);
        service.app.shut_down().await;
    })
    .await;
}

/// The same service, with a recorder that counts for it.
async fn counting(app: &TestApp, recorder: &metrics_exporter_prometheus::PrometheusRecorder) -> TestApp {
    let pools = db::connect(app.database.options(), 2, 1).await.unwrap();
    let clock = app.app.clock.clone();
    let service =
        App::start(pools, clock.clone(), Ids::seeded(clock, 3), recorder.handle(), Settings::default());
    TestApp {
        router: routes::router(&service),
        app: service,
        database: app.database.clone(),
        amazon: app.amazon.clone(),
    }
}

#[tokio::test]
async fn the_counters_are_prometheus_text_and_name_nobody() {
    run(async |app| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let service = counting(app, &recorder).await;
        let _counted = metrics::set_default_local_recorder(&recorder);
        let sent = service
            .events(json!({"type": "demo_requested", "lead": {"user_id": "secretive", "email": "jane@acme.example"}}))
            .await;
        let lead = sent["leads"][0]["lead_id"].as_str().unwrap();
        for path in [&format!("/v1/leads/{lead}"), "/v1/leads?email=jane@acme.example&q=secretive", "/nowhere/jane@acme.example"] {
            service.get(path).await;
        }

        let answer = service.call("GET", "/metrics", None, "").await;

        assert_eq!(answer.headers[header::CONTENT_TYPE], "text/plain; version=0.0.4");
        let text = String::from_utf8(answer.body).unwrap();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("leadscore_") && value.parse::<f64>().is_ok(), "{line}");
        }
        assert!(text.contains("leadscore_events_total{outcome=\"accepted\"} 1"), "{text}");
        assert!(text.contains("route=\"/v1/leads/{id}\",status=\"200\""), "{text}");
        assert!(text.contains("leadscore_events_waiting 0"), "{text}");
        for name in [lead, "secretive", "acme", ADMIN, WRITE, "nowhere"] {
            assert!(!text.contains(name), "{name} in {text}");
        }
        service.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn the_counters_say_how_long_the_oldest_webhook_waits() {
    run(async |app| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let service = counting(app, &recorder).await;
        let _counted = metrics::set_default_local_recorder(&recorder);
        let made = service.post("/v1/webhooks", r#"{"url": "https://crm.example/"}"#).await.json();
        let lead_id = LeadId(app.app.ids.next());
        let change = Change { lead_id, kind: Kind::Erased, at: app.now(), data: json!({}) };
        publish(&mut app.database.connect().await, &app.app.ids, &[change]).await.unwrap();
        FanOut::run_once(&service.app.webhooks).await.unwrap();
        app.advance(TimeDelta::seconds(90));
        let waiting = async || {
            let text = String::from_utf8(service.call("GET", "/metrics", None, "").await.body).unwrap();
            let name = "leadscore_webhook_oldest_waiting_seconds ";
            text.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned()
        };

        assert_eq!(waiting().await, "90");
        let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
        service.call("PATCH", &path, Some(ADMIN), r#"{"enabled": false}"#).await;
        assert_eq!(waiting().await, "0", "nobody expects anything of one that is disabled");
        service.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn a_request_id_that_is_given_is_echoed_and_one_is_made_otherwise() {
    run(async |app| {
        let given = Request::get("/v1/leads/nobody")
            .header(header::AUTHORIZATION, format!("Bearer {ADMIN}"))
            .header("x-request-id", "my-own-id");

        let echoed = app.send(given.body(Body::empty()).unwrap()).await;
        let made = app.get("/v1/leads/nobody").await;

        assert_eq!(
            (&echoed.headers["x-request-id"], &echoed.json()["request_id"]),
            (&"my-own-id".parse().unwrap(), &json!("my-own-id"))
        );
        let id = made.headers["x-request-id"].to_str().unwrap().to_owned();
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
        assert_eq!(made.json()["request_id"], id);
        for odd in [&"a".repeat(5_000), "two words", "quo\"te", ""] {
            let given = Request::get("/livez").header("x-request-id", odd);
            let answer = app.send(given.body(Body::empty()).unwrap()).await;
            let id = answer.headers["x-request-id"].to_str().unwrap();
            assert!(uuid::Uuid::parse_str(id).is_ok(), "{odd} became {id}");
        }
        assert!(app.get("/livez").await.headers.contains_key("x-request-id"), "successes have one too");
    })
    .await;
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_are_problems_too() {
    run(async |app| {
        for (method, path, status, code) in [
            ("GET", "/v1/nothing", 404, "not_found"),
            ("POST", "/", 404, "not_found"),
            ("GET", "/v1/leads/", 404, "not_found"),
            ("GET", "/v1/events", 405, "method_not_allowed"),
            ("DELETE", "/v1/leads", 405, "method_not_allowed"),
            ("PATCH", "/v1/track", 405, "method_not_allowed"),
        ] {
            let answer = app.call(method, path, None, "").await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem().as_str()),
                (status, code),
                "{method} {path}"
            );
        }
        let answer = app.call("GET", "/v1/events", None, "").await;
        assert_eq!(answer.headers[header::ALLOW], "POST");
        insta::assert_snapshot!(shown(&answer.json()), @r#"
        {
          "code": "method_not_allowed",
          "detail": "This path does not take this method; see /docs.",
          "message": "This path does not take this method; see /docs.",
          "request_id": "[id]",
          "status": 405,
          "title": "Method Not Allowed",
          "type": "urn:leadscore:problem:method_not_allowed"
        }
        "#);
    })
    .await;
}

#[tokio::test]
async fn a_body_without_a_media_type_is_asked_for_json() {
    run(async |app| {
        let answer = app.post_with("/v1/keys", &[("content-type", "text/plain")], "{}").await;

        assert_eq!((answer.status.as_u16(), answer.problem()), (415, "unsupported_media_type".to_owned()));
        assert!(answer.json()["message"].as_str().unwrap().contains("application/json"));
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_origin_may_ask_before_it_sends() {
    run(async |app| {
        let ask = Request::options("/v1/events")
            .header(header::ORIGIN, "https://shop.example")
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");

        let answer = app.router.clone().oneshot(ask.body(Body::empty()).unwrap()).await.unwrap();

        assert_eq!(answer.status(), 200);
        let headers = answer.headers();
        assert_eq!(headers["access-control-allow-origin"], "https://shop.example");
        assert_eq!(headers["access-control-allow-headers"], "authorization,content-type");
        assert_eq!(headers["access-control-allow-credentials"], "true");
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_origin_may_neither_read_nor_change_anything() {
    run(async |app| {
        for path in ["/v1/leads", "/v1/keys", "/v1/changes", "/metrics", "/openapi.yaml", "/readyz"] {
            let ask = Request::options(path)
                .header(header::ORIGIN, "https://shop.example")
                .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET");
            let read = Request::get(path)
                .header(header::ORIGIN, "https://shop.example")
                .header(header::AUTHORIZATION, format!("Bearer {ADMIN}"));
            for request in [ask, read] {
                let answer = app.send(request.body(Body::empty()).unwrap()).await;
                let allowed: Vec<_> = answer
                    .headers
                    .keys()
                    .filter(|name| name.as_str().starts_with("access-control"))
                    .collect();
                assert!(allowed.is_empty(), "{path}: {allowed:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn answers_are_kept_by_nobody_and_stand_in_no_frame() {
    run(async |app| {
        for path in ["/v1/leads", "/v1/nothing", "/livez", "/metrics", "/v1/pixel/page?data=", "/docs/"] {
            let headers = app.get(path).await.headers;

            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
            assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY", "{path}");
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
            assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("no-store"), "{path}");
        }
        let tracker = app.call("GET", "/analytics.js/v1/wk_x/analytics.min.js", None, "").await;
        assert_eq!(
            tracker.headers[header::CACHE_CONTROL],
            "public, max-age=3600",
            "it is the same for everybody"
        );
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
