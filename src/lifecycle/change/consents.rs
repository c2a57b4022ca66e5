//! The entries of the feed about consent.

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

/// The leads whose consents may differ after a change, with the consents that they had before.
#[derive(Debug, Default)]
pub(super) struct Consents {
    /// The leads whose consents are compared after the change.
    heard: BTreeSet<LeadId>,
    /// The consents before the change. For a lead without an entry, every consent counts as new.
    before: BTreeMap<LeadId, Channels>,
}

impl Consents {
    /// Reads the consents that `leads` have now, to compare them when the change is applied.
    ///
    /// Leads in `moved` have other identities than before. The feed gets all of their consents.
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

    /// Notes that the feed gets every consent of a lead.
    pub(super) fn tell_all(&mut self, lead: LeadId) {
        self.heard.insert(lead);
    }

    /// Publishes each channel of a lead whose consent state differs from the state before.
    ///
    /// So a reader of the feed learns what another identity of the same person has refused. The published
    /// state is null if nothing holds for the channel any more. Anonymous leads and merged leads are left
    /// out.
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

/// Returns the channels whose states differ, each with its state after the change. `None`: nothing holds any
/// more.
fn differing(before: &Channels, after: &Channels) -> Vec<(Channel, Option<consent::State>)> {
    let state = |channels: &Channels, channel| channels.get(&channel).map(|word| word.state);
    let mut channels: Vec<Channel> = before.keys().chain(after.keys()).copied().collect();
    channels.sort_unstable();
    channels.dedup();
    channels.retain(|channel| state(before, *channel) != state(after, *channel));
    channels.into_iter().map(|channel| (channel, state(after, channel))).collect()
}
