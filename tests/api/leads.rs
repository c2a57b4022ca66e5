//! One lead and its receipt: exact as of now, and as of any other instant.

use axum::{
    body::Body,
    http::{Request, header},
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, START, TestApp, run, shown};

/// A lead that looked at the prices a week before now, when that counted 10 points; they fade by a quarter a week.
async fn visitor(app: &TestApp) -> String {
    let visit = json!({"id": "e1", "type": "page_viewed", "lead": {"user_id": "u1"}, "properties": {"path": "/pricing"},
        "occurred_at": "2026-02-23T09:00:00Z"});
    app.events(visit).await["leads"][0]["lead_id"].as_str().unwrap().to_owned()
}

async fn receipt(app: &TestApp, lead: &str, query: &str) -> Value {
    let answer = app.get(&format!("/v1/leads/{lead}/score{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let receipt = answer.json();
    let lines = receipt["receipt"]["lines"].as_array().unwrap().iter();
    let sum: i64 = lines.map(|line| line["points"].as_i64().unwrap()).sum();
    assert_eq!(sum, receipt["score"].as_i64().unwrap() * 1000, "the lines add up to the score: {receipt}");
    receipt
}

async fn get_if_none_match(app: &TestApp, lead: &str, tag: &str) -> Answer {
    let request = Request::get(format!("/v1/leads/{lead}"))
        .header(header::AUTHORIZATION, format!("Bearer {ADMIN}"))
        .header(header::IF_NONE_MATCH, tag);
    app.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_lead_is_shown_with_its_score_its_profile_and_where_it_stands() {
    run(async |app| {
        app.events(json!([
            {"id": "e1", "type": "identify", "lead": {"user_id": "u1", "email": "Jane@Acme.example"},
             "traits": {"title": "Director", "email": "Jane@Acme.example", "company": {"employees": 200}}},
            {"id": "e2", "type": "demo_requested", "lead": {"user_id": "u1"}},
        ]))
        .await;

        insta::assert_snapshot!(shown(&app.only_lead().await), @r#"
        {
          "band": "warm",
          "consent": {
            "channels": {},
            "do_not_contact": false
          },
          "created_at": "2026-03-02T09:00:00Z",
          "cycle": 1,
          "email": "jane@acme.example",
          "engagement": 30000,
          "first_seen_at": "2026-03-02T09:00:00Z",
          "fit": 35000,
          "grade": "A2",
          "id": "[id]",
          "last_activity_at": "2026-03-02T09:00:00Z",
          "model_version": "[id]",
          "next_change_at": "2026-04-01T09:00:00Z",
          "profile": {
            "company": {
              "employees": 200
            },
            "derived": {
              "company_domain": "acme.example",
              "email_domain": "acme.example",
              "email_kind": "work",
              "email_valid": true
            },
            "email": "Jane@Acme.example",
            "title": "Director"
          },
          "qualified_by": "hand_raise",
          "raw": 65000,
          "score": 65,
          "stage": "mql",
          "updated_at": "2026-03-02T09:00:00Z",
          "user_id": "u1"
        }
        "#);
    })
    .await;
}

#[tokio::test]
async fn reading_one_lead_is_exact_as_of_now_before_anything_in_the_background_ran() {
    run(async |app| {
        let lead = visitor(app).await;
        assert_eq!(app.get(&format!("/v1/leads/{lead}")).await.json()["engagement"], 7_500);

        app.advance(TimeDelta::days(7));

        let read = app.get(&format!("/v1/leads/{lead}")).await.json();
        assert_eq!(
            (&read["score"], &read["raw"], &read["engagement"]),
            (&json!(6), &json!(5_625), &json!(5_625))
        );
        let next = read["next_change_at"].as_str().unwrap();
        assert!(next > app.now().to_rfc3339().as_str(), "{next} lies ahead");
        let score = receipt(app, &lead, "").await;
        assert_eq!((&score["score"], &score["engagement"]), (&read["score"], &read["engagement"]));
        assert_eq!(app.run_due().await, 1);
        let stored = app.get("/v1/leads").await.json()["data"][0].clone();
        assert_eq!(stored["engagement"], 5_625, "the background comes to the same");
    })
    .await;
}

#[tokio::test]
async fn an_unknown_lead_is_a_404_and_what_is_no_id_a_400() {
    run(async |app| {
        for path in [
            "/v1/leads/01939e1c-0000-7000-8000-000000000000",
            "/v1/leads/01939e1c-0000-7000-8000-000000000000/score",
        ] {
            let answer = app.get(path).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not_found".to_owned()), "{path}");
        }
        for id in ["u1", "%00", "%FF", "0", "01939e1c-0000-7000-8000-00000000000g", &"1".repeat(1024 * 1024)]
        {
            for path in
                [format!("/v1/leads/{id}"), format!("/v1/leads/{id}/score"), format!("/v1/models/{id}")]
            {
                let Ok(uri) = path.parse::<axum::http::Uri>() else { continue };
                let answer = app.get(&uri.to_string()).await;
                assert_eq!((answer.status.as_u16(), answer.problem()), (400, "invalid_parameter".to_owned()));
            }
        }
        insta::assert_snapshot!(shown(&app.get("/v1/leads/u1").await.json()), @r#"
        {
          "code": "invalid_parameter",
          "detail": "Cannot parse `id` with value `u1`: UUID parsing failed: invalid character: found `u` at 0",
          "message": "Cannot parse `id` with value `u1`: UUID parsing failed: invalid character: found `u` at 0",
          "request_id": "[id]",
          "status": 400,
          "title": "Bad Request",
          "type": "urn:leadscore:problem:invalid_parameter"
        }
        "#);
    })
    .await;
}

#[tokio::test]
async fn an_unchanged_lead_is_not_sent_again_to_who_has_it() {
    run(async |app| {
        let lead = visitor(app).await;
        let first = app.get(&format!("/v1/leads/{lead}")).await;
        let tag = first.headers[header::ETAG].to_str().unwrap().to_owned();

        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let again = get_if_none_match(app, &lead, &known).await;
            assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{known}");
            assert_eq!(again.headers[header::ETAG], tag);
        }
        assert_eq!(get_if_none_match(app, &lead, "\"other\"").await.status, 200);
        app.events(json!({"type": "trial_started", "lead": {"user_id": "u1"}})).await;
        let changed = get_if_none_match(app, &lead, &tag).await;
        assert_eq!(changed.status, 200);
        assert_ne!(changed.headers[header::ETAG], tag);
    })
    .await;
}

#[tokio::test]
async fn a_lead_that_faded_has_another_etag() {
    run(async |app| {
        let lead = visitor(app).await;
        let tag =
            app.get(&format!("/v1/leads/{lead}")).await.headers[header::ETAG].to_str().unwrap().to_owned();

        app.advance(TimeDelta::days(7));

        assert_eq!(get_if_none_match(app, &lead, &tag).await.status, 200);
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn a_receipt_is_of_any_instant_past_or_to_come() {
    run(async |app| {
        let lead = visitor(app).await;

        for (as_of, engagement) in [
            ("0001-01-01T00:00:00Z", 0),
            ("2026-02-23T08:59:59.999999Z", 0),
            ("2026-02-23T09:00:00Z", 10_000),
            ("2026-03-02T08:59:59Z", 10_000),
            (START, 7_500),
            ("2026-03-02T10:00:00%2B01:00", 7_500),
            ("2026-03-16T09:00:00Z", 4_219),
        ] {
            let then = receipt(app, &lead, &format!("?as_of={as_of}")).await;
            assert_eq!(then["engagement"], engagement, "{as_of}");
        }
        let quiet = receipt(app, &lead, "?as_of=9999-12-31T23:59:59Z").await;
        assert_eq!(quiet["engagement"], -20_000, "four months of silence, and nothing left of the visit");
    })
    .await;
}

#[tokio::test]
async fn instants_at_the_end_of_all_calendars_are_answered_or_refused_but_break_nothing() {
    run(async |app| {
        let lead = visitor(app).await;
        for instant in [
            "%2B262142-12-31T23:59:59Z",
            "-262143-01-01T00:00:00Z",
            "%2B10000-01-01T00:00:00Z",
            "-0001-01-01T00:00:00Z",
            "-9999-01-01T00:00:00Z",
            "2026-13-45",
            "now",
            "",
        ] {
            let since = app.get(&format!("/v1/leads?updated_since={instant}")).await;
            assert_eq!(
                (since.status.as_u16(), since.problem()),
                (400, "invalid_parameter".to_owned()),
                "{instant}"
            );
            let then = app.get(&format!("/v1/leads/{lead}/score?as_of={instant}")).await;
            assert!([200, 400].contains(&then.status.as_u16()), "{instant}: {then:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_receipt_is_by_any_version_of_a_model_that_there_is() {
    run(async |app| {
        let lead = visitor(app).await;
        let live = app.get("/v1/models").await.json()["data"][0]["id"].as_str().unwrap().to_owned();

        let by_live = receipt(app, &lead, &format!("?model={live}")).await;

        assert_eq!(by_live, receipt(app, &lead, "").await);
        let unknown =
            app.get(&format!("/v1/leads/{lead}/score?model=01939e1c-0000-7000-8000-000000000000")).await;
        assert_eq!((unknown.status.as_u16(), unknown.problem()), (404, "not_found".to_owned()));
        for query in ["model=b2b-saas", "modell=x", "as_of=2026-03-02T09:00:00Z&as_of=2026-03-02T09:00:00Z"] {
            let answer = app.get(&format!("/v1/leads/{lead}/score?{query}")).await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem()),
                (400, "invalid_parameter".to_owned()),
                "{query}"
            );
        }
    })
    .await;
}
