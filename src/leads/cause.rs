//! Why leads move, and the one table of moves.

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
    /// A user id or e-mail became known.
    Identified,
    /// Two leads turned out to be one, and the stage that was further on holds.
    Merge,
    /// They are two again, and each stands where it stood.
    Unmerge,
    /// Score, fit and engagement reached what the model asks.
    Threshold,
    /// The person asked for sales.
    HandRaise,
    /// The score stayed below what the model asks of one who stays.
    ScoreFell,
    /// A newly published model counts the same otherwise.
    ModelChange,
    /// A model was rolled back, and the lead stands again where that model found it.
    Rollback,
    /// The policy excludes whom it is.
    Excluded,
    /// The policy makes an SQL of whoever is as ripe as this without asking.
    Policy,
    /// Sales did not answer before the handoff expired.
    Expired,
    /// Sales took it.
    Accepted,
    /// Sales did not take it.
    Rejected,
    /// Sales sent it back to ripen.
    Recycled,
    /// What became of it was recorded.
    Outcome,
    /// What was recorded before was wrong.
    Correction,
    /// A person decided so.
    Person,
}

impl Cause {
    /// The word for it, as stored.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The table: whether a lead may pass from one stage to another for this reason. What is not here does not happen.
    pub fn allows(self, from: Stage, to: Stage) -> bool {
        use Stage::{Anonymous, Customer, Disqualified, Lead, Lost, Mql, Opportunity, Recycled, Sql};
        match self {
            Cause::Identified => matches!((from, to), (Anonymous, Lead)),
            Cause::Merge => to.depth() > from.depth(),
            Cause::Unmerge => from != to,
            Cause::Threshold => matches!((from, to), (Lead | Recycled, Mql)),
            // Who was lost and asks again of its own accord is not kept waiting.
            Cause::HandRaise => matches!((from, to), (Lead | Recycled | Lost, Mql)),
            Cause::ScoreFell | Cause::Excluded => matches!((from, to), (Mql, Lead)),
            Cause::ModelChange => matches!((from, to), (Lead | Recycled | Lost, Mql) | (Mql, Lead)),
            // The way back of every move that a model makes by itself.
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
