//! The reasons for a lead's place in a queue, as sentences.

use chrono::{DateTime, Utc};
use scoring::Milli;

use super::{candidate::Candidate, document::Queue, selection::Mark};
use crate::{leads::MqlBy, models::Version};

/// How many rules the reasons name.
const RULES: usize = 3;

/// Returns the reasons for a lead's place: the tier, if the queue has several, and what put the lead into the
/// tier; then the values that the tier orders by; then the rules that give the lead the most points.
pub(super) fn of(
    queue: &Queue,
    tier: usize,
    lead: &Candidate,
    live: &Version,
    tally: &[u8],
    now: DateTime<Utc>,
) -> Vec<String> {
    let mut why = Vec::new();
    let Some(ready) = queue.tiers.get(tier) else { return why };
    if queue.tiers.len() > 1 {
        why.push(format!("tier {}, {} of {}", ready.name, tier + 1, queue.tiers.len()));
    }
    let keys = ready.order.keys();
    let by = |field| keys.iter().any(|key| key.field == field);
    for mark in &ready.when.said.is {
        match mark {
            Mark::HandRaised if !by("hand_raised_at") => why.push("asked for sales".to_owned()),
            Mark::CallbackDue if !by("callback_at") => why.push(said("callback_at", lead)),
            Mark::NeverContacted if !by("contacted_at") => why.push(said("contacted_at", lead)),
            Mark::HandRaised | Mark::CallbackDue | Mark::NeverContacted | Mark::OwnedByRep => {}
        }
    }
    if ready.when.said.waiting_longer_than.is_some() && !by("waiting_since") {
        why.push(said("waiting_since", lead));
    }
    why.extend(keys.iter().map(|key| said(key.field, lead)));
    why.extend(live.reasons(lead.lead_id, tally, now, RULES));
    why
}

/// Says a lead's value of one field of [`Order`](super::order::Order), as a sentence.
fn said(field: &str, lead: &Candidate) -> String {
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S UTC");
    match field {
        "score" => format!("score {} ({})", lead.score, lead.band),
        "raw" => format!("raw {} points", Milli(lead.raw)),
        "fit" => format!("fit {} points", Milli(lead.fit)),
        "engagement" => format!("engagement {} points", Milli(lead.engagement)),
        "first_seen_at" => match lead.first_seen_at {
            Some(at) => format!("first seen {}", time(at)),
            None => "has done nothing yet".to_owned(),
        },
        "created_at" => format!("came {}", time(lead.created_at)),
        "hand_raised_at" => match (lead.hand_raised_at, lead.mql_by) {
            (Some(at), _) => format!("asked for sales {}", time(at)),
            (None, Some(MqlBy::HandRaise)) => "asked for sales".to_owned(),
            (None, _) => "never asked for sales".to_owned(),
        },
        "waiting_since" => format!("{} since {}", lead.stage.as_str(), time(lead.waiting_since)),
        "last_activity_at" => match lead.last_activity_at {
            Some(at) => format!("last active {}", time(at)),
            None => "never active".to_owned(),
        },
        "contacted_at" => match lead.contacted_at {
            Some(at) => format!("last contacted {}", time(at)),
            None => "never contacted".to_owned(),
        },
        _ => match lead.callback_at {
            Some(at) => format!("callback promised for {}", time(at)),
            None => "no callback promised".to_owned(),
        },
    }
}
