//! What others are told of a change of standing.

use serde_json::{Value, json};

use super::{Standing, sheet::Sheet};
use crate::{
    ids::LeadId,
    leads::{Resolved, Stage},
    outbox::{Change, Kind},
    qualification::Frame,
};

/// Of each lead whose published score, band or consent under the live model differs from what was stored, and of each
/// that has become another's. Strangers are not told of: who follows along learns of them when they become known.
pub(super) fn of<'a>(
    frame: Frame<'_>,
    live: &Sheet<'_>,
    standings: impl Iterator<Item = &'a Standing>,
    resolved: &Resolved,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for standing in standings.filter(|standing| standing.stage != Stage::Anonymous) {
        let mut tell = |kind: Kind, data: Value| {
            changes.push(Change { lead_id: standing.lead_id, kind, at: frame.now, data });
        };
        let stored = live.stored(standing.lead_id);
        let score = stored.map(|row| row.score);
        if score != Some(standing.score) {
            tell(Kind::ScoreChanged, json!({"from": score, "to": standing.score}));
        }
        let band = stored.map(|row| row.band.as_str());
        if band != Some(&standing.band) {
            let said = json!({"from": band, "to": standing.band, "score": standing.score});
            tell(Kind::BandChanged, said);
        }
        if stored.is_some_and(|row| row.do_not_contact) != standing.do_not_contact {
            tell(Kind::ConsentChanged, json!({"do_not_contact": standing.do_not_contact}));
        }
    }
    let known = |id: &LeadId| resolved.leads.get(id).is_some_and(|lead| lead.stage() != Stage::Anonymous);
    changes.extend(resolved.gone.iter().filter(|(id, _)| known(id)).map(|(id, heir)| Change {
        lead_id: *id,
        kind: Kind::Merged,
        at: frame.now,
        data: json!({"into": heir}),
    }));
    changes
}
