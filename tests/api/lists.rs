//! Lists of leads: filters, orders, and pages that keep their place while scores change.

use std::collections::BTreeMap;

use axum::http::header;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{TestApp, run};

/// Ann (a director with a trial, owned by Kim), Bob (asked for a demo), Cid (a newsletter), and a stranger who looked
/// at the prices; a minute apart.
async fn four_leads(app: &TestApp) {
    for event in [
        json!({"id": "e1", "type": "identify", "lead": {"user_id": "ann", "email": "ann@acme.example"},
            "traits": {"title": "Director", "owner": "kim"}}),
        json!({"id": "e2", "type": "trial_started", "lead": {"user_id": "ann"}}),
        json!({"id": "e3", "type": "demo_requested", "lead": {"user_id": "bob"}, "traits": {"owner": "lou"}}),
        json!({"id": "e4", "type": "email_subscribed", "lead": {"email": "cid@acme.example"}}),
        json!({"id": "e5", "type": "page_viewed", "lead": {"anonymous_id": "d1"}, "properties": {"path": "/pricing"}}),
    ] {
        app.advance(TimeDelta::minutes(1));
        app.events(event).await;
    }
    app.run_due().await;
}

fn name(lead: &Value) -> &str {
    lead["user_id"].as_str().or(lead["email"].as_str()).map_or("stranger", |name| &name[..3])
}

async fn names(app: &TestApp, query: &str) -> String {
    let page = app.get(&format!("/v1/leads{query}")).await.json();
    let rows = page["data"].as_array().unwrap_or_else(|| panic!("{page}"));
    rows.iter().map(name).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_list_is_best_first_or_as_asked() {
    run(async |app| {
        four_leads(app).await;

        for (sort, expected) in [
            ("", "ann bob stranger cid"),
            ("?sort=-score", "ann bob stranger cid"),
            ("?sort=score", "cid stranger bob ann"),
            ("?sort=created_at", "ann bob cid stranger"),
            ("?sort=-created_at", "stranger cid bob ann"),
            ("?sort=updated_at", "ann bob cid stranger"),
            ("?sort=-updated_at", "stranger cid bob ann"),
        ] {
            assert_eq!(names(app, sort).await, expected, "{sort}");
        }
    })
    .await;
}

#[tokio::test]
async fn each_filter_narrows_the_list_and_all_narrow_it_together() {
    run(async |app| {
        four_leads(app).await;

        for (query, expected) in [
            ("?stage=mql", "bob"),
            ("?stage=anonymous", "stranger"),
            ("?stage=lead&sort=created_at", "ann cid"),
            ("?band=warm", "ann"),
            ("?band=nonsense", ""),
            ("?grade=B2", "ann"),
            ("?min_score=30", "ann bob"),
            ("?min_score=-1000", "ann bob stranger cid"),
            ("?owner=kim", "ann"),
            ("?owner=KIM", ""),
            ("?updated_since=2026-03-02T09:04:00Z", "stranger cid"),
            ("?email=ann@acme.example", "ann"),
            ("?email=%20ANN@Acme.Example", "ann"),
            ("?email=nobody@acme.example", ""),
            ("?stage=lead,mql&sort=created_at", "ann bob cid"),
            ("?stage=mql&stage=anonymous", "bob stranger"),
            ("?band=hot,warm&grade=B2,C1", "ann"),
            ("?grade=B2&grade=B2,nonsense", "ann"),
            ("?q=a&sort=created_at", "ann cid"),
            ("?q=cid@", "cid"),
            ("?q=cme", ""),
            ("?q=d1", ""),
            ("?min_score=30&owner=lou", "bob"),
            ("?min_score=30&owner=lou&stage=lead", ""),
            ("?stage=lead&band=warm&grade=B2&min_score=40&owner=kim&email=ann@acme.example&q=ann", "ann"),
        ] {
            assert_eq!(names(app, query).await, expected, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_filter_of_a_closed_set_takes_several_of_its_values() {
    run(async |app| {
        four_leads(app).await;
        let bob = app.lead("bob").await["id"].as_str().unwrap().to_owned();
        let offers = async |query: &str| app.pages(&format!("/v1/handoffs?{query}")).await.len();

        assert_eq!((offers("state=open,accepted").await, offers("state=accepted&state=open").await), (1, 1));
        assert_eq!(offers("state=accepted,rejected").await, 0);
        let events = format!("/v1/leads/{bob}/events");
        let some =
            app.pages(&format!("{events}?type=demo_requested,page_viewed&verdict=human,suspect")).await;
        assert_eq!(some.len(), 1);
        assert_eq!(app.pages(&format!("{events}?verdict=suspect,machine")).await.len(), 0);
        for path in [
            "/v1/leads?stage=mql,hot",
            "/v1/leads?stage=",
            "/v1/handoffs?state=open,",
            &format!("{events}?verdict=x"),
        ] {
            assert_eq!(app.get(path).await.problem(), "invalid_parameter", "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_parameter_that_cannot_be_meant_is_refused() {
    run(async |app| {
        for query in [
            "limit=0", "limit=501", "limit=-1", "limit=70000", "limit=ten", "limit=", "sort=name", "sort=", "stage=hot",
            "min_score=high", "min_score=99999999999", "email=nobody", "email=%00", "q=%00", "owner=%00", "band=%00",
            "grade=%00", "stage=%00", "colour=blue", "limit=1&limit=2",
        ] {
            let answer = app.get(&format!("/v1/leads?{query}")).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (400, "invalid_parameter".to_owned()), "{query}");
        }
        insta::assert_snapshot!(app.get("/v1/leads?colour=blue").await.json()["message"].as_str().unwrap(), @"colour: unknown field `colour`, expected one of `stage`, `band`, `grade`, `min_score`, `owner`, `updated_since`, `email`, `q`, `sort`, `limit`, `cursor`");
    })
    .await;
}

#[tokio::test]
async fn a_page_holds_up_to_500_and_50_if_nobody_says() {
    run(async |app| {
        let events: Vec<Value> =
            (0..51).map(|n| json!({"type": "trial_started", "lead": {"user_id": format!("u{n}")}})).collect();
        app.events(json!(events)).await;

        for (query, rows, more) in
            [("", 50, true), ("?limit=1", 1, true), ("?limit=51", 51, false), ("?limit=500", 51, false)]
        {
            let page = app.get(&format!("/v1/leads{query}")).await.json();
            assert_eq!(
                (page["data"].as_array().unwrap().len(), &page["has_more"]),
                (rows, &json!(more)),
                "{query}"
            );
            assert_eq!(page["next_cursor"].is_string(), more, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_link_header_leads_to_the_end_with_the_filters_kept() {
    run(async |app| {
        four_leads(app).await;
        let mut path = "/v1/leads?limit=1&min_score=10".to_owned();
        let mut seen = Vec::new();
        loop {
            let page = app.get(&path).await;
            seen.extend(page.json()["data"].as_array().unwrap().iter().map(|lead| name(lead).to_owned()));
            let Some(link) = page.headers.get(header::LINK) else { break };
            let link = link.to_str().unwrap();
            path = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        }

        assert_eq!(seen, ["ann", "bob", "stranger"]);
    })
    .await;
}

#[tokio::test]
async fn cursors_that_this_list_did_not_make_are_refused() {
    run(async |app| {
        four_leads(app).await;
        app.events(json!({"type": "demo_requested", "lead": {"user_id": "dan"}})).await;
        let foreign =
            async |path: &str| app.get(path).await.json()["next_cursor"].as_str().unwrap().to_owned();
        let (queue, keys) =
            (foreign("/v1/queues/sales/leads?limit=1").await, foreign("/v1/keys?limit=1").await);
        let leads = foreign("/v1/leads?limit=1").await;
        let id = "01939e1c-0000-7000-8000-000000000000";
        let forged = |text: String| URL_SAFE_NO_PAD.encode(text);
        for cursor in [
            queue.clone(),
            keys.clone(),
            "%00".to_owned(),
            "nonsense!".to_owned(),
            String::new(),
            leads[..leads.len() - 2].to_owned(),
            forged("null".to_owned()),
            forged("[".repeat(20_000)),
            forged(format!(r#"{{"score":1,"updated_at":"-9999-01-01T00:00:00Z","id":"{id}"}}"#)),
            forged(format!(r#"{{"score":1,"updated_at":"+262142-01-01T00:00:00Z","id":"{id}"}}"#)),
            forged(format!(r#"{{"score":99999999999,"updated_at":"2026-03-02T09:00:00Z","id":"{id}"}}"#)),
        ] {
            // A NUL is no text at all, whatever the parameter is for.
            let code = if cursor == "%00" { "invalid_parameter" } else { "invalid_cursor" };
            let answer = app.get(&format!("/v1/leads?cursor={cursor}")).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (400, code.to_owned()), "{cursor}");
        }
        for path in ["/v1/queues/sales/leads", "/v1/keys"] {
            assert_eq!(
                app.get(&format!("{path}?cursor={leads}")).await.problem(),
                "invalid_cursor",
                "{path}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_of_another_order_is_refused() {
    run(async |app| {
        four_leads(app).await;
        let by_score = app.get("/v1/leads?limit=1").await.json()["next_cursor"].as_str().unwrap().to_owned();

        for sort in ["score", "updated_at", "-created_at"] {
            let answer = app.get(&format!("/v1/leads?sort={sort}&cursor={by_score}")).await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem()),
                (400, "invalid_parameter".to_owned()),
                "{sort}"
            );
        }
        assert_eq!(app.get(&format!("/v1/leads?sort=-score&cursor={by_score}")).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn who_stays_in_place_is_listed_once_however_the_others_move_meanwhile() {
    for sort in ["-score", "score", "-updated_at", "updated_at", "-created_at", "created_at"] {
        run(async |app| {
            // Thirty leads with three scores among them, so that most are tied with others.
            let kinds = ["email_subscribed", "trial_started", "demo_requested"];
            let events: Vec<Value> = (0..30)
                .map(|n| json!({"type": kinds[n % 3], "lead": {"user_id": format!("u{n:02}")}}))
                .collect();
            app.events(json!(events)).await;
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            let mut cursor = String::new();
            for step in 0.. {
                let page = app.get(&format!("/v1/leads?limit=4&sort={sort}{cursor}")).await.json();
                for lead in page["data"].as_array().unwrap() {
                    *seen.entry(lead["user_id"].as_str().unwrap().to_owned()).or_default() += 1;
                }
                let Some(next) = page["next_cursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
                app.advance(TimeDelta::seconds(1));
                // Up or down; whoever moves is one of five, the same through the whole test.
                let kind = if step % 2 == 0 { "chat_started" } else { "review_negative" };
                app.events(json!({"type": kind, "lead": {"user_id": format!("u{:02}", step % 5)}})).await;
            }

            for n in 5..30 {
                assert_eq!(seen.get(&format!("u{n:02}")), Some(&1), "{sort}: u{n:02} of {seen:?}");
            }
            app.run_due().await;
        })
        .await;
    }
}
