//! `/v1/policy`.

use axum::{extract::FromRef, extract::State, http::HeaderMap, response::Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Document, Policies, Policy, replace};
use crate::{
    http::{
        aside::aside,
        etag::{IfMatch, require_match, tagged},
        extract::Large,
        problem::Problem,
        said::Mistakes,
    },
    keys::auth::{Admin, Reader, RouterState},
    platform::core::Core,
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Core: FromRef<S>,
    Policies: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(get_policy, replace_policy))
}

/// The policy in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Policy)]
struct PolicyView<'a> {
    /// Counts up; 0 is the built-in one.
    version: i32,
    /// Since when it holds.
    updated_at: Option<DateTime<Utc>>,
    /// Who put it in force.
    updated_by: Option<&'a str>,
    /// What it says.
    document: &'a Document,
}

/// The policy: whom it leaves out, how leads are offered to sales, which reasons are given.
#[utoipa::path(get, path = "/v1/policy", tag = "Handoffs",
    responses((status = 200, body = PolicyView), (status = 304, description = "Unchanged since the given ETag")))]
async fn get_policy(
    State(core): State<Core>,
    State(policies): State<Policies>,
    _reader: Reader,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let policy = policies.current(&mut *core.db.acquire().await?).await?;
    Ok(tagged(&headers, view(&policy)))
}

/// Puts a policy in force, from the next decision on.
///
/// The body is the whole document; what it leaves out is as in the built-in policy. Handoffs that stand keep their due
/// time. Where the exclusions differ, every lead is looked at again in the background: an MQL that is now left out stops
/// being one. `If-Match` guards against overwriting another's change.
#[utoipa::path(put, path = "/v1/policy", tag = "Handoffs", security(("key" = ["admin"])), request_body = Document,
    params(IfMatch), responses((status = 200, body = PolicyView)))]
async fn replace_policy(
    State(core): State<Core>,
    State(policies): State<Policies>,
    Admin(key): Admin,
    headers: HeaderMap,
    Large(mut document): Large<Document>,
) -> Result<Response, Problem> {
    let tidied = move || {
        let mut mistakes = Mistakes::default();
        document.tidy(&mut mistakes);
        mistakes.refuse().map(|()| document)
    };
    let document = aside(tidied).await??;
    let unchanged = |policy: &Policy| require_match(&headers, view(policy));
    let policy = replace(&core, &policies, document, &key.name, unchanged).await?;
    Ok(tagged(&HeaderMap::new(), view(&policy)))
}

fn view(policy: &Policy) -> PolicyView<'_> {
    let (updated_at, updated_by) = match &policy.made {
        Some((at, by)) => (Some(*at), Some(by.as_str())),
        None => (None, None),
    };
    PolicyView { version: policy.version, updated_at, updated_by, document: &policy.document }
}
