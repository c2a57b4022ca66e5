//! What happens around every call, outermost first: it gets an id, is traced and counted; failures become problem
//! documents; a panic becomes a failure; browsers are answered; bodies are decompressed and bounded; and the call
//! itself runs to its end even when the client has gone.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders},
    map_request_body::MapRequestBodyLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    timeout::RequestBodyTimeoutLayer,
    trace::TraceLayer,
};

use super::{
    LARGEST_BODY,
    decompress::decompress,
    problem::{self, Code, Problem},
};
use crate::app::App;

/// How long a client may be silent in the middle of a body.
const BODY_SILENCE: Duration = Duration::from_secs(30);

pub(super) fn around(router: Router<App>, app: &App) -> Router<App> {
    router
        .fallback(|| async { Problem::new(Code::NotFound, "There is nothing at this path; see /docs.") })
        .layer(
            ServiceBuilder::new()
                .layer(SetRequestIdLayer::x_request_id(FreshId(app.clone())))
                .layer(PropagateRequestIdLayer::x_request_id())
                .layer(TraceLayer::new_for_http().make_span_with(span))
                .layer(middleware::from_fn(counted))
                .layer(middleware::from_fn(problem::render))
                .layer(CatchPanicLayer::custom(panicked))
                .layer(cors())
                .layer(RequestBodyTimeoutLayer::new(BODY_SILENCE))
                .layer(MapRequestBodyLayer::new(Body::new))
                .layer(middleware::from_fn(decompress))
                .layer(DefaultBodyLimit::max(LARGEST_BODY))
                .layer(middleware::from_fn_with_state(app.clone(), to_completion)),
        )
}

#[derive(Clone)]
struct FreshId(App);

impl MakeRequestId for FreshId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        HeaderValue::try_from(self.0.ids.next().to_string()).ok().map(RequestId::new)
    }
}

/// A request's span. Paths may hold addresses and queries keys, so the route stands for them.
fn span<B>(request: &axum::http::Request<B>) -> tracing::Span {
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str);
    let id =
        request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok()).unwrap_or("-");
    tracing::info_span!("request", method = %request.method(), route, id)
}

async fn counted(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().as_str().to_owned();
    let began = std::time::Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    metrics::histogram!("leadscore_http_seconds", "method" => method, "route" => route, "status" => status)
        .record(began.elapsed());
    response
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands over the panic")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let said = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = said.unwrap_or("no text"), "a request ended in a panic");
    Problem::new(Code::Internal, "Something went wrong on our side; the request's id finds it in our log.")
        .into_response()
}

/// Browsers send events from any site: the origin is mirrored, since SDKs send credentials along and `*` would not
/// do; which sites may use a key is the key's own affair.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_credentials(true)
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(ExposeHeaders::list([
            header::RETRY_AFTER,
            header::ETAG,
            header::LINK,
            HeaderName::from_static("x-request-id"),
        ]))
        .max_age(Duration::from_mins(10))
}

/// Runs the call in a task of its own: a client that goes away, or a timeout around it, drops the waiting and not
/// the work. So no transaction is ever dropped half-way, and a stop waits for what has begun.
async fn to_completion(State(app): State<App>, request: Request, next: Next) -> Response {
    let span = tracing::Span::current();
    let work = tracing::Instrument::instrument(next.run(request), span);
    match app.tasks.spawn(work).await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Problem::new(Code::Overloaded, "The service is stopping; try again.").into_response(),
        },
    }
}
