//! Restores leads after an unmerge.
//!
//! A lead's stage and its checklist answers do not follow from its log. So they are restored from what was
//! stored. The merged lead has kept its own. The heir goes back to how it stood before the merge, as the
//! merge has stored it. Then the heir takes over again what else was merged or joined into it since.
//!
//! If the heir was merged into another lead later, that lead is restored in the same way, and so on along the
//! trail. Restoring stops at a lead about which a person has decided something since, or which was joined by
//! its identities. From there on, stages and answers stay as they are, except that a lead stops being an MQL
//! if the events that made it one are gone.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::store::{self, MergeRow};
use crate::{
    leads::{self, Cause, Lead, LockedLeads, Why},
    lifecycle::stages,
    platform::{db::damaged, ids::LeadId},
};

/// Returns a lead's row and answers as JSON, as a merge stores them of its heir.
pub(super) async fn snapshot(conn: &mut PgConnection, lead: &Lead) -> sqlx::Result<Value> {
    Ok(json!({"lead": lead, "answers": store::answers_of(conn, lead.id).await?}))
}

/// Takes `lead` out of `end`, the lead at the end of its trail, because `merge` is undone.
///
/// Returns the two locked leads, and the homes whose spans went with `lead`. If all identities of `lead` have
/// been joined with others since, no home is returned: `lead` stays a signpost, and only the heirs change.
pub(super) async fn part(
    conn: &mut PgConnection,
    end: LeadId,
    lead: LeadId,
    merge: &MergeRow,
    why: &Why,
) -> sqlx::Result<(LockedLeads, Vec<LeadId>)> {
    let mut family = Family::read(conn, end).await?;
    let below = family.below(lead);
    let (going, staying): (Vec<_>, Vec<_>) =
        leads::homes_of(conn, end).await?.into_iter().partition(|home| below.contains(&home.lead));
    let whole = family.restore_heirs(conn, end, merge, &below, why).await?;
    let mut left = family.row(end)?.clone();
    if staying.iter().any(|home| home.identified) {
        left.identify(why.at);
    }
    if going.is_empty() {
        let mut locked = LockedLeads::holding(leads::lock_rows(conn, &[end]).await?);
        locked.leads.insert(end, left);
        if !whole {
            locked.doubt(end);
        }
        return Ok((locked, Vec::new()));
    }
    let mut locked = LockedLeads::holding(leads::lock_rows(conn, &[end, lead]).await?);
    let mut taken = family.row(lead)?.clone();
    let joining = Why::rule(Cause::Merge, why.at);
    for joined in family.joined(&below, merge.merged_at) {
        taken.take_over(joined, &joining);
        stages::copy_answers(conn, joined.id, lead).await?;
    }
    if going.iter().any(|home| home.identified) {
        taken.identify(why.at);
    }
    locked.leads.extend([(lead, taken), (end, left)]);
    let homes: Vec<LeadId> = below.into_iter().collect();
    leads::part(conn, &mut locked, end, &homes, lead).await?;
    if !whole {
        locked.doubt(end);
    }
    if staying.is_empty() {
        // No identity of `end` is left: its own identities were joined with those that go.
        leads::delete_profiles(conn, &[end]).await?;
        leads::hand_over(&mut locked, end, lead, lead, &joining);
    }
    Ok((locked, homes))
}

/// A lead and all that were merged into it.
struct Family {
    rows: BTreeMap<LeadId, Lead>,
    /// The leads that were merged by a call, and not joined by their identities.
    by_hand: BTreeSet<LeadId>,
}

impl Family {
    /// Reads all leads that were merged or joined into `end`.
    async fn read(conn: &mut PgConnection, end: LeadId) -> sqlx::Result<Family> {
        let rows: BTreeMap<LeadId, Lead> =
            leads::family(conn, end).await?.into_iter().map(|row| (row.id, row)).collect();
        let ids: Vec<LeadId> = rows.keys().copied().collect();
        let by_hand = store::by_hand(conn, &ids).await?.into_iter().collect();
        Ok(Family { rows, by_hand })
    }

    /// The row of a member of the family.
    fn row(&self, lead: LeadId) -> sqlx::Result<&Lead> {
        self.rows
            .get(&lead)
            .ok_or_else(|| damaged(format!("lead {lead} is not among those merged into its heir")))
    }

    /// Returns a lead, with all leads that were merged or joined into it.
    fn below(&self, lead: LeadId) -> BTreeSet<LeadId> {
        let mut below = BTreeSet::from([lead]);
        loop {
            let reaches = |row: &&Lead| row.merged_into.is_some_and(|into| below.contains(&into));
            let more: BTreeSet<LeadId> = self.rows.values().filter(reaches).map(|row| row.id).collect();
            let known = below.len();
            below.extend(more);
            if below.len() == known {
                return below;
            }
        }
    }

    /// Returns the leads among some that were joined by their identities after an instant, the earliest
    /// first.
    fn joined(&self, among: &BTreeSet<LeadId>, since: DateTime<Utc>) -> Vec<&Lead> {
        let joined = |row: &&Lead| {
            among.contains(&row.id) && !self.by_hand.contains(&row.id) && row.merged_at > Some(since)
        };
        let mut joined: Vec<&Lead> = self.rows.values().filter(joined).collect();
        joined.sort_by_key(|row| (row.merged_at, row.id));
        joined
    }

    /// Restores the heirs along the trail to how they would stand without the leads in `taken`: the lead that
    /// is taken out, and those below it.
    ///
    /// Returns whether every heir up to `end` was restored.
    async fn restore_heirs(
        &mut self,
        conn: &mut PgConnection,
        end: LeadId,
        undone: &MergeRow,
        taken: &BTreeSet<LeadId>,
        why: &Why,
    ) -> sqlx::Result<bool> {
        let mut heir = undone.into_lead_id;
        let mut stood = stood(undone)?;
        let (mut merged_at, mut seq) = (undone.merged_at, undone.seq);
        loop {
            if store::is_moved_since(conn, heir, merged_at).await? {
                return Ok(false);
            }
            self.restore(conn, heir, (stood, seq, merged_at), taken, why).await?;
            if heir == end {
                return Ok(true);
            }
            let row = self.row(heir)?.clone();
            leads::update_rows(conn, &[&row]).await?;
            let next = store::in_force(conn, heir).await?;
            let Some(next) = next.filter(|next| row.merged_into == Some(next.into_lead_id)) else {
                return Ok(false);
            };
            (heir, merged_at, seq) = (next.into_lead_id, next.merged_at, next.seq);
            stood = self::stood(&next)?;
        }
    }

    /// Restores one heir to how it stood before a merge, and lets it take over again what came since and is
    /// not taken out.
    async fn restore(
        &mut self,
        conn: &mut PgConnection,
        heir: LeadId,
        ((mut stood, answers), seq, since): ((Lead, Value), i64, DateTime<Utc>),
        taken: &BTreeSet<LeadId>,
        why: &Why,
    ) -> sqlx::Result<()> {
        let rule = Why::rule(Cause::Merge, why.at);
        let others: Vec<LeadId> = self.rows.keys().copied().filter(|id| *id != heir).collect();
        let answered = store::is_answered_since(conn, heir, since, &others).await?;
        if !answered {
            store::replace_answers(conn, heir, &answers).await?;
        }
        for later in store::later_into(conn, heir, seq).await? {
            if later.seq > seq {
                let answers = store::answers_of(conn, heir).await?;
                store::set_heir(conn, later.id, &json!({"lead": stood, "answers": answers})).await?;
            }
            // A lead whose identities were joined with another lead's since belongs to that lead, and is not
            // in this family.
            let Some(row) = self.rows.get(&later.lead_id) else { continue };
            stood.take_over(row, &rule);
            if !answered {
                stages::copy_answers(conn, later.lead_id, heir).await?;
            }
        }
        let remaining: BTreeSet<LeadId> = self.below(heir).difference(taken).copied().collect();
        for joined in self.joined(&remaining, since) {
            stood.take_over(joined, &rule);
            stages::copy_answers(conn, joined.id, heir).await?;
        }
        if let Some(row) = self.rows.get_mut(&heir) {
            row.give_back(&stood, why);
        }
        Ok(())
    }
}

/// Reads the heir's row and answers as they were before a merge.
fn stood(merge: &MergeRow) -> sqlx::Result<(Lead, Value)> {
    let lead = serde_json::from_value(merge.heir["lead"].clone())
        .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok((lead, merge.heir["answers"].clone()))
}
