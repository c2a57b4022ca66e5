//! The gates before the stage `mql`, in the order in which they are checked.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use scoring::{Model, Score, Tally, mql, profile::Fold};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::advance::state_of;
use crate::{
    leads::{self, Lead, Stage},
    lifecycle::policy::{Label, Policy},
    platform::{clock::to_utc, ids::LeadId},
};

/// The gate that keeps a lead from being an MQL. The gates are checked in the order of this list, and the
/// first closed gate is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "gate")]
pub enum Gate {
    /// Nobody knows who the lead is: it has neither a user id nor an e-mail address.
    Unidentified,
    /// Sales has the lead, or the lead is a customer, lost or disqualified. At these stages, thresholds make
    /// no MQL.
    Stage,
    /// The person asked not to be contacted.
    DoNotContact,
    /// The policy excludes the lead.
    Excluded {
        /// Why the policy excludes the lead.
        label: Label,
    },
    /// The person has done nothing since the lead's last exit. Events of machines do not count.
    NoHumanActivity,
    /// The lead was recycled, and its cooldown has not ended.
    Cooldown {
        /// The first instant at which the lead may be an MQL again.
        until: DateTime<Utc>,
    },
    /// Score, fit or engagement is below the model's thresholds, and the person has not asked for sales.
    Thresholds,
}

/// Returns the first gate that is closed for a lead. `None` if the lead is an MQL, or becomes one at the next
/// decision.
pub fn gate(
    model: &Model,
    lead: &Lead,
    score: &Score,
    tally: &Tally,
    excluded: Option<Label>,
) -> Option<Gate> {
    match lead.stage() {
        Stage::Mql => return None,
        Stage::Anonymous => return Some(Gate::Unidentified),
        Stage::Lead | Stage::Recycled => {}
        _ => return Some(Gate::Stage),
    }
    if lead.do_not_contact(tally) {
        return Some(Gate::DoNotContact);
    }
    if let Some(label) = excluded {
        return Some(Gate::Excluded { label });
    }
    let state = state_of(mql::Stage::Lead, lead, score, tally);
    if state.last_human_activity.is_none_or(|at| state.last_exit.is_some_and(|exit| at <= exit)) {
        return Some(Gate::NoHumanActivity);
    }
    let decision = mql::decide(model.mql(), &state);
    match (decision.passage, decision.due_at) {
        (Some(_), _) => None,
        (None, Some(until)) => Some(Gate::Cooldown { until: to_utc(until) }),
        (None, None) => Some(Gate::Thresholds),
    }
}

/// Returns the leads that the policy excludes, each with its label. Attributes from `known` are used instead
/// of the stored ones, for leads whose new attributes are not stored yet.
pub async fn excluded<'a>(
    conn: &mut PgConnection,
    policy: &Policy,
    leads: &[LeadId],
    known: impl Fn(LeadId) -> Option<&'a Fold>,
) -> sqlx::Result<BTreeMap<LeadId, Label>> {
    if leads.is_empty() || !policy.excludes() {
        return Ok(BTreeMap::new());
    }
    let stored = leads::attributes_of(conn, leads).await?;
    let mut profiles: BTreeMap<LeadId, Map<String, Value>> =
        stored.iter().map(|(lead, fold)| (*lead, fold.to_profile())).collect();
    for lead in leads {
        profiles.extend(known(*lead).map(|fold| (*lead, fold.to_profile())));
    }
    let mut emails: BTreeMap<LeadId, Vec<String>> = BTreeMap::new();
    for (lead, email) in leads::emails_of(conn, leads).await? {
        emails.entry(lead).or_default().push(email);
    }
    let nothing = Map::new();
    let label = |lead: &LeadId| {
        let emails = emails.get(lead).into_iter().flatten().map(String::as_str);
        Some((*lead, policy.label(emails, profiles.get(lead).unwrap_or(&nothing))?))
    };
    Ok(leads.iter().filter_map(label).collect())
}

#[cfg(test)]
mod tests {
    use scoring::{Event, Verdict};
    use serde_json::json;

    use super::*;
    use crate::{leads::Target, platform::clock::to_instant};

    fn model() -> Model {
        Model::parse(&json!({
            "name": "visits",
            "score": {"min": 0, "max": 100},
            "dimensions": {
                "fit": {"min": 0, "max": 0, "groups": []},
                "engagement": {"min": 0, "max": 100, "groups": [{"name": "web", "rules": [
                    {"name": "visit", "event": "page_viewed", "points": 60}
                ]}]}
            },
            "grades": {"fit": [{"label": "A"}], "engagement": [{"label": "1"}]},
            "bands": [{"label": "all"}],
            "mql": {"enter": 50, "leave": 30}
        }))
        .unwrap()
    }

    /// The gate of a known lead after one visit.
    fn gate_after(verdict: Verdict, excluded: Option<Label>) -> Option<Gate> {
        let (model, at) = (model(), to_instant(DateTime::UNIX_EPOCH));
        let visit = Event {
            id: "e1".to_owned(),
            kind: "page_viewed".to_owned(),
            occurred_at: at,
            verdict,
            properties: Map::new(),
            traits: None,
        };
        let mut tally = Tally::new(&model);
        tally.add(&model, visit.as_ref());
        let lead = Lead::new(LeadId(uuid::Uuid::nil()), true);
        gate(&model, &lead, &tally.evaluate(&model, at), &tally, excluded)
    }

    #[test]
    fn only_what_a_person_does_opens_the_gate_of_machines() {
        assert_eq!(gate_after(Verdict::Machine, None), Some(Gate::NoHumanActivity));
        assert_eq!(gate_after(Verdict::Suspect, None), Some(Gate::NoHumanActivity), "though it counts");
        assert_eq!(gate_after(Verdict::Human, None), None);
    }

    #[test]
    fn whether_somebody_is_left_out_is_asked_before_machines() {
        for verdict in [Verdict::Machine, Verdict::Human] {
            let label = Label::Partner;
            assert_eq!(gate_after(verdict, Some(label)), Some(Gate::Excluded { label }));
        }
    }

    #[test]
    fn a_score_decides_nothing_of_whom_sales_has() {
        let (model, at) = (model(), to_instant(DateTime::UNIX_EPOCH));
        let tally = Tally::new(&model);
        for target in [Target::Sql, Target::Customer, Target::Disqualified, Target::Lost] {
            let lead = Lead::new(LeadId(uuid::Uuid::nil()), true).supposed_at(target.stage());
            let score = tally.evaluate(&model, at);
            assert_eq!(gate(&model, &lead, &score, &tally, None), Some(Gate::Stage));
        }
    }
}
