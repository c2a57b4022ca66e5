//! Endpoints: how they are made, changed, disabled, enabled and removed, and how they get new secrets.

pub(super) mod api;
pub(super) mod store;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use sqlx::Connection;

pub(super) use store::Endpoint;

use super::{lanes::store as lanes, signature::Secret};
use crate::{
    feed::{outbox, webhooks::Webhooks},
    platform::ids::EndpointId,
};

/// Why an endpoint is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[schema(as = DisabledBecause)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(super) enum Cause {
    /// Somebody disabled the endpoint.
    Operator,
    /// The receiver answered 410: it wants no more deliveries.
    Gone,
    /// Every delivery failed for five days.
    Failing,
}

/// What an endpoint is to be, after it is made or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) url: String,
    pub(super) description: String,
    /// The kinds of changes that are sent. Empty: all.
    pub(super) events: Vec<String>,
    pub(super) enabled: bool,
}

/// Makes an endpoint, which gets the changes that happen from now on.
///
/// # Errors
/// If a statement fails. A second endpoint under the same idempotency key violates a constraint.
pub(super) async fn create(
    webhooks: &Webhooks,
    wanted: &Wanted,
    request_key: Option<&str>,
) -> sqlx::Result<(Endpoint, Secret)> {
    let (now, id) = (webhooks.clock.now(), EndpointId(webhooks.ids.next()));
    let secret = Secret::generate(&webhooks.ids);
    let mut conn = webhooks.db.acquire().await?;
    let end = outbox::end(&mut conn, now).await?;
    let mut tx = conn.begin().await?;
    store::insert(&mut tx, id, wanted, end, request_key, now).await?;
    store::insert_secret(&mut tx, id, &secret, now).await?;
    if !wanted.enabled {
        store::disable(&mut tx, id, now).await?;
    }
    let made = store::lock(&mut tx, id).await?.expect("this transaction has made it");
    tx.commit().await?;
    Ok((made, secret))
}

/// Changes an endpoint. `wanted` says what it becomes, given what it is. `None` if there is no such endpoint.
///
/// An endpoint that is enabled again continues at once where it stopped.
pub(super) async fn change<E: From<sqlx::Error>>(
    webhooks: &Webhooks,
    id: EndpointId,
    wanted: impl FnOnce(&Endpoint) -> Result<Wanted, E>,
) -> Result<Option<Endpoint>, E> {
    let now = webhooks.clock.now();
    let mut tx = webhooks.db.begin().await?;
    let Some(before) = store::lock(&mut tx, id).await? else { return Ok(None) };
    let wanted = wanted(&before)?;
    store::update(&mut tx, id, &wanted).await?;
    match (before.disabled_at, wanted.enabled) {
        (None, false) => store::disable(&mut tx, id, now).await?,
        (Some(_), true) => {
            store::enable(&mut tx, id).await?;
            lanes::hurry(&mut tx, id, now).await?;
        }
        _ => {}
    }
    let after = store::lock(&mut tx, id).await?;
    tx.commit().await?;
    Ok(after)
}

/// Gives an endpoint a new secret. The old one still signs for the time `overlap`. `None` if there is no such endpoint.
pub(super) async fn rotate(
    webhooks: &Webhooks,
    id: EndpointId,
    overlap: TimeDelta,
) -> sqlx::Result<Option<(Endpoint, Secret)>> {
    let now = webhooks.clock.now();
    let secret = Secret::generate(&webhooks.ids);
    let mut tx = webhooks.db.begin().await?;
    let Some(endpoint) = store::lock(&mut tx, id).await? else { return Ok(None) };
    store::retire_secrets(&mut tx, id, now + overlap, now).await?;
    store::insert_secret(&mut tx, id, &secret, now).await?;
    tx.commit().await?;
    Ok(Some((endpoint, secret)))
}

/// Removes an endpoint and its deliveries. Returns false if there is no such endpoint.
pub(super) async fn remove(webhooks: &Webhooks, id: EndpointId) -> sqlx::Result<bool> {
    store::remove(&mut *webhooks.db.acquire().await?, id, webhooks.clock.now()).await
}
