//! SQL of links.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::token::Secret;
use crate::platform::ids::IdentityId;

/// A secret that signs, or has signed, tokens.
pub(super) struct SecretRow {
    number: i32,
    secret: Vec<u8>,
}

impl SecretRow {
    /// The number and the secret.
    pub(super) fn numbered(self) -> (u16, Secret) {
        let number = u16::try_from(self.number).expect("a check keeps the number within 1 and 65535");
        (number, Secret::stored(self.secret))
    }
}

/// Makes the first secret, if there is none.
pub(super) async fn insert_first(
    conn: &mut PgConnection,
    secret: &Secret,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- links::insert_first
        insert into link_secret (number, secret, created_at) values (1, $1, $2) on conflict do nothing",
        secret.as_bytes(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads the secrets whose tokens are valid, in the order of their numbers. The last one signs.
pub(super) async fn secrets(conn: &mut PgConnection) -> sqlx::Result<Vec<SecretRow>> {
    sqlx::query_as!(
        SecretRow,
        "-- links::secrets
        select number, secret from link_secret where ended_at is null order by number"
    )
    .fetch_all(conn)
    .await
}

/// Locks the table, so that one transaction at a time changes the secrets.
pub(super) async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "-- links::lock
        lock table link_secret in share row exclusive mode"
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds the secret that signs from now on.
pub(super) async fn insert_next(
    conn: &mut PgConnection,
    secret: &Secret,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- links::insert_next
        insert into link_secret (number, secret, created_at)
        select coalesce(max(number), 0) + 1, $1, $2 from link_secret",
        secret.as_bytes(),
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends all secrets: their tokens are no longer valid.
pub(super) async fn end_all(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "-- links::end_all
        update link_secret set ended_at = $1 where ended_at is null",
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads when the lead of an address last subscribed to mails, by any of its identities.
pub(super) async fn subscribed_at(
    conn: &mut PgConnection,
    identity: IdentityId,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"-- links::subscribed_at
        select max(e.received_at) from event e
        where e.type = 'email_subscribed' and e.identity_id in (
            select $1
            union
            select others.identity_id from identity_span own join identity_span others using (lead_id)
            where own.identity_id = $1
        )"#,
        identity as IdentityId
    )
    .fetch_one(conn)
    .await
}
