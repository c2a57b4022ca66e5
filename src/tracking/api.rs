//! api
use crate::app::App;
use utoipa_axum::router::OpenApiRouter;
/// The calls of this room.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
}
