//! Passages: how a lead moves from one stage to another.

use chrono::{DateTime, Utc};

use super::{Cause, Lead, MqlBy, Stage};

/// The stage to which a lead moves, with the values that belong to that stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The lead is known, but not an MQL.
    Lead,
    /// An MQL, for this reason.
    Mql(MqlBy),
    /// An SQL: accepted by sales.
    Sql,
    /// A deal is being made.
    Opportunity,
    /// Has bought.
    Customer,
    /// Sent back to ripen. The lead becomes no MQL before this instant, if one is given.
    Recycled(Option<DateTime<Utc>>),
    /// Disqualified: sales will not sell to this lead.
    Disqualified,
    /// The deal was lost.
    Lost,
}

impl Target {
    /// The stage.
    pub fn stage(self) -> Stage {
        match self {
            Target::Lead => Stage::Lead,
            Target::Mql(_) => Stage::Mql,
            Target::Sql => Stage::Sql,
            Target::Opportunity => Stage::Opportunity,
            Target::Customer => Stage::Customer,
            Target::Recycled(_) => Stage::Recycled,
            Target::Disqualified => Stage::Disqualified,
            Target::Lost => Stage::Lost,
        }
    }
}

/// Why and when a lead moves, and who decided that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The cause.
    pub cause: Cause,
    /// The instant of the passage.
    pub at: DateTime<Utc>,
    /// The person who decided; `None` if a rule decided.
    pub actor: Option<String>,
    /// The reason that the person gave, as a code or in words.
    pub reason: Option<String>,
}

impl Why {
    /// A passage that a rule decided.
    pub fn rule(cause: Cause, at: DateTime<Utc>) -> Why {
        Why { cause, at, actor: None, reason: None }
    }

    /// A passage that a person decided.
    pub fn said(cause: Cause, at: DateTime<Utc>, actor: &str, reason: Option<&str>) -> Why {
        Why { cause, at, actor: Some(actor.to_owned()), reason: reason.map(str::to_owned) }
    }
}

/// A move that a lead has made in this transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// The stage left.
    pub from: Stage,
    /// The stage entered.
    pub to: Stage,
    /// How often the lead had become an MQL, this passage included.
    pub cycle: i32,
    /// Why and when the lead moved, and who decided that.
    pub why: Why,
}

/// The passage is refused, because [`Cause::allows`] does not allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a lead cannot move from {} to {} with the cause {}", .from.as_str(), .to.as_str(), .cause.as_str())]
pub struct NotAllowed {
    /// The lead's stage.
    pub from: Stage,
    /// The stage to which the lead should move.
    pub to: Stage,
    /// The cause.
    pub cause: Cause,
}

impl Lead {
    /// Moves the lead to another stage.
    ///
    /// # Errors
    /// [`NotAllowed`] if [`Cause::allows`] does not allow the passage. The lead does not change then.
    pub fn pass(&mut self, target: Target, why: Why) -> Result<(), NotAllowed> {
        let (from, to, at) = (self.stage, target.stage(), why.at);
        if !why.cause.allows(from, to) {
            return Err(NotAllowed { from, to, cause: why.cause });
        }
        self.stage = to;
        (self.mql_by, self.below_since, self.below_by_model) = (None, None, false);
        (self.recycled_at, self.recycled_until) = (None, None);
        match target {
            Target::Mql(by) => {
                self.mql_by = Some(by);
                self.cycle += 1;
            }
            Target::Recycled(until) => (self.recycled_at, self.recycled_until) = (Some(at), until),
            _ => {}
        }
        if to == Stage::Recycled || (!from.is_out() && to.is_out()) {
            self.last_exit_at = self.last_exit_at.max(Some(at));
        }
        self.passed.push(Passed { from, to, cycle: self.cycle, why });
        Ok(())
    }

    /// Moves an anonymous lead to the stage `lead`, because the person is now known.
    pub(crate) fn identify(&mut self, at: DateTime<Utc>) {
        if self.stage == Stage::Anonymous {
            let passed = self.pass(Target::Lead, Why::rule(Cause::Identified, at));
            debug_assert!(passed.is_ok(), "{passed:?}");
        }
    }

    /// Takes over the state of another lead that was joined into this one. Of the two leads, the stage that
    /// is further on holds, and the stronger reason and the longer wait.
    pub(crate) fn take_over(&mut self, gone: &Lead, why: &Why) {
        if gone.stage != Stage::Anonymous {
            self.identify(why.at);
        }
        self.cycle = self.cycle.max(gone.cycle);
        self.last_exit_at = self.last_exit_at.max(gone.last_exit_at);
        self.withheld_at = self.withheld_at.max(gone.withheld_at);
        let (from, to) = (self.stage, gone.stage);
        if Cause::Merge.allows(from, to) {
            self.stage = to;
            (self.mql_by, self.below_since) = (gone.mql_by, gone.below_since);
            self.below_by_model = gone.below_by_model;
            (self.recycled_at, self.recycled_until) = (gone.recycled_at, gone.recycled_until);
            self.passed.push(Passed { from, to, cycle: self.cycle, why: why.clone() });
        } else if from == to {
            self.recycled_at = self.recycled_at.max(gone.recycled_at);
            self.recycled_until = self.recycled_until.max(gone.recycled_until);
            if gone.mql_by > self.mql_by {
                self.mql_by = gone.mql_by;
                if !gone.mql_by.is_some_and(MqlBy::leaves_by_score) {
                    (self.below_since, self.below_by_model) = (None, false);
                }
            }
        }
    }

    /// Restores the row as it was before another lead was merged into this one.
    pub(crate) fn give_back(&mut self, before: &Lead, why: &Why) {
        let (from, to) = (self.stage, before.stage);
        let Lead { id, epoch, merged_into, merged_at, .. } = *self;
        let passed = std::mem::take(&mut self.passed);
        *self = Lead { id, epoch, merged_into, merged_at, passed, ..before.clone() };
        if from != to {
            self.passed.push(Passed { from, to, cycle: self.cycle, why: why.clone() });
        }
    }

    /// Whether the lead has the same stage, cycle, reason, last exit and waits as another row.
    pub(crate) fn stands_as(&self, other: &Lead) -> bool {
        let state = |lead: &Lead| {
            let Lead { stage, cycle, mql_by, last_exit_at, recycled_at, recycled_until, .. } = *lead;
            (stage, cycle, mql_by, last_exit_at, recycled_at, recycled_until)
        };
        state(self) == state(other)
    }

    /// Restores the row as it was before a model moved the lead. `withheld_at` stays, so a request not to be
    /// contacted is not lost.
    pub(crate) fn put_back(&mut self, stood: &Lead, why: &Why) {
        let withheld_at = self.withheld_at;
        self.give_back(&Lead { withheld_at, ..stood.clone() }, why);
    }

    /// Takes the passages that were made since the last call.
    pub fn take_passed(&mut self) -> Vec<Passed> {
        std::mem::take(&mut self.passed)
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    /// The table of passages, written a second time: cause, from, to.
    const EXPECTED: &str = "
        identified: anonymous > lead
        threshold: lead recycled > mql
        hand_raise: lead recycled lost > mql
        score_fell: mql > lead
        model_change: lead recycled lost > mql
        model_change: mql > lead
        rollback: lead > recycled lost mql sql
        rollback: recycled > lead lost mql sql
        rollback: lost > lead recycled mql sql
        rollback: mql > lead recycled lost sql
        rollback: sql > lead recycled lost mql
        excluded: mql > lead
        policy: mql > sql
        expired: mql > lead recycled
        accepted: mql > sql
        rejected: mql > lead recycled disqualified
        recycled: mql sql opportunity > recycled
        outcome: lead recycled mql sql lost > opportunity customer
        outcome: opportunity > customer
        outcome: sql opportunity > lost
        correction: opportunity > customer lost
        correction: customer > opportunity lost
        correction: lost > opportunity customer
        person: lead recycled > mql
        person: mql recycled disqualified > lead
        person: lead mql sql opportunity customer lost > recycled
        person: lead recycled mql sql opportunity lost > disqualified
        merge: anonymous > lead recycled mql sql opportunity lost disqualified customer
        merge: lead > recycled mql sql opportunity lost disqualified customer
        merge: recycled > mql sql opportunity lost disqualified customer
        merge: mql > sql opportunity lost disqualified customer
        merge: sql > opportunity lost disqualified customer
        merge: opportunity > lost disqualified customer
        merge: lost > disqualified customer
        merge: disqualified > customer
        unmerge: anonymous > lead mql sql opportunity customer recycled disqualified lost
        unmerge: lead > anonymous mql sql opportunity customer recycled disqualified lost
        unmerge: mql > anonymous lead sql opportunity customer recycled disqualified lost
        unmerge: sql > anonymous lead mql opportunity customer recycled disqualified lost
        unmerge: opportunity > anonymous lead mql sql customer recycled disqualified lost
        unmerge: customer > anonymous lead mql sql opportunity recycled disqualified lost
        unmerge: recycled > anonymous lead mql sql opportunity customer disqualified lost
        unmerge: disqualified > anonymous lead mql sql opportunity customer recycled lost
        unmerge: lost > anonymous lead mql sql opportunity customer recycled disqualified
    ";

    fn expected(cause: Cause, from: Stage, to: Stage) -> bool {
        let says = |line: &str| -> Option<bool> {
            let (named, moves) = line.trim().split_once(": ")?;
            let (sources, targets) = moves.split_once(" > ")?;
            let holds = |list: &str, stage: Stage| list.split(' ').any(|word| word == stage.as_str());
            Some(named == cause.as_str() && holds(sources, from) && holds(targets, to))
        };
        EXPECTED.lines().filter_map(says).any(|says| says)
    }

    fn target(stage: Stage) -> Option<Target> {
        Some(match stage {
            Stage::Anonymous => return None,
            Stage::Lead => Target::Lead,
            Stage::Mql => Target::Mql(MqlBy::Threshold),
            Stage::Sql => Target::Sql,
            Stage::Opportunity => Target::Opportunity,
            Stage::Customer => Target::Customer,
            Stage::Recycled => Target::Recycled(None),
            Stage::Disqualified => Target::Disqualified,
            Stage::Lost => Target::Lost,
        })
    }

    fn lead_at(stage: Stage) -> Lead {
        let mut lead = Lead::new(crate::platform::ids::LeadId(uuid::Uuid::nil()), true).supposed_at(stage);
        lead.cycle = 1;
        lead.mql_by = (stage == Stage::Mql).then_some(MqlBy::Threshold);
        lead.recycled_at = (stage == Stage::Recycled).then_some(DateTime::UNIX_EPOCH);
        lead
    }

    fn day(n: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::days(n)
    }

    #[test]
    fn of_all_moves_for_all_reasons_exactly_those_of_the_table_are_made() {
        for cause in Cause::iter() {
            for from in Stage::iter() {
                for to in Stage::iter() {
                    let allowed = expected(cause, from, to);
                    assert_eq!(cause.allows(from, to), allowed, "{from:?} {to:?} {cause:?}");
                    let Some(target) = target(to) else { continue };
                    let (before, mut lead) = (lead_at(from), lead_at(from));

                    let passed = lead.pass(target, Why::rule(cause, day(2)));

                    assert_eq!(passed.is_ok(), allowed);
                    if !allowed {
                        assert_eq!(lead, before, "a move that is refused changes nothing");
                        continue;
                    }
                    assert_eq!((lead.stage(), lead.cycle), (to, 1 + i32::from(to == Stage::Mql)));
                    assert_eq!(lead.mql_by.is_some(), to == Stage::Mql);
                    assert_eq!(lead.recycled_at.is_some(), to == Stage::Recycled);
                    let exits = to == Stage::Recycled || (!from.is_out() && to.is_out());
                    assert_eq!(lead.last_exit_at.is_some(), exits, "{from:?} {to:?}");
                    assert_eq!(lead.take_passed().len(), 1);
                }
            }
        }
    }

    #[test]
    fn whoever_joins_brings_only_what_is_further_on_and_the_cycle_never_falls() {
        for from in Stage::iter() {
            for other in Stage::iter() {
                let (mut heir, mut gone) = (lead_at(from), lead_at(other));
                gone.cycle = 7;

                heir.take_over(&gone, &Why::rule(Cause::Merge, day(1)));

                let further = if other.depth() > from.depth() { other } else { from };
                assert_eq!((heir.stage(), heir.cycle), (further, 7));
                assert_eq!(heir.mql_by.is_some(), further == Stage::Mql);
                assert_eq!(heir.recycled_at.is_some(), further == Stage::Recycled);
                for passed in heir.take_passed() {
                    assert!(passed.why.cause.allows(passed.from, passed.to), "{passed:?}");
                }
            }
        }
    }

    #[test]
    fn whoever_is_another_again_leaves_everything_as_it_was() {
        for from in Stage::iter() {
            for other in Stage::iter() {
                let (mut heir, mut gone) = (lead_at(from), lead_at(other));
                (gone.cycle, gone.last_exit_at) = (7, Some(day(3)));
                let before = heir.clone();
                heir.take_over(&gone, &Why::rule(Cause::Merge, day(1)));
                heir.take_passed();

                heir.give_back(&before, &Why::rule(Cause::Unmerge, day(2)));

                for passed in heir.take_passed() {
                    assert!(passed.why.cause.allows(passed.from, passed.to), "{passed:?}");
                }
                assert_eq!(heir, before);
            }
        }
    }

    #[test]
    fn of_two_waits_the_longer_holds() {
        let waiting = |at, until| {
            let mut lead = lead_at(Stage::Recycled);
            (lead.recycled_at, lead.recycled_until) = (Some(day(at)), until);
            lead
        };
        let mut heir = waiting(3, Some(day(5)));

        heir.take_over(&waiting(4, None), &Why::rule(Cause::Merge, day(4)));

        assert_eq!((heir.recycled_at, heir.recycled_until), (Some(day(4)), Some(day(5))));
    }
}
