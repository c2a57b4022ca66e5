//! `POST /v1/events`.

use axum::{extract::FromRef, extract::State, http::HeaderMap};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Answer, Busy, Refused, Rejection, Submission,
    event::{Arrival, Found},
    items, native, submit,
};
use crate::{
    http::{
        aside::in_place,
        extract::{Body, Json, Query},
        problem::{Code, Problem},
        said,
    },
    intake::{ingest::Intake, verdicts::agents::Caller},
    keys::{
        Key, Scope,
        auth::{RouterState, Sender},
    },
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Intake: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(send_events))
}

/// What the answer contains besides the counts.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Return {
    /// `leads`: the answer also gives the lead of each event, as of now. Only if the key has the scope
    /// `read`.
    #[serde(rename = "return")]
    pub what: Option<String>,
}

impl Return {
    /// Whether the answer contains the leads: the caller asked for them, and the key may read.
    pub fn leads(&self, key: &Key) -> bool {
        self.what.as_deref() == Some("leads") && key.may(Scope::Read)
    }
}

/// Takes one event, an array of at most 10 000 events, or one event a line (`application/x-ndjson`).
///
/// An accepted event is committed to disk, scored, and visible to every later call. A bad event is reported
/// with its index. The other events of the request are accepted all the same.
#[utoipa::path(post, path = "/v1/events", tag = "Ingestion", params(Return),
    request_body(content((native::EventOrEvents = "application/json"), (String = "application/x-ndjson")),
        description = "An event, an array of events, or an event a line"),
    responses((status = 200, body = Answer)))]
async fn send_events(
    State(intake): State<Intake>,
    Sender(key): Sender,
    Query(answer): Query<Return>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Json<Answer>, Problem> {
    let submission = in_place(body.len(), || {
        let text = items::text(&body);
        let raw = if is_ndjson(&headers) { items::split_lines(&text)? } else { items::split(&text)? };
        let parse = |raw: &str| native::parse(items::strict_object(raw)?);
        let items = raw.into_iter().enumerate();
        Ok::<_, Problem>(read(
            &intake,
            &key,
            Caller::of(|name| said::header(&headers, name)),
            items,
            answer.leads(&key),
            parse,
        ))
    })?;
    Ok(Json(submit(&intake.writers, submission).await?))
}

/// Parses items, each with its place in the request. Items that `parse` refuses are set aside with their
/// reason.
pub fn read<'a>(
    intake: &Intake,
    key: &Key,
    caller: Caller<'_>,
    items: impl Iterator<Item = (usize, &'a str)>,
    want_leads: bool,
    parse: impl Fn(&str) -> Result<Found, Rejection>,
) -> Submission {
    let arrival = Arrival { at: intake.clock.now(), api_key: Some(key.id) };
    let mut submission = Submission {
        arrival,
        events: Vec::with_capacity(items.size_hint().0),
        refused: Vec::new(),
        want_leads,
        size: 0,
    };
    for (index, raw) in items {
        submission.size += raw.len();
        let event = parse(raw).and_then(|mut found| {
            found.hint = found.hint.max(caller.find(&found.kind, found.context.as_ref()));
            found.into_event(arrival, || intake.ids.next().to_string())
        });
        match event {
            Ok(event) => submission.events.push((index, event)),
            Err(rejection) => {
                submission.refused.push(Refused::new(index, rejection, raw.as_bytes()));
            }
        }
    }
    submission
}

fn is_ndjson(headers: &HeaderMap) -> bool {
    let kind = said::header(headers, "content-type").unwrap_or_default();
    ["application/x-ndjson", "application/ndjson", "application/jsonl"]
        .iter()
        .any(|known| kind.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known)))
}

impl From<Busy> for Problem {
    fn from(busy: Busy) -> Problem {
        let message = match busy {
            Busy::Full => "Too many events are waiting to be written. Send the events again in a second.",
            Busy::Unavailable => "The service could not write the events. Send them again.",
        };
        Problem::new(Code::Overloaded, message)
    }
}
