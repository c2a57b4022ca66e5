//! What a message is to us: whom it names, what happened, what it says of the person.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{fields, log, only_event, take};
use crate::harness::{TestApp, run};

#[tokio::test]
async fn a_name_becomes_snake_case_and_known_names_become_ours() {
    run(async |app| {
        let track =
            |event: &str| json!({"type": "track", "event": event, "userId": "u1", "messageId": event});
        let names =
            ["Demo Requested", "trial_started", "Email Link Clicked", "Email Marked as Spam", "Unsubscribed"];

        take(app, "/v1/batch", &json!({"batch": names.map(track)})).await;

        let mut events = log(app).await;
        events.sort_by_key(|event| names.iter().position(|name| event["id"] == *name));
        assert_eq!(
            fields(&events, &["type", "name"]),
            json!([
                ["demo_requested", "Demo Requested"],
                ["trial_started", null],
                ["email_clicked", "Email Link Clicked"],
                ["email_complained", "Email Marked as Spam"],
                ["email_unsubscribed", "Unsubscribed"],
            ])
        );
    })
    .await;
}

#[tokio::test]
async fn a_name_in_any_script_is_taken_and_a_rule_may_name_what_comes_of_it() {
    run(async |app| {
        let names = [
            ("İletişim Formu Gönderildi", "iletişim_formu_gönderildi"),
            ("\u{2102} Viewed", "c_viewed"),
            ("\u{1f389}", "u1f389"),
            ("資料請求", "資料請求"),
        ];
        for (name, kind) in names {
            let event = json!({"userId": "u1", "event": name, "messageId": kind});
            take(app, "/v1/track", &event).await;
        }
        let long = json!({"userId": "u1", "event": "Very ".repeat(200), "messageId": "z"});
        take(app, "/v1/track", &long).await;

        let mut events = log(app).await;
        events.sort_by_key(|event| {
            names.iter().position(|(_, kind)| event["id"] == *kind).unwrap_or(names.len())
        });
        for ((name, kind), event) in names.iter().zip(&events) {
            assert_eq!(event["type"], *kind, "{name}");
            assert_eq!(event["name"].as_str().unwrap_or(kind), *name);
        }
        assert_eq!(events.len(), names.len() + 1);
        assert!(events[names.len()]["type"].as_str().unwrap().starts_with("very_very_"));
        let rule = |kind: &str| format!("          - {{name: {kind}, event: {kind}, points: 1}}\n");
        let rules: String = names.iter().map(|(_, kind)| rule(kind)).collect();
        let first = "          - name: pricing page\n";
        let model = leadscore::models::DEFAULT_DOCUMENT.replace(first, &format!("{rules}{first}"));
        let yaml = [("content-type", "application/yaml")];
        let report = app.post_with("/v1/models/check", &yaml, model.clone()).await.json();
        assert!(model.contains("event: u1f389") && report["errors"] == json!([]), "{report}");
        assert!(!report.to_string().contains("not_snake_case"), "{report}");
    })
    .await;
}

#[tokio::test]
async fn an_address_is_taken_apart_as_browsers_do_it() {
    run(async |app| {
        let url = "https://b\u{fc}cher.example/our \"new\" <prices>?q=a b&utm_source=spring sale&bad=%ff";
        let page = json!({"userId": "u1", "properties": {"url": url}});

        take(app, "/v1/page", &page).await;

        let seen = only_event(app).await["properties"].clone();
        assert_eq!([&seen["path"], &seen["utm_source"]], ["/our%20%22new%22%20%3Cprices%3E", "spring sale"]);
        assert_eq!(seen["url"], url, "what was said stays as it was said");
    })
    .await;
}

#[tokio::test]
async fn null_and_empty_ids_are_absent_and_numbers_are_text() {
    run(async |app| {
        let batch = json!({"batch": [
            {"type": "track", "event": "One", "messageId": 1, "userId": null, "anonymousId": "d1"},
            {"type": "track", "event": "Two", "messageId": 2, "userId": "", "anonymousId": 42},
            {"type": "track", "event": "Three", "messageId": 3, "userId": 12345, "anonymousId": null},
        ]});

        take(app, "/v1/batch", &batch).await;

        assert_eq!(
            fields(&log(app).await, &["id", "who"]),
            json!([["1", "anonymous_id:d1"], ["2", "anonymous_id:42"], ["3", "user_id:12345"]])
        );
    })
    .await;
}

#[tokio::test]
async fn a_number_of_up_to_512_digits_is_an_id_however_large_it_is() {
    run(async |app| {
        let message = |user: &str| format!(r#"{{"type": "track", "event": "One", "userId": {user}}}"#);
        let digits = ["9".repeat(308), "9".repeat(309), "9".repeat(512), "9".repeat(513)];
        let users: Vec<&str> = digits.iter().map(String::as_str).chain(["-1e400", "1e99999"]).collect();
        let messages: Vec<String> = users.iter().map(|user| message(user)).collect();

        let answer = app.post("/v1/batch", format!(r#"{{"batch": [{}]}}"#, messages.join(","))).await.json();

        let refused = answer["rejected"].as_array().unwrap();
        let refused: Vec<_> = refused.iter().map(|one| (&one["index"], &one["code"])).collect();
        assert_eq!(
            refused,
            [(&json!(3), &json!("invalid_number")), (&json!(5), &json!("invalid_number"))],
            "{answer}"
        );
        let known = format!("-1{}", "0".repeat(400));
        let who = [&digits[0], &digits[1], &digits[2], &known].map(|user| json!([format!("user_id:{user}")]));
        let mut logged = fields(&log(app).await, &["who"]).as_array().unwrap().clone();
        logged.sort_by_key(|one| who.iter().position(|known| known == one));
        assert_eq!(logged, who);
    })
    .await;
}

#[tokio::test]
async fn a_number_too_large_for_a_float_is_refused_where_it_is_no_id() {
    run(async |app| {
        let large = "9".repeat(400);
        let message = format!(
            r#"{{"type": "track", "event": "One", "userId": {large}, "properties": {{"n": {large}}}}}"#
        );

        let answer = app.post("/v1/batch", format!(r#"{{"batch": [{message}]}}"#)).await.json();

        assert_eq!(answer["rejected"][0]["code"], "invalid_json", "{answer}");
    })
    .await;
}

#[tokio::test]
async fn what_a_stranger_saw_counts_for_the_lead_that_identifies() {
    run(async |app| {
        take(app, "/v1/p", &json!({"anonymousId": "d1", "properties": {"path": "/pricing"}})).await;

        take(app, "/v1/i", &json!({"anonymousId": "d1", "userId": "u1", "traits": {"email": "Jane@Acme.example", "title": "Director"}})).await;

        let lead = app.only_lead().await;
        assert_eq!([&lead["user_id"], &lead["email"], &lead["stage"]], ["u1", "jane@acme.example", "lead"]);
        assert_eq!([&lead["fit"], &lead["engagement"]], [20_000, 10_000]);
    })
    .await;
}

#[tokio::test]
async fn traits_that_stand_only_in_the_context_are_taken_too() {
    run(async |app| {
        // RudderStack's python SDK.
        let traits = json!({"email": "jane@acme.example", "title": "Director"});

        take(app, "/v1/identify", &json!({"userId": "u1", "context": {"traits": traits}})).await;

        let lead = app.only_lead().await;
        assert_eq!([&lead["email"], &lead["profile"]["title"]], ["jane@acme.example", "Director"]);
    })
    .await;
}

#[tokio::test]
async fn an_address_alone_names_a_lead() {
    run(async |app| {
        let message =
            json!({"event": "Trial Started", "context": {"traits": {"email": "jane@acme.example"}}});

        take(app, "/v1/track", &message).await;

        assert_eq!(only_event(app).await["who"], "email:jane@acme.example");
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_none_does_not_sink_what_it_came_with() {
    run(async |app| {
        take(
            app,
            "/v1/identify",
            &json!({"userId": "u1", "traits": {"email": "jane at acme", "title": "Director"}}),
        )
        .await;

        let lead = app.only_lead().await;
        assert_eq!([&lead["email"], &lead["profile"]["title"]], [&Value::Null, &json!("Director")]);
    })
    .await;
}

#[tokio::test]
async fn a_group_is_the_persons_company_and_takes_none_of_the_persons_traits() {
    run(async |app| {
        // RudderStack's browser SDK repeats the person's traits in the context of every message.
        let message = json!({
            "userId": "u1", "groupId": 7, "traits": {"name": "Acme", "industry": "Software", "employees": 200},
            "context": {"traits": {"name": "Jane", "email": "jane@acme.example", "title": "Director"}}
        });

        take(app, "/v1/group", &message).await;

        let event = only_event(app).await;
        let company = json!({"id": "7", "name": "Acme", "industry": "Software", "employees": 200});
        assert_eq!((&event["name"], &event["traits"]), (&json!("Acme"), &json!({"company": company})));
        assert_eq!(event["properties"], json!({"group_id": "7"}));
        assert_eq!(app.only_lead().await["fit"], 20_000, "15 for its size, 5 for its industry");
    })
    .await;
}

#[tokio::test]
async fn an_alias_joins_what_was_known_before_whether_device_or_user() {
    run(async |app| {
        let batch = json!({"batch": [
            {"type": "track", "event": "Trial Started", "userId": "old"},
            {"type": "page", "anonymousId": "d1", "properties": {"path": "/pricing"}},
            {"type": "identify", "userId": "new"},
        ]});
        take(app, "/v1/batch", &batch).await;

        take(
            app,
            "/v1/batch",
            &json!({"batch": [
                {"type": "alias", "userId": "new", "previousId": "old"},
                {"type": "alias", "userId": "new", "previousId": "d1"},
            ]}),
        )
        .await;

        let lead = app.only_lead().await;
        assert_eq!((&lead["user_id"], &lead["engagement"]), (&json!("new"), &json!(30_000)));
    })
    .await;
}

#[tokio::test]
async fn an_alias_again_changes_nothing_that_a_reader_sees() {
    run(async |app| {
        take(app, "/v1/track", &json!({"event": "Trial Started", "userId": "old"})).await;
        let alias = json!({"userId": "new", "previousId": "old", "timestamp": "2026-03-02T08:00:00Z"});
        take(app, "/v1/alias", &alias).await;
        let before = app.only_lead().await;
        app.advance(TimeDelta::seconds(5));

        let again = take(app, "/v1/alias", &alias).await;

        assert_eq!(again["duplicates"], 1);
        assert_eq!(app.only_lead().await, before);
    })
    .await;
}

#[tokio::test]
async fn an_alias_of_a_user_to_itself_changes_nothing() {
    run(async |app| {
        take(app, "/v1/track", &json!({"event": "Trial Started", "userId": "u1"})).await;
        let before = app.only_lead().await;

        take(app, "/v1/a", &json!({"userId": "u1", "previousId": "u1", "anonymousId": "d1"})).await;

        let after = app.only_lead().await;
        assert_eq!(
            [&after["id"], &after["score"], &after["user_id"]],
            [&before["id"], &before["score"], &before["user_id"]]
        );
    })
    .await;
}

#[tokio::test]
async fn a_page_is_filled_up_from_its_context_and_its_address() {
    run(async |app| {
        let page = json!({"url": "https://acme.example/pricing?utm_source=google&utm_term=a+b", "title": "Prices", "referrer": null});
        let message = json!({
            "anonymousId": "d1", "name": "Pricing", "category": "Docs",
            "context": {"page": page, "campaign": {"name": "spring", "source": "news"}}
        });

        take(app, "/v1/page", &message).await;

        assert_eq!(
            only_event(app).await["properties"],
            json!({
                "name": "Pricing", "category": "Docs", "title": "Prices", "path": "/pricing",
                "url": "https://acme.example/pricing?utm_source=google&utm_term=a+b",
                "utm_campaign": "spring", "utm_source": "news", "utm_term": "a b"
            })
        );
    })
    .await;
}

#[tokio::test]
async fn fields_that_are_not_ours_are_passed_over() {
    run(async |app| {
        let message = json!({
            "type": "track", "event": "Trial Started", "userId": "u1", "channel": "server", "version": 2,
            "integrations": {"All": false}, "_metadata": {"bundled": []}, "anything": [1, {"deep": true}]
        });

        let answer = take(app, "/v1/track", &message).await;

        assert_eq!(answer["accepted"], 1);
        assert_eq!(only_event(app).await["context"], Value::Null);
    })
    .await;
}

/// The ids by which a lead is known, as its profile page shows them.
async fn known_as(app: &TestApp, email: &str) -> Value {
    app.get(&format!("/v1/leads/by/email/{email}")).await.json()["user_id"].clone()
}

#[tokio::test]
async fn an_address_that_an_sdk_repeats_with_every_message_is_the_users() {
    run(async |app| {
        let track = |user: &str, email: &str| {
            json!({"type": "track", "event": "Trial Started", "userId": user,
            "anonymousId": "d1", "context": {"traits": {"email": email}}})
        };

        take(app, "/v1/track", &track("u1", "jane@acme.example")).await;
        for day in 0..3 {
            app.advance(TimeDelta::days(day));
            take(
                app,
                "/v1/page",
                &json!({"userId": "u1", "context": {"traits": {"email": "jane@acme.example"}}}),
            )
            .await;
        }
        take(app, "/v1/track", &track("u2", "jane@acme.example")).await;

        assert_eq!(known_as(app, "jane@acme.example").await, "u1");
        let conflicts = app.get("/v1/conflicts").await.json();
        assert_eq!(
            conflicts["data"][0]["claimant_user_id"], "u2",
            "a later claim is a conflict: {conflicts}"
        );
        assert_eq!(app.count("identity_link").await, 2, "a claim is kept once, however often it is repeated");
    })
    .await;
}

#[tokio::test]
async fn an_address_among_the_properties_counts_where_the_event_is_about_it() {
    run(async |app| {
        let track = |event: &str, user: &str| {
            json!({"type": "track", "event": event, "userId": user,
            "properties": {"email": format!("{user}@acme.example")}})
        };

        take(app, "/v1/track", &track("Signed Up", "u1")).await;
        take(app, "/v1/track", &track("Invite Sent", "u2")).await;
        let opened = json!({"event": "Email Opened", "properties": {"email": "u3@acme.example"}});
        take(app, "/v1/track", &opened).await;

        assert_eq!(known_as(app, "u1@acme.example").await, "u1");
        assert_eq!(app.get("/v1/leads/by/email/u2@acme.example").await.status, 404);
        assert_eq!(app.get("/v1/leads/by/email/u3@acme.example").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn what_happens_to_a_mail_is_of_its_address_which_is_the_users() {
    run(async |app| {
        let track = |event: &str| {
            json!({"type": "track", "event": event, "userId": "u1",
            "context": {"traits": {"email": "jane@acme.example"}}})
        };

        take(app, "/v1/track", &track("Email Link Clicked")).await;
        take(app, "/v1/track", &track("Email Bounced")).await;

        let log = log(app).await;
        assert_eq!(fields(&log, &["who"]), json!([["email:jane@acme.example"], ["email:jane@acme.example"]]));
        assert_eq!(known_as(app, "jane@acme.example").await, "u1", "and counts for the user");
        let suppressed = app.get("/v1/suppressions").await.json();
        assert_eq!(
            fields(suppressed["data"].as_array().unwrap(), &["email", "state"]),
            json!([["jane@acme.example", "bounced"]])
        );
    })
    .await;
}

/// An alias as analytics.js sends it: without a word of what the former id was.
fn alias(user: &str, former: &str, time: &str) -> Value {
    json!({"type": "alias", "userId": user, "previousId": former, "timestamp": format!("2026-03-02T{time}Z")})
}

#[tokio::test]
async fn two_users_who_are_aliases_of_one_device_stay_two() {
    run(async |app| {
        let page = |time: &str| {
            json!({"type": "page", "anonymousId": "kiosk", "properties": {"path": "/pricing"},
            "timestamp": format!("2026-03-02T{time}Z")})
        };

        let batch = json!({"batch": [page("08:00:00"), alias("u1", "kiosk", "08:10:00"), page("08:20:00"),
            alias("u2", "kiosk", "08:30:00"), page("08:40:00")]});
        take(app, "/v1/batch", &batch).await;

        let of = async |user: &str| app.get(&format!("/v1/leads/by/external_id/{user}")).await.json();
        let (one, two) = (of("u1").await, of("u2").await);
        assert_ne!(one["id"], two["id"]);
        let views = async |lead: &Value| {
            app.get(&format!("/v1/leads/{}/events?type=page_viewed", lead["id"].as_str().unwrap()))
                .await
                .json()["data"]
                .as_array()
                .unwrap()
                .len()
        };
        assert_eq!((views(&one).await, views(&two).await), (2, 1), "each has what was seen in its time");
    })
    .await;
}

#[tokio::test]
async fn a_former_user_id_joins_when_somebody_is_known_by_it_whatever_comes_first() {
    let (says, trial) = (
        alias("new", "old", "08:00:00"),
        json!({"type": "track", "event": "Trial Started", "userId": "old"}),
    );
    for order in [[&says, &trial], [&trial, &says]] {
        run(async |app| {
            for message in order {
                take(app, "/v1/batch", &json!({"batch": [message]})).await;
            }

            let lead = app.only_lead().await;
            assert_eq!((&lead["user_id"], &lead["engagement"]), (&json!("new"), &json!(20_000)));
        })
        .await;
    }
}
