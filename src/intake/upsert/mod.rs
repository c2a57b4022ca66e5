//! Upserts: what other systems know about leads, such as a CRM or a billing system.
//!
//! *Upsert*: what such a system says of a person. The system names the person by its own id (the lead's user id), by
//! e-mail address, or by both. An upsert is an event of type `identify` and goes through the writers like every
//! event. It joins identities, is scored before the answer, and stands in the log with its source.
//!
//! The guarantees:
//!
//! - An upsert that changes nothing adds no event, even if several come at once.
//! - For each attribute the newest date wins, so old knowledge overwrites nothing newer.
//! - An upsert never joins two user ids, and an e-mail address stays with the user id that claimed it first. An
//!   upsert that would change this is refused, and nothing of it is written.

pub mod api;
mod said;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    http::problem::Problem,
    intake::ingest::{self, Busy, Intake, Rejection, Upserted, Upserts, event::NewEvent},
    platform::ids::LeadId,
};

/// The effect of an upsert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effect {
    /// The lead is new.
    Created,
    /// An attribute has another value, or another identity belongs to the lead.
    Updated,
    /// The lead is as it was: the upsert said what is known, or something older.
    Unchanged,
}

/// Upserts leads, each by itself, in order.
async fn upsert_all(
    intake: &Intake,
    events: Vec<NewEvent>,
) -> Result<Vec<Result<(Effect, LeadId), Rejection>>, Busy> {
    let outcomes = ingest::upsert(&intake.writers, Upserts { events, seen: None }).await?;
    Ok(outcomes.into_iter().map(effect).collect())
}

/// Upserts one lead, if it still has the attributes that the caller has `seen`.
async fn upsert(
    intake: &Intake,
    event: NewEvent,
    seen: Option<Map<String, Value>>,
) -> Result<(Effect, LeadId), Problem> {
    let outcomes = ingest::upsert(&intake.writers, Upserts { events: vec![event], seen }).await?;
    let outcome = outcomes.into_iter().next().ok_or(Busy::Unavailable)?;
    effect(outcome).map_err(said::problem)
}

fn effect(outcome: Upserted) -> Result<(Effect, LeadId), Rejection> {
    match outcome {
        Upserted::Created(lead) => Ok((Effect::Created, lead)),
        Upserted::Updated(lead) => Ok((Effect::Updated, lead)),
        Upserted::Unchanged(lead) => Ok((Effect::Unchanged, lead)),
        Upserted::Rejected(why) => Err(why),
    }
}
