//! Where a lead stands between marketing and sales.

use serde::{Deserialize, Serialize};

/// The stages, from stranger to customer and out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Stage {
    /// Nobody knows who it is.
    Anonymous,
    /// Known by a user id or an e-mail.
    Lead,
    /// Marketing-qualified: ripe for sales.
    Mql,
    /// Sales-qualified: accepted by sales.
    Sql,
    /// A deal is being made.
    Opportunity,
    /// Has bought.
    Customer,
    /// Sent back by sales, to ripen again.
    Recycled,
    /// Not one to sell to.
    Disqualified,
    /// The deal was lost.
    Lost,
}

impl Stage {
    /// The word for it, as stored.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether nobody is at work on the lead: what it did before it came here makes no MQL of it again.
    pub fn is_out(self) -> bool {
        matches!(self, Stage::Anonymous | Stage::Lead | Stage::Recycled | Stage::Disqualified | Stage::Lost)
    }

    /// How far a lead has come: of two leads that turn out to be one, the stage that is further holds.
    pub fn depth(self) -> u8 {
        match self {
            Stage::Anonymous => 0,
            Stage::Lead => 1,
            Stage::Recycled => 2,
            Stage::Mql => 3,
            Stage::Sql => 4,
            Stage::Opportunity => 5,
            Stage::Lost => 6,
            Stage::Disqualified => 7,
            Stage::Customer => 8,
        }
    }
}

/// What opened a passage into `mql`; of two leads that turn out to be one, the stronger reason holds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum MqlBy {
    /// A newly published model counts the same otherwise; sales is not offered it before the person does something.
    ModelChange,
    /// The score and its dimensions reached the model's thresholds.
    Threshold,
    /// A colleague vouches for it.
    Person,
    /// The person asked for sales.
    HandRaise,
}

impl MqlBy {
    /// The word for it, as stored.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether such an MQL stops being one when its score stays too low.
    pub fn leaves_by_score(self) -> bool {
        matches!(self, MqlBy::ModelChange | MqlBy::Threshold)
    }
}
