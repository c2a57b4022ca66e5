//! `POST /v1/leads/batch`: upserts of many leads in one call, each with its own result.

use axum::{extract::FromRef, extract::State, http::HeaderMap};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{
        aside::in_place,
        extract::{self, Json, Large},
        problem::{Code, Problem},
        said::idempotency_key,
    },
    intake::{
        ingest::{Intake, Rejection, event::NewEvent},
        upsert::{
            Effect,
            said::{Caller, LeadBody},
            upsert_all,
        },
    },
    keys::{
        Key,
        auth::{Editor, RouterState},
    },
    platform::ids::LeadId,
};

/// How many leads a batch may have.
const MOST_LEADS: usize = 1_000;

pub(super) fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Intake: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(upsert_leads))
}

/// Leads as another system knows them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchBody {
    /// The leads, at most 1000, each as in `POST /v1/leads`. They are handled in this order.
    #[schema(value_type = Vec<LeadBody>)]
    leads: Vec<Box<RawValue>>,
}

/// The results of a batch.
#[derive(Debug, Serialize, ToSchema)]
struct BatchAnswer {
    /// The results, in the order of the leads.
    results: Vec<BatchResult>,
}

/// The result of one lead of a batch.
#[derive(Debug, Serialize, ToSchema)]
struct BatchResult {
    /// The lead's place in the batch, from 0.
    index: usize,
    /// What the call did.
    status: BatchStatus,
    /// The lead. Absent if it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_id: Option<LeadId>,
    /// Why the lead was rejected, as a stable code. Absent if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// What to do about the rejection. Absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// What a call did to one lead of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum BatchStatus {
    /// The lead is new.
    Created,
    /// An attribute has another value, or another identity belongs to the lead.
    Updated,
    /// The lead is as it was.
    Unchanged,
    /// The lead was rejected, and nothing of it was written.
    Rejected,
}

/// Upserts many leads: creates each lead, or sets its attributes.
///
/// Each lead is handled by itself, in the order of the batch. A rejected lead does not stop the others. A
/// repeated call with the same `Idempotency-Key` writes nothing.
#[utoipa::path(post, path = "/v1/leads/batch", tag = "Leads", request_body = BatchBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "A key for this call. The ids of its events begin with the key")),
    security(("key" = ["read_write"])), responses((status = 200, body = BatchAnswer)))]
async fn upsert_leads(
    State(intake): State<Intake>,
    Editor(key): Editor,
    headers: HeaderMap,
    Large(BatchBody { leads }): Large<BatchBody>,
) -> Result<Json<BatchAnswer>, Problem> {
    if leads.len() > MOST_LEADS {
        let message =
            format!("A batch may have at most {MOST_LEADS} leads. Send the leads in several batches.");
        return Err(Problem::new(Code::TooLarge, message));
    }
    let ids = ids(&intake, idempotency_key(&headers)?, leads.len());
    let mut results: Vec<Option<BatchResult>> = Vec::with_capacity(leads.len());
    let (mut places, mut events) = (Vec::new(), Vec::new());
    let size = leads.iter().map(|raw| raw.get().len()).sum();
    in_place(size, || {
        for (index, (raw, id)) in leads.into_iter().zip(ids).enumerate() {
            match read(&intake, &key, &raw, id) {
                Ok(event) => {
                    places.push(index);
                    events.push(event);
                    results.push(None);
                }
                Err(why) => results.push(Some(BatchResult::rejected(index, why))),
            }
        }
    });
    for (index, outcome) in places.into_iter().zip(upsert_all(&intake, events).await?) {
        results[index] = Some(match outcome {
            Ok((effect, lead)) => BatchResult::of(index, effect, lead),
            Err(Rejection { code, detail }) => {
                BatchResult::rejected(index, Refusal { code: code.to_owned(), detail })
            }
        });
    }
    Ok(Json(BatchAnswer { results: results.into_iter().flatten().collect() }))
}

/// Makes the ids of the events. They rise, so that of two facts with the same date the later in the batch
/// wins.
fn ids(intake: &Intake, key: Option<String>, leads: usize) -> Vec<String> {
    if let Some(key) = key {
        return (0..leads).map(|index| format!("{key}/{index:04}")).collect();
    }
    let mut ids: Vec<_> = (0..leads).map(|_| intake.ids.next()).collect();
    ids.sort_unstable();
    ids.into_iter().map(|id| id.to_string()).collect()
}

/// Why a lead was rejected: a stable code and a sentence.
struct Refusal {
    code: String,
    detail: String,
}

fn read(intake: &Intake, key: &Key, raw: &RawValue, id: String) -> Result<NewEvent, Refusal> {
    let body: Result<LeadBody, Problem> = extract::parse(raw.get().as_bytes());
    let event = body.and_then(|body| body.event(Caller { intake, key, id: Some(id) }, None));
    event.map_err(|problem| {
        let code = problem.errors.first().map_or(problem.code.as_str(), |first| &first.code);
        Refusal { code: code.to_owned(), detail: problem.message }
    })
}

impl BatchResult {
    fn of(index: usize, effect: Effect, lead: LeadId) -> BatchResult {
        let status = match effect {
            Effect::Created => BatchStatus::Created,
            Effect::Updated => BatchStatus::Updated,
            Effect::Unchanged => BatchStatus::Unchanged,
        };
        BatchResult { index, status, lead_id: Some(lead), code: None, detail: None }
    }

    fn rejected(index: usize, why: Refusal) -> BatchResult {
        let Refusal { code, detail } = why;
        BatchResult {
            index,
            status: BatchStatus::Rejected,
            lead_id: None,
            code: Some(code),
            detail: Some(detail),
        }
    }
}
