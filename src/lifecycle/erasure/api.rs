//! `DELETE /v1/leads/{id}`.

use axum::{extract::FromRef, extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::erase;
use crate::{
    http::{extract::Path, problem::Problem},
    keys::auth::{Admin, RouterState},
    lifecycle::Lifecycle,
    platform::ids::LeadId,
};

/// The call of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Lifecycle: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(erase_lead))
}

/// Erases a person, and every lead that turned out to be it: events, identities, attributes, scores, handoffs, answers.
///
/// It cannot be taken back. Passages and outcomes stay, without text, under an id that is nobody's, so that what was counted
/// stays counted; and a hash of each address that is not to be written to. The feed tells of it as `lead.erased`. An event
/// of the person that arrives later begins a new lead.
#[utoipa::path(delete, path = "/v1/leads/{id}", tag = "Leads", params(("id" = LeadId, Path)),
    security(("key" = ["admin"])), responses((status = 204, description = "Erased")))]
async fn erase_lead(
    State(lifecycle): State<Lifecycle>,
    Admin(_): Admin,
    Path(id): Path<LeadId>,
) -> Result<StatusCode, Problem> {
    if erase(&lifecycle, id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("lead")) }
}
