//! The causes of passages between stages, and the table of allowed passages.

use serde::Serialize;
use utoipa::ToSchema;

use super::Stage;

/// Why a lead passed from one stage to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Cause {
    /// A user id or an e-mail address of the lead became known.
    Identified,
    /// Two leads became one, and the lead took the stage that is further on.
    Merge,
    /// A merge was undone, and the lead returned to its earlier stage.
    Unmerge,
    /// Score, fit and engagement reached the model's thresholds.
    Threshold,
    /// The person asked for sales.
    HandRaise,
    /// The score stayed below the model's `leave` for the dwell.
    ScoreFell,
    /// A newly published model scores the same events differently.
    ModelChange,
    /// A model was rolled back, and the lead returned to the stage that it had before that model.
    Rollback,
    /// An exclusion of the policy matches the lead.
    Excluded,
    /// The policy makes such an MQL an SQL without asking sales.
    Policy,
    /// Sales did not answer before the handoff expired.
    Expired,
    /// Sales accepted the lead.
    Accepted,
    /// Sales rejected the lead.
    Rejected,
    /// Sales recycled the lead: sent it back to ripen.
    Recycled,
    /// An outcome was recorded: `opportunity`, `won` or `lost`.
    Outcome,
    /// A recorded outcome was wrong and was corrected.
    Correction,
    /// A person moved the lead by hand.
    Person,
}

impl Cause {
    /// The cause in `snake_case`, as it is stored.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The table of passages: whether a lead may pass from one stage to another for this cause. All other
    /// passages are refused.
    pub fn allows(self, from: Stage, to: Stage) -> bool {
        use Stage::{Anonymous, Customer, Disqualified, Lead, Lost, Mql, Opportunity, Recycled, Sql};
        match self {
            Cause::Identified => matches!((from, to), (Anonymous, Lead)),
            Cause::Merge => to.depth() > from.depth(),
            Cause::Unmerge => from != to,
            Cause::Threshold => matches!((from, to), (Lead | Recycled, Mql)),
            // A lost lead that asks for sales again becomes an MQL at once.
            Cause::HandRaise => matches!((from, to), (Lead | Recycled | Lost, Mql)),
            Cause::ScoreFell | Cause::Excluded => matches!((from, to), (Mql, Lead)),
            Cause::ModelChange => matches!((from, to), (Lead | Recycled | Lost, Mql) | (Mql, Lead)),
            // The reverse of every passage that a model causes.
            Cause::Rollback => {
                let decided = [Lead, Recycled, Lost, Mql, Sql];
                from != to && decided.contains(&from) && decided.contains(&to)
            }
            Cause::Policy | Cause::Accepted => matches!((from, to), (Mql, Sql)),
            Cause::Expired => matches!((from, to), (Mql, Lead | Recycled)),
            Cause::Rejected => matches!((from, to), (Mql, Lead | Recycled | Disqualified)),
            Cause::Recycled => matches!((from, to), (Mql | Sql | Opportunity, Recycled)),
            Cause::Outcome => matches!(
                (from, to),
                (Lead | Recycled | Mql | Sql | Lost, Opportunity | Customer)
                    | (Opportunity, Customer)
                    | (Sql | Opportunity, Lost)
            ),
            Cause::Correction => {
                let outcomes = [Opportunity, Customer, Lost];
                from != to && outcomes.contains(&from) && outcomes.contains(&to)
            }
            Cause::Person => matches!(
                (from, to),
                (Lead | Recycled, Mql)
                    | (Mql | Recycled | Disqualified, Lead)
                    | (Lead | Mql | Sql | Opportunity | Customer | Lost, Recycled)
                    | (Lead | Recycled | Mql | Sql | Opportunity | Lost, Disqualified)
            ),
        }
    }
}
