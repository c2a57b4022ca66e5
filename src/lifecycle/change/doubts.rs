//! MQLs whose reason may be gone: the events that made the lead an MQL got another verdict, or count for
//! another lead now.

use std::collections::BTreeSet;

use scoring::{Instant, forecast::Walk, passages};
use serde_json::Map;
use sqlx::PgConnection;

use crate::{
    leads::{Lead, LockedLeads, MqlBy, Stage},
    lifecycle::stages::ChangeContext,
    platform::{clock::to_instant, ids::LeadId},
    scores,
};

/// Returns the doubted MQLs that would not be MQLs if their logs had always been as they are now.
///
/// Only leads that became MQLs by score or hand-raise are checked. For each of them, the decisions since the
/// lead's last exit (or since the lead became known, if that was later) are made again from the log.
pub(super) async fn unfounded(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    locked: &LockedLeads,
) -> sqlx::Result<BTreeSet<LeadId>> {
    let by_rule = |lead: &&Lead| {
        lead.stage() == Stage::Mql && matches!(lead.mql_by, Some(MqlBy::Threshold | MqlBy::HandRaise))
    };
    let doubted = locked.doubted.iter().filter_map(|id| locked.leads.get(id)).filter(by_rule);
    let doubted: Vec<LeadId> = doubted.map(|lead| lead.id).collect();
    if doubted.is_empty() {
        return Ok(BTreeSet::new());
    }
    let known_since = scores::known_since(conn, &doubted).await?;
    let mut unfounded = BTreeSet::new();
    for (id, history) in scores::read_log(conn, &doubted).await? {
        let Some(lead) = locked.leads.get(&id) else { continue };
        let since = known_since.get(&id).map_or(Instant::from_micros(0), |at| to_instant(*at));
        let nothing = Map::new();
        let mut walk = Walk::new(&context.live().model, &nothing, &history.events);
        let last_exit = lead.last_exit_at.map(to_instant);
        if !passages::is_mql(&mut walk, since, last_exit, to_instant(context.now)) {
            unfounded.insert(id);
        }
    }
    Ok(unfounded)
}
