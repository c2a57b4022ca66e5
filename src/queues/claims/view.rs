//! Reading claims, with what has happened to their leads.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Claim, State};
use crate::{
    leads::Stage,
    platform::ids::{ClaimId, LeadId, ModelId},
};

/// Reads claims with the state of their leads under the model `$1`.
macro_rules! claims {
    ($rest:literal, $model:expr $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Claim,
            r#"-- queues::claims::claims
            select c.id, c.lead_id, c.token, c.queue, c.rep, c.why, c.claimed_at, c.expires_at, c.ended_at,
                c.outcome as "outcome: State", c.reason, c.rests_until, c.callback_at,
                s.stage as "stage?: Stage", s.do_not_contact as "do_not_contact?",
                l.merged_into is not null as "merged!"
            from claim c
            left join lead l on l.id = c.lead_id
            left join score s on s.lead_id = c.lead_id and s.model_id = $1
            "# + $rest,
            $model as ModelId
            $(, $argument)*
        )
    };
}

/// Reads a claim.
pub(super) async fn find(
    conn: &mut PgConnection,
    id: ClaimId,
    model: ModelId,
) -> sqlx::Result<Option<Claim>> {
    claims!("where c.id = $2", model, id as ClaimId).fetch_optional(conn).await
}

/// Which claims a list contains.
#[derive(Debug, Default)]
pub(super) struct Filter<'a> {
    pub(super) rep: Option<&'a str>,
    pub(super) queue: Option<&'a str>,
    pub(super) lead: Option<LeadId>,
    pub(super) open: bool,
}

/// Lists claims, newest first, from before a claim with this instant and token.
pub(super) async fn list(
    conn: &mut PgConnection,
    model: ModelId,
    filter: &Filter<'_>,
    before: Option<(DateTime<Utc>, i64)>,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<Claim>> {
    claims!(
        "where ($2::text is null or c.rep = $2)
            and ($3::text is null or c.queue = $3)
            and ($4::uuid is null or c.lead_id = $4)
            and (not $5 or c.ended_at is null and c.expires_at > $6 and s.do_not_contact is not true
                and (s.lead_id is not null or l.merged_into is not null))
            and ($7::timestamptz is null or (c.claimed_at, c.token) < ($7, $8))
        order by c.claimed_at desc, c.token desc limit $9",
        model,
        filter.rep,
        filter.queue,
        filter.lead as Option<LeadId>,
        filter.open,
        now,
        before.map(|(at, _)| at),
        before.map(|(_, token)| token),
        limit
    )
    .fetch_all(conn)
    .await
}

/// Reads open claims that have expired, or whose lead was erased or refused contact.
pub(super) async fn unsettled(
    conn: &mut PgConnection,
    model: ModelId,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<Claim>> {
    claims!(
        "where c.ended_at is null
            and (c.expires_at <= $2 or l.merged_into is null and (s.lead_id is null or s.do_not_contact))
        order by c.token limit $3",
        model,
        now,
        limit
    )
    .fetch_all(conn)
    .await
}
