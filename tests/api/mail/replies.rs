//! What is refused, and the status by which each provider does as it should.

use std::convert::Infallible;

use axum::{body::Body, http::Request};
use futures_util::stream;
use leadscore::http::body::LARGEST_BODY;
use serde_json::{Value, json};

use super::{Case, SendgridKey, forget_events, provider, send, source};
use crate::harness::{TestApp, run};

/// A recorded click or delivery of each provider, its source, and the way in which it can be spoilt.
fn spoilt(app: &TestApp, name: &str) -> (Value, Case, Case) {
    let (recordings, wanted) = provider(name);
    let case = recordings.case(match name {
        "mailgun" | "resend" | "brevo" => "clicked_event",
        _ => "click_event",
    });
    let right = if name == "resend" { case.signed_now(app, recordings.text("secret")) } else { case };
    let wrong = match name {
        "postmark" | "brevo" => right.with_header("Authorization", "Basic eDp5"),
        "mailgun" => right.with_body(&right.body().replace("1461261338", "1461261339")),
        _ => right.with_body(&right.body().replace("example", "exampla")),
    };
    (wanted, right, wrong)
}

#[tokio::test]
async fn what_is_not_the_providers_is_refused_and_nothing_of_it_kept() {
    run(async |app| {
        for (name, status) in [
            ("sendgrid", 401),
            ("mailgun", 406),
            ("postmark", 401),
            ("ses", 401),
            ("resend", 401),
            ("brevo", 401),
        ] {
            let (wanted, right, wrong) = spoilt(app, name);
            let path = source(app, &wanted).await;

            let refused = send(app, &path, &wrong).await;

            assert_eq!(
                (refused.status.as_u16(), refused.problem().as_str()),
                (status, "unauthorized"),
                "{name}"
            );
            assert_eq!(app.count("event").await, 0, "{name}");
            let taken = send(app, &path, &right).await;
            assert_eq!((taken.status.as_u16(), &taken.json()["accepted"]), (200, &json!(1)), "{name}");
            forget_events(app).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_that_nobody_was_given_is_refused() {
    run(async |app| {
        for (name, status) in [
            ("sendgrid", 404),
            ("mailgun", 406),
            ("postmark", 403),
            ("ses", 404),
            ("resend", 404),
            ("brevo", 404),
        ] {
            let (wanted, right, _) = spoilt(app, name);
            let path = source(app, &wanted).await;
            let (base, token) = path.rsplit_once('/').unwrap();

            let unknown = send(app, &format!("{base}/{}", "A".repeat(token.len())), &right).await;
            let other = if name == "brevo" { "postmark" } else { "brevo" };
            let elsewhere = send(app, &format!("/v1/hooks/{other}/{token}"), &right).await;

            assert_eq!(
                (unknown.status.as_u16(), unknown.problem().as_str()),
                (status, "not_found"),
                "{name}"
            );
            assert_eq!(elsewhere.problem(), "not_found", "{name}");
        }
        let nobody = app.call("POST", "/v1/hooks/mailchimp/x", None, "{}").await;
        assert_eq!(nobody.problem(), "not_found");
        assert_eq!(app.count("event").await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_the_providers_and_cannot_be_read_is_refused_by_the_status_that_each_understands() {
    run(async |app| {
        let key = SendgridKey::generate();
        for (name, status) in [
            ("sendgrid", 400),
            ("mailgun", 406),
            ("postmark", 403),
            ("ses", 400),
            ("resend", 400),
            ("brevo", 400),
        ] {
            let (mut wanted, right, _) = spoilt(app, name);
            let unreadable = match name {
                "sendgrid" => {
                    wanted["public_key"] = json!(key.shown());
                    key.sign(&right, "no JSON")
                }
                "mailgun" => right.with_body(&right.body().replace("event-data", "event")),
                "resend" => right.with_body("no JSON").signed_now(app, provider(name).0.text("secret")),
                _ => right.with_body("no JSON"),
            };
            let path = source(app, &wanted).await;

            let answer = send(app, &path, &unreadable).await;

            assert_eq!(
                (answer.status.as_u16(), answer.problem().as_str()),
                (status, "invalid_body"),
                "{name}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_cannot_be_had_is_refused_by_the_status_that_each_provider_understands() {
    run(async |app| {
        for (name, large, broken) in [
            ("sendgrid", 413, 400),
            ("mailgun", 406, 406),
            ("postmark", 403, 403),
            ("ses", 413, 400),
            ("resend", 413, 400),
            ("brevo", 413, 400),
        ] {
            let (wanted, right, _) = spoilt(app, name);
            let path = source(app, &wanted).await;

            let too_large = send(app, &path, &right.with_body(&" ".repeat(LARGEST_BODY + 1))).await;
            let no_gzip = send(app, &path, &right.with_header("Content-Encoding", "gzip")).await;

            assert_eq!(
                (too_large.status.as_u16(), too_large.problem().as_str()),
                (large, "too_large"),
                "{name}"
            );
            assert_eq!(
                (no_gzip.status.as_u16(), no_gzip.problem().as_str()),
                (broken, "invalid_body"),
                "{name}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_stops_coming_is_to_be_sent_again() {
    run(async |app| {
        let impatient = app.impatient_instance().await;
        for (name, status) in [
            ("sendgrid", 503),
            ("mailgun", 503),
            ("postmark", 503),
            ("ses", 503),
            ("resend", 503),
            ("brevo", 429),
        ] {
            let path = source(app, &spoilt(app, name).0).await;
            let nothing = Body::from_stream(stream::pending::<Result<&str, Infallible>>());

            let answer = impatient.send(Request::post(path).body(nothing).unwrap()).await;

            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (status, "overloaded"), "{name}");
        }
        impatient.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn what_sendgrids_own_library_verifies_is_taken_to_the_last_byte() {
    run(async |app| {
        let (recordings, mut wanted) = provider("sendgrid");
        let said = recordings.0.as_object().unwrap();
        let vector = &said.iter().find(|(name, _)| name.starts_with("official_vectors")).unwrap().1[0];
        let text = |field: &str| vector[field].as_str().unwrap();
        wanted["public_key"] = vector["public_key"].clone();
        let path = source(app, &wanted).await;
        let official = recordings
            .case("click_event")
            .with_header("X-Twilio-Email-Event-Webhook-Timestamp", text("timestamp"))
            .with_header("X-Twilio-Email-Event-Webhook-Signature", text("signature"));

        let whole = send(app, &path, &official.with_body(text("body"))).await;
        let trimmed = send(app, &path, &official.with_body(text("body").trim_end())).await;

        assert_eq!(whole.status, 200, "{whole:?}");
        assert_eq!((trimmed.status.as_u16(), trimmed.problem().as_str()), (401, "unauthorized"));
    })
    .await;
}

#[tokio::test]
async fn while_the_database_is_away_every_provider_is_told_to_come_back() {
    run(async |app| {
        let second = app.second_instance().await;
        let mut hooks = Vec::new();
        for name in ["sendgrid", "mailgun", "postmark", "ses", "resend", "brevo"] {
            let (wanted, right, _) = spoilt(app, name);
            hooks.push((name, source(app, &wanted).await, right));
        }
        second.app.db.close().await;

        for (name, path, right) in hooks {
            let answer = send(&second, &path, &right).await;

            // Brevo throws away what is answered with 5xx.
            let status = if name == "brevo" { 429 } else { 503 };
            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (status, "overloaded"), "{name}");
            assert_eq!(answer.headers["retry-after"], "1", "{name}");
        }
        second.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn an_address_may_be_probed_without_a_key() {
    run(async |app| {
        let path = source(app, &provider("brevo").1).await;

        assert_eq!(app.call("GET", &path, None, "").await.status, 200);
        assert_eq!(app.call("HEAD", &path, None, "").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn news_of_no_address_are_set_aside_and_sink_no_others() {
    run(async |app| {
        let (_, right, _) = spoilt(app, "brevo");
        let path = source(app, &provider("brevo").1).await;
        let events = json!([
            {"event": "click", "email": "not an address", "ts_epoch": 1_520_363_423_000_i64, "link": "https://a.example"},
            {"event": "click", "email": "a@b.example", "ts_epoch": 1_520_363_423_000_i64, "link": "https://a.example"},
            {"event": "click", "email": "a@b.example", "ts_epoch": 99_999_999_999_i64, "link": "https://a.example"},
            {"event": "request", "email": "a@b.example"},
        ]);

        let answer = send(app, &path, &right.with_body(&events.to_string())).await.json();

        assert_eq!((&answer["accepted"], answer["rejected"].as_array().unwrap().len()), (&json!(1), 2), "{answer}");
        assert_eq!(answer["rejected"][0]["code"], "invalid_email");
        assert_eq!(app.count("rejected_events").await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_topic_that_was_not_named_may_not_send_though_amazon_signs_for_it() {
    run(async |app| {
        let (recordings, mut wanted) = provider("ses");
        wanted["topic_arns"] = json!(["arn:aws:sns:us-east-1:123456789012:others"]);
        let path = source(app, &wanted).await;

        let answer = send(app, &path, &recordings.case("click_event")).await;

        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (401, "unauthorized"));
    })
    .await;
}

#[tokio::test]
async fn a_certificate_is_fetched_once_and_from_nowhere_but_amazon() {
    run(async |app| {
        let (recordings, mut wanted) = provider("ses");
        wanted.as_object_mut().unwrap().remove("certificates");
        let path = source(app, &wanted).await;
        let at_amazon = recordings.text("cert_url");

        let evil = send(app, &path, &recordings.case("EVIL")).await;
        assert_eq!((evil.status.as_u16(), evil.problem().as_str()), (401, "unauthorized"));
        assert_eq!(app.amazon.asked(), Vec::<String>::new());

        let away = send(app, &path, &recordings.case("click_event")).await;
        assert_eq!((away.status.as_u16(), away.problem().as_str()), (503, "overloaded"));
        app.amazon.answers(recordings.text("cert_pem"));
        assert_eq!(send(app, &path, &recordings.case("click_event")).await.status, 200);
        assert_eq!(send(app, &path, &recordings.case("open_event")).await.status, 200);
        assert_eq!(app.amazon.asked(), [at_amazon, at_amazon], "once while it was away, once for both");
        assert_eq!(app.count("event").await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_subscription_is_confirmed_to_amazon_alone_and_asked_for_again_if_it_could_not_be() {
    run(async |app| {
        let (recordings, wanted) = provider("ses");
        let path = source(app, &wanted).await;
        let asking = recordings.case("subscription confirmation");
        let forged = asking.with_body(&asking.body().replace("Action=ConfirmSubscription", "Action=Publish"));

        assert_eq!(send(app, &path, &forged).await.problem(), "unauthorized");
        assert_eq!(app.amazon.asked(), Vec::<String>::new());
        let away = send(app, &path, &asking).await;
        app.amazon.answers("confirmed");
        let answer = send(app, &path, &asking).await;

        assert_eq!((away.status.as_u16(), away.problem().as_str()), (503, "overloaded"));
        assert_eq!(away.headers["retry-after"], "1");
        assert_eq!(answer.status, 200, "{answer:?}");
        let asked = app.amazon.asked();
        let confirms = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&";
        assert!(asked.len() == 2 && asked.iter().all(|url| url.starts_with(confirms)), "{asked:?}");
        assert_eq!(app.count("event").await, 0);
    })
    .await;
}
