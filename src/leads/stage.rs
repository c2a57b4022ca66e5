//! The stages of a lead between marketing and sales.

use serde::{Deserialize, Serialize};

/// The stage of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[derive(strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Stage {
    /// Nobody knows who the person is.
    Anonymous,
    /// The person is known by a user id or an e-mail address.
    Lead,
    /// Marketing qualified lead: ripe to be called by sales.
    Mql,
    /// Sales qualified lead: accepted by sales.
    Sql,
    /// A deal is being made.
    Opportunity,
    /// The person or company has bought.
    Customer,
    /// Sent back by sales, to ripen again.
    Recycled,
    /// Sales will not sell to this lead.
    Disqualified,
    /// The deal was lost.
    Lost,
}

impl Stage {
    /// The stage in `snake_case`, as it is stored.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the stage is none of `mql`, `sql`, `opportunity` and `customer`. What a lead did before it
    /// came to such a stage cannot make it an MQL again.
    pub fn is_out(self) -> bool {
        matches!(self, Stage::Anonymous | Stage::Lead | Stage::Recycled | Stage::Disqualified | Stage::Lost)
    }

    /// How far on a stage is, from 0. When two leads become one, the stage with the greater depth holds.
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

/// What made a lead an MQL, the weakest reason first. When two leads become one, the stronger reason holds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum MqlBy {
    /// A newly published model scores the same events differently. The lead is not offered to sales before
    /// the person does something.
    ModelChange,
    /// The score and its dimensions reached the model's thresholds.
    Threshold,
    /// A person made the lead an MQL by hand.
    Person,
    /// A hand-raise: the person asked for sales.
    HandRaise,
}

impl MqlBy {
    /// The reason in `snake_case`, as it is stored.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether such an MQL stops being an MQL when its score stays below `leave`.
    pub fn leaves_by_score(self) -> bool {
        matches!(self, MqlBy::ModelChange | MqlBy::Threshold)
    }
}
