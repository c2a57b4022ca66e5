//! What the organisation has decided besides the model: exclusions, how sales is offered leads, and the reasons for
//! rejections and losses.
//!
//! A policy is a document in versions. The last version holds. Before the first version, the built-in policy holds,
//! version 0. A version never changes. No transaction that changes leads runs beside the transaction that puts a
//! version in force ([`models::begin_change`]). So every transaction decides by one policy, and none by a former
//! policy once its successor is there. If the exclusions differ, every lead's stage is looked at again afterwards, in
//! the order of ids.

pub mod api;
mod document;
mod exclusions;
mod framework;
mod store;

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

pub use document::{
    AcceptNeeds, AutoSql, Document, Exclusion, ExpiredTo, Label, LossReason, RejectReason, Terms, Then,
};
pub use framework::{Criterion, Framework};
pub use store::{Walk, next_walk, reconsider, reconsidered};

use crate::{http::problem::Problem, models, platform::core::Core};
use exclusions::Exclusions;

/// A version of the policy, ready to be applied.
#[derive(Debug, Default)]
pub struct Policy {
    /// The number of the version.
    pub version: i32,
    /// What it says.
    pub document: Document,
    /// When the version was put in force, and the name of the key that did so. `None` for the built-in
    /// policy.
    pub made: Option<(DateTime<Utc>, String)>,
    exclusions: Exclusions,
}

impl Policy {
    fn new(version: i32, document: Document, made: Option<(DateTime<Utc>, String)>) -> Policy {
        let exclusions = Exclusions::of(&document.exclusions);
        Policy { version, document, made, exclusions }
    }

    /// Whether the policy excludes anybody.
    pub fn excludes(&self) -> bool {
        !self.document.exclusions.is_empty()
    }

    /// Returns why the policy excludes a person with these addresses and attributes. `None`: the policy does
    /// not exclude the person.
    pub fn label<'a>(
        &self,
        emails: impl IntoIterator<Item = &'a str>,
        profile: &'a serde_json::Map<String, serde_json::Value>,
    ) -> Option<Label> {
        self.exclusions.label(emails, profile)
    }
}

/// A cache of the policy in force. Every transaction asks the database for the number of the policy in force,
/// and reads the policy only if the number has changed.
#[derive(Debug, Clone, Default)]
pub struct Policies(Arc<RwLock<Arc<Policy>>>);

impl Policies {
    /// Returns the policy in force, as this transaction sees it.
    pub async fn current(&self, conn: &mut PgConnection) -> sqlx::Result<Arc<Policy>> {
        let version = store::last_version(conn).await?;
        let known = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        if known.version == version {
            return Ok(known);
        }
        let policy = Arc::new(store::find(conn, version).await?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&policy);
        Ok(policy)
    }
}

/// Puts a document in force as a new version, if `expected` accepts the policy before. Waits for all
/// transactions that change leads.
pub(crate) async fn replace(
    core: &Core,
    policies: &Policies,
    document: Document,
    by: &str,
    expected: impl FnOnce(&Policy) -> Result<(), Problem>,
) -> Result<Arc<Policy>, Problem> {
    let mut tx = models::begin_change(&core.db).await?;
    let before = policies.current(&mut tx).await?;
    expected(&before)?;
    let now = core.clock.now();
    let same = before.document.exclusions == document.exclusions;
    let policy = Policy::new(before.version + 1, document, Some((now, by.to_owned())));
    store::insert(&mut tx, &policy, now, by, same).await?;
    tx.commit().await?;
    Ok(Arc::new(policy))
}
