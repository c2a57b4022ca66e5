//! Making, changing and discarding drafts. A version that leads are or were scored by never changes.

use serde_json::Value;
use sqlx::PgConnection;

use super::{VersionState, api::ModelView, store};
use crate::{app::App, http::problem::Problem, ids::ModelId};

/// Why a draft cannot be changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DraftError {
    #[error("no such version")]
    NotFound,
    #[error("leads are or were scored by this version")]
    InUse,
    /// What the caller expected of it does not hold.
    #[error("{}", .0.message)]
    Refused(Problem),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Adds a draft; its version is one more than the last of that name.
pub(super) async fn create(app: &App, name: &str, document: &Value) -> sqlx::Result<ModelView> {
    let mut conn = app.db.acquire().await?;
    loop {
        let id = ModelId(app.ids.next());
        let inserted = store::insert_draft(&mut conn, id, name, document, app.clock.now()).await?;
        // Another draft of the same name took the number at the same moment.
        if let Some(version) = inserted {
            return Ok(version);
        }
    }
}

/// Replaces a draft's document, if the draft is as the caller expects it.
pub(super) async fn replace(
    app: &App,
    id: ModelId,
    expected: impl FnOnce(&ModelView) -> Result<(), Problem>,
    name: &str,
    document: &Value,
) -> Result<ModelView, DraftError> {
    let mut tx = app.db.begin().await?;
    lock(&mut tx, id, expected).await?;
    let version = store::update_draft(&mut tx, id, name, document).await?;
    tx.commit().await?;
    Ok(version)
}

/// Discards a draft, if it is as the caller expects it.
pub(super) async fn delete(
    app: &App,
    id: ModelId,
    expected: impl FnOnce(&ModelView) -> Result<(), Problem>,
) -> Result<(), DraftError> {
    let mut tx = app.db.begin().await?;
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
