//! `/v1/mail-sources` and `/v1/hooks`.

use axum::extract::FromRef;
use utoipa_axum::router::OpenApiRouter;

use super::{hooks, sources};
use crate::{intake::mail::Mail, keys::auth::RouterState};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Mail: FromRef<S>,
{
    sources::api::routes().merge(hooks::routes())
}
