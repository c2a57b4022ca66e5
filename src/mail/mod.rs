//! What e-mail providers tell of the mails that they carry: delivered, opened, clicked, bounced, complained of, unsubscribed.
//!
//! A *source* is an account at a provider: it has an address of its own, in which a token stands that nobody can guess, and
//! a way to tell that it is the provider that sends. What comes is verified byte for byte before anything of it is read,
//! then turned into *news* ([`news`]), which take the ordinary way into the log: an event hung on the address, under an id
//! that is the same however often the provider tells it.
//!
//! - **What was answered with 200 is on disk.** Each provider is told in its own way whether to send again ([`Provider::status`]).
//! - **Nobody becomes a lead by a mail.** News of an address that nobody has named otherwise are kept, and count once
//!   somebody has.
//! - **Nothing is fetched for a message that may be anybody's**: Amazon's certificate only from Amazon, after the topic was
//!   found to be one that was named; a subscription is confirmed only when the message that asks for it is verified.
//!
//! What is of no interest (queued, put off) is answered and let go.

mod amazon;
pub mod api;
mod hooks;
mod news;
mod providers;
mod sources;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};

pub use amazon::{Amazon, Fetch, Fetched};

use crate::{
    app::App,
    http::problem::Problem,
    ingest::{
        Answer, Refused, Submission,
        event::{Arrival, NewEvent},
        submit,
    },
};
use news::{News, Read};
use providers::{Provider, Verification};

/// Takes what has come for a source; when this returns it is on disk.
async fn take(
    app: &App,
    verification: &Verification,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(Answer, usize), Problem> {
    let now = app.clock.now();
    let read = match verification {
        Verification::Ses(topics) => amazon::read(app, topics, body).await?,
        other => providers::read(other, headers, body, now)?,
    };
    let submission = submission(verification.provider(), &read, now);
    Ok((submit(&app.writers, submission).await?, read.passed_over))
}

/// News as events; those that cannot be any are set aside with their reason.
fn submission(provider: Provider, read: &Read, at: DateTime<Utc>) -> Submission {
    let arrival = Arrival { at, api_key: None };
    let event =
        |news: &News| -> Result<NewEvent, _> { news.found(provider)?.into_event(arrival, String::new) };
    let mut submission = Submission { arrival, events: Vec::new(), refused: Vec::new(), want_leads: false };
    for (index, news) in read.news.iter().enumerate() {
        match event(news) {
            Ok(event) => submission.events.push((index, event)),
            Err(rejection) => submission.refused.push(Refused::new(index, rejection, &news.summary())),
        }
    }
    submission
}
