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
    /// Its number.
    pub version: i32,
    /// What it says.
    pub document: Document,
    /// When it was put in force, and by whom; none for the built-in one.
    pub made: Option<(DateTime<Utc>, String)>,
    exclusions: Exclusions,
}

impl Policy {
    fn new(version: i32, document: Document, made: Option<(DateTime<Utc>, String)>) -> Policy {
        let exclusions = Exclusions::of(&document.exclusions);
        Policy { version, document, made, exclusions }
    }

    /// Whether anybody is left out at all.
    pub fn excludes(&self) -> bool {
        !self.document.exclusions.is_empty()
    }

    /// Why a person with these addresses and attributes is left out, if so.
    pub fn label<'a>(
        &self,
        emails: impl IntoIterator<Item = &'a str>,
        profile: &'a serde_json::Map<String, serde_json::Value>,
    ) -> Option<Label> {
        self.exclusions.label(emails, profile)
    }
}

/// Remembers the policy in force; which one that is, is asked of the database in every transaction.
#[derive(Debug, Clone, Default)]
pub struct Policies(Arc<RwLock<Arc<Policy>>>);

impl Policies {
    /// The policy, as this transaction sees it.
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

/// Puts a document in force, if the policy before is as the caller expects it.
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
