//! Adding, replacing and deleting drafts. A version by which leads are or were scored never changes.

use serde_json::Value;
use sqlx::PgConnection;

use super::{VersionState, api::ModelView, store};
use crate::{http::problem::Problem, models::Models, platform::ids::ModelId};

/// Why a draft cannot be changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DraftError {
    #[error("no such version")]
    NotFound,
    #[error("leads are or were scored by this version")]
    InUse,
    #[error("the idempotency key was used for another document")]
    KeyUsed(ModelId),
    /// The draft is not as the caller expects it.
    #[error("{}", .0.message)]
    Refused(Problem),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Adds a draft. Its version number is one more than the last of its name.
///
/// A repeated call, by its idempotency key, adds nothing. It returns `false` and the draft that the first call added.
pub(super) async fn create(
    models: &Models,
    name: &str,
    document: &Value,
    request_key: Option<&str>,
) -> Result<(ModelView, bool), DraftError> {
    let mut conn = models.db.acquire().await?;
    loop {
        let id = ModelId(models.ids.next());
        let now = models.clock.now();
        match store::insert_draft(&mut conn, id, name, document, request_key, now).await {
            Ok(Some(version)) => return Ok((version, true)),
            // Another draft of the same name took the number at the same moment. Try the next number.
            Ok(None) => {}
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                let Some(key) = request_key else { return Err(sqlx::Error::Database(error).into()) };
                // If the first draft was deleted at this moment, the key is free again.
                let Some(made) = store::made_by(&mut conn, key).await? else { continue };
                return if made.document == *document {
                    Ok((made, false))
                } else {
                    Err(DraftError::KeyUsed(made.id))
                };
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Replaces a draft's document, if the draft is as the caller expects it.
pub(super) async fn replace(
    models: &Models,
    id: ModelId,
    expected: impl FnOnce(&ModelView) -> Result<(), Problem>,
    name: &str,
    document: &Value,
) -> Result<ModelView, DraftError> {
    let mut tx = models.db.begin().await?;
    lock(&mut tx, id, expected).await?;
    let version = store::update_draft(&mut tx, id, name, document).await?;
    tx.commit().await?;
    Ok(version)
}

/// Deletes a draft, if the draft is as the caller expects it.
pub(super) async fn delete(
    models: &Models,
    id: ModelId,
    expected: impl FnOnce(&ModelView) -> Result<(), Problem>,
) -> Result<(), DraftError> {
    let mut tx = models.db.begin().await?;
    lock(&mut tx, id, expected).await?;
    store::delete_draft(&mut tx, id).await?;
    tx.commit().await?;
    Ok(())
}

async fn lock(
    conn: &mut PgConnection,
    id: ModelId,
    expected: impl FnOnce(&ModelView) -> Result<(), Problem>,
) -> Result<(), DraftError> {
    let version = store::find_for_update(conn, id).await?.ok_or(DraftError::NotFound)?;
    if version.state != VersionState::Draft || store::is_scored(conn, id).await? {
        return Err(DraftError::InUse);
    }
    expected(&version).map_err(DraftError::Refused)
}
