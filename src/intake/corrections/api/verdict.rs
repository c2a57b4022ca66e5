//! `POST /v1/leads/{id}/events/{event_id}/verdict`.

use axum::{extract::State, http::HeaderMap, response::Response};
use scoring::{
    Verdict,
    event::{DO_NOT_CONTACT_REQUESTED, VERDICT_CHANGED},
    is_activity,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Corrected, correct};
use crate::{
    http::{
        extract::{Json, Path},
        problem::Problem,
        said::{LONGEST_TEXT, Mistakes, Texts, idempotency_key},
    },
    intake::{
        corrections::{Correction, store},
        ingest::Intake,
        verdicts::Decision,
    },
    keys::auth::Editor,
    leads::api::current,
    platform::ids::{EventKey, LeadId},
};

/// A person's verdict on an event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Decide {
    /// Who caused the event: `human`, `machine` or `suspect`. A suspect event counts for the score, but does
    /// not make a lead an MQL by itself.
    #[schema(value_type = String, example = "human")]
    verdict: Verdict,
    /// Why the verdict is this one, 1 to 2000 characters.
    reason: String,
    /// Who decides, 1 to 200 characters. If absent, the key's name.
    author: Option<String>,
}

/// Sets the verdict on an event: whether a person or a machine caused it.
///
/// The decision is an event with author and reason. It beats everything that the service finds, before and
/// after. Of two decisions about an event, the later holds. The lead's scores change at once to what they
/// would be if the event had always had this verdict. `Idempotency-Key` works as for adjustments.
#[utoipa::path(post, path = "/v1/leads/{id}/events/{event_id}/verdict", tag = "Leads", request_body = Decide,
    params(("id" = LeadId, Path), ("event_id" = String, Path, description = "The sender's id of the event"),
        ("Idempotency-Key" = Option<String>, Header, description = "The id of the new event. The same call with the same key is done once.")),
    security(("key" = ["read_write"])),
    responses((status = 201, body = Corrected, description = "The event was recorded"),
        (status = 200, body = Corrected, description = "The call is a repetition; the event was recorded before")))]
pub(super) async fn decide_on_event(
    State(intake): State<Intake>,
    Editor(key): Editor,
    Path((id, event_id)): Path<(LeadId, String)>,
    headers: HeaderMap,
    Json(body): Json<Decide>,
) -> Result<Response, Problem> {
    let mut mistakes = Mistakes::default();
    let reason = mistakes.text("/reason", &body.reason, LONGEST_TEXT);
    let author = mistakes.name("/author", body.author.as_deref(), &key.name);
    mistakes.refuse()?;
    let lead = current(&intake, id).await?.id;
    let event = store::event(&mut *intake.db.acquire().await?, lead, EventKey::of(&event_id)).await?;
    let event = event.ok_or_else(|| Problem::not_found("event"))?;
    if !is_activity(&event.kind) {
        let message =
            format!("`{}` is not an activity of a lead, so it has no verdict to correct.", event.kind);
        return Err(Problem::invalid(message, Vec::new()));
    }
    if event.kind == DO_NOT_CONTACT_REQUESTED {
        let message = "A request not to be contacted holds, whoever sent it. Only the person takes it back, by asking for contact.";
        return Err(Problem::invalid(message, Vec::new()));
    }
    let decision = Decision { event_id: event.id, verdict: body.verdict, author, reason };
    let correction = Correction {
        kind: VERDICT_CHANGED,
        properties: decision.properties(),
        id: idempotency_key(&headers)?,
        api_key: key.id,
    };
    correct(&intake, lead, correction, None).await
}
