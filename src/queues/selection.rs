//! Which leads: the filter of a queue, and whom a tier takes.

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

/// Which leads: everything that is written must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = QueueSelection)]
pub(super) struct Selection {
    /// At one of these stages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stage: Option<Vec<Stage>>,
    /// In one of these bands of the live model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) band: Option<Vec<String>>,
    /// Of one of these grades, such as `A1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grade: Option<Vec<String>>,
    /// With at least this score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_score: Option<i32>,
    /// Whose attribute `owner` is one of these; `null`: who has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<Vec<Option<String>>>,
    /// Whose attribute `territory` is one of these; `null`: who has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) territory: Option<Vec<Option<String>>>,
    /// Whose attributes meet this condition, written as in a scoring model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attributes: Option<Value>,
    /// Of whom all of this is true.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) is: Vec<Mark>,
    /// Who has been at its stage for longer than this, such as `3d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waiting_longer_than: Option<String>,
}

/// What may be true of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = QueueMark)]
pub(super) enum Mark {
    /// It asked for sales, and is an MQL by that.
    HandRaised,
    /// A rep promised to call again, and it is time.
    CallbackDue,
    /// No claim on it was ever completed.
    NeverContacted,
    /// Its attribute `owner` is the rep who asks, or it has none.
    OwnedByRep,
}

/// A selection, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct Picker {
    pub(super) said: Selection,
    pub(super) attributes: Option<Condition>,
    waiting: Option<TimeDelta>,
}

impl Selection {
    /// Whether it takes everybody.
    pub(super) fn is_empty(&self) -> bool {
        *self == Selection::default()
    }

    /// The keys of which this selection and another name different values, and none that is the same.
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
    /// Whether it takes this lead.
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

/// What a database can narrow a walk to: what two selections both ask for.
#[derive(Debug)]
pub(super) struct Narrowed {
    pub(super) stages: Option<Vec<&'static str>>,
    pub(super) bands: Option<Vec<String>>,
    pub(super) grades: Option<Vec<String>>,
    pub(super) min_score: Option<i32>,
    /// The empty name stands for nobody.
    pub(super) owners: Option<Vec<String>>,
    pub(super) territories: Option<Vec<String>>,
    pub(super) is: Vec<Mark>,
    /// Whether attributes are asked for that only the profile has.
    pub(super) attributes: bool,
}

impl Narrowed {
    /// What the filter, a tier, and the rep who asks, narrow a walk to.
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
    /// Whether this must be true of a lead.
    pub(super) fn asks(&self, mark: Mark) -> bool {
        self.is.contains(&mark)
    }
}

fn both<T: Clone + PartialEq>(one: Option<&Vec<T>>, other: Option<&Vec<T>>) -> Option<Vec<T>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.iter().filter(|item| other.contains(item)).cloned().collect()),
        (one, other) => one.or(other).cloned(),
    }
}

fn named(names: Vec<Option<String>>) -> Vec<String> {
    names.into_iter().map(Option::unwrap_or_default).collect()
}
