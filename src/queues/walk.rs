//! The walk through a queue in its order. The ranking and the handing out use the same walk, so both see the
//! same leads in the same places.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{
    candidate::{Candidate, Obstacle},
    document::Queue,
    selection::{Mark, Narrowed},
    store,
};
use crate::platform::ids::{LeadId, ModelId};

/// How many leads the first batch holds, unless the caller says otherwise.
const FIRST_BATCH: i64 = 16;
/// By how much each batch is larger than the batch before.
const GROWTH: i64 = 4;
/// How many leads a batch holds at most, unless the first batch is larger.
const LARGEST_BATCH: i64 = 4_096;

/// What is asked of a queue: for which rep, at which instant, under which model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) queue: &'a Queue,
    /// The model under which leads are scored.
    pub(super) model: ModelId,
    /// The rep who asks. `None`: the ranking is for nobody in particular.
    pub(super) rep: Option<&'a str>,
    pub(super) now: DateTime<Utc>,
    /// Whether to leave out leads that are held, rest or were skipped.
    pub(super) free: bool,
}

/// The place of a lead within a tier: everything that the tier orders by.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) keys: [i64; 3],
    pub(super) score: i32,
    pub(super) raw: i64,
    pub(super) first_seen_at: Option<DateTime<Utc>>,
    pub(super) hand_raised_at: Option<DateTime<Utc>>,
    pub(super) lead_id: LeadId,
}

/// A position in a queue: in a tier, after a place. If `after` is `None`, at the beginning of the tier.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) tier: usize,
    pub(super) after: Option<Place>,
}

/// A lead at its place, with what keeps it from being handed out.
#[derive(Debug)]
pub(super) struct Ranked {
    pub(super) position: Position,
    pub(super) lead: Candidate,
    pub(super) obstacle: Option<Obstacle>,
}

/// A walk through a queue, batch by batch.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    asked: Asked<'a>,
    /// How far the walk has come.
    pub(super) position: Position,
    batch: i64,
    /// How many candidates were read, including those that belong to another tier.
    pub(super) seen: usize,
}

impl<'a> Walk<'a> {
    /// Begins a walk at a position, or at the beginning of the queue. `first_batch` is how many leads the
    /// first batch reads.
    pub(super) fn new(asked: Asked<'a>, from: Option<Position>, first_batch: Option<i64>) -> Walk<'a> {
        let position = from.unwrap_or(Position { tier: 0, after: None });
        Walk { asked, position, batch: first_batch.unwrap_or(FIRST_BATCH), seen: 0 }
    }

    /// Reads the next leads in their order. `None`: the walk is at the end of the queue. A batch may be empty
    /// before the end.
    pub(super) async fn more(&mut self, conn: &mut PgConnection) -> sqlx::Result<Option<Vec<Ranked>>> {
        let asked = &self.asked;
        let Some(tier) = asked.queue.tiers.get(self.position.tier) else { return Ok(None) };
        let narrowed = Narrowed::by(&asked.queue.filter, &tier.when, asked);
        let due = if narrowed.asks(Mark::CallbackDue) {
            Some(store::due_callbacks(conn, asked.now).await?)
        } else {
            None
        };
        let candidates = if due.as_ref().is_some_and(Vec::is_empty) {
            Vec::new()
        } else {
            let span = store::Stretch { only: due.as_deref(), after: self.position.after, limit: self.batch };
            store::candidates(conn, asked, &narrowed, &tier.order, span).await?
        };
        self.seen += candidates.len();
        let ranked = self.ranked(candidates);
        Ok(Some(ranked))
    }

    /// Keeps the candidates that belong to this tier, and moves the position on.
    fn ranked(&mut self, candidates: Vec<Candidate>) -> Vec<Ranked> {
        let (asked, tier) = (&self.asked, self.position.tier);
        let last = candidates.last().map(Place::of);
        let full = i64::try_from(candidates.len()).is_ok_and(|length| length == self.batch);
        let here = candidates.into_iter().filter(|lead| lead.tier(asked) == Some(tier));
        let ranked = here
            .map(|lead| Ranked {
                position: Position { tier, after: Some(Place::of(&lead)) },
                obstacle: lead.obstacle(asked.queue, asked.now),
                lead,
            })
            .collect();
        if full {
            self.position.after = last;
            self.batch = (self.batch * GROWTH).min(LARGEST_BATCH).max(self.batch);
        } else {
            self.position = Position { tier: tier + 1, after: None };
        }
        ranked
    }
}

impl Place {
    fn of(lead: &Candidate) -> Place {
        Place {
            keys: [lead.first_key, lead.second_key, lead.third_key],
            score: lead.score,
            raw: lead.raw,
            first_seen_at: lead.first_seen_at,
            hand_raised_at: lead.hand_raised_at,
            lead_id: lead.lead_id,
        }
    }
}
