//! SQL that brings identities into their normal form.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    leads::identity::{Identity, Kind},
    platform::ids::IdentityId,
};

/// Creates the normal form of an identity, unless it exists, with the creation date of the old form.
pub(in crate::leads) async fn insert_normal_identity(
    conn: &mut PgConnection,
    old: IdentityId,
    new: &Identity,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::insert_normal_identity
        insert into identity (id, kind, value, created_at)
        values ($2, $3, $4, coalesce((select created_at from identity where id = $1), $5))
        on conflict (id) do update set created_at = least(identity.created_at, excluded.created_at)",
        old as IdentityId,
        new.id() as IdentityId,
        new.kind().as_str(),
        new.value(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The identities that have a link to one of these parents: former user ids first, then e-mail addresses,
/// then devices.
pub(in crate::leads) async fn followers(
    conn: &mut PgConnection,
    parents: &[IdentityId],
) -> sqlx::Result<Vec<(Kind, IdentityId)>> {
    let rows = sqlx::query!(
        r#"-- leads::followers
        select id as "id: IdentityId", kind from identity
        where id in (select identity_id from identity_link where parent_id = any($1))
        order by array_position(array['user_id', 'email', 'anonymous_id'], kind), id"#,
        parents as &[IdentityId]
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((Kind::named(&row.kind)?, row.id))).collect())
}

/// Moves the links and the words of consent of an identity to another identity.
pub(in crate::leads) async fn rename_facts(
    conn: &mut PgConnection,
    old: IdentityId,
    new: IdentityId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::rename_facts (links)
        with old as (
            delete from identity_link where identity_id = $1 or parent_id = $1 returning identity_id, at, parent_id
        ), named as (
            select case identity_id when $1 then $2 else identity_id end as identity_id, at,
                case parent_id when $1 then $2 else parent_id end as parent_id
            from old
        )
        insert into identity_link (identity_id, at, parent_id)
        select identity_id, at, parent_id from named where identity_id <> parent_id
        on conflict do nothing",
        old as IdentityId,
        new as IdentityId
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- leads::rename_facts (consent)
        update consent said set identity_id = $2
        where identity_id = $1 and not exists (
            select from consent known
            where known.identity_id = $2 and known.channel = said.channel and known.event_key = said.event_key
        )",
        old as IdentityId,
        new as IdentityId
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- leads::rename_facts (what both said)
        delete from consent where identity_id = $1",
        old as IdentityId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes the spans that follow an identity follow another identity, and deletes the identity's own spans.
pub(in crate::leads) async fn rename_spans(
    conn: &mut PgConnection,
    old: IdentityId,
    new: IdentityId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::rename_spans (followers)
        update identity_span set parent_id = $2 where parent_id = $1",
        old as IdentityId,
        new as IdentityId
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- leads::rename_spans (own)
        delete from identity_span where identity_id = $1",
        old as IdentityId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores the former id of an identity, because links in mails that were already sent carry it.
pub(in crate::leads) async fn remember_former(
    conn: &mut PgConnection,
    old: IdentityId,
    new: IdentityId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::remember_former (before)
        update former_identity set identity_id = $2 where identity_id = $1",
        old as IdentityId,
        new as IdentityId
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- leads::remember_former
        insert into former_identity (id, identity_id) values ($1, $2)
        on conflict (id) do update set identity_id = excluded.identity_id",
        old as IdentityId,
        new as IdentityId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes an identity that nothing refers to any more.
pub(in crate::leads) async fn forget_identity(
    conn: &mut PgConnection,
    identity: IdentityId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::forget_identity
        delete from identity where id = $1",
        identity as IdentityId
    )
    .execute(conn)
    .await?;
    Ok(())
}
