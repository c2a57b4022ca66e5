//! The evidence of a handoff: what speaks for a lead at the moment of the offer.

use scoring::{
    Evaluation, Event, Instant, Receipt, Score, Tally, Verdict, model::Dimension, receipt::LineKind,
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    leads::{Lead, MqlBy},
    models::Version,
    platform::ids::ModelId,
    scores::History,
};

/// How many of the lead's last events the evidence keeps.
const EVENTS: usize = 20;
/// How many rules the evidence names.
const RULES: usize = 10;

/// What spoke for a lead when sales was offered the lead. Late events and new models do not change the
/// evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct Evidence {
    /// The version of the model that was live.
    model_version: ModelId,
    /// The name of that model.
    model_name: String,
    /// The number of the policy that was in force.
    policy_version: i32,
    /// What made the lead an MQL.
    qualified_by: Option<MqlBy>,
    /// The score and its parts. `score` is in whole points, all other numbers are in milli-points.
    #[serde(flatten)]
    score: Score,
    /// Whether the person could be contacted.
    consent: ConsentThen,
    /// The rules that gave the most points, at most 10, the largest first. A reason for a rejection or a loss
    /// counts against these rules.
    rules: Vec<RulePoints>,
    /// The lines that add up to the score.
    receipt: Receipt,
    /// The lead's last events, at most 20, newest first.
    events: Vec<EventThen>,
}

/// Whether the person could be contacted at the moment of the offer.
#[derive(Debug, Serialize, ToSchema)]
struct ConsentThen {
    /// Whether the person had asked not to be contacted, and had not asked for contact since.
    do_not_contact: bool,
    /// When the person last asked not to be contacted.
    do_not_contact_at: Option<Instant>,
    /// When the person last asked for contact.
    hand_raised_at: Option<Instant>,
}

/// The points that a rule gave.
#[derive(Debug, Serialize, ToSchema)]
struct RulePoints {
    /// The dimension of the rule.
    dimension: Option<Dimension>,
    /// The group of the rule, by its name in the model.
    group: Option<String>,
    /// The name of the rule.
    rule: Option<String>,
    /// The points within the rule's own bounds, in milli-points.
    points: i64,
}

/// An event as it counted for the score at the moment of the offer.
#[derive(Debug, Serialize, ToSchema)]
struct EventThen {
    /// The id that the sender gave the event.
    id: String,
    /// The type of the event.
    #[serde(rename = "type")]
    kind: String,
    /// When the event happened.
    occurred_at: Instant,
    /// Who caused the event: `human`, `suspect` or `machine`.
    #[schema(value_type = String)]
    verdict: Verdict,
    /// What the event says about itself.
    #[schema(value_type = Object)]
    properties: Map<String, Value>,
}

impl Evidence {
    /// Computes the evidence from the lead's whole log, as of `as_of`.
    pub(super) fn of(
        lead: &Lead,
        version: &Version,
        policy_version: i32,
        history: History,
        as_of: Instant,
    ) -> Evidence {
        let Evaluation { score, receipt } =
            scoring::evaluate(&version.model, &Map::new(), &history.events, as_of);
        let mut tally = Tally::new(&version.model);
        history.events.iter().for_each(|event| tally.add(&version.model, event.as_ref()));
        let consent = ConsentThen {
            do_not_contact: lead.do_not_contact(&tally),
            do_not_contact_at: tally.do_not_contact_at(),
            hand_raised_at: tally.hand_raised_at(),
        };
        Evidence {
            model_version: version.id,
            model_name: version.model.name().to_owned(),
            policy_version,
            qualified_by: lead.mql_by,
            score,
            consent,
            rules: rules(&receipt),
            receipt,
            events: history.events.into_iter().rev().take(EVENTS).map(EventThen::of).collect(),
        }
    }

    /// The published score, in whole points.
    pub(super) fn score(&self) -> i64 {
        self.score.score
    }
}

/// Returns the rules that gave points, within each rule's own bounds, the largest first. Rules that gave
/// nothing or took points are left out.
fn rules(receipt: &Receipt) -> Vec<RulePoints> {
    let mut rules: Vec<RulePoints> = Vec::new();
    for line in &receipt.lines {
        let points = line.points.0;
        match (line.kind, rules.last_mut()) {
            (LineKind::Rule, _) => rules.push(RulePoints {
                dimension: line.dimension,
                group: line.group.clone(),
                rule: line.rule.clone(),
                points,
            }),
            // A receipt lists this line right after the rule that the line bounds.
            (LineKind::RuleClamp, Some(rule)) => rule.points += points,
            _ => {}
        }
    }
    rules.retain(|rule| rule.points > 0);
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.points));
    rules.truncate(RULES);
    rules
}

impl EventThen {
    fn of(event: Event) -> EventThen {
        let Event { id, kind, occurred_at, verdict, properties, .. } = event;
        EventThen { id, kind, occurred_at, verdict, properties }
    }
}
