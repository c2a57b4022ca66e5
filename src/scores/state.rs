//! What a lead's standing is made from while it is brought up to date.

use chrono::{DateTime, Utc};
use scoring::{Score, Tally, profile::Fold};

use super::{Addition, Standing, store};
use crate::{
    clock::{to_instant, to_utc},
    leads::Lead,
    qualification::Frame,
};

/// A lead's tally and profile in the making, beside what is stored.
pub(super) struct State {
    pub(super) tally: Tally,
    pub(super) profile: Fold,
    pub(super) changed: Changed,
    /// The tally came from the log, which holds the additions already.
    pub(super) replayed: bool,
    pub(super) stored: Option<store::StateRow>,
}

/// What has changed, besides the score.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts")]
pub(super) struct Changed {
    /// A value of the profile: attribute rules must be asked again.
    pub(super) profile: bool,
    /// Something was said of the person, if only the same again later: the date counts when an older event comes late.
    pub(super) provenance: bool,
    /// An identity has joined.
    pub(super) name: bool,
    /// The stage.
    pub(super) stage: bool,
}

impl State {
    pub(super) fn add(&mut self, frame: Frame<'_>, addition: &Addition<'_>) {
        self.tally.add(&frame.live.model, addition.event);
        if let Some(traits) = addition.traits {
            self.changed.provenance = true;
            self.changed.profile |= self.profile.apply(traits, addition.event.occurred_at, addition.event.id);
        }
    }

    /// The score as of now, or as of the stored one if another machine's clock was ahead of ours.
    pub(super) fn evaluate(&mut self, frame: Frame<'_>) -> Score {
        let model = &frame.live.model;
        if self.changed.profile {
            self.tally.know(model, &self.profile.to_profile());
        }
        let as_of = to_instant(self.stored.as_ref().map_or(frame.now, |stored| stored.as_of.max(frame.now)));
        self.tally.prune(model, as_of);
        self.tally.evaluate(model, as_of)
    }

    pub(super) fn standing(
        &self,
        frame: Frame<'_>,
        lead: &Lead,
        score: &Score,
        dwell_ends_at: Option<DateTime<Utc>>,
    ) -> Standing {
        let published = i32::try_from(score.score).unwrap_or(i32::MAX);
        let next_change_at = score.next_change_at.map(to_utc);
        let same = |row: &&store::StateRow| {
            row.score == published
                && (row.raw, row.fit, row.engagement) == (score.raw.0, score.fit.0, score.engagement.0)
        };
        let Changed { profile, name, stage, .. } = self.changed;
        let unchanged = self.stored.as_ref().filter(same).filter(|_| !(profile || name || stage));
        Standing {
            lead_id: lead.id,
            stage: lead.stage,
            do_not_contact: self.tally.do_not_contact(),
            score: published,
            raw: score.raw.0,
            fit: score.fit.0,
            engagement: score.engagement.0,
            grade: score.grade.clone(),
            band: score.band.clone(),
            as_of: to_utc(score.as_of),
            next_change_at,
            due_at: [next_change_at, dwell_ends_at].into_iter().flatten().min(),
            last_activity_at: self.tally.last_human_activity().map(to_utc),
            updated_at: unchanged.map_or(frame.now, |row| row.updated_at),
            tally: self.tally.encode(),
        }
    }
}
