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
        said::{Mistakes, Texts},
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

/// The policy in force, with its version.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Policy)]
struct PolicyView<'a> {
    /// The number of the version. 0 is the built-in policy; each change adds 1.
    version: i32,
    /// Since when the policy holds. Null for the built-in policy.
    updated_at: Option<DateTime<Utc>>,
    /// The name of the key that put the policy in force. Null for the built-in policy.
    updated_by: Option<&'a str>,
    /// The policy itself.
    document: &'a Document,
}

/// Reads the policy: who is excluded, how leads are offered to sales, and the reasons for rejections and
/// losses.
#[utoipa::path(get, path = "/v1/policy", tag = "Handoffs",
    responses((status = 200, body = PolicyView), (status = 304, description = "`If-None-Match` names the current `ETag`")))]
async fn get_policy(
    State(core): State<Core>,
    State(policies): State<Policies>,
    _reader: Reader,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let policy = policies.current(&mut *core.db.acquire().await?).await?;
    Ok(tagged(&headers, view(&policy)))
}

/// Puts a policy in force. The next decision uses it.
///
/// The body is the whole document. A part that the body leaves out is as in the built-in policy. Existing
/// handoffs keep their due time. If the exclusions differ, the service decides every lead's stage again in
/// the background: an MQL that is excluded now stops being an MQL. Send `If-Match` so that you do not
/// overwrite another change.
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
