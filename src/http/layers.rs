//! What happens around every call. In this order, from the outside: the request gets an id, and is traced and counted.
//! The answer gets headers that protect browsers. A failure becomes a problem document, and a panic becomes a failure.
//! The call itself runs to its end, even if the client has gone.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Version, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    classify::ServerErrorsFailureClass,
    cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders},
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    trace::TraceLayer,
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    body::{Budget, Paid},
    problem::{self, Code, Problem},
};
use crate::platform::{core::Core, ids::Ids};

/// How long a client's own request id may be, in characters.
const LONGEST_ID: usize = 128;
/// Headers of every answer that does not set them itself. The browser must believe the content type, must not cache the
/// answer, and must not show it in a frame.
const GUARDS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
];

/// Puts the layers around every call.
pub fn around<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    core: &Core,
    bodies: &Budget,
) -> Router<S> {
    router
        .fallback(|| async { Problem::new(Code::NotFound, "There is nothing at this path. See /docs.") })
        .layer(
            ServiceBuilder::new()
                .layer(middleware::from_fn(without_odd_id))
                .layer(SetRequestIdLayer::x_request_id(FreshId(Arc::clone(&core.ids))))
                .layer(PropagateRequestIdLayer::x_request_id())
                .layer(TraceLayer::new_for_http().make_span_with(span).on_failure(failed))
                .layer(middleware::from_fn(counted))
                .layer(middleware::from_fn_with_state(core.clone(), guarded))
                .layer(middleware::from_fn(problem::render))
                .layer(CatchPanicLayer::custom(panicked))
                .layer(middleware::from_fn_with_state((core.clone(), bodies.clone()), to_completion)),
        )
}

/// Removes the client's request id if it is not short and plain. The id would stand in the log and in the answer.
async fn without_odd_id(mut request: Request, next: Next) -> Response {
    let name = HeaderName::from_static("x-request-id");
    let plain = |value: &HeaderValue| {
        (1..=LONGEST_ID).contains(&value.len())
            && value.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:=+/".contains(byte))
    };
    if !request.headers().get(&name).is_none_or(plain) {
        request.headers_mut().remove(name);
    }
    next.run(request).await
}

#[derive(Clone)]
struct FreshId(Arc<Ids>);

impl MakeRequestId for FreshId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        HeaderValue::try_from(self.0.next().to_string()).ok().map(RequestId::new)
    }
}

/// Makes the span of a request. It shows the route and not the URL, because paths may contain addresses and queries may
/// contain keys.
fn span<B>(request: &axum::http::Request<B>) -> tracing::Span {
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str);
    let id =
        request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok()).unwrap_or("-");
    tracing::info_span!("request", method = method(request.method()), route, id)
}

/// Logs an answer that is a failure of the service. A 503 is no error here: the service is stopping or overloaded, and
/// the code that found this has logged it.
fn failed(class: ServerErrorsFailureClass, latency: Duration, _: &tracing::Span) {
    match class {
        ServerErrorsFailureClass::StatusCode(StatusCode::SERVICE_UNAVAILABLE) => {
            tracing::debug!(?latency, "the service asked a client to try again");
        }
        class => tracing::error!(%class, ?latency, "a request failed"),
    }
}

async fn counted(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = method(request.method());
    let began = std::time::Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    metrics::histogram!("leadscore_http_seconds", "method" => method, "route" => route, "status" => status)
        .record(began.elapsed());
    response
}

/// Returns the method's name, or `other`. A client may send anything as its method.
fn method(method: &Method) -> &'static str {
    const KNOWN: [Method; 7] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
    ];
    const NAMES: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.iter().position(|known| known == method).map_or("other", |at| NAMES[at])
}

/// Adds the headers that protect browsers. When the service is about to stop, the answer also closes the connection, so
/// that clients connect to another instance.
async fn guarded(State(core): State<Core>, request: Request, next: Next) -> Response {
    let may_close = request.version() <= Version::HTTP_11;
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in GUARDS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if may_close && core.leaving.is_cancelled() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands over the panic")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let said = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = said.unwrap_or("no text"), "a request panicked");
    Problem::new(Code::Internal, "The service failed. The reason stands in its log, under the request's id.")
        .into_response()
}

/// Lets pages of any site make these calls and read the answers. Use it only for calls that such pages need.
pub fn for_any_site<S: Clone + Send + Sync + 'static>(calls: OpenApiRouter<S>) -> OpenApiRouter<S> {
    calls.layer(cors())
}

/// CORS for calls that browsers make from any site. The answer repeats the request's origin, because SDKs send
/// credentials, and `*` does not allow these. A key may itself name the sites that may use it.
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

/// Runs the call in a task of its own. If the client goes away, or a timeout ends the waiting, the call still runs to
/// its end. So no transaction is dropped half-way, and a stop waits for what has begun. At the end, the body's bytes go
/// back to the budget.
async fn to_completion(
    State((core, bodies)): State<(Core, Budget)>,
    mut request: Request,
    next: Next,
) -> Response {
    let span = tracing::Span::current();
    let paid = Paid::from(bodies);
    request.extensions_mut().insert(paid.clone());
    let answer = async move {
        let response = next.run(request).await;
        drop(paid);
        response
    };
    let work = tracing::Instrument::instrument(answer, span);
    match core.tasks.spawn(work).await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Problem::new(Code::Overloaded, "The service is stopping. Try again.").into_response(),
        },
    }
}
