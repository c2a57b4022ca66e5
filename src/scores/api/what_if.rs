//! `POST /v1/leads/{id}/score/what-if`: the receipt that a lead would have if more had happened.

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

/// The most events in one what-if.
const MOST_EVENTS: usize = 1_000;
/// The event id of the supposed traits. It sorts after every id of a sender, so that the supposed traits win
/// over traits of the same instant.
const LAST_ID: &str = "\u{10ffff}what-if";

/// The events and traits to suppose.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhatIf {
    /// Events to suppose, at most 1000. Of several events with the same id, only the first counts.
    #[serde(default)]
    events: Vec<Supposed>,
    /// Attributes to suppose; null removes an attribute. Derived attributes are computed from these traits,
    /// as for an event that arrives now.
    traits: Option<Map<String, Value>>,
    /// The instant of the score (RFC 3339); now if absent.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    as_of: Option<Instant>,
    /// The version of a model by which the score is computed; the live version if absent.
    model: Option<ModelId>,
}

/// An event to suppose.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Supposed {
    /// The id by which the receipt names the event; made up if absent. It must not be the id of an event that
    /// the lead has.
    id: Option<String>,
    /// The event type, in `snake_case`.
    #[serde(rename = "type")]
    kind: String,
    /// When the event happens (RFC 3339); the instant of the score if absent.
    #[schema(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    occurred_at: Option<Instant>,
    /// Who causes the event: `human`, `suspect` or `machine`; `human` if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    verdict: Verdict,
    /// What the event says about itself.
    #[serde(default)]
    properties: Map<String, Value>,
    /// What the event says about the person: attributes to set; null removes an attribute.
    traits: Option<Map<String, Value>>,
}

/// The receipt with the supposed events and traits, and the score without them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Supposition {
    #[serde(flatten)]
    after: ReceiptView,
    /// The score at the same instant without the supposed events and traits.
    before: Score,
}

/// Returns the receipt that a lead would have with more events or other attributes. Nothing is stored.
///
/// The supposed events are added to the lead's log, and the supposed traits to its profile. Then the receipt
/// is computed as usual.
#[utoipa::path(post, path = "/v1/leads/{id}/score/what-if", tag = "Leads", params(("id" = LeadId, Path)),
    request_body = WhatIf, responses((status = 200, body = Supposition)))]
pub(super) async fn ask_what_if(
    State(models): State<Models>,
    _reader: Reader,
    Path(id): Path<LeadId>,
    Large(body): Large<WhatIf>,
) -> Result<Json<Supposition>, Problem> {
    if body.events.len() > MOST_EVENTS {
        let message = format!("write at most {MOST_EVENTS} events");
        return Err(mistake("/events", "too_many", &message));
    }
    let case = open(&models, id, body.model).await?;
    let as_of = body.as_of.unwrap_or_else(|| to_instant(models.clock.now()));
    Ok(Json(aside(move || case.compare(body, as_of)).await??))
}

impl Case {
    /// Computes the score with the supposed events and traits, and without them.
    fn compare(mut self, supposed: WhatIf, as_of: Instant) -> Result<Supposition, Problem> {
        let before = scoring::evaluate(&self.model.model, &Map::new(), &self.events, as_of).score;
        self.suppose(supposed.events, as_of)?;
        let profile = supposed.traits.map(|traits| self.suppose_traits(traits, as_of)).unwrap_or_default();
        let after = scoring::evaluate(&self.model.model, &profile, &self.events, as_of);
        Ok(Supposition { after: ReceiptView::of(&self, after), before })
    }

    /// Adds the supposed events to the log.
    ///
    /// # Errors
    /// 422 if an id is that of an event of the lead.
    fn suppose(&mut self, events: Vec<Supposed>, as_of: Instant) -> Result<(), Problem> {
        let known: HashSet<&str> = self.events.iter().map(|event| event.id.as_str()).collect();
        let clash = |event: &Supposed| event.id.as_deref().is_some_and(|id| known.contains(id));
        if let Some(index) = events.iter().position(clash) {
            let message = "write another id or leave it out; the lead has an event with this id";
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

    /// Returns the attributes at an instant with the supposed traits applied. An event that carries these
    /// traits would count for rules on its type. So instead, all traits of the log are moved from the events
    /// into the attributes.
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
