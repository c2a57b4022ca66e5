//! SQL of keys.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Prefix, Scope, Secret, SigningSecret};
use crate::platform::ids::{Ids, KeyId};

/// A key as it is stored, without the key itself.
#[derive(Debug, Clone)]
pub struct Key {
    /// The id of the record.
    pub id: KeyId,
    /// The name that a person gave the key.
    pub name: String,
    /// `wk_` or `sk_`.
    pub prefix: String,
    /// The key's last four characters.
    pub last_four: String,
    /// The scopes, as stored.
    pub scopes: Vec<String>,
    /// Origins of web pages that may use the key. Empty: every origin.
    pub origins: Vec<String>,
    /// The secret by which each request with the key must be signed. `None`: the key alone is enough.
    pub signing_secret: Option<SigningSecret>,
    /// When the key was made.
    pub created_at: DateTime<Utc>,
}

impl Key {
    /// Whether the key may do what needs the scope `needed`.
    pub fn may(&self, needed: Scope) -> bool {
        [Scope::Ingest, Scope::Read, Scope::ReadWrite, Scope::Admin]
            .into_iter()
            .any(|scope| scope.covers(needed) && self.scopes.iter().any(|held| held == scope.as_str()))
    }
}

/// A row of the table, with the key's hash.
struct Row {
    hash: Vec<u8>,
    id: KeyId,
    name: String,
    prefix: String,
    last_four: String,
    scopes: Vec<String>,
    origins: Vec<String>,
    signing_secret: Option<SigningSecret>,
    created_at: DateTime<Utc>,
}

/// A key to make.
#[derive(Debug)]
pub struct NewKey<'a> {
    /// The name that a person gave the key.
    pub name: &'a str,
    /// The scopes.
    pub scopes: &'a [Scope],
    /// Origins of web pages that may use the key. Empty: every origin.
    pub origins: &'a [String],
    /// The secret by which each request with the key must be signed. `None`: the key alone is enough.
    pub signing_secret: Option<&'a SigningSecret>,
    /// Whether the key comes from the operator's settings.
    pub environment: bool,
    /// The idempotency key of the call that makes the key. A second key under it violates a constraint.
    pub request_key: Option<&'a str>,
}

/// Locks the table, so that only one starting instance at a time looks for keys and makes them.
pub(super) async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "-- keys::lock
        lock table api_key in share row exclusive mode"
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads every key in use, with its hash.
pub(super) async fn in_use(conn: &mut PgConnection) -> sqlx::Result<Vec<(Vec<u8>, Key)>> {
    let rows = sqlx::query_as!(
        Row,
        "-- keys::in_use
        select hash, id, name, prefix, last_four, scopes, origins, signing_secret, created_at
        from api_key where revoked_at is null"
    )
    .fetch_all(conn)
    .await?;
    let key = |row| {
        let Row { hash, id, name, prefix, last_four, scopes, origins, signing_secret, created_at } = row;
        (hash, Key { id, name, prefix, last_four, scopes, origins, signing_secret, created_at })
    };
    Ok(rows.into_iter().map(key).collect())
}

/// Whether there is a key of this kind in use.
pub(super) async fn any(conn: &mut PgConnection, prefix: Prefix) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"-- keys::any
        select exists (select from api_key where prefix = $1 and revoked_at is null) as "any!""#,
        prefix.as_str()
    )
    .fetch_one(conn)
    .await
}

/// Reads the keys in use after `after`, oldest first.
pub(super) async fn list(
    conn: &mut PgConnection,
    after: Option<KeyId>,
    limit: i64,
) -> sqlx::Result<Vec<Key>> {
    sqlx::query_as!(
        Key,
        "-- keys::list
        select id, name, prefix, last_four, scopes, origins, signing_secret, created_at
        from api_key where revoked_at is null and ($1::uuid is null or id > $1)
        order by id limit $2",
        after as Option<KeyId>,
        limit
    )
    .fetch_all(conn)
    .await
}

/// Stores a key. If the operator gives a revoked key again, the key comes back into use.
pub(super) async fn insert(
    conn: &mut PgConnection,
    ids: &Ids,
    secret: &Secret,
    prefix: Prefix,
    new: &NewKey<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<Key> {
    let scopes: Vec<String> = new.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    sqlx::query_as!(
        Key,
        "-- keys::insert
        insert into api_key (id, name, hash, prefix, last_four, scopes, origins, environment, created_at, signing_secret,
            request_key)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        on conflict (hash) do update set revoked_at = null, environment = excluded.environment
        returning id, name, prefix, last_four, scopes, origins, signing_secret, created_at",
        ids.next(),
        new.name,
        secret.hash(),
        prefix.as_str(),
        secret.last_four(),
        &scopes,
        new.origins,
        new.environment,
        now,
        new.signing_secret as Option<&SigningSecret>,
        new.request_key
    )
    .fetch_one(conn)
    .await
}

/// Finds the key that a call with this idempotency key has made, with its last four characters.
pub(super) async fn made_by(
    conn: &mut PgConnection,
    request_key: &str,
) -> sqlx::Result<Option<(KeyId, String)>> {
    let row = sqlx::query!(
        "-- keys::made_by
        select id, last_four from api_key where request_key = $1",
        request_key
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.id, row.last_four)))
}

/// Revokes the keys of earlier settings that the settings no longer name.
pub(super) async fn revoke_given(
    conn: &mut PgConnection,
    prefix: Prefix,
    kept: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- keys::revoke_given
        update api_key set revoked_at = $3
        where environment and prefix = $1 and hash <> $2 and revoked_at is null",
        prefix.as_str(),
        kept,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Revokes a key and removes its signing secret. Returns false if no key in use has this id.
pub(super) async fn revoke(conn: &mut PgConnection, id: KeyId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "-- keys::revoke
        update api_key set revoked_at = $2, signing_secret = null where id = $1 and revoked_at is null",
        id as KeyId,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
