//! Events in: from bytes to a committed, scored answer.
//!
//! A request's items are read one by one. Bad items are set aside with their reason. The rest go over a bounded
//! channel to a few *writers*. A writer takes what has gathered and opens one transaction. It resolves identities,
//! appends to the log, adds the new events to the tallies of their leads, and commits. Only then is each waiting
//! request answered. So "accepted" means: on disk, scored, and visible in every other answer.
//!
//! An *upsert* is an identify that is left out if it changes nothing. The writers decide that under the lead's lock.
//!
//! Nothing that a client can cancel holds a transaction: writers are tasks of their own. A full channel refuses at
//! once. If the database refuses an item, the batch is split until the item stands alone, and only that item is
//! rejected.

pub mod api;
mod commit;
pub mod event;
pub mod items;
pub mod jobs;
pub(crate) mod native;
mod rejection;
mod store;
mod types;
mod upsert;
mod writer;

use std::ops::Deref;

use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

pub(crate) use commit::WriterContext;
pub use rejection::{Refused, RejectedItem, Rejection, Warning};
pub(crate) use types::Types;
pub use upsert::{Upserted, Upserts};
pub use writer::{Busy, WRITERS, Writers};

use crate::{keys::Keys, leads::Stage, lifecycle::Lifecycle, platform::ids::LeadId, scores::State};
use event::{Arrival, NewEvent};

/// How many refused items an answer lists at most, and how many warnings.
const MOST_LISTED: usize = 1_000;

/// The parsed items of a request.
#[derive(Debug)]
pub struct Submission {
    /// When the request arrived, and with which key.
    pub arrival: Arrival,
    /// The good items, each with its place in the request.
    pub events: Vec<(usize, NewEvent)>,
    /// The refused items.
    pub refused: Vec<Refused>,
    /// Whether the answer must contain the leads.
    pub want_leads: bool,
    /// The size of the items as they came, in bytes.
    pub size: usize,
}

/// The outcome of one event. If the caller asked for leads, it contains the state of the event's lead.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The event is new and was written.
    Accepted(Option<State>),
    /// The same event was in the log already.
    Duplicate(Option<State>),
    /// The event was refused.
    Rejected(Rejection),
}

/// The answer to a request that brought events.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = EventsAnswer)]
pub struct Answer {
    /// How many events are new, committed and scored.
    pub accepted: usize,
    /// How many events were in the log already.
    pub duplicates: usize,
    /// The events that were refused, at most 1000.
    pub rejected: Vec<RejectedItem>,
    /// Warnings about accepted events, at most 1000. Absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// How many more events were refused than are listed. Absent if 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub rejected_unlisted: usize,
    /// The leads of the accepted and repeated events. Only with `return=leads` and a key that may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leads: Option<Vec<AnsweredLead>>,
}

/// A lead after an event.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AnsweredLead {
    /// The event's place in the request, from 0.
    pub index: usize,
    /// The lead that the event counts for.
    pub lead_id: LeadId,
    /// The published score, in whole points.
    pub score: i32,
    /// The band of the score.
    pub band: String,
    /// The stage of the lead.
    pub stage: Stage,
}

/// What the calls that bring events work with: the lifecycle, the keys and the writers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Intake {
    /// What every change of a lead works with.
    pub lifecycle: Lifecycle,
    /// The keys in use.
    pub keys: Keys,
    /// The channel to the tasks that write events to the log.
    pub writers: Writers,
}

impl Deref for Intake {
    type Target = Lifecycle;

    fn deref(&self) -> &Lifecycle {
        &self.lifecycle
    }
}

/// Hands the events of a request to the writers and waits until they are committed.
///
/// # Errors
/// [`Busy`] if none of the events was written.
pub async fn submit(writers: &Writers, submission: Submission) -> Result<Answer, Busy> {
    let want_leads = submission.want_leads;
    let mut answer = Answer { leads: want_leads.then(Vec::new), ..Answer::default() };
    if submission.events.is_empty() && submission.refused.is_empty() {
        return Ok(answer);
    }
    for refused in &submission.refused {
        answer.reject(refused.index, refused.rejection.clone());
    }
    for (index, event) in &submission.events {
        let set_aside = event.named.set_aside().iter();
        let room = MOST_LISTED.saturating_sub(answer.warnings.len());
        answer.warnings.extend(set_aside.take(room).map(|kind| Warning::placeholder(*index, *kind)));
    }
    let places: Vec<usize> = submission.events.iter().map(|(index, _)| *index).collect();
    for (index, outcome) in places.into_iter().zip(writers.write(submission).await?) {
        match outcome {
            Outcome::Accepted(state) => {
                answer.accepted += 1;
                answer.name(index, state);
            }
            Outcome::Duplicate(state) => {
                answer.duplicates += 1;
                answer.name(index, state);
            }
            Outcome::Rejected(rejection) => answer.reject(index, rejection),
        }
    }
    count(&answer);
    answer.rejected.sort_by_key(|item| item.index);
    answer.rejected_unlisted = answer.rejected.len().saturating_sub(MOST_LISTED);
    answer.rejected.truncate(MOST_LISTED);
    Ok(answer)
}

/// Appends events to the log in the caller's transaction. The caller makes the changes that the events tell
/// of, and scores their leads.
pub(crate) async fn append(conn: &mut PgConnection, events: &[NewEvent]) -> sqlx::Result<()> {
    let mut events: Vec<&NewEvent> = events.iter().collect();
    events.sort_unstable_by_key(|event| commit::place(event));
    store::insert(conn, &events).await?;
    Ok(())
}

/// Hands upserts to the writers and waits until the new ones are committed. Returns the result of each
/// upsert, in order.
pub async fn upsert(writers: &Writers, upserts: Upserts) -> Result<Vec<Upserted>, Busy> {
    let outcomes = writers.upsert(upserts).await?;
    for outcome in &outcomes {
        let outcome = match outcome {
            Upserted::Created(_) | Upserted::Updated(_) => "accepted",
            Upserted::Unchanged(_) => "unchanged",
            Upserted::Rejected(_) => "rejected",
        };
        metrics::counter!("leadscore_events_total", "outcome" => outcome).increment(1);
    }
    Ok(outcomes)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Answer {
    fn reject(&mut self, index: usize, rejection: Rejection) {
        self.rejected.push(RejectedItem { index, code: rejection.code.to_owned(), detail: rejection.detail });
    }

    fn name(&mut self, index: usize, state: Option<State>) {
        if let (Some(leads), Some(state)) = (&mut self.leads, state) {
            let State { lead_id, score, band, stage, .. } = state;
            leads.push(AnsweredLead { index, lead_id, score, band, stage });
        }
    }
}

fn count(answer: &Answer) {
    let outcomes = [
        ("accepted", answer.accepted),
        ("duplicate", answer.duplicates),
        ("rejected", answer.rejected.len()),
    ];
    for (outcome, items) in outcomes {
        metrics::counter!("leadscore_events_total", "outcome" => outcome).increment(items as u64);
    }
}
