//! `/v1/webhooks`.

use utoipa_axum::router::OpenApiRouter;

use super::{deliveries, endpoints};
use crate::app::App;

/// The calls of this room.
pub fn routes() -> OpenApiRouter<App> {
    endpoints::api::routes().merge(deliveries::api::routes())
}
