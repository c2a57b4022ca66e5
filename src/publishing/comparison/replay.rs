//! Scoring leads from their logs under two models.

use std::{collections::HashMap, panic::resume_unwind, sync::Arc};

use chrono::DateTime;
use scoring::{Event, Instant, Score, forecast::Walk, mql::Decision, passages};
use serde_json::Map;
use sqlx::PgConnection;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{changes::WINDOW, store::SampledLead};
use crate::{
    leads::{Lead, Stage},
    lifecycle::stages,
    models::Version,
    platform::{clock::to_instant, ids::LeadId},
    scores::{History, read_log},
};

/// How many leads' logs are read at once.
const CHUNK: usize = 200;

/// A lead under two models, as of one instant.
#[derive(Debug)]
pub(super) struct Replayed {
    /// The lead as it is stored.
    pub(super) lead: Lead,
    /// When the lead's first event happened.
    pub(super) first_event_at: Option<Instant>,
    /// The lead under the first model, and under the second.
    pub(super) sides: [Side; 2],
}

/// A lead under one model.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) score: Score,
    /// What the model would decide about the lead's stage now. `None` at stages at which the score does not
    /// decide.
    pub(super) decision: Option<Decision>,
    /// Whether the person asked not to be contacted, and has not asked for contact since, by this model's
    /// rules.
    pub(super) do_not_contact: bool,
    /// Whether the lead would have become an MQL within the [`WINDOW`] if this model had always been live.
    pub(super) became_mql: bool,
}

/// Scores leads under two models. Each log is read once.
pub(super) async fn under_both(
    conn: &mut PgConnection,
    leads: Vec<SampledLead>,
    versions: &[Arc<Version>; 2],
    now: Instant,
) -> sqlx::Result<Vec<Replayed>> {
    let versions = versions.clone();
    over_logs(conn, leads, |one| one.lead.id, move |one, events| replay(one, &events, &versions, now)).await
}

/// Applies `work` to each case and the events of its lead, and returns the results in the same order.
///
/// The work runs on a blocking thread. While it handles one chunk of logs, the next chunk is read.
pub(super) async fn over_logs<C, T>(
    conn: &mut PgConnection,
    cases: Vec<C>,
    lead_of: fn(&C) -> LeadId,
    work: impl Fn(C, Vec<Event>) -> T + Clone + Send + 'static,
) -> sqlx::Result<Vec<T>>
where
    C: Send + 'static,
    T: Send + 'static,
{
    let mut done = Vec::with_capacity(cases.len());
    let mut running: Option<JoinHandle<Vec<T>>> = None;
    let mut cases = cases.into_iter();
    loop {
        let chunk: Vec<C> = cases.by_ref().take(CHUNK).collect();
        let ids: Vec<LeadId> = chunk.iter().map(lead_of).collect();
        let mut logs = if ids.is_empty() { HashMap::new() } else { read_log(conn, &ids).await? };
        if let Some(before) = running.take() {
            done.extend(before.await.unwrap_or_else(|error| resume_unwind(error.into_panic())));
        }
        if chunk.is_empty() {
            return Ok(done);
        }
        let work = work.clone();
        running = Some(spawn_blocking(move || {
            let of = |case: C| {
                let History { events, .. } =
                    logs.remove(&lead_of(&case)).expect("every lead that is asked for gets a log");
                work(case, events)
            };
            chunk.into_iter().map(of).collect()
        }));
    }
}

fn replay(sampled: SampledLead, events: &[Event], versions: &[Arc<Version>; 2], now: Instant) -> Replayed {
    let SampledLead { lead, identified_at } = sampled;
    let known_from = match lead.stage() {
        Stage::Anonymous => None,
        _ => Some(to_instant(identified_at.unwrap_or(DateTime::UNIX_EPOCH))),
    };
    let since = Instant::from_micros(now.as_micros() - WINDOW.0);
    let sides = versions.each_ref().map(|version| {
        let profile = Map::new();
        let mut walk = Walk::new(&version.model, &profile, events);
        let entries = known_from.map(|from| passages::entries(&mut walk, from, now)).unwrap_or_default();
        let score = walk.at(now);
        let tally = walk.tally();
        Side {
            decision: stages::decide(&version.model, &lead, &score, tally),
            do_not_contact: lead.do_not_contact(tally),
            became_mql: entries.last().is_some_and(|last| *last > since),
            score,
        }
    });
    let first_event_at = events.iter().map(|event| event.occurred_at).min();
    Replayed { lead, first_event_at, sides }
}
