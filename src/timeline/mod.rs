//! What has happened to a lead, newest first: the log alone, or the log with passages, handoffs to sales and outcomes.
//!
//! The events are those that count for the lead now, whichever of its identities they hang on. The passages are the
//! lead's own, and those of leads that were joined with it.

pub mod api;
mod store;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use store::{Bound, Moment};

/// The kinds of entries. Entries of the same instant are in the order of this list, the first kind being the
/// earliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Kind {
    Event,
    Outcome,
    Answer,
    Transition,
    /// A handoff. It is called `Offer` in cursors, so that cursors of earlier releases stay valid.
    #[serde(rename = "Offer")]
    Handoff,
}

/// A place in a timeline, as a cursor holds it. `tie` tells entries of the same instant and kind apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place {
    at: DateTime<Utc>,
    kind: Kind,
    tie: Uuid,
}

impl Place {
    /// Returns the bound below which entries of a kind come before this place. Without a place, nothing is
    /// left out.
    fn bound(place: Option<Place>, kind: Kind) -> Bound {
        match place {
            None => Bound { at: DateTime::<Utc>::MAX_UTC, tie: Uuid::max() },
            Some(place) if place.kind == kind => Bound { at: place.at, tie: place.tie },
            Some(place) if kind < place.kind => Bound { at: place.at, tie: Uuid::max() },
            Some(place) => Bound { at: place.at, tie: Uuid::nil() },
        }
    }
}

/// The place of an entry.
fn place<T>(kind: Kind, moment: &Moment<T>) -> Place {
    Place { at: moment.at, kind, tie: moment.tie }
}
