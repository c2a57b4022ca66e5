//! Moves what counts for one lead to another lead: when identities are joined, when leads are merged by hand,
//! and when a merge is undone.

use sqlx::PgConnection;

use super::{Why, locked::LockedLeads, store};
use crate::platform::ids::LeadId;

/// Merges a locked lead into another. Everything of the lead counts for the other from now on. The homes of
/// the spans do not change. The lead's row becomes a signpost.
pub(crate) async fn take_in(
    conn: &mut PgConnection,
    locked: &mut LockedLeads,
    from: LeadId,
    into: LeadId,
    why: &Why,
) -> sqlx::Result<()> {
    store::move_spans(conn, from, into).await?;
    store::delete_profiles(conn, &[from]).await?;
    locked.moved.insert(into);
    locked.named.insert(into);
    if let Some(lead) = locked.leads.get_mut(&from) {
        lead.epoch += 1;
    }
    hand_over(locked, from, into, into, why);
    Ok(())
}

/// Undoes a merge. The spans of the locked lead `from` with one of these homes count for `lead` again, which
/// is then no longer a signpost.
pub(crate) async fn part(
    conn: &mut PgConnection,
    locked: &mut LockedLeads,
    from: LeadId,
    homes: &[LeadId],
    lead: LeadId,
) -> sqlx::Result<()> {
    store::move_homes(conn, from, homes, lead).await?;
    for id in [from, lead] {
        locked.moved.insert(id);
        locked.named.insert(id);
        if let Some(lead) = locked.leads.get_mut(&id) {
            lead.epoch += 1;
        }
    }
    if let Some(lead) = locked.leads.get_mut(&lead) {
        (lead.merged_into, lead.merged_at) = (None, None);
    }
    Ok(())
}

/// Turns a lead without identities into a signpost to the lead `home`. The lead `heir`, for which the
/// identities count now, takes over the stage and the waits of the lead.
pub(crate) fn hand_over(locked: &mut LockedLeads, from: LeadId, home: LeadId, heir: LeadId, why: &Why) {
    locked.moved.remove(&from);
    locked.gone.insert(from, heir);
    let Some(gone) = locked.leads.get_mut(&from) else { return };
    (gone.merged_into, gone.merged_at) = (Some(home), Some(why.at));
    let gone = gone.clone();
    if let Some(heir) = locked.leads.get_mut(&heir) {
        heir.take_over(&gone, why);
    }
}
