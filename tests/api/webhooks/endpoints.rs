//! Endpoints: made, looked at, changed and removed.

use axum::{
    body::Body,
    http::{Request, header},
};
use chrono::TimeDelta;
use leadscore::{feed::outbox::jobs as changes, platform::sweep::Sweep};
use serde_json::{Value, json};

use super::{create, deliveries, endpoint, lead, say, told};
use crate::harness::{ADMIN, Answer, Receiver, Reply, TestApp, run, shown};

async fn patch(app: &TestApp, id: &str, body: Value) -> Answer {
    app.call("PATCH", &format!("/v1/webhooks/{id}"), Some(ADMIN), body.to_string()).await
}

#[tokio::test]
async fn an_endpoint_is_made_with_a_secret_that_is_shown_this_once() {
    run(async |app| {
        let body = json!({"url": "https://crm.example/hook", "description": "our CRM", "events": ["lead.erased", "lead.merged", "lead.erased"]});

        let answer = create(app, &body).await;

        let mut made = answer.json();
        let secret = made["secret"].as_str().unwrap().to_owned();
        assert!(secret.starts_with("whsec_") && secret.len() == "whsec_".len() + 44, "{secret}");
        made["secret"] = json!("whsec_…");
        assert_eq!(answer.status, 201);
        insta::assert_snapshot!(shown(&made), @r#"
        {
          "created_at": "2026-03-02T09:00:00Z",
          "description": "our CRM",
          "disabled_at": null,
          "disabled_because": null,
          "enabled": true,
          "events": [
            "lead.merged",
            "lead.erased"
          ],
          "failing_since": null,
          "id": "[id]",
          "secret": "whsec_…",
          "url": "https://crm.example/hook"
        }
        "#);
        made.as_object_mut().unwrap().remove("secret");
        let one = app.get(&format!("/v1/webhooks/{}", made["id"].as_str().unwrap())).await;
        assert_eq!(one.json(), made);
        assert!(one.headers.contains_key(header::ETAG));
        assert_eq!(app.get("/v1/webhooks").await.json()["data"], json!([made]));
    })
    .await;
}

#[tokio::test]
async fn endpoints_are_listed_in_pages() {
    run(async |app| {
        for _ in 0..5 {
            create(app, &json!({"url": "https://crm.example/"})).await;
            app.advance(TimeDelta::milliseconds(1));
        }

        assert_eq!(app.pages("/v1/webhooks?limit=2").await, app.pages("/v1/webhooks").await);
        assert_eq!(app.pages("/v1/webhooks").await.len(), 5);
    })
    .await;
}

#[tokio::test]
async fn what_is_changed_changes_and_the_rest_stays() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        let before = app.get(&format!("/v1/webhooks/{id}")).await.json();

        let changed = patch(app, &id, json!({"description": "new", "events": ["lead.erased"]})).await.json();

        assert_eq!((&changed["description"], &changed["events"]), (&json!("new"), &json!(["lead.erased"])));
        assert_eq!((&changed["url"], &changed["enabled"]), (&before["url"], &json!(true)));
        assert_eq!(patch(app, &id, json!({})).await.json(), changed);
        say(app, lead(1), 1).await;
        app.run_due().await;
        assert_eq!(told(&receiver), [0; 0], "it gets what it asks for now");
    })
    .await;
}

#[tokio::test]
async fn a_description_is_kept_without_the_spaces_around_it_and_checked_only_when_it_is_sent() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        let described = format!("{}the CRM", " ".repeat(1_000));
        let made = patch(app, &id, json!({"description": described})).await.json();
        assert_eq!(made["description"], "the CRM");
        let mut conn = app.database.connect().await;
        sqlx::query("update webhook_endpoint set description = E'taken by an earlier\\trelease'")
            .execute(&mut conn)
            .await
            .unwrap();

        let changed = patch(app, &id, json!({"enabled": false})).await;

        assert_eq!((changed.status.as_u16(), &changed.json()["enabled"]), (200, &json!(false)));
        assert_eq!(changed.json()["description"], "taken by an earlier\trelease");
        let refused = patch(app, &id, json!({"description": "of\tnow"})).await.json();
        assert_eq!(refused["errors"][0]["pointer"], "/description");
    })
    .await;
}

#[tokio::test]
async fn a_change_may_ask_that_nobody_else_has_changed_it() {
    run(async |app| {
        let made = create(app, &json!({"url": "https://crm.example/"})).await.json();
        let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
        let tag = app.get(&path).await.headers[header::ETAG].clone();
        let change = async |text: &str| {
            let request = Request::patch(&path)
                .header(header::AUTHORIZATION, format!("Bearer {ADMIN}"))
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::IF_MATCH, &tag);
            app.send(request.body(Body::from(json!({ "description": text }).to_string())).unwrap()).await
        };

        assert_eq!(change("first").await.status, 200);
        let second = change("second").await;

        assert_eq!((second.status.as_u16(), second.problem()), (412, "precondition_failed".to_owned()));
        assert_eq!(app.get(&path).await.json()["description"], "first");
    })
    .await;
}

#[tokio::test]
async fn what_happens_while_an_endpoint_is_disabled_is_sent_when_it_is_enabled() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        receiver.next([Reply::Status(500)]);
        say(app, lead(1), 1).await;
        app.run_due().await;
        let disabled = patch(app, &id, json!({"enabled": false})).await.json();
        say(app, lead(1), 2).await;
        app.advance(TimeDelta::hours(1));
        app.run_due().await;
        assert_eq!(told(&receiver), [1]);

        patch(app, &id, json!({"enabled": true})).await;
        app.run_due().await;

        assert_eq!(disabled["disabled_because"], "operator");
        assert_eq!(told(&receiver), [1, 2]);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_may_be_made_disabled_and_asked_for_a_ping_first() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let made = create(app, &json!({"url": receiver.url, "enabled": false})).await.json();
        say(app, lead(1), 1).await;
        app.run_due().await;

        assert_eq!((&made["enabled"], receiver.got()), (&json!(false), vec![]));
        app.post(&format!("/v1/webhooks/{}/ping", made["id"].as_str().unwrap()), "").await;
        assert_eq!(receiver.take()[0].body()["type"], "webhook.ping");
        patch(app, made["id"].as_str().unwrap(), json!({"enabled": true})).await;
        app.run_due().await;
        assert_eq!(told(&receiver), [1]);
    })
    .await;
}

#[tokio::test]
async fn a_removed_endpoint_gets_nothing_more_and_leaves_nothing() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        say(app, lead(1), 1).await;
        app.run_due().await;
        receiver.next([Reply::Status(500)]);
        say(app, lead(1), 2).await;
        app.run_due().await;
        receiver.take();

        let removed = app.call("DELETE", &format!("/v1/webhooks/{id}"), Some(ADMIN), "").await;
        say(app, lead(1), 3).await;
        app.advance(TimeDelta::days(1));
        app.run_due().await;

        assert_eq!(removed.status, 204);
        assert_eq!(receiver.got(), []);
        for (method, path) in [
            ("GET", ""),
            ("PATCH", ""),
            ("DELETE", ""),
            ("POST", "/rotate"),
            ("POST", "/ping"),
            ("POST", "/recover"),
            ("GET", "/deliveries"),
        ] {
            let body = if path == "/recover" { r#"{"since": "2026-01-01T00:00:00Z"}"# } else { "{}" };
            let answer = app.call(method, &format!("/v1/webhooks/{id}{path}"), Some(ADMIN), body).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not_found".to_owned()), "{path}");
        }
        for table in ["endpoint", "secret", "delivery", "lane", "attempt"] {
            let left: i64 =
                sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from webhook_{table}")))
                    .fetch_one(&mut app.database.connect().await)
                    .await
                    .unwrap();
            assert_eq!(left, 0, "{table}");
        }
    })
    .await;
}

#[tokio::test]
async fn deliveries_are_forgotten_as_changes_are_and_those_that_wait_too() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        say(app, lead(1), 1).await;
        app.run_due().await;
        receiver.next([Reply::Status(500)]);
        say(app, lead(1), 2).await;
        app.run_due().await;
        patch(app, &id, json!({"enabled": false})).await;
        app.advance(TimeDelta::days(30) + TimeDelta::seconds(1));
        app.run_due().await;

        assert_eq!(deliveries(app, &id).await, [Value::Null; 0]);
        patch(app, &id, json!({"enabled": true})).await;
        say(app, lead(1), 3).await;
        receiver.take();
        app.run_due().await;
        assert_eq!(told(&receiver), [3]);
    })
    .await;
}

#[tokio::test]
async fn what_an_enabled_endpoint_has_not_read_is_not_forgotten() {
    run(async |app| {
        let receiver = Receiver::start().await;
        endpoint(app, &receiver).await;
        app.run_due().await;
        // The service is stopped for longer than changes are kept.
        say(app, lead(1), 1).await;
        app.get("/v1/changes").await;
        app.advance(TimeDelta::days(31));
        changes::Forget::run_once(&app.app).await.unwrap();

        app.run_due().await;

        assert_eq!(told(&receiver), [1]);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_made_is_refused_with_a_pointer_to_each_mistake() {
    run(async |app| {
        let long = format!("https://crm.example/{}", "x".repeat(2_048));
        for (body, pointer) in [
            (json!({"url": "crm.example"}), "/url"),
            (json!({"url": "ftp://crm.example/"}), "/url"),
            (json!({"url": "https://user@crm.example/"}), "/url"),
            (json!({"url": "https://:secret@crm.example/"}), "/url"),
            (json!({"url": "https://crm.example/#part"}), "/url"),
            (json!({"url": "https://crm.example:22/"}), "/url"),
            (json!({"url": "https://crm.example:0/"}), "/url"),
            (json!({"url": long}), "/url"),
            (json!({"url": "https://10.0.0.1/"}), "/url"),
            (json!({"url": "https://crm.example/", "description": "x".repeat(501)}), "/description"),
            (json!({"url": "https://crm.example/", "description": "a\0b"}), "/description"),
            (json!({"url": "https://crm.example/", "events": ["lead.exploded"]}), "/events/0"),
            (json!({"url": "https://crm.example/", "colour": "blue"}), "/colour"),
        ] {
            let answer = create(app, &body).await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem()),
                (422, "invalid_request".to_owned()),
                "{body}"
            );
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
        }
        let made = create(app, &json!({"url": "https://crm.example:8443/a?b=c"})).await.json();
        let refused = patch(app, made["id"].as_str().unwrap(), json!({"url": "http://127.0.0.2/"})).await;
        assert_eq!(refused.problem(), "invalid_request");
    })
    .await;
}
