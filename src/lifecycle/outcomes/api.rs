//! `/v1/leads/{id}/outcome`, `/outcomes` and `/stage`.

use axum::{
    extract::FromRef,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use scoring::Instant;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Outcome, OutcomeError, OutcomeView, Said, money::is_currency, store};
use crate::{
    http::{
        extract::{Json, Path},
        problem::{Code, Problem},
        said::{LONGEST_TEXT, Mistakes, Texts, idempotency_key, mistake},
    },
    keys::auth::{Editor, Reader, RouterState},
    leads::{Target, api::current, view::LeadView},
    lifecycle::Lifecycle,
    platform::{
        clock::to_utc,
        ids::{LeadId, OutcomeId},
    },
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Lifecycle: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(record_outcome))
        .routes(routes!(list_outcomes))
        .routes(routes!(move_lead))
}

/// An outcome to be recorded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RecordOutcome {
    /// What became of the lead.
    outcome: Outcome,
    /// The value of the deal, in the currency's smallest unit (cents). Required for `won`. For `opportunity`,
    /// the expected value. Not allowed for `lost`.
    #[schema(minimum = 0, example = 1_250_000)]
    amount: Option<i64>,
    /// The currency of `amount`, as a code of ISO 4217. Required with `amount`.
    #[schema(example = "EUR")]
    currency: Option<String>,
    /// Why the deal was lost: the code of one of the policy's `loss_reasons`. Required for `lost`, not
    /// allowed otherwise.
    reason: Option<String>,
    /// A note, 1 to 2000 characters.
    note: Option<String>,
    /// When the outcome happened. If absent, now. It must not be in the future. The lead's stage changes now
    /// in any case.
    #[schema(value_type = Option<DateTime<Utc>>)]
    occurred_at: Option<Instant>,
    /// The id of an outcome that was recorded wrongly and that this outcome replaces.
    replaces: Option<OutcomeId>,
    /// Who records the outcome, 1 to 200 characters. If absent, the key's name.
    author: Option<String>,
}

/// The recorded outcome, with the lead.
#[derive(Debug, Serialize, ToSchema)]
struct OutcomeRecorded {
    #[serde(flatten)]
    outcome: OutcomeView,
    /// The lead as of now.
    lead: LeadView,
}

/// The outcomes of a lead.
#[derive(Debug, Serialize, ToSchema)]
struct OutcomeList {
    /// The outcomes in the order in which they were recorded. Replaced outcomes are included.
    data: Vec<OutcomeView>,
    /// Always false: outcomes are few.
    has_more: bool,
    /// Always null.
    next_cursor: Option<String>,
}

/// A stage at which a person may put a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StageByHand {
    /// A new beginning. The lead may be an MQL again as soon as the person does something.
    Lead,
    /// The lead ripens again. It may be an MQL again after the model's cooldown, once the person has done
    /// something.
    Recycled,
    /// We do not sell to this lead. It does not become an MQL again by itself.
    Disqualified,
}

/// A move of a lead to another stage by a person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MoveLead {
    /// The stage to which the lead moves.
    stage: StageByHand,
    /// Why the lead is moved, 1 to 2000 characters.
    reason: String,
    /// Only for `recycled`: the instant before which the lead cannot be an MQL again. It must be in the
    /// future.
    #[schema(value_type = Option<DateTime<Utc>>)]
    until: Option<Instant>,
    /// Who moves the lead, 1 to 200 characters. If absent, the key's name.
    author: Option<String>,
}

/// Records what became of a lead: an opportunity, a won deal or a lost deal.
///
/// The lead moves to the stage `opportunity`, `customer` or `lost`. A deal can be won without an opportunity
/// before. A lead can be lost only after sales had it. While the lead has an open handoff, sales must answer
/// the handoff first.
///
/// To correct a wrong outcome, record another one and name the wrong one in `replaces`. Both stay. A repeated
/// call with the same `Idempotency-Key` records nothing new.
#[utoipa::path(post, path = "/v1/leads/{id}/outcome", tag = "Handoffs", request_body = RecordOutcome,
    params(("id" = LeadId, Path), ("Idempotency-Key" = Option<String>, Header, description = "A key for this call. The same call with the same key is done once.")),
    security(("key" = ["read_write"])),
    responses((status = 201, body = OutcomeRecorded, description = "The outcome was recorded"),
        (status = 200, body = OutcomeRecorded, description = "The call is a repetition; its outcome was recorded before")))]
async fn record_outcome(
    State(lifecycle): State<Lifecycle>,
    Editor(key): Editor,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
    Json(body): Json<RecordOutcome>,
) -> Result<Response, Problem> {
    let mut mistakes = Mistakes::default();
    check(&body, &mut mistakes);
    let said = Said {
        outcome: body.outcome,
        occurred_at: body.occurred_at.map(to_utc),
        by: mistakes.name("/author", body.author.as_deref(), &key.name),
        amount: body.amount,
        currency: body.currency,
        reason: body.reason,
        note: mistakes.note("/note", body.note.as_deref(), LONGEST_TEXT),
        replaces: body.replaces,
        request_key: idempotency_key(&headers)?,
    };
    mistakes.refuse()?;
    let (outcome, new) = super::record(&lifecycle, id, &said).await?;
    let lead = current(&lifecycle, outcome.lead_id).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(OutcomeRecorded { outcome, lead })).into_response())
}

/// Checks which fields an outcome must have and must not have.
fn check(body: &RecordOutcome, mistakes: &mut Mistakes) {
    let RecordOutcome { outcome, amount, currency, reason, .. } = body;
    if amount.is_none() && *outcome == Outcome::Won {
        mistakes.add(
            "/amount",
            "missing_field",
            "write the amount that was won, in the currency's smallest unit",
        );
    }
    if amount.is_some() && *outcome == Outcome::Lost {
        mistakes.add("/amount", "not_here", "a lost deal has no amount; leave the amount out");
    }
    if amount.is_some_and(|amount| amount < 0) {
        mistakes.add("/amount", "out_of_range", "write 0 or more");
    }
    match currency {
        Some(code) if !is_currency(code) => {
            mistakes.add("/currency", "unknown_currency", "write a code of ISO 4217, such as EUR");
        }
        Some(_) if amount.is_none() => {
            mistakes.add(
                "/currency",
                "not_here",
                "there is no amount; leave the currency out or add the amount",
            );
        }
        None if amount.is_some() => {
            mistakes.add("/currency", "missing_field", "an amount needs its currency, such as EUR");
        }
        _ => {}
    }
    match (outcome, reason) {
        (Outcome::Lost, None) => {
            mistakes.add(
                "/reason",
                "missing_field",
                "write why the lead was lost: one of the policy's loss_reasons",
            );
        }
        (Outcome::Opportunity | Outcome::Won, Some(_)) => {
            mistakes.add("/reason", "not_here", "only `lost` has a reason; write it as the note");
        }
        _ => {}
    }
}

/// Lists the outcomes of a lead, in the order in which they were recorded.
#[utoipa::path(get, path = "/v1/leads/{id}/outcomes", tag = "Handoffs", params(("id" = LeadId, Path)),
    responses((status = 200, body = OutcomeList)))]
async fn list_outcomes(
    State(lifecycle): State<Lifecycle>,
    _reader: Reader,
    Path(id): Path<LeadId>,
) -> Result<Json<OutcomeList>, Problem> {
    let lead = current(&lifecycle, id).await?.id;
    let data = store::list(&mut *lifecycle.db.acquire().await?, lead).await?;
    Ok(Json(OutcomeList { data, has_more: false, next_cursor: None }))
}

/// Moves a lead by hand to the stage `lead`, `recycled` or `disqualified`.
///
/// An open handoff of the lead is withdrawn. To make a lead an MQL by hand, offer it to sales. To make it an
/// SQL, accept its handoff.
#[utoipa::path(post, path = "/v1/leads/{id}/stage", tag = "Handoffs", request_body = MoveLead,
    params(("id" = LeadId, Path)), security(("key" = ["read_write"])),
    responses((status = 200, body = LeadView)))]
async fn move_lead(
    State(lifecycle): State<Lifecycle>,
    Editor(key): Editor,
    Path(id): Path<LeadId>,
    Json(body): Json<MoveLead>,
) -> Result<Json<LeadView>, Problem> {
    let mut mistakes = Mistakes::default();
    let reason = mistakes.text("/reason", &body.reason, LONGEST_TEXT);
    let by = mistakes.name("/author", body.author.as_deref(), &key.name);
    if body.until.is_some() && body.stage != StageByHand::Recycled {
        mistakes.add("/until", "not_here", "only the stage `recycled` takes `until`; leave it out");
    }
    mistakes.refuse()?;
    let target = match body.stage {
        StageByHand::Lead => Target::Lead,
        StageByHand::Recycled => Target::Recycled(body.until.map(to_utc)),
        StageByHand::Disqualified => Target::Disqualified,
    };
    let lead = super::move_by_hand(&lifecycle, id, target, &by, &reason).await?;
    Ok(Json(current(&lifecycle, lead).await?))
}

impl From<OutcomeError> for Problem {
    fn from(error: OutcomeError) -> Problem {
        let conflict = |message: String| Problem::new(Code::Conflict, message);
        match error {
            OutcomeError::NotFound(what) => Problem::not_found(what),
            OutcomeError::Offered(id) => {
                conflict(format!("Handoff {id} of this lead is open; accept, reject or recycle it first."))
            }
            OutcomeError::Already(stage, last) => {
                let replace = last.map(|last| {
                    format!(" If outcome {last} was recorded wrongly, send its id as `replaces`.")
                });
                conflict(format!(
                    "The lead is at stage {} already.{}",
                    stage.as_str(),
                    replace.unwrap_or_default()
                ))
            }
            OutcomeError::SaidOtherwise(last, stage) => conflict(format!(
                "The lead is at stage {}: outcome {last} says so. If that was recorded wrongly, send its id as `replaces`.",
                stage.as_str()
            )),
            OutcomeError::NeverHad(stage) => conflict(format!(
                "The lead is at stage {}. Sales never had the lead, so it cannot be lost. First accept its handoff, or record an \
                 opportunity.",
                stage.as_str()
            )),
            OutcomeError::Replaced => conflict("This outcome was already replaced. Replace the newest outcome.".to_owned()),
            OutcomeError::UnknownReason(codes) => mistake(
                "/reason",
                "unknown_reason",
                format!("write one of the policy's loss_reasons: {}", codes.join(", ")),
            ),
            OutcomeError::KeyTaken => conflict(
                "This Idempotency-Key belongs to another outcome of this lead. Send a new outcome under a new key."
                    .to_owned(),
            ),
            OutcomeError::Future => mistake("/occurred_at", "still_to_come", "write an instant that is not in the future"),
            OutcomeError::Past => mistake("/until", "already_past", "write an instant in the future"),
            OutcomeError::NotAllowed(not) => conflict(format!("{not}; read the lead again.")),
            OutcomeError::Database(error) => error.into(),
        }
    }
}
