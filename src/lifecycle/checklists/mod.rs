//! What sales has found out about a lead, criterion by criterion, and which gate keeps the lead from being an MQL.
//!
//! A *framework* is a list of four criteria with the questions that lead to an answer. An *answer* is `unknown`,
//! `no`, `partial` or `yes`, with its evidence. The service keeps who answered and when. A criterion is *answered* if
//! its answer is not `unknown`: that money is lacking is an answer. A lead may have answers by several frameworks.

pub mod api;
mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::{
    lifecycle::policy::{Criterion, Framework},
    platform::ids::LeadId,
};

/// Whether a criterion holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = CriterionAnswer)]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Answer {
    /// Nobody has found out whether the criterion holds.
    #[default]
    Unknown,
    /// The criterion does not hold.
    No,
    /// The criterion holds in part.
    Partial,
    /// The criterion holds.
    Yes,
}

impl Answer {
    /// The name of the answer, as stored and as in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The stored answer to one criterion, with its author and date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    pub(crate) evidence: Option<String>,
    pub(crate) by: String,
    pub(crate) at: DateTime<Utc>,
}

impl Answered {
    /// Whether the answer is worth a row: it is not `unknown`, or it has evidence.
    fn says_something(&self) -> bool {
        self.answer != Answer::Unknown || self.evidence.is_some()
    }
}

/// A lead's answers, by framework and criterion.
pub(crate) type Answers = BTreeMap<(Framework, String), Answered>;

/// Returns the criteria of a framework that are not answered for a lead, in the order of the framework.
pub(crate) async fn unanswered(
    conn: &mut PgConnection,
    lead: LeadId,
    framework: Framework,
) -> sqlx::Result<Vec<&'static Criterion>> {
    let answers = store::answers_of(conn, lead).await?;
    let open = |criterion: &&Criterion| {
        let found = answers.get(&(framework, criterion.criterion.to_owned()));
        found.is_none_or(|found| found.answer == Answer::Unknown)
    };
    Ok(framework.criteria().iter().filter(open).collect())
}
