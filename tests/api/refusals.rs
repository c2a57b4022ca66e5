//! Items that cannot be taken: each is refused by itself, kept with its reason, and sinks no neighbour.

use serde_json::{Value, json};

use crate::harness::{TestApp, run, shown};

/// Sends an item between two good ones, and gives the code under which it was refused. The good ones are scored and
/// visible, and the beginning of the bad one is kept.
pub(crate) async fn refuse(app: &TestApp, item: impl AsRef<[u8]>) -> String {
    let item = item.as_ref();
    let round = app.count("rejected_events").await;
    let neighbour =
        |side: &str| format!(r#"{{"type":"trial_started","lead":{{"user_id":"{side}-{round}-"}}}}"#);
    let body =
        [b"[", neighbour("left").as_bytes(), b",", item, b",", neighbour("right").as_bytes(), b"]"].concat();

    let answer = app.post("/v1/events", body).await;

    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    assert_eq!((&answer["accepted"], &answer["rejected"][0]["index"]), (&json!(2), &json!(1)), "{answer}");
    for side in ["left", "right"] {
        assert_eq!(app.lead(&format!("{side}-{round}-")).await["score"], 20);
    }
    let code = answer["rejected"][0]["code"].as_str().unwrap().to_owned();
    let kept: Vec<Vec<u8>> =
        sqlx::query_scalar("select body from rejected_events where code = $1 and position = 1")
            .bind(&code)
            .fetch_all(&mut app.database.connect().await)
            .await
            .unwrap();
    assert_eq!(app.count("rejected_events").await, round + 1);
    if std::str::from_utf8(item).is_ok() {
        assert!(kept.iter().any(|body| *body == item[..item.len().min(2 * 1024)]), "its beginning is kept");
    }
    code
}

/// An event that differs from a good one in one field.
fn with(field: &str, value: &Value) -> String {
    let mut event = json!({"type": "trial_started", "lead": {"user_id": "u1"}});
    match field.split_once('.') {
        Some((outer, inner)) => event[outer] = json!({inner: value}),
        None => event[field] = value.clone(),
    }
    event.to_string()
}

#[tokio::test]
async fn a_nul_character_is_refused_wherever_it_stands() {
    run(async |app| {
        for place in
            ["id", "type", "lead.user_id", "lead.email", "properties.a", "traits.a", "context.a", "x\0"]
        {
            assert_eq!(refuse(app, with(place, &json!("a\0b"))).await, "invalid_character", "{place:?}");
        }
        for name in ["properties.a\0", "traits.a\0", "context.a\0", "lead.a\0"] {
            assert_eq!(refuse(app, with(name, &json!(1))).await, "invalid_character", "{name:?}");
        }
        let buried = with("properties.a", &json!([{"b": ["\0"]}]));
        assert_eq!(refuse(app, buried).await, "invalid_character");
    })
    .await;
}

#[tokio::test]
async fn half_a_surrogate_pair_is_refused_wherever_it_stands() {
    run(async |app| {
        for place in ["id", "type", "lead.user_id", "properties.a", "traits.HALF", "properties.HALF"] {
            for half in [r"\ud800", r"\udc00", r"\ud800\ud800"] {
                let item = with(place, &json!("HALF")).replace("HALF", half);
                assert_eq!(refuse(app, item).await, "invalid_json", "{place} {half}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_no_utf8_sink_only_the_item_with_them() {
    run(async |app| {
        for bad in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"] {
            let item = [br#"{"type":"trial_started","lead":{"user_id":""#, bad, br#""}}"#].concat();
            assert_eq!(refuse(app, item).await, "invalid_utf8", "{bad:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn nesting_is_taken_to_32_levels_and_refused_beyond_without_a_crash() {
    run(async |app| {
        let nested = |levels: usize| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            format!(
                r#"{{"type":"trial_started","lead":{{"user_id":"deep"}},"properties":{{"a":{open}{close}}}}}"#
            )
        };
        // The event and its properties are two of the levels.
        let answer = app.post("/v1/events", nested(30)).await.json();
        assert_eq!(answer["accepted"], 1, "{answer}");

        assert_eq!(refuse(app, nested(31)).await, "too_deep");
        assert_eq!(refuse(app, nested(64)).await, "too_deep");
        assert_eq!(refuse(app, nested(20_000)).await, "too_deep");
        assert_eq!(refuse(app, nested(100_000)).await, "event_too_large");
    })
    .await;
}

#[tokio::test]
async fn numbers_beyond_what_a_double_holds_are_refused_and_long_ones_taken() {
    run(async |app| {
        for number in ["1e999", "-1e999", "1E+400"] {
            let item = with("properties.n", &json!("N")).replace("\"N\"", number);
            assert_eq!(refuse(app, item).await, "invalid_json", "{number}");
        }
        for number in ["123456789012345678901234567890", "1e308", "-1e-400", "-0"] {
            let item = with("properties.n", &json!("N")).replace("\"N\"", number);
            let answer = app.post("/v1/events", item).await.json();
            assert_eq!(answer["accepted"], 1, "{number}: {answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn times_that_are_none_or_lie_outside_1970_to_2100_are_refused() {
    run(async |app| {
        for field in ["occurred_at", "sent_at"] {
            for (time, code) in [
                ("0001-01-01T00:00:00Z", "time_out_of_range"),
                ("1969-12-31T23:59:59Z", "time_out_of_range"),
                ("2100-01-01T00:00:00Z", "time_out_of_range"),
                ("9999-12-31T23:59:59Z", "time_out_of_range"),
                ("2026-13-45", "invalid_time"),
                ("2026-02-30T00:00:00Z", "invalid_time"),
                ("2026-03-01T10:00:00", "invalid_time"),
                ("+99999-01-01T00:00:00Z", "invalid_time"),
                ("yesterday", "invalid_time"),
                ("", "invalid_time"),
            ] {
                assert_eq!(refuse(app, with(field, &json!(time))).await, code, "{field} {time}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_event_of_next_week_is_refused_unless_the_senders_clock_explains_it() {
    run(async |app| {
        let item = with("occurred_at", &json!("2026-03-09T09:00:00Z"));
        assert_eq!(refuse(app, item).await, "time_out_of_range");
    })
    .await;
}

#[tokio::test]
async fn a_megabyte_is_refused_wherever_it_stands() {
    run(async |app| {
        let megabyte = "x".repeat(1024 * 1024);
        for place in [
            "id",
            "type",
            "occurred_at",
            "lead.user_id",
            "lead.email",
            "lead.anonymous_id",
            "properties.a",
            "traits.a",
            "context.a",
            "unknown",
        ] {
            let item = with(place, &json!(megabyte));
            assert_eq!(refuse(app, item).await, "event_too_large", "{place}");
        }
    })
    .await;
}

#[tokio::test]
async fn names_that_are_too_long_are_refused_one_byte_beyond_their_bound() {
    run(async |app| {
        let address = |bytes: usize| format!("{}@acme.example", "a".repeat(bytes - "@acme.example".len()));
        for (place, fits, longer, code) in [
            ("id", "x".repeat(512), "x".repeat(513), "invalid_id"),
            ("type", "x".repeat(100), "x".repeat(101), "invalid_event_type"),
            ("lead.user_id", "x".repeat(512), "x".repeat(513), "invalid_user_id"),
            ("lead.anonymous_id", "x".repeat(512), "x".repeat(513), "invalid_anonymous_id"),
            ("lead.email", address(254), address(255), "invalid_email"),
        ] {
            let answer = app.post("/v1/events", with(place, &json!(fits))).await.json();
            assert_eq!(answer["accepted"], 1, "{place}: {answer}");
            assert_eq!(refuse(app, with(place, &json!(longer))).await, code, "{place}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_field_of_the_wrong_kind_is_refused_under_a_code_of_its_own() {
    run(async |app| {
        for (place, code) in [
            ("id", "invalid_id"),
            ("type", "invalid_event_type"),
            ("occurred_at", "invalid_time"),
            ("sent_at", "invalid_time"),
            ("lead", "invalid_lead"),
            ("lead.user_id", "invalid_user_id"),
            ("lead.anonymous_id", "invalid_anonymous_id"),
            ("lead.email", "invalid_email"),
            ("properties", "invalid_properties"),
            ("traits", "invalid_traits"),
            ("context", "invalid_context"),
        ] {
            for wrong in [json!(7), json!(true), json!(["a"])] {
                assert_eq!(refuse(app, with(place, &wrong)).await, code, "{place} {wrong}");
            }
        }
        for item in ["null", "7", "\"text\"", "[]", "true"] {
            assert_eq!(refuse(app, item).await, "invalid_event", "{item}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_an_event_cannot_be_without_is_asked_for() {
    run(async |app| {
        assert_eq!(refuse(app, r#"{"lead":{"user_id":"u1"}}"#).await, "missing_type");
        assert_eq!(refuse(app, with("type", &json!(""))).await, "invalid_event_type");
        assert_eq!(refuse(app, with("type", &json!("Page Viewed"))).await, "invalid_event_type");
        assert_eq!(refuse(app, with("id", &json!(""))).await, "invalid_id");
        assert_eq!(refuse(app, r#"{"type":"trial_started"}"#).await, "missing_identity");
        assert_eq!(refuse(app, with("lead", &json!({}))).await, "missing_identity");
        assert_eq!(refuse(app, with("lead.user_id", &Value::Null)).await, "missing_identity");
        assert_eq!(refuse(app, with("lead.user_id", &json!("  "))).await, "invalid_user_id");
        assert_eq!(refuse(app, with("lead.email", &json!("no address"))).await, "invalid_email");
    })
    .await;
}

#[tokio::test]
async fn a_field_that_does_not_exist_is_refused_by_its_name() {
    run(async |app| {
        assert_eq!(refuse(app, with("timestamp", &json!("2026-03-02T09:00:00Z"))).await, "unknown_field");
        assert_eq!(refuse(app, with("lead.phone", &json!("+1"))).await, "unknown_field");

        let answer = app
            .post("/v1/events", json!([{"type": "a", "lead": {"user_id": "u"}, "colour": 1}]).to_string())
            .await;

        insta::assert_snapshot!(shown(&answer.json()), @r#"
        {
          "accepted": 0,
          "duplicates": 0,
          "rejected": [
            {
              "code": "unknown_field",
              "detail": "`colour` is not a field of an event; the fields are id, type, occurred_at, sent_at, lead, properties, traits, context",
              "index": 0
            }
          ]
        }
        "#);
    })
    .await;
}

#[tokio::test]
async fn types_that_have_a_call_of_their_own_are_refused() {
    run(async |app| {
        for kind in scoring::event::NOT_ACTIVITY {
            if !["identify", "group"].contains(&kind) {
                assert_eq!(refuse(app, with("type", &json!(kind))).await, "reserved_event_type", "{kind}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_message_of_a_tracking_batch_sinks_no_neighbour_either() {
    run(async |app| {
        let batch = r#"{"batch":[
            {"type":"track","event":"Trial Started","userId":"left"},
            {"type":"track","event":"Trial\u0000Started","userId":"u1"},
            {"type":"track","event":"Trial Started","userId":"\ud800"},
            {"type":"track","userId":"u1"},
            {"type":"nonsense","userId":"u1"},
            {"type":"track","event":"Score Adjusted","userId":"u1"},
            {"type":"track","event":"Trial Started","userId":"right"}
        ]}"#;

        let answer = app.post("/v1/batch", batch).await.json();

        assert_eq!((&answer["success"], &answer["accepted"]), (&json!(true), &json!(2)), "{answer}");
        let codes: Vec<_> = answer["rejected"].as_array().unwrap().iter().map(|item| &item["code"]).collect();
        assert_eq!(
            json!(codes),
            json!([
                "invalid_character",
                "invalid_json",
                "missing_event",
                "unknown_type",
                "reserved_event_type"
            ])
        );
        assert_eq!(
            (app.lead("left").await["score"].clone(), app.count("rejected_events").await),
            (json!(20), 5)
        );
        assert_eq!(app.lead("right").await["score"], 20);
    })
    .await;
}
