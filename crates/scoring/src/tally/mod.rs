//! The tally: the bounded state that events are added to.
//!
//! A tally holds, for every rule on events, the instants of its newest matching occurrences; which attribute
//! rules hold; adjustments; the newest reset; and a few newest instants that the lifecycle asks for. All of it is
//! a function of the *set* of events added, so that order and batching cannot matter. What the caller owes it:
//! each event is added once, and the model is the one that it was made with.
//!
//! A tally answers for every instant that is neither before its newest event nor before its newest
//! [`prune`](Tally::prune). For older instants one replays the log: [`crate::evaluate`]. An event that lies ahead
//! (a clock that is fast) is waited for: it does not count yet, and `next_change_at` is no later than it.

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
/// `L` labels occurrences: nothing in a tally that is stored, the event's id in one that makes a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally<L = ()> {
    /// Of the model that it was made with.
    fingerprint: u32,
    pub(crate) occurrences: Occurrences<L>,
    /// By the rule's index: whether an attribute rule holds.
    pub(crate) holds: Vec<bool>,
    /// In order.
    pub(crate) adjustments: Vec<(Occurrence<L>, Adjustment)>,
    pub(crate) reset: Option<Instant>,
    pub(crate) last_activity: Option<Occurrence<L>>,
    last_human_activity: Option<Instant>,
    hand_raised_at: Option<Instant>,
    do_not_contact_at: Option<Instant>,
}

/// What one rule gives or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contribution<'a> {
    /// The dimension that the rule stands in.
    pub dimension: Dimension,
    /// The name of its group.
    pub group: &'a str,
    /// Its own name.
    pub rule: &'a str,
    /// In milli-points, within the rule's own bounds.
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

    /// Asks the attribute rules about the profile, and remembers their answers.
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

    /// What each rule gives or takes at an instant, within its own bounds; those that do nothing are left out.
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

    /// The newest activity of any kind, suspect ones too.
    pub fn last_activity(&self) -> Option<Instant> {
        self.last_activity.map(|occurrence| occurrence.at)
    }

    /// The newest activity that a person is thought to have done itself.
    pub fn last_human_activity(&self) -> Option<Instant> {
        self.last_human_activity
    }

    /// The newest event of one of the model's hand-raise types.
    pub fn hand_raised_at(&self) -> Option<Instant> {
        self.hand_raised_at
    }

    /// When the person last asked not to be contacted.
    pub fn do_not_contact_at(&self) -> Option<Instant> {
        self.do_not_contact_at
    }

    /// Whether the person is not to be contacted: it asked so, and has not raised its hand since.
    pub fn do_not_contact(&self) -> bool {
        self.do_not_contact_at.is_some_and(|asked| self.hand_raised_at.is_none_or(|raised| raised <= asked))
    }

    /// The first instant after `as_of` at which something that was added begins to count.
    pub(crate) fn next_ahead(&self, as_of: Instant) -> Option<Instant> {
        let occurrences = self.occurrences.iter().map(|occurrence| occurrence.at);
        let adjusted = self.adjustments.iter().map(|(occurrence, _)| occurrence.at);
        let others = self.reset.into_iter().chain(self.last_activity()).chain(adjusted);
        occurrences.chain(others).filter(|at| *at > as_of).min()
    }

    /// The reset that holds at an instant.
    pub(crate) fn reset_by(&self, as_of: Instant) -> Option<Instant> {
        self.reset.filter(|reset| *reset <= as_of)
    }
}

impl Tally {
    /// A tally without events.
    pub fn new(model: &Model) -> Self {
        Self::empty(model)
    }

    /// Adds an event, which must not have been added before. What the event says of the profile is not the
    /// tally's business: fold it, then [`know`](Self::know).
    pub fn add(&mut self, model: &Model, event: EventRef<'_>) {
        self.add_labelled(model, event, ());
    }

    /// Drops what can never count again at or after `as_of`, which no later evaluation may precede.
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

    /// Adjustments that never expire are one sum from the newest of them on.
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
