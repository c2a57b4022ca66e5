//! What people refuse at one provider or another stands until they say yes themselves.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Case, SendgridKey, provider, send, source};
use crate::harness::{TestApp, run};

const JANE: &str = "jane@acme.example";

/// A source of SendGrid's with a key of its own.
struct Sendgrid {
    path: String,
    key: SendgridKey,
}

impl Sendgrid {
    async fn of(app: &TestApp) -> Sendgrid {
        let (key, mut wanted) = (SendgridKey::generate(), provider("sendgrid").1);
        wanted["public_key"] = json!(key.shown());
        Sendgrid { path: source(app, &wanted).await, key }
    }

    /// Tells of Jane's first address at an instant.
    async fn tells(&self, app: &TestApp, at: DateTime<Utc>, mut event: Value) {
        event["email"] = json!(JANE);
        event["timestamp"] = json!(at.timestamp());
        event["sg_event_id"] = json!(event.to_string());
        let signed = self.key.sign(&provider("sendgrid").0.case("click_event"), &json!([event]).to_string());
        let answer = send(app, &self.path, &signed).await;
        assert_eq!(answer.json()["accepted"], 1, "{answer:?}");
    }
}

async fn mails(app: &TestApp) -> Value {
    app.lead("jane").await["consent"]["channels"]["email"]["state"].clone()
}

/// Whom not to write to, and why.
async fn suppressed(app: &TestApp) -> Vec<String> {
    let rows = app.pages("/v1/suppressions").await;
    let mut said: Vec<String> =
        rows.iter().map(|row| format!("{} {}", row["email"], row["state"]).replace('"', "")).collect();
    said.sort();
    said
}

/// Jane, who has two addresses.
async fn jane(app: &TestApp) {
    for email in [JANE, "jane@home.example"] {
        app.events(json!([{"type": "identify", "lead": {"user_id": "jane", "email": email}}])).await;
    }
}

fn unsubscribe() -> Value {
    json!({"event": "unsubscribe"})
}

fn bounce() -> Value {
    json!({"event": "bounce", "type": "bounce", "reason": "550 5.1.1 no such user"})
}

#[tokio::test]
async fn a_bounce_never_lifts_a_refusal_whichever_comes_first() {
    for [first, second] in [[unsubscribe(), bounce()], [bounce(), unsubscribe()]] {
        run(async |app| {
            jane(app).await;
            let sendgrid = Sendgrid::of(app).await;
            let at = |minutes: i64| app.now() - TimeDelta::minutes(minutes);

            sendgrid.tells(app, at(9), first.clone()).await;
            sendgrid.tells(app, at(5), second.clone()).await;

            let both = ["jane@acme.example withdrawn", "jane@home.example withdrawn"];
            assert_eq!(suppressed(app).await, both, "{first} {second}");
            assert_eq!(mails(app).await, "withdrawn");
            app.events(json!([{"type": "email_subscribed", "lead": {"email": JANE}, "occurred_at": at(7)}]))
                .await;
            if first == unsubscribe() {
                assert_eq!(
                    suppressed(app).await,
                    ["jane@acme.example bounced"],
                    "the person came back before it"
                );
            } else {
                assert_eq!(suppressed(app).await, both);
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_bounce_that_is_told_late_lifts_no_refusal_and_costs_the_other_address_nothing() {
    run(async |app| {
        jane(app).await;
        let sendgrid = Sendgrid::of(app).await;

        sendgrid.tells(app, app.now() - TimeDelta::minutes(9), bounce()).await;
        assert_eq!(suppressed(app).await, ["jane@acme.example bounced"]);
        sendgrid.tells(app, app.now() - TimeDelta::hours(9), unsubscribe()).await;

        assert_eq!(suppressed(app).await, ["jane@acme.example withdrawn", "jane@home.example withdrawn"]);
    })
    .await;
}

#[tokio::test]
async fn who_subscribes_to_a_group_again_still_wants_nothing_else() {
    run(async |app| {
        jane(app).await;
        let sendgrid = Sendgrid::of(app).await;
        let at = |minutes: i64| app.now() - TimeDelta::minutes(minutes);
        let group = |event: &str, id: i64| json!({"event": event, "asm_group_id": id});

        sendgrid.tells(app, at(9), group("group_unsubscribe", 10)).await;
        assert_eq!(mails(app).await, "withdrawn");
        sendgrid.tells(app, at(8), group("group_resubscribe", 10)).await;
        assert_eq!(mails(app).await, "granted");
        sendgrid.tells(app, at(7), group("group_unsubscribe", 11)).await;
        sendgrid.tells(app, at(6), group("group_resubscribe", 10)).await;
        assert_eq!(mails(app).await, "withdrawn", "another group");
        sendgrid.tells(app, at(5), group("group_resubscribe", 11)).await;
        sendgrid.tells(app, at(4), unsubscribe()).await;
        sendgrid.tells(app, at(3), group("group_resubscribe", 10)).await;

        assert_eq!(mails(app).await, "withdrawn", "all mails");
        assert_eq!(suppressed(app).await.len(), 2);
        app.events(json!([{"type": "email_subscribed", "lead": {"email": JANE}, "occurred_at": at(2)}]))
            .await;
        assert_eq!(mails(app).await, "granted");
        assert_eq!(suppressed(app).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn what_a_sender_changes_at_postmark_is_no_word_of_the_person() {
    run(async |app| {
        jane(app).await;
        let path = source(app, &provider("postmark").1).await;
        let at = |minutes: i64| (app.now() - TimeDelta::minutes(minutes)).to_rfc3339();
        let complaint = json!({"RecordType": "SpamComplaint", "Type": "SpamComplaint", "ID": 1, "Email": JANE,
            "BouncedAt": at(9)});
        send(app, &path, &Case::of_postmark(&complaint)).await;
        let before = app.lead("jane").await;
        let change = |origin: &str, suppresses: bool, reason: Option<&str>, minutes: i64| {
            Case::of_postmark(
                &json!({"RecordType": "SubscriptionChange", "Recipient": JANE, "Origin": origin,
                "MessageStream": "outbound", "SuppressSending": suppresses, "SuppressionReason": reason,
                "ChangedAt": at(minutes)}),
            )
        };

        for (minutes, origin) in [(8, "Customer"), (7, "Admin")] {
            for (suppresses, reason) in [(false, None), (true, Some("ManualSuppression"))] {
                let answer = send(app, &path, &change(origin, suppresses, reason, minutes)).await;
                assert_eq!(answer.json()["accepted"], 0, "{origin}: {answer:?}");
            }
        }

        let after = app.lead("jane").await;
        assert_eq!((&after["raw"], &after["consent"]), (&before["raw"], &before["consent"]));
        assert_eq!(mails(app).await, "complained");
        send(app, &path, &change("Recipient", false, None, 6)).await;
        assert_eq!(mails(app).await, "granted", "the person has changed its mind");
    })
    .await;
}
