//! What an address, a number and a website give away: derived when an event arrives, recorded in the log, folded as any
//! attribute.

use chrono::TimeDelta;
use leadscore::{
    intake::ingest::event::{Arrival, Found},
    leads::identity::{Identity, Kind, Named},
};
use serde_json::{Map, Value, json};

use crate::harness::{ADMIN, START, TestApp, run, sales::change_policy};

async fn take(app: &TestApp, method: &str, path: &str, body: Value) -> Value {
    let answer = app.call(method, path, Some(ADMIN), body.to_string()).await;
    assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
    answer.json()
}

async fn identify(app: &TestApp, at: &str, traits: Value) {
    app.events(json!({"type": "identify", "lead": {"user_id": "u1"}, "occurred_at": at, "traits": traits}))
        .await;
}

async fn derived(app: &TestApp) -> Value {
    app.only_lead().await["profile"]["derived"].clone()
}

/// What the log says was derived, oldest first.
async fn recorded(app: &TestApp) -> Vec<Option<Value>> {
    sqlx::query_scalar("select traits -> 'derived' from event order by occurred_at, id")
        .fetch_all(&mut app.database.connect().await)
        .await
        .unwrap()
}

/// Has the lead read anew from its log: a device that did something joins it.
async fn replay(app: &TestApp) {
    app.events(json!({"type": "page_viewed", "lead": {"anonymous_id": "d1"}})).await;
    app.events(json!({"type": "identify", "lead": {"user_id": "u1", "anonymous_id": "d1"}})).await;
}

#[tokio::test]
async fn whatever_way_an_address_comes_it_is_looked_at_and_what_was_found_is_in_the_log() {
    let free = json!({"email_valid": true, "email_domain": "gmail.com", "email_kind": "free"});
    for (path, method, body) in [
        (
            "/v1/events",
            "POST",
            json!({"type": "identify", "lead": {"user_id": "u1"}, "traits": {"email": "Jane@Gmail.com"}}),
        ),
        (
            "/v1/events",
            "POST",
            json!({"type": "identify", "lead": {"user_id": "u1", "email": "Jane@Gmail.com"}}),
        ),
        (
            "/v1/events",
            "POST",
            json!({"type": "form_submitted", "lead": {"email": "jane@gmail.com"}, "traits": {"title": "CEO"}}),
        ),
        ("/v1/events", "POST", json!({"type": "signed_up", "lead": {"email": "Jane@Gmail.com"}})),
        (
            "/v1/events",
            "POST",
            json!({"type": "demo_requested", "lead": {"user_id": "u1", "email": "Jane@Gmail.com"}}),
        ),
        (
            "/v1/track",
            "POST",
            json!({"userId": "u1", "event": "Trial Started", "context": {"traits": {"email": "jane@gmail.com"}}}),
        ),
        ("/v1/identify", "POST", json!({"userId": "u1", "traits": {"email": "jane@gmail.com"}})),
        ("/v1/identify", "POST", json!({"userId": "u1", "context": {"traits": {"email": "jane@gmail.com"}}})),
        ("/v1/leads", "POST", json!({"user_id": "u1", "email": "jane@gmail.com"})),
        ("/v1/leads/by/email/jane@gmail.com", "PUT", json!({"traits": {"title": "CEO"}})),
        ("/v1/leads/batch", "POST", json!({"leads": [{"email": "jane@gmail.com"}]})),
    ] {
        run(async |app| {
            take(app, method, path, body.clone()).await;

            assert_eq!(derived(app).await, free, "{path} {body}");
            assert_eq!(recorded(app).await, [Some(free.clone())], "{path} {body}");
        })
        .await;
    }
}

#[tokio::test]
async fn what_only_happens_to_somebody_describes_nobody() {
    run(async |app| {
        app.events(json!([
            {"type": "email_opened", "lead": {"email": "jane@gmail.com"}},
            {"type": "page_viewed", "lead": {"user_id": "u1", "email": "jane@gmail.com"}},
        ]))
        .await;

        assert_eq!(recorded(app).await, [None, None]);
        assert_eq!(app.count("lead_profile").await, 0, "no attributes, so nothing to be written");
    })
    .await;
}

#[tokio::test]
async fn a_company_is_known_by_its_website_a_number_by_its_digits() {
    run(async |app| {
        let company = json!({"name": "Acme", "website": "https://www.acme.co.uk/about"});
        take(app, "POST", "/v1/group", json!({"userId": "u1", "groupId": "g1", "traits": company})).await;
        assert_eq!(derived(app).await, json!({"company_domain": "acme.co.uk"}));

        take(app, "POST", "/v1/leads", json!({"user_id": "u1", "traits": {"phone": "1234567890"}})).await;

        assert_eq!(derived(app).await, json!({"company_domain": "acme.co.uk", "phone_valid": false}));
    })
    .await;
}

#[tokio::test]
async fn a_company_that_is_taken_back_leaves_no_place_behind_whatever_order_it_is_told_in() {
    let groups = [
        ("2026-03-01T01:00:00Z", json!({"name": "Rival", "website": "rival.example"})),
        ("2026-03-01T02:00:00Z", json!({"name": "Acme", "website": null})),
    ];
    for order in [[0, 1], [1, 0]] {
        run(async |app| {
            for (at, company) in order.map(|step: usize| &groups[step]) {
                identify(app, at, json!({"company": company})).await;
            }

            assert_eq!(app.only_lead().await["profile"].get("derived"), None, "{order:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_senders_own_word_counts_for_nothing() {
    run(async |app| {
        let lie = json!({"email_kind": "work", "vip": true});
        for traits in [
            json!({"email": "x@mailinator.com", "derived": lie}),
            json!({"derived": lie, "derived.email_kind": "work"}),
            json!({"derived": "work"}),
        ] {
            app.advance(TimeDelta::minutes(1));
            app.events(json!({"type": "identify", "lead": {"user_id": "u1"}, "traits": traits})).await;
        }

        let found =
            json!({"email_valid": true, "email_domain": "mailinator.com", "email_kind": "disposable"});
        assert_eq!(derived(app).await, found);
        assert_eq!(recorded(app).await, [Some(found), None, None]);
    })
    .await;
}

#[tokio::test]
async fn each_derived_attribute_is_as_old_as_what_it_was_derived_from_and_goes_with_it() {
    let steps = [
        ("2026-03-01T01:00:00Z", json!({"email": "jane@acme.example", "phone": "+1 555 0100"})),
        ("2026-03-01T02:00:00Z", json!({"phone": "n/a"})),
        ("2026-03-01T03:00:00Z", json!({"email": "jane@gmail.com"})),
        ("2026-03-01T04:00:00Z", json!({"phone": null, "title": "CEO"})),
    ];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        run(async |app| {
            for step in order {
                let (at, traits) = &steps[step];
                identify(app, at, traits.clone()).await;
            }

            let lead = app.only_lead().await;
            assert_eq!(
                lead["profile"],
                json!({"email": "jane@gmail.com", "title": "CEO", "derived": {"email_valid": true,
                    "email_domain": "gmail.com", "email_kind": "free", "company_domain": "acme.example"}}),
                "{order:?}"
            );

            identify(app, "2026-03-01T05:00:00Z", json!({"email": null, "website": null})).await;
            assert_eq!(app.only_lead().await["profile"], json!({"title": "CEO"}), "{order:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_suspect_sign_up_waits_until_sales_has_reached_a_real_person() {
    run(async |app| {
        let signed_up = json!({"email": "x@mailinator.com", "title": "Director",
            "company": {"employees": 200, "industry": "software"}});
        app.events(json!([
            {"type": "identify", "lead": {"user_id": "u1"}, "traits": signed_up},
            {"type": "page_viewed", "lead": {"user_id": "u1"}, "properties": {"path": "/pricing"}},
            {"type": "trial_started", "lead": {"user_id": "u1"}},
        ]))
        .await;
        let lead = app.only_lead().await;
        assert_eq!(
            [&lead["score"], &lead["fit"], &lead["stage"]],
            [&json!(40), &json!(10_000), &json!("lead")]
        );
        let receipt = app.get(&format!("/v1/leads/{}/score", lead["id"].as_str().unwrap())).await.json();
        let lines = receipt["receipt"]["lines"].as_array().unwrap();
        let line = lines.iter().find(|line| line["rule"] == "throw-away address").unwrap();
        assert_eq!(line["points"], -30_000);
        app.advance(TimeDelta::hours(1));

        app.events(json!({"type": "meeting_held", "lead": {"user_id": "u1"}, "traits": {"reached": true}}))
            .await;

        let lead = app.only_lead().await;
        assert_eq!(
            [&lead["score"], &lead["fit"], &lead["stage"]],
            [&json!(80), &json!(40_000), &json!("mql")]
        );
    })
    .await;
}

#[tokio::test]
async fn a_suspect_sign_up_does_not_ripen_and_is_an_mql_once_a_crm_says_that_it_was_reached() {
    run(async |app| {
        let signed_up = json!({"title": "Director", "company": {"employees": 200, "industry": "software"}});
        app.events(json!([
            {"type": "signed_up", "lead": {"user_id": "u1", "email": "x@mailinator.com"}, "traits": signed_up},
            {"type": "page_viewed", "lead": {"user_id": "u1"}, "properties": {"path": "/pricing"}},
            {"type": "trial_started", "lead": {"user_id": "u1"}},
        ]))
        .await;
        app.advance(TimeDelta::hours(2));
        app.run_due().await;
        let lead = app.only_lead().await;
        assert_eq!([&lead["score"], &lead["stage"]], [&json!(40), &json!("lead")]);

        let path = format!("/v1/leads/{}", lead["id"].as_str().unwrap());
        let reached = take(app, "PATCH", &path, json!({"traits": {"reached": true}})).await;

        assert_eq!([&reached["score"], &reached["stage"]], [&json!(70), &json!("mql")]);
    })
    .await;
}

#[tokio::test]
async fn the_lists_are_asked_once_and_a_replay_finds_what_they_said_then() {
    run(async |app| {
        identify(app, "2026-03-01T01:00:00Z", json!({"email": "x@mailinator.com"})).await;
        // As if the event had come to an older release, whose lists did not know the domain yet.
        sqlx::query("update event set traits = jsonb_set(traits, '{derived,email_kind}', '\"work\"')")
            .execute(&mut app.database.connect().await)
            .await
            .unwrap();

        replay(app).await;
        assert_eq!(derived(app).await["email_kind"], "work");

        let said = json!({"user_id": "u1", "email": "x@mailinator.com"});
        let told = take(app, "POST", "/v1/leads", said.clone()).await;
        assert_eq!(
            (&told["status"], &told["profile"]["derived"]["email_kind"]),
            (&json!("updated"), &json!("disposable"))
        );
        assert_eq!(take(app, "POST", "/v1/leads", said).await["status"], "unchanged");
    })
    .await;
}

fn found(kind: &str, named: fn(Identity) -> Named) -> Found {
    Found {
        id: Some("e1".to_owned()),
        kind: kind.to_owned(),
        name: None,
        named: named(Identity::parse(Kind::Email, "jane@gmail.com").unwrap()),
        original_at: None,
        sent_at: None,
        corrected: false,
        properties: Map::new(),
        traits: None,
        context: None,
        hint: None,
    }
}

#[test]
fn an_event_is_known_again_by_what_its_sender_said_whatever_was_derived() {
    let arrival = Arrival { at: START.parse().unwrap(), api_key: None };
    for kind in ["identify", "form_submitted"] {
        let event = found(kind, Named::one).into_event(arrival, String::new).unwrap();

        assert_eq!(event.traits.unwrap()["derived"]["email_kind"], "free");
        assert_eq!(
            event.digest.to_be_bytes(),
            found(kind, Named::one).said()[..8],
            "an upgrade makes no other event of a repetition"
        );
    }
}

#[test]
fn who_is_only_named_in_passing_has_given_no_address() {
    let arrival = Arrival { at: START.parse().unwrap(), api_key: None };
    let traits = |named| found("email_subscribed", named).into_event(arrival, String::new).unwrap().traits;

    assert_eq!(traits(Named::one).unwrap()["derived"]["email_kind"], "free");
    assert_eq!(traits(Named::in_passing), None);
}

#[tokio::test]
async fn a_merge_and_its_undoing_derive_nothing_anew() {
    run(async |app| {
        identify(app, "2026-03-01T01:00:00Z", json!({"email": "jane@acme.example"})).await;
        let one = app.only_lead().await;
        app.events(
            json!({"type": "identify", "lead": {"user_id": "u2"}, "occurred_at": "2026-03-01T02:00:00Z",
            "traits": {"email": "x@mailinator.com", "phone": "+1 555 0100"}}),
        )
        .await;
        let two = app.lead("u2").await;
        let path = |lead: &Value| format!("/v1/leads/{}", lead["id"].as_str().unwrap());
        let said = json!({"lead_id": two["id"], "reason": "one person", "author": "ann"});

        take(app, "POST", &format!("{}/merge", path(&one)), said.clone()).await;

        let merged = app.get(&path(&one)).await.json();
        assert_eq!(
            merged["profile"]["derived"],
            json!({"email_valid": true, "email_domain": "mailinator.com", "email_kind": "disposable",
                "phone_valid": true, "company_domain": "acme.example"})
        );
        take(app, "POST", &format!("{}/unmerge", path(&one)), said).await;
        for before in [one, two] {
            assert_eq!(app.get(&path(&before)).await.json()["profile"], before["profile"]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_supposition_derives_as_an_arrival_would() {
    run(async |app| {
        identify(app, "2026-03-01T01:00:00Z", json!({"email": "jane@acme.example", "title": "Director"}))
            .await;
        let path = format!("/v1/leads/{}/score/what-if", app.only_lead().await["id"].as_str().unwrap());
        let fit = async |body: Value| take(app, "POST", &path, body).await["fit"].clone();
        let suspect = json!({"email": "x@mailinator.com", "derived": {"email_kind": "work"}});

        assert_eq!(fit(json!({"traits": suspect})).await, -10_000);
        assert_eq!(fit(json!({"events": [{"type": "identify", "traits": suspect}]})).await, -10_000);
        assert_eq!(fit(json!({"traits": {"email": null}})).await, 20_000);
        assert_eq!(fit(json!({"traits": {"phone": "0000000"}})).await, 10_000, "takes ten, gives none");
    })
    .await;
}

#[tokio::test]
async fn a_policy_leaves_out_by_the_domain_of_a_website_and_a_queue_narrows_by_the_kind_of_address() {
    run(async |app| {
        change_policy(app, json!({"exclusions": [{"label": "competitor", "domain": "rival.example"}]})).await;
        app.run_due().await;
        let people = json!({"filter": {"stage": ["mql"], "attributes": {"field": "derived.email_kind", "eq": "work"}}});
        take(app, "PUT", "/v1/queues/people", people).await;
        for (user, traits) in [
            ("work", json!({"email": "jane@acme.example"})),
            ("free", json!({"email": "jane@gmail.com"})),
            ("rival", json!({"email": "jo@acme.example", "website": "www.rival.example"})),
        ] {
            app.events(json!([
                {"type": "identify", "lead": {"user_id": user}, "traits": traits},
                {"type": "demo_requested", "lead": {"user_id": user}},
            ]))
            .await;
        }

        let stages = [app.lead("work").await, app.lead("free").await, app.lead("rival").await];
        assert_eq!(stages.map(|lead| lead["stage"].clone()), ["mql", "mql", "lead"]);
        let ranking = app.get("/v1/queues/people/leads").await.json();
        let users: Vec<&Value> =
            ranking["data"].as_array().unwrap().iter().map(|place| &place["user_id"]).collect();
        assert_eq!(users, ["work"]);
    })
    .await;
}

#[tokio::test]
async fn who_computes_without_a_lead_states_what_was_derived() {
    run(async |app| {
        let model = app.get("/v1/models").await.json()["data"][0]["id"].clone();
        let fit = async |profile: Value, traits: Value| {
            let events = json!([{"type": "identify", "occurred_at": "2026-03-01T09:00:00Z", "traits": traits}]);
            let body = json!({"model": model, "profile": profile, "events": events, "as_of": "2026-03-02T09:00:00Z"});
            take(app, "POST", "/v1/models/evaluate", body).await["fit"].clone()
        };

        assert_eq!(fit(json!({"derived": {"email_kind": "disposable"}}), json!({})).await, -30_000);
        assert_eq!(fit(json!({}), json!({"derived": {"email_kind": "disposable"}})).await, -30_000);
        assert_eq!(fit(json!({}), json!({"email": "x@mailinator.com"})).await, 0, "no list is asked");
    })
    .await;
}
