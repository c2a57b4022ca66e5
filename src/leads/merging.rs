//! One lead becomes another's: because its identities were joined with another's, or because somebody says so; and the way
//! back from the latter.

use sqlx::PgConnection;

use super::{Why, locked::LockedLeads, store};
use crate::platform::ids::LeadId;

/// Has everything of a locked lead count for another from now on. Where it is at home stays written, and its row stays as
/// it is, as a signpost.
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

/// Has what counts for a locked lead, and is at home at one of these, count for another, which is a signpost no more.
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

/// A lead without identities becomes a signpost to where they are at home now; the lead for which they count takes over
/// what it brings.
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
