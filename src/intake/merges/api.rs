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

/// The lead to merge or to take out, with author and reason.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MergeBody {
    /// For a merge, the lead that is merged into the lead in the path. For an unmerge, the lead that is taken
    /// out of it.
    lead_id: LeadId,
    /// Why the leads are merged or taken apart, 1 to 2000 characters.
    reason: String,
    /// Who decides this, 1 to 200 characters. If absent, the key's name.
    author: Option<String>,
}

/// The merge, with the leads after the call.
#[derive(Debug, Serialize, ToSchema)]
struct MergeDecided {
    /// The merge that was made or undone.
    merge: Merge,
    /// The lead in the path, as of now.
    lead: LeadView,
    /// The lead that was taken out, as of now. Absent after a merge.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_out: Option<LeadView>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListConflicts {
    /// Only conflicts in which this lead is involved.
    lead_id: Option<LeadId>,
    /// How many conflicts to return: 1 to 500, 50 if absent.
    limit: Option<u16>,
    /// The place to continue from: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Merges another lead into this one, because a person knows that both are the same person.
///
/// From now on the other lead's events, handoffs, outcomes and claims count for this lead, and the other
/// lead's id leads here. The logs of both leads get a `lead_merged` event with author and reason. Nothing is
/// destroyed: `/unmerge` takes the other lead out again. A repeated call with the same `Idempotency-Key`
/// changes nothing and gets the same answer.
#[utoipa::path(post, path = "/v1/leads/{id}/merge", tag = "Leads", request_body = MergeBody,
    params(("id" = LeadId, Path, description = "The lead that goes on. The lead in the body is merged into it"),
        ("Idempotency-Key" = Option<String>, Header, description = "A key for this call. The same call with the same key is done once.")),
    security(("key" = ["read_write"])),
    responses(
        (status = 201, body = MergeDecided, description = "The leads were merged"),
        (status = 200, body = MergeDecided, description = "The call is a repetition; the leads were merged before")))]
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

/// Undoes a merge: takes a lead out again that `/merge` merged into this one.
///
/// The lead gets its identities back, with the identities that followed them since, and all their events,
/// whenever they came. Both leads stand as before the merge. What people have decided about this lead since
/// stays with this lead.
///
/// The logs of both leads get a `lead_unmerged` event. `Idempotency-Key` works as for `/merge`. Leads that an
/// identify or alias has joined cannot be taken apart.
#[utoipa::path(post, path = "/v1/leads/{id}/unmerge", tag = "Leads", request_body = MergeBody,
    params(("id" = LeadId, Path, description = "The lead that the other was merged into"),
        ("Idempotency-Key" = Option<String>, Header, description = "A key for this call. The same call with the same key is done once.")),
    security(("key" = ["read_write"])),
    responses(
        (status = 201, body = MergeDecided, description = "The lead was taken out"),
        (status = 200, body = MergeDecided, description = "The call is a repetition; the lead was taken out before")))]
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

/// Lists conflicts: e-mail addresses that belong to one lead and were also named by the user id of another.
///
/// An address belongs to the user id that named it first. A user id that names it later does not get it, and
/// is listed here. If both are the same person, merge the two leads with `POST /v1/leads/{id}/merge`.
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
            MergeError::Itself => mistake("/lead_id", "itself", "name a lead other than the one in the path"),
            MergeError::Signpost(lead, end) => {
                conflict(format!("Lead {lead} was merged into {end}. Name {end} instead."))
            }
            MergeError::NotMerged(lead) => {
                conflict(format!("Lead {lead} is not merged into another lead, so there is nothing to undo."))
            }
            MergeError::Elsewhere(lead, end) => {
                conflict(format!("Lead {lead} was merged into {end}. Call /v1/leads/{end}/unmerge."))
            }
            MergeError::Joined(lead, end) => conflict(format!(
                "Lead {lead} and {end} were joined by an identify or alias that names both, and not by a merge. That cannot \
                 be undone."
            )),
            MergeError::TooMuch => conflict(
                "The two leads have more attributes together than one lead can have, so they stay apart.".to_owned(),
            ),
            MergeError::KeyTaken => conflict(
                "This Idempotency-Key belongs to another call for this lead. Send a new call under a new key."
                    .to_owned(),
            ),
            MergeError::Changed => {
                Problem::new(Code::Overloaded, "Other calls are changing the same leads. Try again.")
            }
            MergeError::Database(error) => error.into(),
        }
    }
}
