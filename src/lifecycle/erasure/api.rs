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

/// Erases a person: the lead, all leads merged into it, and their events, identities, attributes, scores,
/// handoffs and answers.
///
/// An erasure cannot be undone. Passages and outcomes stay for the counts, without text, under an id that
/// belongs to nobody. A hash of each address that refused mails stays too. The feed gets a `lead.erased`
/// entry. An event of the person that arrives later begins a new lead.
#[utoipa::path(delete, path = "/v1/leads/{id}", tag = "Leads", params(("id" = LeadId, Path)),
    security(("key" = ["admin"])), responses((status = 204, description = "The person is erased")))]
async fn erase_lead(
    State(lifecycle): State<Lifecycle>,
    Admin(_): Admin,
    Path(id): Path<LeadId>,
) -> Result<StatusCode, Problem> {
    if erase(&lifecycle, id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("lead")) }
}
