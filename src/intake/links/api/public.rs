//! `/o/{token}`, `/c/{token}`, `/u/{token}`: the links in mails, requested by recipients and by programs that
//! handle mails.

use axum::{
    extract::FromRef,
    extract::State,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::page;
use crate::{
    http::{
        extract::Path,
        picture::{Picture, picture},
        problem::Problem,
        said::header as text_of,
    },
    intake::{
        links::{
            Links,
            counting::{Followed, Request, count, record},
            ring::verify,
            token::{Act, Token},
        },
        verdicts::agents::Caller,
    },
    keys::auth::RouterState,
};

pub(super) fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Links: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(show_open_pixel))
        .routes(routes!(follow_link))
        .routes(routes!(ask_to_unsubscribe, unsubscribe))
        // Mails whose template had no URL, or half of one, request these paths.
        .route("/o", get(show_nothing))
        .route("/o/", get(show_nothing))
        .route("/o/{token}/", get(show_nothing))
        .route("/o/{token}/{*rest}", get(show_nothing))
}

/// Serves the one-pixel picture of a mail, and counts an open.
///
/// The answer is a picture even if the token is not valid. A `HEAD` is not counted.
#[utoipa::path(get, path = "/o/{token}", tag = "E-mail", security(()),
    params(("token" = String, Path, description = "The token, and `.gif`")),
    responses((status = 200, body = Picture, content_type = "image/gif")))]
async fn show_open_pixel(
    State(links): State<Links>,
    method: Method,
    name: Result<Path<String>, Problem>,
    headers: HeaderMap,
) -> Response {
    if let Ok(Path(name)) = name
        && method == Method::GET
    {
        let text = name.strip_suffix(".gif").unwrap_or(&name);
        match verify(&links, text).await {
            Ok(Some(token)) if token.act == Act::Open => {
                count(&links, Followed::now(&links, token, text, request(&headers)));
            }
            Ok(_) => {}
            Err(problem) => tracing::warn!(code = problem.code.as_str(), "cannot check the token of a pixel"),
        }
    }
    picture()
}

/// Serves the picture without counting anything.
async fn show_nothing() -> Response {
    picture()
}

/// Redirects to the destination of a link in a mail, and counts a click.
///
/// The destination is in the signed token. The redirect does not wait for the count. A `HEAD` is not counted.
#[utoipa::path(get, path = "/c/{token}", tag = "E-mail", security(()), params(("token" = String, Path)),
    responses((status = 302, description = "A redirect to the destination"),
        (status = 404, description = "The token is not valid", body = String, content_type = "text/html")))]
async fn follow_link(
    State(links): State<Links>,
    method: Method,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(token) = verify(&links, &text).await? else { return Ok(page::broken()) };
    let Act::Click { url, .. } = &token.act else { return Ok(page::broken()) };
    let answer = [
        (header::LOCATION, url.clone()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    if method == Method::GET {
        count(&links, Followed::now(&links, token, &text, request(&headers)));
    }
    Ok((StatusCode::FOUND, answer).into_response())
}

/// Shows a page with a button to unsubscribe. The request itself changes nothing, because programs that check
/// mails send it too.
#[utoipa::path(get, path = "/u/{token}", tag = "E-mail", security(()), params(("token" = String, Path)),
    responses((status = 200, body = String, content_type = "text/html"),
        (status = 404, description = "The token is not valid", body = String, content_type = "text/html")))]
async fn ask_to_unsubscribe(
    State(links): State<Links>,
    Path(text): Path<String>,
) -> Result<Response, Problem> {
    Ok(unsubscribing(&links, &text).await?.map_or_else(page::broken, |_| page::ask()))
}

/// Unsubscribes the recipient of a mail. The page's button and the one-click unsubscribing of mail programs
/// (RFC 8058) call this.
///
/// The body is ignored. The answer comes after the unsubscription is on disk. A repetition changes nothing.
#[utoipa::path(post, path = "/u/{token}", tag = "E-mail", security(()), params(("token" = String, Path)),
    responses((status = 200, body = String, content_type = "text/html"),
        (status = 404, description = "The token is not valid", body = String, content_type = "text/html")))]
async fn unsubscribe(
    State(links): State<Links>,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(token) = unsubscribing(&links, &text).await? else { return Ok(page::broken()) };
    record(&links, &Followed::now(&links, token, &text, request(&headers))).await?;
    Ok(page::done())
}

/// Verifies a token that unsubscribes. `None` for any other token.
async fn unsubscribing(links: &Links, text: &str) -> Result<Option<Token>, Problem> {
    Ok(verify(links, text).await?.filter(|token| token.act == Act::Unsubscribe))
}

fn request(headers: &HeaderMap) -> Request<'_> {
    Request { user_agent: text_of(headers, "user-agent"), caller: Caller::of(|name| text_of(headers, name)) }
}
