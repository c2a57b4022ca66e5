//! Selections of leads: the filter of a queue, and the condition of a tier.

use chrono::TimeDelta;
use scoring::{Mistakes, condition::Condition};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    candidate::Candidate,
    document::{condition, span},
    walk::Asked,
};
use crate::leads::{MqlBy, Stage};

/// A selection of leads. A lead is selected if it meets every condition that is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = QueueSelection)]
pub(super) struct Selection {
    /// The lead is at one of these stages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stage: Option<Vec<Stage>>,
    /// The lead is in one of these bands of the live model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) band: Option<Vec<String>>,
    /// The lead has one of these grades, such as `A1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grade: Option<Vec<String>>,
    /// The lead has at least this score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_score: Option<i32>,
    /// The lead's attribute `owner` is one of these. `null` stands for leads without an owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<Vec<Option<String>>>,
    /// The lead's attribute `territory` is one of these. `null` stands for leads without a territory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) territory: Option<Vec<Option<String>>>,
    /// The lead's attributes meet this condition. It is written as in a scoring model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attributes: Option<Value>,
    /// All of these marks are true of the lead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) is: Vec<Mark>,
    /// The lead has been at its stage for longer than this, such as `3d`. At most `366d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waiting_longer_than: Option<String>,
}

/// Something that may be true of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = QueueMark)]
pub(super) enum Mark {
    /// The lead is an MQL because the person asked for sales.
    HandRaised,
    /// A rep promised to call again, and the time of the callback has come.
    CallbackDue,
    /// No claim on the lead was ever completed.
    NeverContacted,
    /// The lead's attribute `owner` is the rep who asks, or the lead has no owner. True of all leads if no
    /// rep asks.
    OwnedByRep,
}

/// A selection, parsed and checked.
#[derive(Debug, Clone)]
pub(super) struct Picker {
    /// The selection as it was written.
    pub(super) said: Selection,
    pub(super) attributes: Option<Condition>,
    waiting: Option<TimeDelta>,
}

impl Selection {
    /// Whether the selection has no condition, so that it takes all leads.
    pub(super) fn is_empty(&self) -> bool {
        *self == Selection::default()
    }

    /// Returns the keys for which both selections name values, but no common value.
    pub(super) fn apart_from(&self, other: &Selection) -> impl Iterator<Item = &'static str> {
        let keys = [
            ("stage", apart(self.stage.as_deref(), other.stage.as_deref())),
            ("band", apart(self.band.as_deref(), other.band.as_deref())),
            ("grade", apart(self.grade.as_deref(), other.grade.as_deref())),
            ("owner", apart(self.owner.as_deref(), other.owner.as_deref())),
            ("territory", apart(self.territory.as_deref(), other.territory.as_deref())),
        ];
        keys.into_iter().filter(|(_, apart)| *apart).map(|(key, _)| key)
    }

    /// Parses and checks the selection. `pointer` is its place in the document.
    pub(super) fn ready(&self, pointer: &str, mistakes: &mut Mistakes) -> Option<Picker> {
        let empty = [
            ("stage", self.stage.as_ref().map(Vec::len)),
            ("band", self.band.as_ref().map(Vec::len)),
            ("grade", self.grade.as_ref().map(Vec::len)),
            ("owner", self.owner.as_ref().map(Vec::len)),
            ("territory", self.territory.as_ref().map(Vec::len)),
        ];
        for (key, _) in empty.iter().filter(|(_, length)| *length == Some(0)) {
            let message = "name at least one, or leave the key out for any";
            mistakes.add(format!("{pointer}/{key}"), "empty", message);
        }
        let waiting = match &self.waiting_longer_than {
            None => None,
            Some(text) => Some(span(text, &format!("{pointer}/waiting_longer_than"), mistakes)?),
        };
        let attributes = match &self.attributes {
            None => None,
            Some(said) => Some(condition(said, &format!("{pointer}/attributes"), mistakes)?),
        };
        Some(Picker { said: self.clone(), attributes, waiting })
    }
}

fn apart<T: PartialEq>(some: Option<&[T]>, others: Option<&[T]>) -> bool {
    let named = some.filter(|some| !some.is_empty()).zip(others.filter(|others| !others.is_empty()));
    named.is_some_and(|(some, others)| !some.iter().any(|one| others.contains(one)))
}

impl Picker {
    /// Whether the selection takes this lead.
    pub(super) fn holds(&self, lead: &Candidate, asked: &Asked<'_>) -> bool {
        let said = &self.said;
        among(said.stage.as_deref(), &lead.stage)
            && among(said.band.as_deref(), &lead.band)
            && among(said.grade.as_deref(), &lead.grade)
            && said.min_score.is_none_or(|least| lead.score >= least)
            && among(said.owner.as_deref(), &lead.owner)
            && among(said.territory.as_deref(), &lead.territory)
            && said.is.iter().all(|mark| mark.is_on(lead, asked))
            && self.waiting.is_none_or(|longest| lead.waiting_since + longest < asked.now)
            && self.attributes.as_ref().is_none_or(|condition| condition.holds(&lead.profile()))
    }
}

fn among<T: PartialEq>(wanted: Option<&[T]>, one: &T) -> bool {
    wanted.is_none_or(|wanted| wanted.contains(one))
}

impl Mark {
    /// Whether the mark is true of a lead.
    fn is_on(self, lead: &Candidate, asked: &Asked<'_>) -> bool {
        match self {
            Mark::HandRaised => lead.mql_by == Some(MqlBy::HandRaise),
            Mark::CallbackDue => lead.callback_at.is_some_and(|at| at <= asked.now),
            Mark::NeverContacted => lead.contacted_at.is_none(),
            Mark::OwnedByRep => match (asked.rep, &lead.owner) {
                (Some(rep), Some(owner)) => owner == rep,
                _ => true,
            },
        }
    }
}

/// The conditions that the database can check: those of the queue's filter and of a tier together.
#[derive(Debug)]
pub(super) struct Narrowed {
    pub(super) stages: Option<Vec<&'static str>>,
    pub(super) bands: Option<Vec<String>>,
    pub(super) grades: Option<Vec<String>>,
    pub(super) min_score: Option<i32>,
    /// The owners to select. The empty name stands for leads without an owner. `territories` is alike.
    pub(super) owners: Option<Vec<String>>,
    pub(super) territories: Option<Vec<String>>,
    pub(super) is: Vec<Mark>,
    /// Whether a condition needs the lead's attributes.
    pub(super) attributes: bool,
}

impl Narrowed {
    /// Combines the conditions of the filter, of a tier, and of the rep who asks.
    pub(super) fn by(filter: &Picker, tier: &Picker, asked: &Asked<'_>) -> Narrowed {
        let (one, other) = (&filter.said, &tier.said);
        let owners = both(one.owner.as_ref(), other.owner.as_ref());
        let own = one.is.contains(&Mark::OwnedByRep) || other.is.contains(&Mark::OwnedByRep);
        let own = asked.rep.filter(|_| own).map(|rep| vec![Some(rep.to_owned()), None]);
        let stages = both(one.stage.as_ref(), other.stage.as_ref());
        Narrowed {
            stages: stages.map(|stages| stages.into_iter().map(Stage::as_str).collect()),
            bands: both(one.band.as_ref(), other.band.as_ref()),
            grades: both(one.grade.as_ref(), other.grade.as_ref()),
            min_score: one.min_score.max(other.min_score),
            owners: both(owners.as_ref(), own.as_ref()).map(named),
            territories: both(one.territory.as_ref(), other.territory.as_ref()).map(named),
            is: one.is.iter().chain(&other.is).copied().collect(),
            attributes: filter.attributes.is_some()
                || asked.queue.tiers.iter().any(|tier| tier.when.attributes.is_some()),
        }
    }
}

impl Narrowed {
    /// Whether the leads must have this mark.
    pub(super) fn asks(&self, mark: Mark) -> bool {
        self.is.contains(&mark)
    }
}

/// Returns the values that both lists have. `None`: neither list is given.
fn both<T: Clone + PartialEq>(one: Option<&Vec<T>>, other: Option<&Vec<T>>) -> Option<Vec<T>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.iter().filter(|item| other.contains(item)).cloned().collect()),
        (one, other) => one.or(other).cloned(),
    }
}

fn named(names: Vec<Option<String>>) -> Vec<String> {
    names.into_iter().map(Option::unwrap_or_default).collect()
}
