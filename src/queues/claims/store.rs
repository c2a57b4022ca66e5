//! SQL of claims.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::State;
use crate::platform::ids::{ClaimId, LeadId};

/// The kind of the advisory lock that a lead of a schema has for its claims. Claims on one lead come one after the other.
const LEAD_LOCK: i64 = 7_309_453_675;

/// Leads that were merged into others while claims on them are open or callbacks due.
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

/// Holds a claim until the transaction ends.
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

/// The claim that a rep was given for a request.
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

/// How many of a queue's leads a rep has.
pub(super) struct Load {
    pub(super) today: i64,
    pub(super) held: i64,
}

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

/// A claim to be made.
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

/// Makes a claim, unless the lead has an open one; its token. That is drawn only once the claims on this lead are this
/// transaction's to make, so that a claim made later never has a smaller one.
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

/// Has the claims on a lead wait for this transaction.
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

/// Ends a lead's open claim if its time is over.
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

/// Ends claims that are open still. Those that somebody is just acting on are left to the next time; an expired one has
/// ended when its time was over, unless that has been put off since.
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

/// Holds a claim on for longer.
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

/// The callbacks that were promised to a lead have been made.
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

/// Whether there is a later claim on a lead.
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

/// The lead that a lead was merged into, at the end of the trail; itself if it was not.
pub(super) async fn heir(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Option<LeadId>> {
    sqlx::query_scalar!(
        r#"-- queues::claims::heir
        select became_id as "id!" from lead_trail where lead_id = $1 and merged_into is null"#,
        lead as LeadId
    )
    .fetch_optional(conn)
    .await
}

/// The leads that were merged into one and that claims are still on.
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

/// Holds the open claims on these leads until the transaction ends; the earliest first.
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

/// Has every claim on some leads be one on another; whether there were any.
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

/// Has the claims on a lead that were made on these be claims on another.
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

/// Opens the last claim on a lead again that ended because another lead was held, if its time is not over and there is no
/// open one.
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
