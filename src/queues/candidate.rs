//! A lead as a candidate of a queue.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{document::Queue, walk::Asked};
use crate::{
    leads::{Attributes, MqlBy, Stage},
    platform::ids::LeadId,
};

/// Everything that decides a lead's place in a queue, and whether the lead can be handed out.
///
/// `raw`, `fit` and `engagement` are in milli-points.
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
    /// When the service first stored the lead.
    pub(super) created_at: DateTime<Utc>,
    /// When the lead's earliest event that counts happened.
    pub(super) first_seen_at: Option<DateTime<Utc>>,
    /// When the person last asked for sales, as the live model counts it.
    pub(super) hand_raised_at: Option<DateTime<Utc>>,
    pub(super) last_activity_at: Option<DateTime<Utc>>,
    /// Since when the lead has been at its stage.
    pub(super) waiting_since: DateTime<Utc>,
    pub(super) owner: Option<String>,
    pub(super) territory: Option<String>,
    pub(super) timezone: Option<String>,
    pub(super) country: Option<String>,
    /// The lead's attributes with their origin. `None` if no condition of the queue needs them.
    pub(super) attributes: Option<Attributes>,
    /// When a claim on the lead was last completed.
    pub(super) contacted_at: Option<DateTime<Utc>>,
    /// When a promised callback is due that has not been made yet.
    pub(super) callback_at: Option<DateTime<Utc>>,
    /// The rep who holds the lead.
    pub(super) held_by: Option<String>,
    /// Until when the rep holds the lead.
    pub(super) held_until: Option<DateTime<Utc>>,
    /// Until when the lead rests after a call.
    pub(super) rests_until: Option<DateTime<Utc>>,
    /// Until when this queue passes the lead over, after a skip.
    pub(super) skipped_until: Option<DateTime<Utc>>,
    /// The values that the tier orders by. The sign is turned where needed, so that the smallest value comes
    /// first.
    pub(super) first_key: i64,
    pub(super) second_key: i64,
    pub(super) third_key: i64,
}

/// Why a lead cannot be handed out now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Obstacle {
    /// The kind of obstacle.
    pub(super) kind: ObstacleKind,
    /// When the obstacle ends. Null if that is not known.
    pub(super) until: Option<DateTime<Utc>>,
    /// The rep who holds the lead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rep: Option<String>,
    /// The IANA time zone in which the lead lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timezone: Option<String>,
}

/// What keeps a lead from being handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ObstacleKind {
    /// A rep holds the lead.
    Claimed,
    /// The lead rests: a claim on it was completed a short while ago, or a callback is promised for later.
    Resting,
    /// A rep has skipped the lead in this queue.
    Skipped,
    /// The lead may not be called at this time of day where it lives.
    OutsideHours,
}

impl Candidate {
    /// The lead's attributes. Empty if they were not read.
    pub(super) fn profile(&self) -> Map<String, Value> {
        match &self.attributes {
            Some(Attributes::Read(fold)) => fold.to_profile(),
            // `store::candidates` has replaced unreadable attributes by those of the log already.
            Some(Attributes::Unreadable(_)) | None => Map::new(),
        }
    }

    /// Returns the place of the first tier that takes the lead. `None`: the lead is not in the queue.
    pub(super) fn tier(&self, asked: &Asked<'_>) -> Option<usize> {
        let queue = asked.queue;
        if !queue.filter.holds(self, asked) {
            return None;
        }
        queue.tiers.iter().position(|tier| tier.when.holds(self, asked))
    }

    /// Returns what keeps the lead from being handed out at `now`, if anything does.
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
