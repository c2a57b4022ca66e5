//! SQL of queues.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{
    ids::{LeadId, ModelId},
    leads::{
        MqlBy, Stage,
        view::{LeadRow, lead_rows},
    },
};

/// A place in the ranking.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Rank {
    pub(super) score: i32,
    pub(super) raw: i64,
    pub(super) lead_id: LeadId,
}

impl Rank {
    pub(super) fn of(row: &LeadRow) -> Rank {
        Rank { score: row.score, raw: row.raw, lead_id: row.id }
    }
}

/// The leads of `sales` after a place in the ranking.
pub(super) async fn ranking(
    conn: &mut PgConnection,
    model: ModelId,
    after: Option<Rank>,
    limit: i64,
) -> sqlx::Result<Vec<LeadRow>> {
    lead_rows!(
        ["where s.model_id = $1 and s.stage = 'mql' and not s.do_not_contact and l.mql_by <> 'model_change'
            and ($4::uuid is null or (s.score, s.raw, s.lead_id) < ($2, $3, $4))
        order by s.score desc, s.raw desc, s.lead_id desc
        limit $5"],
        model as ModelId,
        after.map(|rank| rank.score),
        after.map(|rank| rank.raw),
        after.map(|rank| rank.lead_id) as Option<LeadId>,
        limit
    )
    .fetch_all(conn)
    .await
}
