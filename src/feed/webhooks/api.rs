//! `/v1/webhooks`.

use axum::extract::FromRef;
use utoipa_axum::router::OpenApiRouter;

use super::{deliveries, endpoints};
use crate::{feed::webhooks::Webhooks, keys::auth::RouterState};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Webhooks: FromRef<S>,
{
    endpoints::api::routes().merge(deliveries::api::routes())
}
