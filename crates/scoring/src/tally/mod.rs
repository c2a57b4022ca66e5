//! The tally: the bounded state to which events are added.
//!
//! A tally holds the instants of the newest matching occurrences for every rule on events, which attribute
//! rules hold, the adjustments, the newest reset, and a few instants that the lifecycle needs. A tally is a
//! function of the *set* of added events, so order and batching do not matter. The caller must add each event
//! only once, and must always pass the model with which the tally was made.
//!
//! A tally can be evaluated at every instant that is neither before its newest event nor before its newest
//! [`prune`](Tally::prune). For older instants, replay the log with [`crate::evaluate`]. An event may lie in
//! the future, for example if a sender's clock is fast. Such an event does not count yet, and
//! `next_change_at` is no later than the event.

mod codec;
mod occurrences;

use serde_json::{Map, Value};

use crate::adjustment::Adjustment;
use crate::breakdown::Breakdown;
use crate::event::{
    DO_NOT_CONTACT_REQUESTED, ENGAGEMENT_RESET, EventRef, SCORE_ADJUSTED, Verdict, is_activity,
    is_own_activity,
};
use crate::event_type;
use crate::model::{Dimension, Model, RuleKind};
use crate::points::Milli;
use crate::score::Score;
use crate::time::Instant;

pub use codec::{SEMANTICS, TallyError};
pub(crate) use occurrences::{Occurrence, Occurrences};

/// The bounded state from which a score is computed.
///
/// `L` is the label of an occurrence: `()` in a stored tally, the event's id in a tally that makes a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally<L = ()> {
    /// The fingerprint of the model with which the tally was made.
    fingerprint: u32,
    pub(crate) occurrences: Occurrences<L>,
    /// Whether each attribute rule holds, by the rule's index; false for rules of other kinds.
    pub(crate) holds: Vec<bool>,
    /// The adjustments, sorted by instant.
    pub(crate) adjustments: Vec<(Occurrence<L>, Adjustment)>,
    pub(crate) reset: Option<Instant>,
    pub(crate) last_activity: Option<Occurrence<L>>,
    last_human_activity: Option<Instant>,
    hand_raised_at: Option<Instant>,
    do_not_contact_at: Option<Instant>,
}

/// The points that one rule gives or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contribution<'a> {
    /// The dimension of the rule.
    pub dimension: Dimension,
    /// The name of the rule's group.
    pub group: &'a str,
    /// The name of the rule.
    pub rule: &'a str,
    /// The points in milli-points, within the rule's `min` and `max`.
    pub points: Milli,
}

impl<L: Copy + Ord> Tally<L> {
    fn empty(model: &Model) -> Self {
        Self {
            fingerprint: model.fingerprint(),
            occurrences: Occurrences::none(model.rule_count),
            holds: vec![false; model.rule_count],
            adjustments: Vec::new(),
            reset: None,
            last_activity: None,
            last_human_activity: None,
            hand_raised_at: None,
            do_not_contact_at: None,
        }
    }

    /// A tally without events whose occurrences will be labelled.
    pub(crate) fn labelled(model: &Model) -> Self {
        Self::empty(model)
    }

    /// Adds an event under a label.
    pub(crate) fn add_labelled(&mut self, model: &Model, event: EventRef<'_>, label: L) {
        if !event.counts() {
            return;
        }
        let occurrence = Occurrence { at: event.occurred_at, label };
        let form = event_type::form(event.kind);
        for listener in model.listeners.get(form.as_ref()).into_iter().flatten() {
            if listener.condition.as_ref().is_none_or(|condition| condition.holds(event.properties)) {
                self.occurrences.keep_newest(listener.rule, occurrence, listener.keep);
            }
        }
        match event.kind {
            ENGAGEMENT_RESET => self.reset = self.reset.max(Some(event.occurred_at)),
            DO_NOT_CONTACT_REQUESTED => {
                self.do_not_contact_at = self.do_not_contact_at.max(Some(event.occurred_at));
            }
            SCORE_ADJUSTED => {
                if let Ok(adjustment) = Adjustment::parse(event.properties) {
                    let entry = (occurrence, adjustment);
                    let place = self.adjustments.partition_point(|other| *other < entry);
                    self.adjustments.insert(place, entry);
                }
            }
            _ => {}
        }
        if is_activity(event.kind) {
            self.last_activity = self.last_activity.max(Some(occurrence));
        }
        if event.verdict == Verdict::Human && is_own_activity(event.kind) {
            self.last_human_activity = self.last_human_activity.max(Some(event.occurred_at));
        }
        if model.hand_raise.iter().any(|kind| *kind == form) {
            self.hand_raised_at = self.hand_raised_at.max(Some(event.occurred_at));
        }
    }

    /// Evaluates the attribute rules on the profile, and stores which of them hold.
    pub fn know(&mut self, model: &Model, profile: &Map<String, Value>) {
        for (_, _, rule) in model.rules() {
            if let RuleKind::Attribute { when } = &rule.kind
                && let Some(holds) = self.holds.get_mut(rule.index)
            {
                *holds = when.holds(profile);
            }
        }
    }

    /// The score at an instant.
    pub fn evaluate(&self, model: &Model, as_of: Instant) -> Score {
        Breakdown::of(model, self, as_of).score(model)
    }

    /// The points of each rule at an instant, within the rule's `min` and `max`. Rules with 0 points are left
    /// out.
    pub fn contributions<'a>(&self, model: &'a Model, as_of: Instant) -> Vec<Contribution<'a>> {
        let breakdown = Breakdown::of(model, self, as_of);
        let mut contributions = Vec::new();
        for (dimension, section) in Dimension::ALL.into_iter().zip(&breakdown.sections) {
            for (group, total) in model.section(dimension).groups.iter().zip(&section.groups) {
                let rules = group.rules.iter().zip(&total.rules);
                contributions.extend(rules.filter(|(_, rule)| rule.clamped != Milli::ZERO).map(
                    |(rule, total)| Contribution {
                        dimension,
                        group: &group.name,
                        rule: &rule.name,
                        points: total.clamped,
                    },
                ));
            }
        }
        contributions
    }

    /// The instant of the newest activity, also if its verdict is `suspect`.
    pub fn last_activity(&self) -> Option<Instant> {
        self.last_activity.map(|occurrence| occurrence.at)
    }

    /// The instant of the newest activity that the person did, with the verdict `human`.
    pub fn last_human_activity(&self) -> Option<Instant> {
        self.last_human_activity
    }

    /// The instant of the newest event of one of the model's hand-raise types.
    pub fn hand_raised_at(&self) -> Option<Instant> {
        self.hand_raised_at
    }

    /// When the person last asked not to be contacted.
    pub fn do_not_contact_at(&self) -> Option<Instant> {
        self.do_not_contact_at
    }

    /// Whether the person asked not to be contacted and has not raised a hand since.
    pub fn do_not_contact(&self) -> bool {
        self.do_not_contact_at.is_some_and(|asked| self.hand_raised_at.is_none_or(|raised| raised <= asked))
    }

    /// The first instant after `as_of` at which an event that was already added begins to count.
    pub(crate) fn next_ahead(&self, as_of: Instant) -> Option<Instant> {
        let occurrences = self.occurrences.iter().map(|occurrence| occurrence.at);
        let adjusted = self.adjustments.iter().map(|(occurrence, _)| occurrence.at);
        let others = self.reset.into_iter().chain(self.last_activity()).chain(adjusted);
        occurrences.chain(others).filter(|at| *at > as_of).min()
    }

    /// The newest reset, if it is not after `as_of`.
    pub(crate) fn reset_by(&self, as_of: Instant) -> Option<Instant> {
        self.reset.filter(|reset| *reset <= as_of)
    }
}

impl Tally {
    /// A tally without events.
    pub fn new(model: &Model) -> Self {
        Self::empty(model)
    }

    /// Adds an event that was not added before. The event's traits are ignored here: fold them into the
    /// profile, then call [`know`](Self::know).
    pub fn add(&mut self, model: &Model, event: EventRef<'_>) {
        self.add_labelled(model, event, ());
    }

    /// Drops everything that can no longer count at or after `as_of`. After this call, evaluate the tally
    /// only at `as_of` or later.
    pub fn prune(&mut self, model: &Model, as_of: Instant) {
        let reset = self.reset_by(as_of);
        for (_, _, rule) in model.rules() {
            let horizon = rule.horizon();
            self.occurrences.forget_while(rule.index, |occurrence| {
                reset.is_some_and(|reset| occurrence.at < reset)
                    || horizon.is_some_and(|horizon| as_of.since(occurrence.at) >= horizon)
            });
        }
        self.adjustments
            .retain(|(_, adjustment)| adjustment.expires_at.is_none_or(|expires_at| expires_at > as_of));
        self.join_lasting_adjustments(as_of);
    }

    /// Joins the adjustments that have begun and never expire into one, at the instant of the newest of them.
    fn join_lasting_adjustments(&mut self, as_of: Instant) {
        let lasts = |(occurrence, adjustment): &(Occurrence<()>, Adjustment)| {
            adjustment.expires_at.is_none() && occurrence.at <= as_of
        };
        let Some((newest, _)) = self.adjustments.iter().rev().find(|entry| lasts(entry)).copied() else {
            return;
        };
        let points = self.adjustments.iter().filter(|entry| lasts(entry)).map(|(_, a)| a.points).sum();
        self.adjustments.retain(|entry| !lasts(entry));
        let joined = (newest, Adjustment { points, expires_at: None });
        let place = self.adjustments.partition_point(|other| *other < joined);
        self.adjustments.insert(place, joined);
    }
}
