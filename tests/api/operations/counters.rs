//! The counters of the service.

use axum::http::header;
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

use crate::harness::{ADMIN, TestApp, WRITE, run};

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
