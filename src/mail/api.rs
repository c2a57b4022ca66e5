//! `/v1/mail-sources` and `/v1/hooks`.

use utoipa_axum::router::OpenApiRouter;

use super::{hooks, sources};
use crate::app::App;

/// The calls of this room.
pub fn routes() -> OpenApiRouter<App> {
    sources::api::routes().merge(hooks::routes())
}
