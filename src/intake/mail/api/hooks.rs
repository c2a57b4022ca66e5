//! `/v1/hooks/{provider}/{token}`: where providers send to.

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

/// What a provider sends.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "documents what is verified before it is read")]
struct Sent(Vec<u8>);

/// Takes what an e-mail provider tells: `sendgrid`, `mailgun`, `postmark`, `ses`, `resend` or `brevo`.
///
/// Verified on the raw bytes before it is read. Answered once it is on disk. A refusal has the status by which the provider
/// does as it should: 406 to Mailgun and 403 to Postmark for what is never to be sent again, 429 to Brevo for what is.
#[utoipa::path(post, path = "/v1/hooks/{provider}/{token}", tag = "E-mail", security(()),
    params(("provider" = String, Path), ("token" = String, Path, description = "The source's, as its `url` has it")),
    request_body(content = Sent, content_type = "application/octet-stream", description = "As the provider sends it"), responses((status = 200, body = Answer)))]
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

/// Whether the address is right: some providers ask before they send.
#[utoipa::path(get, path = "/v1/hooks/{provider}/{token}", tag = "E-mail", security(()),
    params(("provider" = String, Path), ("token" = String, Path)),
    responses((status = 200, description = "There is something here; whether the token is known is not said")))]
async fn probe_hook() {}

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

fn count(provider: Provider, outcome: &'static str, items: usize) {
    metrics::counter!("leadscore_mail_total", "provider" => provider.as_str(), "outcome" => outcome)
        .increment(items as u64);
}
