//! SQL of sources.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Source;
use crate::{
    intake::mail::providers::{Provider, Verification},
    platform::{ids::SourceId, json::Stored},
};

/// Stores a source, with the hash of its token.
pub(super) async fn insert(
    conn: &mut PgConnection,
    source: &Source,
    token_hash: &[u8],
    verification: &Verification,
    request_key: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- mail::sources::insert
        insert into mail_source (id, provider, name, token_hash, verification, created_at, request_key)
        values ($1, $2, $3, $4, $5, $6, $7)",
        source.id as SourceId,
        source.provider.as_str(),
        source.name,
        token_hash,
        Stored(verification) as Stored<&Verification>,
        source.created_at,
        request_key
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads the source that a call with this idempotency key made, even if it was deleted since.
pub(super) async fn made_by(conn: &mut PgConnection, request_key: &str) -> sqlx::Result<Option<SourceId>> {
    sqlx::query_scalar!(
        r#"-- mail::sources::made_by
        select id as "id: SourceId" from mail_source where request_key = $1"#,
        request_key
    )
    .fetch_optional(conn)
    .await
}

/// Reads how to verify the reports of the source with this token hash.
pub(super) async fn find_by_hash(
    conn: &mut PgConnection,
    token_hash: &[u8],
) -> sqlx::Result<Option<Verification>> {
    let found = sqlx::query_scalar!(
        r#"-- mail::sources::find_by_hash
        select verification as "verification: Stored<Verification>"
        from mail_source where token_hash = $1 and deleted_at is null"#,
        token_hash
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|Stored(verification)| verification))
}

/// Lists the sources in use after an id, newest last.
pub(super) async fn list(
    conn: &mut PgConnection,
    after: Option<SourceId>,
    limit: i64,
) -> sqlx::Result<Vec<Source>> {
    sqlx::query_as!(
        Source,
        r#"-- mail::sources::list
        select id, name, provider as "provider: Provider", created_at
        from mail_source where deleted_at is null and ($1::uuid is null or id > $1)
        order by id limit $2"#,
        after as Option<SourceId>,
        limit
    )
    .fetch_all(conn)
    .await
}

/// Deletes a source and its secrets. Returns false if there is no source of this id in use.
pub(super) async fn remove(conn: &mut PgConnection, id: SourceId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "-- mail::sources::remove
        update mail_source set deleted_at = $2, verification = '{}' where id = $1 and deleted_at is null",
        id as SourceId,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
