//! SQL of queues and their rankings.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::{
    candidate::Candidate,
    order::{Key, MOST_KEYS, Order},
    selection::{Mark, Narrowed},
    walk::{Asked, Place},
};
use crate::{
    leads::{
        self, Attributes, MqlBy, Stage,
        view::{LeadRow, lead_rows},
    },
    platform::ids::{LeadId, ModelId},
};

/// Reads the time that all instances agree on: the database's time, unless a test has stopped the clock.
pub(super) async fn now(
    conn: &mut PgConnection,
    stands_at: Option<DateTime<Utc>>,
) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(
        r#"-- queues::now
        select coalesce($1, clock_timestamp()) as "now!""#,
        stands_at
    )
    .fetch_one(conn)
    .await
}

/// A queue as stored.
pub(super) struct QueueRow {
    pub(super) name: String,
    pub(super) document: Value,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
}

macro_rules! queues {
    ($rest:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            QueueRow,
            "-- queues::queues
            select name, document, created_at, updated_at from queue " + $rest
            $(, $argument)*
        )
    };
}

/// Reads all queues, ordered by name.
pub(super) async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<QueueRow>> {
    queues!("order by name").fetch_all(conn).await
}

/// Reads a queue.
pub(super) async fn find(conn: &mut PgConnection, name: &str) -> sqlx::Result<Option<QueueRow>> {
    queues!("where name = $1", name).fetch_optional(conn).await
}

/// Reads a queue and locks its row until the transaction ends. So one transaction at a time hands out its
/// leads or changes it.
pub(super) async fn lock(conn: &mut PgConnection, name: &str) -> sqlx::Result<Option<QueueRow>> {
    queues!("where name = $1 for no key update", name).fetch_optional(conn).await
}

/// Stores a queue's document. Makes the queue if there is none of this name.
pub(super) async fn upsert(
    conn: &mut PgConnection,
    name: &str,
    document: &Value,
    now: DateTime<Utc>,
) -> sqlx::Result<QueueRow> {
    sqlx::query_as!(
        QueueRow,
        "-- queues::upsert
        insert into queue (name, document, created_at, updated_at) values ($1, $2, $3, $3)
        on conflict (name) do update set document = excluded.document, updated_at = excluded.updated_at
        returning name, document, created_at, updated_at",
        name,
        document as _,
        now
    )
    .fetch_one(conn)
    .await
}

/// Deletes a queue.
pub(super) async fn delete(conn: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "-- queues::delete
        delete from queue where name = $1",
        name
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads the leads with a promised callback that is due by now.
pub(super) async fn due_callbacks(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        "-- queues::due_callbacks
        select distinct lead_id from claim where callback_at <= $1 and called_back_at is null",
        now
    )
    .fetch_all(conn)
    .await
}

/// Reads the leads with these ids, with their scores, in any order.
pub(super) async fn leads(
    conn: &mut PgConnection,
    model: ModelId,
    ids: &[LeadId],
) -> sqlx::Result<Vec<LeadRow>> {
    lead_rows!(["where s.model_id = $1 and s.lead_id = any($2)"], model as ModelId, ids as &[LeadId])
        .fetch_all(conn)
        .await
}

/// The part of an order that a statement reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch<'a> {
    /// Only these leads.
    pub(super) only: Option<&'a [LeadId]>,
    /// Only leads after this place.
    pub(super) after: Option<Place>,
    /// At most this many leads.
    pub(super) limit: i64,
}

/// Reads candidates in an order that the caller gives. Conditions that are not needed are null.
///
/// Postgres plans each call for the parameters that it has, so null conditions cost nothing. Leads that are
/// held or rest are few: one hash of them lets a walk along an index pass them over. Whether a lead was ever
/// contacted is looked up lead by lead. For that, the scalar `select … limit 1` is used, because Postgres
/// never turns it into a hash of all claims.
macro_rules! candidates {
    ($asked:expr, $narrowed:expr, $span:expr, [$($keys:tt)+], [$($order:tt)+] $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Candidate,
            r#"-- queues::candidates
            select s.lead_id, s.stage as "stage: Stage", l.mql_by as "mql_by: MqlBy", s.score, s.raw, s.fit, s.engagement,
                s.band, s.grade, l.created_at, s.first_seen_at, s.hand_raised_at, s.last_activity_at,
                stay.since as "waiting_since!",
                p.attributes -> 'owner' ->> 'value' as owner,
                p.attributes -> 'territory' ->> 'value' as territory,
                p.attributes -> 'timezone' ->> 'value' as timezone,
                p.attributes -> 'country' ->> 'value' as country,
                case when $14 then p.attributes end as "attributes: crate::leads::Attributes",
                done.contacted_at, done.callback_at, done.held_by, done.held_until, done.rests_until, done.skipped_until,
                keys.first as "first_key!", keys.second as "second_key!", keys.third as "third_key!"
            from score s
            join lead l on l.id = s.lead_id
            left join lead_profile p on p.lead_id = s.lead_id
            left join lateral (
                select max(c.ended_at) filter (where c.outcome = 'completed') as contacted_at,
                    min(c.callback_at) filter (where c.called_back_at is null) as callback_at,
                    max(c.rep) filter (where c.ended_at is null and c.expires_at > $3) as held_by,
                    max(c.expires_at) filter (where c.ended_at is null and c.expires_at > $3) as held_until,
                    max(c.rests_until) filter (where c.outcome = 'completed') as rests_until,
                    max(c.rests_until) filter (where c.outcome = 'skipped' and c.queue = $2) as skipped_until
                from claim c where c.lead_id = s.lead_id
            ) done on true
            cross join lateral (
                select coalesce((
                    select t.at from transition t where t.lead_id = s.lead_id and t.to_stage = s.stage
                        and t.cause <> 'rollback'
                    order by t.id desc limit 1
                ), l.created_at) as since
            ) stay
            cross join lateral (select "# + $($keys)+ + r#") keys
            where s.model_id = $1 and not s.do_not_contact and l.mql_by is distinct from 'model_change'
                and ($5::text[] is null or s.stage = any($5))
                and ($6::text[] is null or s.band = any($6))
                and ($7::text[] is null or s.grade = any($7))
                and ($8::integer is null or s.score >= $8)
                and ($9::text[] is null or coalesce(p.attributes -> 'owner' ->> 'value', '') = any($9))
                and ($10::text[] is null or coalesce(p.attributes -> 'territory' ->> 'value', '') = any($10))
                and (not $11 or s.hand_raised)
                and (not $12 or (
                    select true from claim c where c.lead_id = s.lead_id and c.outcome = 'completed' limit 1
                ) is not true)
                and ($13::uuid[] is null or s.lead_id = any($13))
                and (not $4 or s.lead_id not in (
                    select c.lead_id from claim c where c.ended_at is null and c.expires_at > $3
                    union all
                    select c.lead_id from claim c
                    where c.rests_until > $3 and (c.outcome = 'completed' or c.queue = $2)
                ))
                and "# + $($order)+ + " limit $15",
            $asked.model as ModelId,
            &$asked.queue.name,
            $asked.now,
            $asked.free,
            $narrowed.stages.as_deref() as Option<&[&str]>,
            $narrowed.bands.as_deref(),
            $narrowed.grades.as_deref(),
            $narrowed.min_score,
            $narrowed.owners.as_deref(),
            $narrowed.territories.as_deref(),
            $narrowed.asks(Mark::HandRaised),
            $narrowed.asks(Mark::NeverContacted),
            $span.only as Option<&[LeadId]>,
            $narrowed.attributes,
            $span.limit,
            $span.after.map(|place| place.lead_id) as Option<LeadId>,
            $span.after.map(|place| place.score),
            $span.after.map(|place| place.raw),
            $span.after.and_then(|place| place.first_seen_at),
            $($argument),*
        )
    };
}

/// Reads the candidates of a part of a tier's order. The caller must check that they are in the queue and in
/// this tier.
pub(super) async fn candidates(
    conn: &mut PgConnection,
    asked: &Asked<'_>,
    narrowed: &Narrowed,
    order: &Order,
    span: Stretch<'_>,
) -> sqlx::Result<Vec<Candidate>> {
    let mut found = match order {
        Order::ByScore => by_score(conn, asked, narrowed, span).await?,
        Order::ByHandRaise => by_hand_raise(conn, asked, narrowed, span).await?,
        Order::By(keys) => by_keys(conn, asked, narrowed, keys, span).await?,
    };
    for candidate in &mut found {
        if let Some(stored) = candidate.attributes.take_if(|stored| stored.are_unreadable()) {
            let known = leads::read_attributes(conn, vec![(candidate.lead_id, stored)]).await?;
            candidate.attributes = known.into_values().next().map(Attributes::Read);
        }
    }
    Ok(found)
}

/// Reads candidates by score, along the index `score_ranking`.
async fn by_score(
    conn: &mut PgConnection,
    asked: &Asked<'_>,
    narrowed: &Narrowed,
    span: Stretch<'_>,
) -> sqlx::Result<Vec<Candidate>> {
    candidates!(
        asked,
        narrowed,
        span,
        ["0::bigint as first, 0::bigint as second, 0::bigint as third"],
        ["($16::uuid is null or (s.score, s.raw, coalesce(s.first_seen_at, '-infinity'), s.lead_id)
                < ($17, $18, coalesce($19::timestamptz, '-infinity'), $16))
            order by s.score desc, s.raw desc, coalesce(s.first_seen_at, '-infinity') desc, s.lead_id desc"]
    )
    .fetch_all(conn)
    .await
}

/// Reads candidates by the latest request for sales. If the tier takes only leads that asked for sales, this
/// walks along the index `score_hand_raised`. Otherwise it sorts.
async fn by_hand_raise(
    conn: &mut PgConnection,
    asked: &Asked<'_>,
    narrowed: &Narrowed,
    span: Stretch<'_>,
) -> sqlx::Result<Vec<Candidate>> {
    candidates!(
        asked,
        narrowed,
        span,
        ["0::bigint as first, 0::bigint as second, 0::bigint as third"],
        ["($16::uuid is null
                or (coalesce(s.hand_raised_at, '-infinity'), s.score, s.raw, coalesce(s.first_seen_at, '-infinity'), s.lead_id)
                < (coalesce($20::timestamptz, '-infinity'), $17, $18, coalesce($19::timestamptz, '-infinity'), $16))
            order by coalesce(s.hand_raised_at, '-infinity') desc, s.score desc, s.raw desc,
                coalesce(s.first_seen_at, '-infinity') desc, s.lead_id desc"],
        span.after.and_then(|place| place.hand_raised_at)
    )
    .fetch_all(conn)
    .await
}

/// Reads candidates by any keys, and sorts them. Each key is turned so that the smallest value comes first. A
/// lead without the value comes last.
async fn by_keys(
    conn: &mut PgConnection,
    asked: &Asked<'_>,
    narrowed: &Narrowed,
    keys: &[Key],
    span: Stretch<'_>,
) -> sqlx::Result<Vec<Candidate>> {
    let field = |n: usize| keys.get(n).map_or("", |key| key.field);
    let sign = |n: usize| if keys.get(n).is_some_and(|key| key.down) { -1_i64 } else { 1 };
    let after = span.after.map_or([0; MOST_KEYS], |place| place.keys);
    candidates!(
        asked,
        narrowed,
        span,
        ["coalesce($23::bigint * case $20::text
                when 'score' then s.score when 'raw' then s.raw when 'fit' then s.fit when 'engagement' then s.engagement
                when 'hand_raised_at' then (extract(epoch from s.hand_raised_at) * 1000000)::bigint
                when 'first_seen_at' then (extract(epoch from s.first_seen_at) * 1000000)::bigint
                when 'created_at' then (extract(epoch from l.created_at) * 1000000)::bigint
                when 'last_activity_at' then (extract(epoch from s.last_activity_at) * 1000000)::bigint
                when 'waiting_since' then (extract(epoch from stay.since) * 1000000)::bigint
                when 'contacted_at' then (extract(epoch from done.contacted_at) * 1000000)::bigint
                when 'callback_at' then (extract(epoch from done.callback_at) * 1000000)::bigint
            end, 9223372036854775807) as first,
            coalesce($24::bigint * case $21::text
                when 'score' then s.score when 'raw' then s.raw when 'fit' then s.fit when 'engagement' then s.engagement
                when 'hand_raised_at' then (extract(epoch from s.hand_raised_at) * 1000000)::bigint
                when 'first_seen_at' then (extract(epoch from s.first_seen_at) * 1000000)::bigint
                when 'created_at' then (extract(epoch from l.created_at) * 1000000)::bigint
                when 'last_activity_at' then (extract(epoch from s.last_activity_at) * 1000000)::bigint
                when 'waiting_since' then (extract(epoch from stay.since) * 1000000)::bigint
                when 'contacted_at' then (extract(epoch from done.contacted_at) * 1000000)::bigint
                when 'callback_at' then (extract(epoch from done.callback_at) * 1000000)::bigint
            end, 9223372036854775807) as second,
            coalesce($25::bigint * case $22::text
                when 'score' then s.score when 'raw' then s.raw when 'fit' then s.fit when 'engagement' then s.engagement
                when 'hand_raised_at' then (extract(epoch from s.hand_raised_at) * 1000000)::bigint
                when 'first_seen_at' then (extract(epoch from s.first_seen_at) * 1000000)::bigint
                when 'created_at' then (extract(epoch from l.created_at) * 1000000)::bigint
                when 'last_activity_at' then (extract(epoch from s.last_activity_at) * 1000000)::bigint
                when 'waiting_since' then (extract(epoch from stay.since) * 1000000)::bigint
                when 'contacted_at' then (extract(epoch from done.contacted_at) * 1000000)::bigint
                when 'callback_at' then (extract(epoch from done.callback_at) * 1000000)::bigint
            end, 9223372036854775807) as third"],
        ["($16::uuid is null
                or (keys.first, keys.second, keys.third, -s.score, -s.raw) > ($26, $27, $28, -$17::integer, -$18::bigint)
                or (keys.first, keys.second, keys.third, s.score, s.raw) = ($26, $27, $28, $17, $18)
                    and (coalesce(s.first_seen_at, '-infinity'), s.lead_id) < (coalesce($19::timestamptz, '-infinity'), $16))
            order by keys.first, keys.second, keys.third, s.score desc, s.raw desc,
                coalesce(s.first_seen_at, '-infinity') desc, s.lead_id desc"],
        field(0),
        field(1),
        field(2),
        sign(0),
        sign(1),
        sign(2),
        after[0],
        after[1],
        after[2],
    )
    .fetch_all(conn)
    .await
}
