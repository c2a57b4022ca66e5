//! SQL of bringing identities into their normal form.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{intake::ingest::event::UNCOMPARED, platform::ids::IdentityId};

/// The seed of the schema's advisory lock for normalisation. The lock makes one identity at a time change its
/// form.
const TURN: i64 = 7_309_453_674;

/// How far the passes have come.
pub(super) struct State {
    /// The version of the normal form that all identities have.
    pub(super) version: i32,
    /// The last identity of the pass under way. `None` if no pass is under way.
    pub(super) reached: Option<IdentityId>,
    /// When the first pass for this version ended.
    pub(super) first_at: Option<DateTime<Utc>>,
    /// When the last pass ended.
    pub(super) last_at: Option<DateTime<Utc>>,
}

/// Reads how far the passes have come.
pub(super) async fn state(conn: &mut PgConnection) -> sqlx::Result<State> {
    sqlx::query_as!(
        State,
        r#"-- normalisation::state
        select version, reached as "reached: IdentityId", first_at, last_at from identity_form"#
    )
    .fetch_one(conn)
    .await
}

/// A page of identities, in the order of their ids.
pub(super) struct Page {
    /// The last identity of the page. `None`: there are no more.
    pub(super) last: Option<IdentityId>,
    /// The identities that may not be in the normal form.
    pub(super) unusual: Vec<IdentityId>,
}

/// Reads the next page. Values with only plain characters are in the normal form, and are not listed as
/// unusual.
pub(super) async fn page(
    conn: &mut PgConnection,
    after: Option<IdentityId>,
    limit: i64,
) -> sqlx::Result<Page> {
    sqlx::query_as!(
        Page,
        r#"-- normalisation::page
        select (array_agg(id order by id desc))[1] as "last: IdentityId",
            coalesce(array_agg(id order by id) filter (
                where value collate "C" ~ (case kind when 'email' then $3 else $4 end)
            ), '{}') as "unusual!: Vec<IdentityId>"
        from (select id, kind, value from identity where id > $1 order by id limit $2) page"#,
        after.unwrap_or(IdentityId(uuid::Uuid::nil())) as IdentityId,
        limit,
        r"[^a-z0-9!#$&'*+/=?^_`{|}~.@-]|\.$",
        "[^ -~]"
    )
    .fetch_one(conn)
    .await
}

/// Reads former identities under which an instance has written again, because it had read them before they
/// were renamed.
pub(super) async fn written_again(conn: &mut PgConnection) -> sqlx::Result<Vec<IdentityId>> {
    sqlx::query_scalar!(
        r#"-- normalisation::written_again
        select id as "id: IdentityId" from former_identity former
        where exists (select from event where event.identity_id = former.id)
            or exists (select from consent where consent.identity_id = former.id)"#
    )
    .fetch_all(conn)
    .await
}

/// Notes how far the pass has come.
pub(super) async fn note(conn: &mut PgConnection, reached: IdentityId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- normalisation::note
        update identity_form set reached = greatest(reached, $1)",
        reached as IdentityId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that the pass has ended.
pub(super) async fn finish(conn: &mut PgConnection, version: i32, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "-- normalisation::finish
        update identity_form set first_at = case when version < $1 then $2 else first_at end, last_at = $2,
            version = greatest(version, $1), reached = null",
        version,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the lock for normalisation until the transaction ends.
pub(super) async fn take_turn(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "-- normalisation::take_turn
        select pg_advisory_xact_lock(hashtextextended(current_schema(), $1))",
        TURN
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes events that were sent under both forms of an identity: the later of each two, with its words of
/// consent.
pub(super) async fn drop_repeated_events(
    conn: &mut PgConnection,
    old: IdentityId,
    new: IdentityId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- normalisation::drop_repeated_events
        with later as (
            select other.event_key, case when other.received_at < one.received_at then $2 else $1 end as identity_id
            from event other join event one on one.identity_id = $2 and one.event_key = other.event_key
            where other.identity_id = $1
        ), words as (
            delete from consent using later
            where consent.identity_id = later.identity_id and consent.event_key = later.event_key
        )
        delete from event using later
        where event.identity_id = later.identity_id and event.event_key = later.event_key",
        old as IdentityId,
        new as IdentityId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves the events of one identity to another. Returns the ids of the mails that some of them belong to.
///
/// The digests of these events, and of events that name the identity beside another, were made with the old
/// form. They are set to [`UNCOMPARED`].
pub(super) async fn rename_events(
    conn: &mut PgConnection,
    old: IdentityId,
    new: IdentityId,
) -> sqlx::Result<Vec<String>> {
    sqlx::query!(
        "-- normalisation::rename_events (beside)
        update event set digest = $2
        where identity_id in (
            select parent_id from identity_link where identity_id = $1
            union
            select identity_id from identity_link where parent_id = $1
        )",
        old as IdentityId,
        UNCOMPARED
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_scalar!(
        r#"-- normalisation::rename_events
        with renamed as (
            update event set identity_id = $2, digest = $3 where identity_id = $1 returning type, properties
        )
        select distinct properties ->> 'message_id' as "message_id!" from renamed
        where type in ('email_clicked', 'email_delivered', 'email_unsubscribed') and properties ? 'message_id'"#,
        old as IdentityId,
        new as IdentityId,
        UNCOMPARED
    )
    .fetch_all(conn)
    .await
}
