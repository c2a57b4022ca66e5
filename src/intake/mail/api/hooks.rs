//! `/v1/hooks/{provider}/{token}`: the URLs to which providers send their reports.

use axum::{
    extract::FromRef,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{
        body,
        extract::{Json, Path},
        problem::Problem,
    },
    intake::{
        ingest::Answer,
        mail::{
            Mail,
            providers::{self, Provider},
            sources, take,
        },
    },
    keys::auth::RouterState,
};

pub(super) fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Mail: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(take_hook, probe_hook))
}

/// A report of a provider, as its raw bytes.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "documents a body that is verified as raw bytes before it is parsed")]
struct Sent(Vec<u8>);

/// Takes a report of an e-mail provider: `sendgrid`, `mailgun`, `postmark`, `ses`, `resend` or `brevo`.
///
/// The service verifies the raw bytes before it parses them. The answer comes after the report is on disk.
/// The status of a refusal tells the provider whether to send the report again. Mailgun gets 406 and Postmark
/// gets 403 if it must not. Brevo gets 429 if it must.
#[utoipa::path(post, path = "/v1/hooks/{provider}/{token}", tag = "E-mail", security(()),
    params(("provider" = String, Path), ("token" = String, Path, description = "The token in the `url` of the mail source")),
    request_body(content = Sent, content_type = "application/octet-stream", description = "The report, as the provider sends it"), responses((status = 200, body = Answer)))]
async fn take_hook(
    State(mail): State<Mail>,
    Path((provider, token)): Path<(String, String)>,
    request: Request,
) -> Response {
    let Some(provider) = Provider::named(&provider) else {
        return Problem::not_found("e-mail provider").into_response();
    };
    match taken(&mail, provider, &token, request).await {
        Ok(answer) => Json(answer).into_response(),
        Err(problem) => {
            count(provider, "refused", 1);
            let status = provider.status(problem.code);
            let mut response = problem.into_response();
            *response.status_mut() = status;
            response
        }
    }
}

/// Answers providers that test the URL before they send.
#[utoipa::path(get, path = "/v1/hooks/{provider}/{token}", tag = "E-mail", security(()),
    params(("provider" = String, Path), ("token" = String, Path)),
    responses((status = 200, description = "The path exists. The answer does not say whether the token is known")))]
async fn probe_hook() {}

/// Finds the source of a token, reads the body and takes the report. Counts the outcomes.
async fn taken(mail: &Mail, provider: Provider, token: &str, request: Request) -> Result<Answer, Problem> {
    let verification = sources::of_token(mail, provider, token).await?;
    let verification = verification.ok_or_else(|| Problem::not_found("mail source"))?;
    let headers = request.headers().clone();
    let body = body::read(request, provider.largest()).await?;
    let (answer, passed_over) =
        take(mail, &verification, providers::Sent { headers: &headers, body: &body }).await?;
    count(provider, "accepted", answer.accepted);
    count(provider, "duplicate", answer.duplicates);
    count(provider, "rejected", answer.rejected.len());
    count(provider, "passed_over", passed_over);
    Ok(answer)
}

/// Adds to the metric of reports.
fn count(provider: Provider, outcome: &'static str, items: usize) {
    metrics::counter!("leadscore_mail_total", "provider" => provider.as_str(), "outcome" => outcome)
        .increment(items as u64);
}
