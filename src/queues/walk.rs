//! Going through a queue in its order: the ranking and the handing out see the same leads in the same places.

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

/// How many leads the second batch holds, and how much larger each is than the one before, up to a bound.
const FIRST_BATCH: i64 = 16;
const GROWTH: i64 = 4;
const LARGEST_BATCH: i64 = 4_096;

/// Who asks, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) queue: &'a Queue,
    /// The model by which leads are scored.
    pub(super) model: ModelId,
    /// The rep for whom; none: anybody.
    pub(super) rep: Option<&'a str>,
    pub(super) now: DateTime<Utc>,
    /// Leave out whom a claim, a rest or a skip keeps from being handed out.
    pub(super) free: bool,
}

/// A place within a tier.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) keys: [i64; 3],
    pub(super) score: i32,
    pub(super) raw: i64,
    pub(super) first_seen_at: Option<DateTime<Utc>>,
    pub(super) hand_raised_at: Option<DateTime<Utc>>,
    pub(super) lead_id: LeadId,
}

/// A place in a queue: within a tier, after a lead or before all.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) tier: usize,
    pub(super) after: Option<Place>,
}

/// A lead in its place.
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
    /// How far it has come.
    pub(super) position: Position,
    batch: i64,
    /// How many leads were looked at, those that turned out to belong to another tier too.
    pub(super) seen: usize,
}

impl<'a> Walk<'a> {
    /// A walk from a position; from the beginning if none is given.
    pub(super) fn new(asked: Asked<'a>, from: Option<Position>, first_batch: Option<i64>) -> Walk<'a> {
        let position = from.unwrap_or(Position { tier: 0, after: None });
        Walk { asked, position, batch: first_batch.unwrap_or(FIRST_BATCH), seen: 0 }
    }

    /// The next leads in their order; none: the queue is at its end. A batch may be empty before that.
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

    /// Puts candidates in their places, and takes note of how far they reach.
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
