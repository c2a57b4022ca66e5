//! A lead as a queue looks at it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{document::Queue, walk::Asked};
use crate::{
    leads::{Attributes, MqlBy, Stage},
    platform::ids::LeadId,
};

/// What decides on a lead's place, and on whether it can be handed out.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) lead_id: LeadId,
    pub(super) stage: Stage,
    pub(super) mql_by: Option<MqlBy>,
    pub(super) score: i32,
    pub(super) raw: i64,
    pub(super) fit: i64,
    pub(super) engagement: i64,
    pub(super) band: String,
    pub(super) grade: String,
    /// When it came here.
    pub(super) created_at: DateTime<Utc>,
    /// When it first did something that counts.
    pub(super) first_seen_at: Option<DateTime<Utc>>,
    /// When the person last asked for sales, by the live model.
    pub(super) hand_raised_at: Option<DateTime<Utc>>,
    pub(super) last_activity_at: Option<DateTime<Utc>>,
    /// Since when it has been at its stage.
    pub(super) waiting_since: DateTime<Utc>,
    pub(super) owner: Option<String>,
    pub(super) territory: Option<String>,
    pub(super) timezone: Option<String>,
    pub(super) country: Option<String>,
    /// Its attributes with their provenance, if a condition asks for them.
    pub(super) attributes: Option<Attributes>,
    /// When a claim on it was last completed.
    pub(super) contacted_at: Option<DateTime<Utc>>,
    /// The callback that was promised and is still to be made.
    pub(super) callback_at: Option<DateTime<Utc>>,
    /// Who holds it, and until when.
    pub(super) held_by: Option<String>,
    pub(super) held_until: Option<DateTime<Utc>>,
    /// Until when it rests after a call.
    pub(super) rests_until: Option<DateTime<Utc>>,
    /// Until when this queue passes it over.
    pub(super) skipped_until: Option<DateTime<Utc>>,
    /// What its tier orders by, each so that the smallest comes first.
    pub(super) first_key: i64,
    pub(super) second_key: i64,
    pub(super) third_key: i64,
}

/// Why a lead cannot be handed out just now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Obstacle {
    pub(super) kind: ObstacleKind,
    /// Until when, as far as is known.
    pub(super) until: Option<DateTime<Utc>>,
    /// Who holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rep: Option<String>,
    /// Where it lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timezone: Option<String>,
}

/// What keeps a lead from being handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ObstacleKind {
    /// A rep holds it.
    Claimed,
    /// It was worked a short while ago, or is to be called again later.
    Resting,
    /// A rep has put it off, in this queue.
    Skipped,
    /// It is not the time to call where it lives.
    OutsideHours,
}

impl Candidate {
    /// Its attributes, as far as they were asked for.
    pub(super) fn profile(&self) -> Map<String, Value> {
        match &self.attributes {
            Some(Attributes::Read(fold)) => fold.to_profile(),
            // The statement's room reads them from the log before it hands a candidate over.
            Some(Attributes::Unreadable(_)) | None => Map::new(),
        }
    }

    /// The first of the queue's tiers that takes it; none: it is not in the queue.
    pub(super) fn tier(&self, asked: &Asked<'_>) -> Option<usize> {
        let queue = asked.queue;
        if !queue.filter.holds(self, asked) {
            return None;
        }
        queue.tiers.iter().position(|tier| tier.when.holds(self, asked))
    }

    /// What keeps it from being handed out.
    pub(super) fn obstacle(&self, queue: &Queue, now: DateTime<Utc>) -> Option<Obstacle> {
        let plain = |kind, until| Obstacle { kind, until, rep: None, timezone: None };
        if self.held_by.is_some() {
            return Some(Obstacle {
                rep: self.held_by.clone(),
                ..plain(ObstacleKind::Claimed, self.held_until)
            });
        }
        for (kind, until) in
            [(ObstacleKind::Resting, self.rests_until), (ObstacleKind::Skipped, self.skipped_until)]
        {
            if until.is_some_and(|until| until > now) {
                return Some(plain(kind, until));
            }
        }
        let hours = queue.hours.as_ref()?;
        let zone = hours.zone_of(self.timezone.as_deref(), self.country.as_deref());
        (!hours.are_open(zone, now)).then(|| Obstacle {
            timezone: Some(zone.name().to_owned()),
            ..plain(ObstacleKind::OutsideHours, hours.open_at(zone, now))
        })
    }
}
