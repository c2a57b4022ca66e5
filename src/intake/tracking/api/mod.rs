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

/// How large a body may be if only the body contains the key, in bytes. Such a body is read before its sender
/// is known. SDKs that send the key in the body send at most 500 KB at once.
const LARGEST_UNKNOWN: usize = 512 * 1024;

/// How long the text of a time of sending may be, in bytes. A longer text is ignored.
const LONGEST_TIME: usize = 100;

/// The paths that take batches.
const BATCHES: [&str; 4] = ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"];
/// The beginnings of the paths of single calls: Segment's, and Jitsu's for pages and for servers.
const PREFIXES: [&str; 3] = ["/v1", "/api/s", "/api/s/s2s"];
/// The calls with a path of their own, long and short.
const CALLS: [(&str, &str); 6] =
    [("identify", "i"), ("track", "t"), ("page", "p"), ("screen", "s"), ("group", "g"), ("alias", "a")];

/// The calls of this room. Every path works with and without a slash at the end, because a redirect would
/// lose the event.
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

/// Describes the long paths of single calls. They answer as the batch does, so their description is made from
/// the batch's.
fn describe_calls(document: &mut OpenApi) {
    let Some(batch) = document.paths.paths.get("/v1/batch").cloned() else { return };
    for (long, _) in CALLS {
        let mut item = batch.clone();
        if let Some(operation) = &mut item.post {
            operation.operation_id = Some(format!("send_{long}"));
            operation.summary = Some(format!("Takes one `{long}` call of Segment's tracking API."));
            operation.description =
                Some(format!("Works as `/v1/batch`, for one message whose `type` is `{long}`."));
            let message = ContentBuilder::new().schema(Some(Ref::from_schema_name("SegmentMessage"))).build();
            let body = RequestBodyBuilder::new().content("application/json", message);
            operation.request_body = Some(RefOr::T(body.required(Some(Required::True)).build()));
        }
        document.paths.paths.insert(format!("/v1/{long}"), item);
    }
}

/// The query of a tracking call: the key, and what the answer contains.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Sent {
    /// The write key, if it is not in the `Authorization` header.
    #[serde(rename = "writeKey")]
    pub(super) write_key: Option<String>,
    /// `leads`: the answer also gives the lead of each event, as of now. Only if the key has the scope
    /// `read`.
    #[serde(rename = "return")]
    pub(super) what: Option<String>,
}

/// A message of Segment's tracking API. Other fields are ignored.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "documents what is read by hand, so that a bad message does not affect the others"
)]
#[expect(clippy::struct_field_names, reason = "these are Segment's names")]
#[schema(as = SegmentMessage, rename_all = "camelCase")]
struct Message {
    /// The call: `identify`, `track`, `page`, `screen`, `group` or `alias`. Not needed if the path names it.
    r#type: Option<String>,
    /// Your own id of the message, 1 to 512 bytes. A message with the same id for the same lead is a
    /// repetition, for ever. If absent, the service makes an id from the content.
    message_id: Option<String>,
    /// The person's id in your own system.
    user_id: Option<String>,
    /// The id of a browser or device.
    anonymous_id: Option<String>,
    /// For `alias`: the person's former id.
    previous_id: Option<String>,
    /// For `group`: the id of the company.
    group_id: Option<String>,
    /// For `track`: what happened, such as `Demo Requested`.
    #[schema(example = "Demo Requested")]
    event: Option<String>,
    /// For `page` and `screen`: the name of the page or screen.
    name: Option<String>,
    /// What the message says about itself.
    properties: Option<Map<String, Value>>,
    /// What the message says about the person, or for `group` about the company. Null removes an attribute.
    traits: Option<Map<String, Value>>,
    /// The circumstances, such as the page and the user agent.
    context: Option<Map<String, Value>>,
    /// When the event happened, by your clock.
    timestamp: Option<String>,
    /// When the message was sent, by your clock.
    sent_at: Option<String>,
    /// The write key, if it is neither in a header nor in the query.
    write_key: Option<String>,
}

/// A batch of Segment's messages. Other fields are ignored.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "documents what is read by hand, so that a bad message does not affect the others"
)]
#[expect(clippy::struct_field_names, reason = "these are Segment's names")]
#[schema(as = SegmentBatch)]
struct Batch {
    /// The messages, at most 10 000, each with its `type`.
    batch: Vec<Message>,
    /// When the batch was sent, by your clock.
    #[schema(rename = "sentAt")]
    sent_at: Option<String>,
    /// The context of all messages.
    context: Option<Map<String, Value>>,
    /// The write key, if it is neither in a header nor in the query.
    #[schema(rename = "writeKey")]
    write_key: Option<String>,
}

/// The answer that SDKs expect: `success` and the counts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tracked {
    /// Always true. `rejected` lists what was wrong with single messages.
    success: bool,
    #[serde(flatten)]
    answer: Answer,
}

/// Takes a batch of messages of Segment's tracking API.
///
/// The SDKs of Segment and of compatible makers work if you change their host. The body is read as JSON,
/// whatever its content type, and may be compressed by gzip or zstd. A bad message is reported with its
/// index. The other messages are accepted all the same. Jitsu's SDK sends to `/api/s/{type}` and
/// `/api/s/s2s/{type}`, which work in the same way.
///
/// With a key that has a `signing_secret`, another service can forward messages and sign them in
/// `X-Signature`. A signed message of the type `delete` erases the person with its `userId`.
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

/// The problem of a body that is too large to be read before its sender is known.
fn unnamed(problem: Problem) -> Problem {
    if problem.code != Code::TooLarge {
        return problem;
    }
    let message = format!(
        "Send the key in the header `Authorization`, or in the query as `writeKey`. A key in the body is found only if the \
         body has at most {LARGEST_UNKNOWN} bytes."
    );
    Problem::new(Code::Unauthorized, message)
}

/// Takes the messages of a body. `call` is the call that the path names. `key` is the key of a header or the
/// query. If it is `None`, the body must contain the key.
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
        // The sender must learn that nobody was erased, so the whole request fails.
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

/// Takes the SDKs' telemetry about themselves and drops it, so that the SDKs do not send it elsewhere.
async fn discard() -> Json<Value> {
    Json(serde_json::json!({"success": true}))
}
