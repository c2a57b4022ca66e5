//! What others are told of a change of standing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{Standing, person::People, sheet::Sheet};
use crate::{
    ids::LeadId,
    leads::{
        Lead, Resolved, Stage,
        consent::{self, Channel, Channels},
    },
    outbox::{self, Change, Kind},
    qualification::Frame,
};

/// Tells how the channels of some leads stand, those that are known, where it is not how they stood `before`: who follows along
/// writes to nobody whom another identity of the same person forbids it. Of whom nothing is known from before all is told; null
/// of a channel of which nothing is said any more.
pub async fn tell_consents(
    conn: &mut PgConnection,
    frame: Frame<'_>,
    resolved: &Resolved,
    heard: impl IntoIterator<Item = LeadId>,
    before: &BTreeMap<LeadId, Channels>,
) -> sqlx::Result<()> {
    let known = |id: &LeadId| {
        resolved
            .leads
            .get(id)
            .is_some_and(|lead| lead.stage() != Stage::Anonymous && lead.merged_into.is_none())
    };
    let heard: BTreeSet<LeadId> = heard.into_iter().filter(known).collect();
    let after = consent::of_leads(conn, &heard.iter().copied().collect::<Vec<_>>()).await?;
    let (mut changes, nothing) = (Vec::new(), Channels::new());
    for lead_id in heard {
        let stood = before.get(&lead_id).unwrap_or(&nothing);
        let stands = after.get(&lead_id).unwrap_or(&nothing);
        let channels: BTreeSet<Channel> = stood.keys().chain(stands.keys()).copied().collect();
        for channel in channels {
            let state = |channels: &Channels| channels.get(&channel).map(|word| word.state);
            if state(stood) != state(stands) {
                let data = json!({"channel": channel, "state": state(stands)});
                changes.push(Change { lead_id, kind: Kind::ConsentChanged, at: frame.now, data });
            }
        }
    }
    outbox::publish(conn, frame.ids, &changes).await
}

/// Of each lead that has become known, of which another thing is known, or whose published score, band or consent under
/// the live model differs from what was stored, and of each that has become another's. Strangers are not told of: who follows along learns of them when they become known.
pub(super) fn of<'a>(
    frame: Frame<'_>,
    (live, people): (&Sheet<'_>, &People),
    standings: impl Iterator<Item = &'a Standing>,
    resolved: &Resolved,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for standing in standings.filter(|standing| standing.stage != Stage::Anonymous) {
        let mut tell = |kind: Kind, data: Value| {
            changes.push(Change { lead_id: standing.lead_id, kind, at: frame.now, data });
        };
        let before = resolved.before(standing.lead_id).map(Lead::stage);
        let attributes = people.get(standing.lead_id).map_or(&[][..], |person| &person.changed);
        let identities = resolved.named.contains(&standing.lead_id);
        if resolved.created.contains(&standing.lead_id) || before == Some(Stage::Anonymous) {
            tell(Kind::Created, json!({}));
        } else if identities || !attributes.is_empty() {
            tell(Kind::Updated, json!({"attributes": attributes, "identities": identities}));
        }
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
