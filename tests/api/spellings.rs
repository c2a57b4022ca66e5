//! One mailbox, one person: identities however they are written, and what is nobody's id.

use leadscore::leads::identity::{Identity, Kind};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, TestApp, run};

fn identity(kind: Kind, text: &str) -> Option<Identity> {
    Identity::parse(kind, text).ok()
}

async fn leads(app: &TestApp) -> Vec<Value> {
    app.get("/v1/leads").await.json()["data"].as_array().unwrap().clone()
}

async fn lead_by_email(app: &TestApp, email: &str) -> Value {
    let path: String = url::form_urlencoded::byte_serialize(email.as_bytes()).collect();
    app.get(&format!("/v1/leads/by/email/{path}")).await.json()
}

async fn say(app: &TestApp, method: &str, path: &str, body: &Value) -> Answer {
    app.call(method, path, Some(ADMIN), body.to_string()).await
}

/// Sends Segment's calls; what the answer says.
async fn segment(app: &TestApp, calls: &str) -> Value {
    app.post("/v1/batch", format!(r#"{{"batch": {calls}}}"#)).await.json()
}

#[tokio::test]
async fn a_mailbox_is_one_person_however_its_domain_is_written() {
    run(async |app| {
        say(app, "POST", "/v1/leads", &json!({"email": "jane@bücher.example"})).await;
        app.events(json!({"type": "email_unsubscribed", "lead": {"email": "Jane@xn--bcher-kva.example"}}))
            .await;

        let lead = app.only_lead().await;

        assert_eq!(lead["consent"]["channels"]["email"]["state"], "withdrawn");
        assert_eq!(lead["email"], "jane@xn--bcher-kva.example");
        for spelled in ["jane@bücher.example", "JANE@BÜCHER.EXAMPLE", "jane@xn--bcher-kva.example"] {
            assert_eq!(lead_by_email(app, spelled).await["id"], lead["id"], "{spelled}");
        }
        let suppressed = app.pages("/v1/suppressions").await;
        assert_eq!(suppressed.len(), 1);
        assert_eq!(suppressed[0]["lead_id"], lead["id"]);
    })
    .await;
}

#[tokio::test]
async fn what_nobody_sees_tells_no_mailboxes_apart() {
    run(async |app| {
        let emails =
            ["\u{feff}c@acme.example", "c@acme.example", "c@ac\u{200b}me.example", "Carl <C@acme.example>"];
        let batch: Vec<Value> = emails.iter().map(|email| json!({"email": email})).collect();
        let answer = say(app, "POST", "/v1/leads/batch", &json!({"leads": batch})).await.json();
        assert_eq!(answer["results"].as_array().unwrap().len(), 4, "{answer}");

        let ids = json!([
            {"type": "identify", "lead": {"user_id": " u\u{2060}1 ", "email": "mailto:c@acme.example"}},
            {"type": "trial_started", "lead": {"user_id": "u1"}},
            {"type": "page_viewed", "lead": {"user_id": "\u{200e}u1\u{ad}"}},
        ]);
        app.events(ids).await;

        assert_eq!((leads(app).await.len(), &app.only_lead().await["user_id"]), (1, &json!("u1")));
    })
    .await;
}

#[tokio::test]
async fn the_address_shown_is_the_one_of_the_attributes_however_they_spell_it() {
    run(async |app| {
        let identify = |email: &str| {
            json!({"type": "identify", "lead": {"user_id": "u1", "email": email}, "traits": {"email": email}})
        };
        app.events(identify("a@acme.example")).await;
        app.events(identify("Z@bücher.example")).await;

        assert_eq!(app.only_lead().await["email"], "z@xn--bcher-kva.example");
    })
    .await;
}

#[tokio::test]
async fn a_placeholder_joins_nobody_and_the_event_stays_with_its_device() {
    run(async |app| {
        for (index, word) in
            ["undefined", "null", "[object Object]", "0", "NaN", "None", "anonymous"].iter().enumerate()
        {
            let identify = |device: &str| {
                json!({"type": "identify", "traits": {"title": "CEO"},
                    "lead": {"user_id": word, "anonymous_id": format!("{device}{index}")}})
            };
            let answer = app.events(json!([identify("a"), identify("b")])).await;
            let said: Vec<_> =
                answer["warnings"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
            assert_eq!(said, ["placeholder_user_id", "placeholder_user_id"], "{word}");
        }

        assert_eq!(leads(app).await.len(), 14);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_names_nobody_but_a_placeholder_is_rejected_with_a_reason() {
    run(async |app| {
        let sent = json!([
            {"type": "trial_started", "lead": {"user_id": "undefined"}},
            {"type": "trial_started", "lead": {"user_id": "null", "email": "undefined@undefined"}},
            {"type": "trial_started", "lead": {"user_id": "u1", "email": "null"}},
        ]);
        let answer = app.post("/v1/events", sent.to_string()).await.json();

        assert_eq!((&answer["accepted"], answer["rejected"].as_array().unwrap().len()), (&json!(1), 2));
        assert_eq!(answer["rejected"][0]["code"], "placeholder_user_id");
        assert_eq!(
            (&answer["warnings"][0]["index"], &answer["warnings"][0]["code"]),
            (&json!(2), &json!("placeholder_email"))
        );

        let calls = r#"[
            {"type": "identify", "userId": "undefined", "traits": {"email": "jane@acme.example"}},
            {"type": "track", "event": "Trial Started", "userId": "None", "anonymousId": "d1"},
            {"type": "track", "event": "Trial Started", "userId": 0},
            {"type": "alias", "userId": "u1", "previousId": "undefined"},
            {"type": "alias", "userId": "null", "previousId": "d1"},
            {"type": "group", "groupId": "g1", "userId": "guest"}]"#;
        let answer = segment(app, calls).await;
        assert_eq!(answer["accepted"], 2, "{answer}");
        let codes = |list: &str| -> Vec<Value> {
            answer[list].as_array().unwrap().iter().map(|one| one["code"].clone()).collect()
        };
        assert_eq!(codes("warnings"), ["placeholder_user_id", "placeholder_user_id"]);
        let refused =
            ["placeholder_user_id", "invalid_previous_id", "placeholder_user_id", "placeholder_user_id"];
        assert_eq!(codes("rejected"), refused);
        assert!(answer.get("warnings").is_some());
        let plain = app.events(json!({"type": "page_viewed", "lead": {"user_id": "u2"}})).await;
        assert_eq!(plain.get("warnings"), None, "where there is nothing to say");
    })
    .await;
}

#[tokio::test]
async fn an_upsert_makes_nobody_of_a_placeholder() {
    run(async |app| {
        let answer = say(app, "PUT", "/v1/leads/by/external_id/undefined", &json!({"traits": {}})).await;
        assert_eq!(answer.status, 400);
        let answer =
            say(app, "POST", "/v1/leads", &json!({"user_id": "null", "email": "jane@acme.example"})).await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.json()["errors"][0]["pointer"], "/user_id");

        assert_eq!(app.get("/v1/leads/by/external_id/undefined").await.status, 404, "it may be looked up");
        assert_eq!(leads(app).await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_number_as_an_id_keeps_every_digit() {
    run(async |app| {
        let answer = segment(
            app,
            r#"[{"type": "track", "event": "a", "userId": 100000000000000000001},
                {"type": "track", "event": "a", "userId": 100000000000000000002},
                {"type": "track", "event": "a", "userId": 10000000000000000001.0},
                {"type": "track", "event": "b", "userId": 12345.0, "messageId": 1e3},
                {"type": "track", "event": "c", "userId": 12345, "messageId": 100000000000000000003},
                {"type": "track", "event": "d", "userId": "12345", "messageId": 100000000000000000004}]"#,
        )
        .await;

        assert_eq!(answer["accepted"], 6, "{answer}");
        let mut users: Vec<String> =
            leads(app).await.iter().map(|lead| lead["user_id"].as_str().unwrap().to_owned()).collect();
        users.sort();
        assert_eq!(
            users,
            ["100000000000000000001", "100000000000000000002", "10000000000000000001", "12345"]
        );
    })
    .await;
}

/// What may stand anywhere in an address without being seen.
fn unseen() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "", "\u{feff}", "\u{200b}", "\u{200d}", "\u{ad}", "\u{202a}", "\u{2060}", "\u{fe0f}",
    ])
    .prop_map(str::to_owned)
}

/// An address, and another way to write it.
fn spelled() -> impl Strategy<Value = (String, String)> {
    let local = "[a-zäöéñ0-9]{1,6}([.+_-][a-zäö0-9]{1,4})?";
    let domain = "[a-zäöüß0-9]{1,8}(-[a-zé]{1,4})?\\.(example|test|co\\.test)";
    let parts = (local, domain, any::<[bool; 6]>(), unseen(), unseen());
    parts.prop_map(|(local, domain, [upper, ascii, dot, name, link, apart], one, other)| {
        use unicode_normalization::UnicodeNormalization;
        let cased = |text: &str| {
            // ß has no capital letter that everybody writes.
            text.chars()
                .flat_map(|c| if upper && c != 'ß' { c.to_uppercase().collect() } else { vec![c] })
                .collect::<String>()
        };
        let far = if ascii { url::Host::parse(&domain).unwrap().to_string() } else { domain.clone() };
        let written = format!("{one}{}@{other}{}{}", cased(&local), cased(&far), if dot { "." } else { "" });
        let written: String = if apart { written.nfd().collect() } else { written };
        let written = if name { format!("Jane Doe <{written}>") } else { written };
        let written = if link && !name { format!(" mailto:{written}?subject=Hello ") } else { written };
        (format!("{local}@{domain}"), written)
    })
}

proptest! {
    #[test]
    fn any_way_to_write_an_address_is_one_identity((plain, written) in spelled()) {
        let one = identity(Kind::Email, &plain).unwrap();
        let other = identity(Kind::Email, &written);
        prop_assert_eq!(other.as_ref().map(Identity::value), Some(one.value()), "{}", written);
    }

    #[test]
    fn a_normal_form_is_its_own(text in "\\PC{0,40}", local in "\\PC{1,12}", domain in "[\\PC.]{1,16}") {
        let address = format!("{local}@{domain}");
        for kind in [Kind::UserId, Kind::Email, Kind::AnonymousId] {
            for text in [&text, &address] {
                if let Some(one) = identity(kind, text) {
                    let again = identity(kind, one.value());
                    prop_assert_eq!(again.as_ref().map(Identity::value), Some(one.value()));
                }
            }
        }
    }
}
