//! SQL of claims.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::State;
use crate::platform::ids::{ClaimId, LeadId};

/// The seed of the hash that names a lead's advisory lock for claims. The lock makes claims on one lead come
/// one after the other.
const LEAD_LOCK: i64 = 7_309_453_675;

/// Reads the merged leads that still have open claims or due callbacks.
pub(super) async fn merged(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        r#"-- queues::claims::merged
        select l.id as "id!: LeadId" from claim c join lead l on l.id = c.lead_id
        where c.ended_at is null and l.merged_into is not null
        union
        select l.id from claim c join lead l on l.id = c.lead_id
        where c.callback_at <= $1 and c.called_back_at is null and l.merged_into is not null"#,
        now
    )
    .fetch_all(conn)
    .await
}

/// Locks a claim's row until the transaction ends.
pub(super) async fn lock(conn: &mut PgConnection, id: ClaimId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- queues::claims::lock
        select id from claim where id = $1 for update",
        id as ClaimId
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}

/// Reads the claim that a rep got from a queue under an idempotency key.
pub(super) async fn by_request(
    conn: &mut PgConnection,
    queue: &str,
    rep: &str,
    request: &str,
) -> sqlx::Result<Option<ClaimId>> {
    sqlx::query_scalar!(
        "-- queues::claims::by_request
        select id from claim where queue = $1 and rep = $2 and request = $3",
        queue,
        rep,
        request
    )
    .fetch_optional(conn)
    .await
}

/// How many leads a rep got today from a queue, and holds now.
pub(super) struct Load {
    pub(super) today: i64,
    pub(super) held: i64,
}

/// Counts the claims of a rep in a queue: those since the beginning of the day, and those that are open now.
pub(super) async fn load(
    conn: &mut PgConnection,
    queue: &str,
    rep: &str,
    day: DateTime<Utc>,
    now: DateTime<Utc>,
) -> sqlx::Result<Load> {
    sqlx::query_as!(
        Load,
        r#"-- queues::claims::load
        select
            (select count(*) from claim where rep = $2 and queue = $1 and claimed_at >= $3) as "today!",
            (select count(*) from claim where rep = $2 and queue = $1 and ended_at is null and expires_at > $4) as "held!""#,
        queue,
        rep,
        day,
        now
    )
    .fetch_one(conn)
    .await
}

/// The parts of a new claim.
pub(super) struct NewClaim<'a> {
    pub(super) id: ClaimId,
    pub(super) lead_id: LeadId,
    pub(super) queue: &'a str,
    pub(super) rep: &'a str,
    pub(super) request: Option<&'a str>,
    pub(super) why: &'a [String],
    pub(super) claimed_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

/// Makes a claim and returns its token. Returns `None` if the lead has an open claim.
///
/// The token is drawn only when this transaction holds the lead's advisory lock. So a later claim never has a
/// smaller token.
pub(super) async fn insert(conn: &mut PgConnection, new: &NewClaim<'_>) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "-- queues::claims::insert
        with turn as materialized (
            select pg_advisory_xact_lock(hashtextextended(current_schema() || $2::uuid::text, $9))
        )
        insert into claim (id, lead_id, queue, rep, request, why, claimed_at, expires_at)
        select $1, $2, $3, $4, $5, $6, $7, $8 from turn
        on conflict (lead_id) where ended_at is null do nothing
        returning token",
        new.id as ClaimId,
        new.lead_id as LeadId,
        new.queue,
        new.rep,
        new.request,
        new.why,
        new.claimed_at,
        new.expires_at,
        LEAD_LOCK
    )
    .fetch_optional(conn)
    .await
}

/// Takes the lead's advisory lock for claims until the transaction ends.
pub(super) async fn lock_lead(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- queues::claims::lock_lead
        select pg_advisory_xact_lock(hashtextextended(current_schema() || $1::uuid::text, $2))",
        lead as LeadId,
        LEAD_LOCK
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Ends a lead's open claim if it has expired.
pub(super) async fn expire(conn: &mut PgConnection, lead: LeadId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "-- queues::claims::expire
        update claim set ended_at = expires_at, outcome = 'expired'
        where lead_id = $1 and ended_at is null and expires_at <= $2",
        lead as LeadId,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends open claims. Claims that another transaction has locked are left for the next run.
///
/// An expired claim gets the instant at which it expired as its end. A claim that was renewed in the meantime
/// does not expire.
pub(super) async fn end(
    conn: &mut PgConnection,
    ids: &[ClaimId],
    state: State,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- queues::claims::end
        update claim set outcome = $2::text, ended_at = least(expires_at, $3)
        where id in (
            select id from claim
            where id = any($1) and ended_at is null and ($2::text <> 'expired' or expires_at <= $3)
            for update skip locked
        )",
        ids as &[ClaimId],
        state as State,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets when a claim expires.
pub(super) async fn renew(
    conn: &mut PgConnection,
    id: ClaimId,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- queues::claims::renew
        update claim set expires_at = $2 where id = $1",
        id as ClaimId,
        expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How a rep ends a claim.
pub(super) struct Ending {
    pub(super) state: State,
    pub(super) reason: Option<String>,
    pub(super) rests_until: Option<DateTime<Utc>>,
    pub(super) callback_at: Option<DateTime<Utc>>,
}

/// Ends a claim as a rep says.
pub(super) async fn finish(
    conn: &mut PgConnection,
    id: ClaimId,
    now: DateTime<Utc>,
    ending: &Ending,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- queues::claims::finish
        update claim set ended_at = $2, outcome = $3, reason = $4, rests_until = $5, callback_at = $6 where id = $1",
        id as ClaimId,
        now,
        ending.state as State,
        ending.reason,
        ending.rests_until,
        ending.callback_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks all callbacks that were promised to a lead as made.
pub(super) async fn call_back(conn: &mut PgConnection, lead: LeadId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "-- queues::claims::call_back
        update claim set called_back_at = $2
        where lead_id = $1 and callback_at is not null and called_back_at is null",
        lead as LeadId,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a lead has a claim with a greater token.
pub(super) async fn is_later(conn: &mut PgConnection, lead: LeadId, token: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"-- queues::claims::is_later
        select exists (select from claim where lead_id = $1 and token > $2) as "is_later!""#,
        lead as LeadId,
        token
    )
    .fetch_one(conn)
    .await
}

/// Reads the heir of a lead: the last lead on the trail of merges. A lead that was not merged is its own
/// heir. `None`: there is no such lead.
pub(super) async fn heir(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Option<LeadId>> {
    sqlx::query_scalar!(
        r#"-- queues::claims::heir
        select became_id as "id!" from lead_trail where lead_id = $1 and merged_into is null"#,
        lead as LeadId
    )
    .fetch_optional(conn)
    .await
}

/// Reads the leads that were merged into a lead and still have claims.
pub(super) async fn merged_into(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        r#"-- queues::claims::merged_into
        select member_id as "id!" from lead_family family
        where lead_id = $1 and member_id <> $1 and exists (select from claim where claim.lead_id = family.member_id)"#,
        lead as LeadId
    )
    .fetch_all(conn)
    .await
}

/// A claim that has not ended.
pub(super) struct Open {
    pub(super) id: ClaimId,
    pub(super) expires_at: DateTime<Utc>,
}

/// Locks the open claims on these leads until the transaction ends. Returns them, the earliest first.
pub(super) async fn lock_open(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<Vec<Open>> {
    sqlx::query_as!(
        Open,
        "-- queues::claims::lock_open
        select id, expires_at from claim where lead_id = any($1) and ended_at is null order by token for update",
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

/// Moves every claim on some leads to another lead. Returns whether there were any.
pub(super) async fn follow(conn: &mut PgConnection, from: &[LeadId], to: LeadId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "-- queues::claims::follow
        update claim set home_lead_id = coalesce(home_lead_id, lead_id), lead_id = $2 where lead_id = any($1)",
        from as &[LeadId],
        to as LeadId
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Moves the claims on the lead `from` whose home is one of `homes` to another lead.
pub(super) async fn part(
    conn: &mut PgConnection,
    from: LeadId,
    homes: &[LeadId],
    lead: LeadId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- queues::claims::part
        update claim set lead_id = $3, home_lead_id = nullif(home_lead_id, $3)
        where lead_id = $1 and home_lead_id = any($2)",
        from as LeadId,
        homes as &[LeadId],
        lead as LeadId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reopens the last claim on a lead if a merge ended it, it has not expired, and the lead has no open claim.
pub(super) async fn reopen(conn: &mut PgConnection, lead: LeadId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "-- queues::claims::reopen
        update claim set ended_at = null, outcome = null
        where lead_id = $1 and outcome = 'merged' and expires_at > $2
            and token = (select max(token) from claim where lead_id = $1)
            and not exists (select from claim where lead_id = $1 and ended_at is null)",
        lead as LeadId,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
