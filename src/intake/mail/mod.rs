//! Reports of e-mail providers about mails: delivered, opened, clicked, bounced, complained, unsubscribed.
//!
//! A *source* is an account at a provider. A source has an address of its own with a token that nobody can guess, and
//! a way to verify that the provider sent the report. A report is verified byte for byte before it is read. Then it
//! becomes *news* ([`news`]), which go into the log like other events: an event of the address, under an id that is
//! the same however often the provider reports it.
//!
//! - **What was answered with 200 is on disk.** Each provider has its own answer that makes it send again
//!   ([`Provider::status`]).
//! - **A mail makes no lead.** News of an unknown address are kept, and count once somebody names the address in
//!   another way.
//! - **Nothing is fetched for a message that may come from anybody.** Amazon's certificate is fetched only from
//!   Amazon, after the topic was found among the source's topics. A subscription is confirmed only after its message
//!   is verified.
//!
//! Reports of no interest (queued, deferred) are answered and dropped.

mod amazon;
pub mod api;
mod news;
mod providers;
mod sources;

use std::{ops::Deref, sync::Arc};

use chrono::{DateTime, Utc};

pub use amazon::{Amazon, Fetch, Fetched};

use crate::{
    feed::webhooks::Couriers,
    http::{
        aside::in_place,
        problem::{Code, Problem},
    },
    intake::ingest::{
        Answer, Intake, Refused, Rejection, Submission,
        event::{Arrival, NewEvent},
        items::MOST_ITEMS,
        submit,
    },
};
use news::{News, Read};
use providers::{Provider, Sent, Verification};

/// What the calls of e-mail providers work with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The intake of events.
    pub intake: Intake,
    /// The cache of Amazon's certificates, which verify reports of SES.
    pub amazon: Arc<Amazon>,
    /// Sends requests to other servers. It refuses addresses that webhooks may not reach.
    pub couriers: Arc<Couriers>,
}

impl Deref for Mail {
    type Target = Intake;

    fn deref(&self) -> &Intake {
        &self.intake
    }
}

/// Verifies and takes a report. It is on disk when this returns. Returns the answer, and how many items of
/// the report were of no interest.
async fn take(mail: &Mail, verification: &Verification, sent: Sent<'_>) -> Result<(Answer, usize), Problem> {
    let (now, size) = (mail.clock.now(), sent.body.len());
    let read = match verification {
        Verification::Ses(topics) => amazon::read(mail, topics, sent.body).await?,
        other => in_place(size, || providers::read(other, sent, now))?,
    };
    let passed_over = read.passed_over;
    let submission = in_place(size, || submission(verification.provider(), read, size, now))?;
    Ok((submit(&mail.writers, submission).await?, passed_over))
}

/// Turns news into events. News that cannot be events are set aside with their reason.
fn submission(provider: Provider, read: Read, size: usize, at: DateTime<Utc>) -> Result<Submission, Problem> {
    if read.news.len() > MOST_ITEMS {
        let message =
            format!("A request may report at most {MOST_ITEMS} items. Send the items in several requests.");
        return Err(Problem::new(Code::TooLarge, message));
    }
    let arrival = Arrival { at, api_key: None };
    let event = |news: &News| -> Result<NewEvent, Rejection> {
        let event = news.found(provider)?.into_event(arrival, String::new)?;
        Ok(if news.told_in_several_ways { event.uncompared() } else { event })
    };
    let mut submission =
        Submission { arrival, events: Vec::new(), refused: Vec::new(), want_leads: false, size };
    for (index, news) in read.news.into_iter().enumerate() {
        match event(&news) {
            Ok(event) => submission.events.push((index, event)),
            Err(rejection) => submission.refused.push(Refused::new(index, rejection, &news.summary())),
        }
    }
    Ok(submission)
}
