//! The entries of the feed that follow from leads' states.

use serde_json::{Value, json};

use super::phases::Phases;
use crate::{
    feed::outbox::{Change, Kind},
    leads::{Lead, Stage},
    platform::ids::LeadId,
    scores::State,
};

/// Returns the entries of the feed for the leads of a change.
///
/// A lead has an entry in each of these cases:
/// - The lead is new, or is no longer anonymous.
/// - An attribute or an identity of the lead changed.
/// - The published score, the band or `do_not_contact` differs from what was stored.
/// - The lead was merged into another lead.
///
/// Anonymous leads have no entries: a reader of the feed learns of a lead when the lead becomes known.
pub(super) fn changes<'a>(phases: &Phases<'_>, states: impl Iterator<Item = &'a State>) -> Vec<Change> {
    let Phases { context, leads, live, people, .. } = phases;
    let mut changes = Vec::new();
    for state in states.filter(|state| state.stage != Stage::Anonymous) {
        let mut tell = |kind: Kind, data: Value| {
            changes.push(Change { lead_id: state.lead_id, kind, at: context.now, data });
        };
        let before = leads.before(state.lead_id).map(Lead::stage);
        let attributes = people.get(state.lead_id).map_or(&[][..], |person| &person.changed);
        let identities = leads.named.contains(&state.lead_id);
        if leads.created.contains(&state.lead_id) || before == Some(Stage::Anonymous) {
            tell(Kind::Created, json!({}));
        } else if identities || !attributes.is_empty() {
            tell(Kind::Updated, json!({"attributes": attributes, "identities": identities}));
        }
        let stored = live.stored(state.lead_id);
        let score = stored.map(|row| row.score);
        if score != Some(state.score) {
            tell(Kind::ScoreChanged, json!({"from": score, "to": state.score}));
        }
        let band = stored.map(|row| row.band.as_str());
        if band != Some(&state.band) {
            let said = json!({"from": band, "to": state.band, "score": state.score});
            tell(Kind::BandChanged, said);
        }
        if stored.is_some_and(|row| row.do_not_contact) != state.do_not_contact {
            tell(Kind::ConsentChanged, json!({"do_not_contact": state.do_not_contact}));
        }
    }
    let known = |id: &LeadId| leads.leads.get(id).is_some_and(|lead| lead.stage() != Stage::Anonymous);
    changes.extend(leads.gone.iter().filter(|(id, _)| known(id)).map(|(id, heir)| Change {
        lead_id: *id,
        kind: Kind::Merged,
        at: context.now,
        data: json!({"into": heir}),
    }));
    changes
}
