//! SQL of scoring models.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::api::ModelView;
use crate::ids::ModelId;

/// The version that is live.
pub(super) async fn live(conn: &mut PgConnection) -> sqlx::Result<ModelId> {
    sqlx::query_scalar!(
        "-- models::live
        select id from scoring_model where state = 'published'"
    )
    .fetch_one(conn)
    .await
}

pub(super) async fn document(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<Option<Value>> {
    sqlx::query_scalar!(
        "-- models::document
        select document from scoring_model where id = $1",
        id as ModelId
    )
    .fetch_optional(conn)
    .await
}

/// Publishes a first version, unless one is live: several instances may try at once.
pub(super) async fn insert_first(
    conn: &mut PgConnection,
    id: ModelId,
    name: &str,
    document: &Value,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- models::insert_first
        insert into scoring_model (id, name, version, state, document, created_at, published_at)
        values ($1, $2, 1, 'published', $3, $4, $4)
        on conflict do nothing",
        id as ModelId,
        name,
        document,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<ModelView>> {
    sqlx::query_as!(
        ModelView,
        "-- models::list
        select id, name, version, state, document, created_at, published_at from scoring_model order by id desc"
    )
    .fetch_all(conn)
    .await
}

pub(super) async fn find(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<Option<ModelView>> {
    sqlx::query_as!(
        ModelView,
        "-- models::find
        select id, name, version, state, document, created_at, published_at from scoring_model where id = $1",
        id as ModelId
    )
    .fetch_optional(conn)
    .await
}
