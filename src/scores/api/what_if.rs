//! `POST /v1/leads/{id}/score/what-if`: the receipt, had more happened.

use std::collections::HashSet;

use axum::extract::State;
use scoring::{Event, Instant, Score, Verdict, profile::Fold};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Case, open, receipt::ReceiptView};
use crate::{
    http::{
        aside::aside,
        extract::{Json, Large, Path},
        problem::Problem,
        said::mistake,
    },
    keys::auth::Reader,
    leads::validity,
    models::Models,
    platform::{
        clock::to_instant,
        ids::{LeadId, ModelId},
    },
};

/// How many events one may suppose.
const MOST_EVENTS: usize = 1_000;
/// Sorts after every id that a sender gives: what is supposed of the person holds against what was said before.
const LAST_ID: &str = "\u{10ffff}what-if";

/// What shall be supposed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhatIf {
    /// Events that did not happen, at most 1000. Repeated ids count once.
    #[serde(default)]
    events: Vec<Supposed>,
    /// Attributes that the lead does not have; null removes one. What follows from them is derived as of an event that
    /// arrives now.
    traits: Option<Map<String, Value>>,
    /// For which instant; now if absent.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    as_of: Option<Instant>,
    /// Any version of a model; the live one if absent.
    model: Option<ModelId>,
}

/// An event that did not happen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Supposed {
    /// By which the receipt names it; one is made if absent.
    id: Option<String>,
    /// What might happen, in snake case.
    #[serde(rename = "type")]
    kind: String,
    /// When; the instant of the score if absent.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    occurred_at: Option<Instant>,
    /// Who causes it: `human` unless said otherwise, `suspect` or `machine`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    verdict: Verdict,
    /// What is particular to the type.
    #[serde(default)]
    properties: Map<String, Value>,
    /// What it says of the person.
    traits: Option<Map<String, Value>>,
}

/// The receipt as it would be, and the score as it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Supposition {
    #[serde(flatten)]
    after: ReceiptView,
    /// The score at the same instant without what was supposed.
    before: Score,
}

/// The receipt as it would be if more had happened or the lead were another; writes nothing.
///
/// The log with what is supposed added to it, by the same computation as the receipt.
#[utoipa::path(post, path = "/v1/leads/{id}/score/what-if", tag = "Leads", params(("id" = LeadId, Path)),
    request_body = WhatIf, responses((status = 200, body = Supposition)))]
pub(super) async fn ask_what_if(
    State(models): State<Models>,
    _reader: Reader,
    Path(id): Path<LeadId>,
    Large(body): Large<WhatIf>,
) -> Result<Json<Supposition>, Problem> {
    if body.events.len() > MOST_EVENTS {
        let message = format!("suppose at most {MOST_EVENTS} events at once");
        return Err(mistake("/events", "too_many", &message));
    }
    let case = open(&models, id, body.model).await?;
    let as_of = body.as_of.unwrap_or_else(|| to_instant(models.clock.now()));
    Ok(Json(aside(move || case.compare(body, as_of)).await??))
}

impl Case {
    /// The score with what is supposed, and without.
    fn compare(mut self, supposed: WhatIf, as_of: Instant) -> Result<Supposition, Problem> {
        let before = scoring::evaluate(&self.model.model, &Map::new(), &self.events, as_of).score;
        self.suppose(supposed.events, as_of)?;
        let profile = supposed.traits.map(|traits| self.suppose_traits(traits, as_of)).unwrap_or_default();
        let after = scoring::evaluate(&self.model.model, &profile, &self.events, as_of);
        Ok(Supposition { after: ReceiptView::of(&self, after), before })
    }

    /// Adds to the log the events that are supposed.
    fn suppose(&mut self, events: Vec<Supposed>, as_of: Instant) -> Result<(), Problem> {
        let known: HashSet<&str> = self.events.iter().map(|event| event.id.as_str()).collect();
        let clash = |event: &Supposed| event.id.as_deref().is_some_and(|id| known.contains(id));
        if let Some(index) = events.iter().position(clash) {
            let message = "the lead has an event with this id; give another, or none";
            return Err(mistake(&format!("/events/{index}/id"), "known_id", message));
        }
        let mut seen = HashSet::new();
        for (number, event) in events.into_iter().enumerate() {
            let event = event.into_event(number, as_of);
            if seen.insert(event.id.clone()) {
                self.events.push(event);
            }
        }
        Ok(())
    }

    /// The attributes at an instant, with traits that are supposed on top. No event says these, for it would count in the rules
    /// that name its type; so the log's own traits are taken out of the events and into the attributes.
    fn suppose_traits(&mut self, traits: Map<String, Value>, as_of: Instant) -> Map<String, Value> {
        let mut fold = Fold::default();
        for event in self.events.iter().filter(|event| event.occurred_at <= as_of) {
            if let Some(facts) = event.as_ref().facts() {
                fold.apply(facts, event.occurred_at, &event.id);
            }
        }
        if let Some(traits) = validity::record(Some(traits), None) {
            fold.apply(&traits, as_of, LAST_ID);
        }
        self.events.iter_mut().for_each(|event| event.traits = None);
        fold.to_profile()
    }
}

impl Supposed {
    fn into_event(self, number: usize, as_of: Instant) -> Event {
        Event {
            id: self.id.unwrap_or_else(|| format!("what-if-{number}")),
            kind: self.kind,
            occurred_at: self.occurred_at.unwrap_or(as_of),
            verdict: self.verdict,
            properties: self.properties,
            traits: validity::record(self.traits, None),
        }
    }
}
