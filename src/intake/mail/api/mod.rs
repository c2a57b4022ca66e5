//! `/v1/mail-sources` and `/v1/hooks`.

mod hooks;

use axum::extract::FromRef;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    intake::mail::{Mail, sources},
    keys::auth::RouterState,
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Mail: FromRef<S>,
{
    sources::api::routes().merge(hooks::routes())
}
