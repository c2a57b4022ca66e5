//! The consents that the feed is told of.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sqlx::PgConnection;

use crate::{
    feed::outbox::{self, Change, Kind},
    leads::{
        LockedLeads, Stage,
        consent::{self, Channel, Channels},
    },
    lifecycle::stages::ChangeContext,
    platform::ids::LeadId,
};

/// The leads whose consents may differ after a change, and what they were before.
#[derive(Debug, Default)]
pub(super) struct Consents {
    heard: BTreeSet<LeadId>,
    before: BTreeMap<LeadId, Channels>,
}

impl Consents {
    /// Reads what leads consent to now. Of leads whose identities moved, the feed is told everything.
    pub(super) async fn watch(
        &mut self,
        conn: &mut PgConnection,
        moved: &BTreeSet<LeadId>,
        leads: BTreeSet<LeadId>,
    ) -> sqlx::Result<()> {
        let unmoved: Vec<LeadId> = leads.difference(moved).copied().collect();
        self.before.extend(consent::of_leads(conn, &unmoved).await?);
        self.heard.extend(leads);
        self.heard.extend(moved);
        Ok(())
    }

    /// Tells every consent of a lead.
    pub(super) fn tell_all(&mut self, lead: LeadId) {
        self.heard.insert(lead);
    }

    /// Tells the feed each channel whose state differs from the state before. A follower so learns what another identity of
    /// the same person has refused. The state is null for a channel of which nothing is said any more. Anonymous leads and
    /// merged ones are left out.
    pub(super) async fn tell(
        &self,
        conn: &mut PgConnection,
        context: ChangeContext<'_>,
        leads: &LockedLeads,
    ) -> sqlx::Result<()> {
        let is_known = |id: &LeadId| {
            let lead = leads.leads.get(id);
            lead.is_some_and(|lead| lead.stage() != Stage::Anonymous && lead.merged_into.is_none())
        };
        let heard: Vec<LeadId> = self.heard.iter().copied().filter(is_known).collect();
        let after = consent::of_leads(conn, &heard).await?;
        let nothing = Channels::new();
        let mut changes = Vec::new();
        for lead_id in heard {
            let before = self.before.get(&lead_id).unwrap_or(&nothing);
            let after = after.get(&lead_id).unwrap_or(&nothing);
            for (channel, state) in differing(before, after) {
                let data = json!({"channel": channel, "state": state});
                changes.push(Change { lead_id, kind: Kind::ConsentChanged, at: context.now, data });
            }
        }
        outbox::publish(conn, context.ids, &changes).await
    }
}

/// The channels whose states differ, each with its state after.
fn differing(before: &Channels, after: &Channels) -> Vec<(Channel, Option<consent::State>)> {
    let state = |channels: &Channels, channel| channels.get(&channel).map(|word| word.state);
    let mut channels: Vec<Channel> = before.keys().chain(after.keys()).copied().collect();
    channels.sort_unstable();
    channels.dedup();
    channels.retain(|channel| state(before, *channel) != state(after, *channel));
    channels.into_iter().map(|channel| (channel, state(after, channel))).collect()
}
