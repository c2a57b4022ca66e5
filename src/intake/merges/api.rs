//! `POST /v1/leads/{id}/merge` and `/unmerge`, and `GET /v1/conflicts`.

use axum::{
    extract::FromRef,
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Conflict, Decided, Merge, MergeError, Place, Said, merge, store, unmerge};
use crate::{
    http::{
        extract::{Json, Path, Query},
        page::{self, Page},
        problem::{Code, Problem},
        said::{LONGEST_TEXT, Mistakes, Texts, idempotency_key, mistake},
    },
    keys::{
        Key,
        auth::{Editor, Reader, RouterState},
    },
    leads::{api::current, view::LeadView},
    lifecycle::Lifecycle,
    platform::ids::LeadId,
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Lifecycle: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(merge_leads))
        .routes(routes!(unmerge_leads))
        .routes(routes!(list_conflicts))
}

/// Which lead, and who says so.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MergeBody {
    /// The lead that is merged, or taken out again.
    lead_id: LeadId,
    /// Why.
    reason: String,
    /// Who says so; the key's name if absent.
    author: Option<String>,
}

/// The merge, and how the leads stand.
#[derive(Debug, Serialize, ToSchema)]
struct MergeDecided {
    merge: Merge,
    /// The lead that went on, as of now.
    lead: LeadView,
    /// The lead that was taken out, as of now.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_out: Option<LeadView>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListConflicts {
    /// Only those that this lead has part in.
    lead_id: Option<LeadId>,
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Makes another lead and this one one, because somebody knows that they are one person.
///
/// The other's events, handoffs, outcomes and claims count for this one from now on, and its id leads here. Recorded in both
/// logs as `lead_merged`, with author and reason. Nothing is destroyed: `/unmerge` takes it out again. With an
/// `Idempotency-Key`, the same call again changes nothing and is told what the first was told.
#[utoipa::path(post, path = "/v1/leads/{id}/merge", tag = "Leads", request_body = MergeBody,
    params(("id" = LeadId, Path, description = "The lead that goes on"),
        ("Idempotency-Key" = Option<String>, Header, description = "Under which the call may be repeated")),
    security(("key" = ["read_write"])),
    responses((status = 201, body = MergeDecided), (status = 200, body = MergeDecided, description = "Merged before")))]
async fn merge_leads(
    State(lifecycle): State<Lifecycle>,
    Editor(key): Editor,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
    Json(body): Json<MergeBody>,
) -> Result<Response, Problem> {
    let said = said(&key, &headers, &body)?;
    let Decided { merge, new } = merge(&lifecycle, id, body.lead_id, &said).await?;
    let lead = current(&lifecycle, id).await?;
    Ok((status(new), Json(MergeDecided { merge, lead, taken_out: None })).into_response())
}

/// Takes a lead out again that was merged into this one by `/merge`.
///
/// It has its identities back, those that joined them since, and all their events, whenever they came; both stand where they
/// stood, but what people have decided of this one since stays with it. Recorded in both logs as `lead_unmerged`.
/// `Idempotency-Key` works as for `/merge`. Leads that were joined by an identify or alias are not taken apart.
#[utoipa::path(post, path = "/v1/leads/{id}/unmerge", tag = "Leads", request_body = MergeBody,
    params(("id" = LeadId, Path, description = "The lead that it was merged into"),
        ("Idempotency-Key" = Option<String>, Header, description = "Under which the call may be repeated")),
    security(("key" = ["read_write"])),
    responses((status = 201, body = MergeDecided), (status = 200, body = MergeDecided, description = "Taken out before")))]
async fn unmerge_leads(
    State(lifecycle): State<Lifecycle>,
    Editor(key): Editor,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
    Json(body): Json<MergeBody>,
) -> Result<Response, Problem> {
    let said = said(&key, &headers, &body)?;
    let Decided { merge, new } = unmerge(&lifecycle, id, body.lead_id, &said).await?;
    let lead = current(&lifecycle, id).await?;
    let taken_out = Some(current(&lifecycle, body.lead_id).await?);
    Ok((status(new), Json(MergeDecided { merge, lead, taken_out })).into_response())
}

/// E-mail addresses that belong to one lead and were claimed by another's user id.
///
/// An address belongs to the user id that named it first; whoever names it later gets no part of it, and stands here. If the
/// two are one person, `POST /v1/leads/{id}/merge` settles it.
#[utoipa::path(get, path = "/v1/conflicts", tag = "Leads", params(ListConflicts),
    responses((status = 200, body = Page<Conflict>)))]
async fn list_conflicts(
    State(lifecycle): State<Lifecycle>,
    _reader: Reader,
    Query(query): Query<ListConflicts>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let after: Option<Place> = query.cursor.as_deref().map(page::decode).transpose()?;
    let conn = &mut *lifecycle.db.acquire().await?;
    let rows = store::conflicts(conn, query.lead_id, after.as_ref(), i64::from(limit) + 1).await?;
    let place = |row: &Conflict| Place { identity: row.identity_id, claimant: row.claimant_id };
    Ok(Page::of(rows, limit, place).respond(&uri))
}

fn said(key: &Key, headers: &HeaderMap, body: &MergeBody) -> Result<Said, Problem> {
    let mut mistakes = Mistakes::default();
    let reason = mistakes.text("/reason", &body.reason, LONGEST_TEXT);
    let author = mistakes.name("/author", body.author.as_deref(), &key.name);
    mistakes.refuse()?;
    Ok(Said { author, reason, request_key: idempotency_key(headers)?, api_key: key.id })
}

fn status(new: bool) -> StatusCode {
    if new { StatusCode::CREATED } else { StatusCode::OK }
}

impl From<MergeError> for Problem {
    fn from(error: MergeError) -> Problem {
        let conflict = |message: String| Problem::new(Code::Conflict, message);
        match error {
            MergeError::NotFound => Problem::not_found("lead"),
            MergeError::Itself => mistake("/lead_id", "itself", "name another lead than the one that goes on"),
            MergeError::Signpost(lead, end) => {
                conflict(format!("Lead {lead} was merged into {end}. Name {end} instead."))
            }
            MergeError::NotMerged(lead) => {
                conflict(format!("Lead {lead} stands for itself, so there is nothing to take back."))
            }
            MergeError::Elsewhere(lead, end) => {
                conflict(format!("Lead {lead} was merged into {end}; take it out of that one."))
            }
            MergeError::Joined(lead, end) => conflict(format!(
                "Lead {lead} and {end} are one because an identify or alias names them together, and not by a call; what \
                 was said of identities stays said."
            )),
            MergeError::TooMuch => conflict(
                "The two leads have more attributes together than one lead can have, so they stay apart.".to_owned(),
            ),
            MergeError::KeyTaken => conflict(
                "This Idempotency-Key belongs to another call for this lead. Send a new call under a new key."
                    .to_owned(),
            ),
            MergeError::Changed => {
                Problem::new(Code::Overloaded, "Others keep changing the same leads; try again.")
            }
            MergeError::Database(error) => error.into(),
        }
    }
}
