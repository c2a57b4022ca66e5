//! What speaks for a lead at the moment at which sales is offered it.

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

/// How many of the last events are kept.
const EVENTS: usize = 20;
/// How many rules are named.
const RULES: usize = 10;

/// What speaks for a lead, frozen when it was offered: late events and new models change nothing here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Evidence {
    /// The version of the model that decided.
    model_version: ModelId,
    /// Its name.
    model_name: String,
    /// The policy that held.
    policy_version: i32,
    /// What made it an MQL.
    qualified_by: Option<MqlBy>,
    /// The score and its pieces, in milli-points but `score`.
    #[serde(flatten)]
    score: Score,
    /// Whether it may be contacted.
    consent: ConsentThen,
    /// The rules that gave it the most points, the largest first: reasons for which it is rejected or lost are charged to
    /// them.
    rules: Vec<RulePoints>,
    /// The lines that add up to the score.
    receipt: Receipt,
    /// Its last events, newest first.
    events: Vec<EventThen>,
}

/// Whether it might be contacted then.
#[derive(Debug, Serialize, ToSchema)]
struct ConsentThen {
    /// The person had asked not to be contacted, and not asked for contact since.
    do_not_contact: bool,
    /// When it last asked not to be.
    do_not_contact_at: Option<Instant>,
    /// When it last asked for contact.
    hand_raised_at: Option<Instant>,
}

/// What a rule gave, in milli-points.
#[derive(Debug, Serialize, ToSchema)]
struct RulePoints {
    dimension: Option<Dimension>,
    group: Option<String>,
    rule: Option<String>,
    points: i64,
}

/// An event as the score saw it.
#[derive(Debug, Serialize, ToSchema)]
struct EventThen {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    occurred_at: Instant,
    /// `human`, `suspect` or `machine`.
    #[schema(value_type = String)]
    verdict: Verdict,
    #[schema(value_type = Object)]
    properties: Map<String, Value>,
}

impl Evidence {
    /// What there is, from a lead's whole log.
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

    /// The published score.
    pub(super) fn score(&self) -> i64 {
        self.score.score
    }
}

/// What the rules gave within their own bounds, the largest first; those that gave nothing or took are left out.
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
            // It follows the rule that it bounds.
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
