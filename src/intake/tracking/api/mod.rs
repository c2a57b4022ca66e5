//! The paths of Segment and its relatives.

mod bootstrap;
mod credentials;
mod form;
mod pixel;
mod tracker;

use axum::{
    body::Bytes,
    extract::FromRef,
    extract::{Request, State},
    http::HeaderMap,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, request_body::RequestBodyBuilder},
};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use crate::{
    http::{
        aside::in_place,
        body::{self, LARGEST_BODY},
        extract::{Json, Query},
        problem::{Code, Problem},
        said::header,
    },
    intake::{
        ingest::{self, Answer, Intake, api::Return},
        tracking::{
            envelope,
            forwarded::{self, Signed},
            segment::{self, Call},
        },
        verdicts::agents::Caller,
    },
    keys::{
        Key, Scope,
        auth::{self, RouterState},
    },
};

/// How large a body may be whose key stands in it, in bytes: it is read before it is known who sends it. SDKs that put
/// the key there send at most 500 KB at once.
const LARGEST_UNKNOWN: usize = 512 * 1024;

/// How long the time of sending may be that a batch or a header says, in bytes; what is longer is none.
const LONGEST_TIME: usize = 100;

/// Paths that take what `/v1/batch` takes.
const BATCHES: [&str; 4] = ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"];
/// Before the name of a single call: Segment's path, and Jitsu's from pages and from servers.
const PREFIXES: [&str; 3] = ["/v1", "/api/s", "/api/s/s2s"];
/// The calls with a path of their own, long and short.
const CALLS: [(&str, &str); 6] =
    [("identify", "i"), ("track", "t"), ("page", "p"), ("screen", "s"), ("group", "g"), ("alias", "a")];

/// The calls of this room. Every path is taken with and without a slash at the end: a redirect would lose the event.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Intake: FromRef<S>,
{
    let mut router = OpenApiRouter::new()
        .routes(routes!(send_batch))
        .routes(routes!(pixel::send_pixel))
        .routes(routes!(pixel::send_plain_pixel))
        .routes(routes!(bootstrap::get_settings))
        .routes(routes!(bootstrap::get_source_config))
        .routes(routes!(tracker::get_tracker).layer(tracker::compression()))
        .route("/v1/pixel/{type}/", get(pixel::send_pixel))
        .route("/pixel/v1/{type}/", get(pixel::send_plain_pixel))
        .route("/v1/projects/{key}/settings/", get(bootstrap::get_settings))
        .route("/sourceConfig/", get(bootstrap::get_source_config))
        .route("/v1/m", post(discard))
        .route("/v1/m/", post(discard));
    for path in BATCHES {
        if path != BATCHES[0] {
            router = router.route(path, post(send_batch));
        }
        router = router.route(&format!("{path}/"), post(send_batch));
    }
    for (prefix, name) in PREFIXES.iter().flat_map(|prefix| names().map(move |name| (prefix, name))) {
        let call = Call::named(name);
        for slash in ["", "/"] {
            let handler = move |State(intake): State<Intake>, query: Query<Sent>, request: Request| {
                take(intake, call, query, request)
            };
            router = router.route(&format!("{prefix}/{name}{slash}"), post(handler));
        }
    }
    describe_calls(router.get_openapi_mut());
    router
}

/// Every name of a call, long and short.
fn names() -> impl Iterator<Item = &'static str> {
    CALLS.into_iter().flat_map(|(long, short)| [long, short])
}

/// The long paths of single calls take the same and answer the same: they are described by the batch's description.
fn describe_calls(document: &mut OpenApi) {
    let Some(batch) = document.paths.paths.get("/v1/batch").cloned() else { return };
    for (long, _) in CALLS {
        let mut item = batch.clone();
        if let Some(operation) = &mut item.post {
            operation.operation_id = Some(format!("send_{long}"));
            operation.summary = Some(format!("One `{long}` call of Segment's tracking API."));
            operation.description =
                Some(format!("As `/v1/batch`, for one message whose `type` is `{long}`."));
            let message = ContentBuilder::new().schema(Some(Ref::from_schema_name("SegmentMessage"))).build();
            let body = RequestBodyBuilder::new().content("application/json", message);
            operation.request_body = Some(RefOr::T(body.required(Some(Required::True)).build()));
        }
        document.paths.paths.insert(format!("/v1/{long}"), item);
    }
}

/// Where else the key may stand, and what the answer shall hold.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Sent {
    /// The write key, if it is not in the `Authorization` header.
    #[serde(rename = "writeKey")]
    pub(super) write_key: Option<String>,
    /// `leads`: also how each event's lead stands now. Left out unless the key may read.
    #[serde(rename = "return")]
    pub(super) what: Option<String>,
}

/// A message of Segment's tracking API; other fields are passed over.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "documents what is read by hand, so that a bad message takes no neighbour with it"
)]
#[expect(clippy::struct_field_names, reason = "the names are Segment's")]
#[schema(as = SegmentMessage, rename_all = "camelCase")]
struct Message {
    /// `identify`, `track`, `page`, `screen`, `group` or `alias`; not needed where the path says so.
    r#type: Option<String>,
    /// The sender's own id: the same id for the same lead again is a repetition, for ever. None: one is made.
    message_id: Option<String>,
    /// What the sender's own system calls the person.
    user_id: Option<String>,
    /// A browser or device.
    anonymous_id: Option<String>,
    /// Of `alias`: what the person was called before.
    previous_id: Option<String>,
    /// Of `group`: which company.
    group_id: Option<String>,
    /// Of `track`: what happened, such as `Demo Requested`.
    #[schema(example = "Demo Requested")]
    event: Option<String>,
    /// Of `page` and `screen`: its name.
    name: Option<String>,
    /// What is particular to the message.
    properties: Option<Map<String, Value>>,
    /// What it says of the person or, of `group`, of the company; null removes an attribute.
    traits: Option<Map<String, Value>>,
    /// Circumstances.
    context: Option<Map<String, Value>>,
    /// When it happened, by the sender's clock.
    timestamp: Option<String>,
    /// When it was sent, by the sender's clock.
    sent_at: Option<String>,
    /// The write key, if it is nowhere else.
    write_key: Option<String>,
}

/// A batch of Segment's messages; other fields are passed over.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "documents what is read by hand, so that a bad message takes no neighbour with it"
)]
#[expect(clippy::struct_field_names, reason = "the names are Segment's")]
#[schema(as = SegmentBatch)]
struct Batch {
    /// Messages, each with its `type`.
    batch: Vec<Message>,
    /// When it was sent, by the sender's clock.
    #[schema(rename = "sentAt")]
    sent_at: Option<String>,
    /// Circumstances of all messages.
    context: Option<Map<String, Value>>,
    /// The write key, if it is nowhere else.
    #[schema(rename = "writeKey")]
    write_key: Option<String>,
}

/// What SDKs expect: `success`, beside the counts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tracked {
    /// Always true: what was wrong with single messages stands in `rejected`.
    success: bool,
    #[serde(flatten)]
    answer: Answer,
}

/// Segment's tracking API: a batch of messages.
///
/// The SDKs of Segment and its relatives work with only their host changed. The body is read as JSON whatever its
/// content type; gzip and zstd are taken. A bad message is reported by its index and sinks no other. Jitsu's SDK sends to
/// `/api/s/{type}` and `/api/s/s2s/{type}`, which take the same.
///
/// A key with a `signing_secret` takes what another service sends on and signs in `X-Signature`; a signed message of type
/// `delete` erases the person of its `userId`.
#[utoipa::path(post, path = "/v1/batch", tag = "Ingestion", params(Sent), request_body = Batch,
    responses((status = 200, body = Tracked)))]
async fn send_batch(
    State(intake): State<Intake>,
    query: Query<Sent>,
    request: Request,
) -> Result<Json<Tracked>, Problem> {
    take(intake, None, query, request).await
}

async fn take(
    intake: Intake,
    call: Option<Call>,
    Query(query): Query<Sent>,
    request: Request,
) -> Result<Json<Tracked>, Problem> {
    let headers = request.headers().clone();
    let presented = credentials::presented(&headers, query.write_key.as_deref(), None);
    let (key, body) = match presented {
        Some(presented) => {
            let key = auth::recognise(&intake.keys, Some(&presented), Scope::Ingest, &headers).await?;
            (Some(key), body::read(request, LARGEST_BODY).await?)
        }
        None => (None, body::read(request, LARGEST_UNKNOWN).await.map_err(unnamed)?),
    };
    receive(intake, call, query, key, (&headers, Caller::of(|name| header(&headers, name))), body)
        .await
        .map(Json)
}

/// The problem of a body that is too large to be read before it is known who sends it.
fn unnamed(problem: Problem) -> Problem {
    if problem.code != Code::TooLarge {
        return problem;
    }
    let message = format!(
        "Send the key in the header `Authorization`, or in the query as `writeKey`: in a body it is looked for in \
         {LARGEST_UNKNOWN} bytes at most."
    );
    Problem::new(Code::Unauthorized, message)
}

/// Takes what a body holds; `call` is what the path names, `key` what a header or the query named, if anything.
pub(super) async fn receive(
    intake: Intake,
    call: Option<Call>,
    query: Sent,
    key: Option<Key>,
    (headers, caller): (&HeaderMap, Caller<'_>),
    body: Bytes,
) -> Result<Tracked, Problem> {
    let text = in_place(body.len(), || form::as_json(headers, &body))?;
    let (mut envelope, raw) = in_place(body.len(), || envelope::open(&text))?;
    let key = if let Some(key) = key {
        key
    } else {
        let presented =
            credentials::presented(headers, query.write_key.as_deref(), envelope.write_key.as_deref());
        auth::recognise(&intake.keys, presented.as_deref(), Scope::Ingest, headers).await?
    };
    let sent_at = || header(headers, "sentat").map(str::to_owned);
    envelope.sent_at = envelope.sent_at.or_else(sent_at).filter(|sent| sent.len() <= LONGEST_TIME);
    let signature = header(headers, "x-signature");
    let want_leads = Return { what: query.what }.leads(&key);
    let (deletions, submission) = in_place(body.len(), || {
        let signed = Signed::of(&key, signature, &body, &raw)?;
        let deletions = forwarded::deletions(signed, &raw);
        let messages = raw.iter().copied().enumerate().filter(|(index, _)| !deletions.contains_key(index));
        let parse = |raw: &str| segment::parse(call, &envelope, segment::message(raw)?);
        let submission = ingest::api::read(&intake, &key, caller, messages, want_leads, parse);
        Ok::<_, Problem>((deletions, submission))
    })?;
    if let ([only], [_]) = (submission.refused.as_slice(), raw.as_slice())
        && only.rejection.code == segment::UNSIGNED_DELETE
    {
        // Who sends it is to know that nobody was forgotten.
        return Err(Problem::new(
            Code::MissingScope,
            format!("Nobody was erased: {}.", only.rejection.detail),
        ));
    }
    let mut answer = ingest::submit(&intake.writers, submission).await?;
    forwarded::forget(&intake, deletions.values()).await?;
    answer.accepted += deletions.len();
    Ok(Tracked { success: true, answer })
}

/// Telemetry of the SDKs about themselves: taken and thrown away, so that it goes nowhere else.
async fn discard() -> Json<Value> {
    Json(serde_json::json!({"success": true}))
}
