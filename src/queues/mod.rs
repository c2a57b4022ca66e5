//! Queues: who is called next, in an order that anybody can check, and which rep calls.
//!
//! A *queue* is a document: a filter, and *tiers* that are tried in order. Each tier has an order of its own in which
//! no two leads share a place. Reps do not pick: a rep asks for the next lead and gets a *claim* on the best free
//! lead ([`claims`]). The ranking and the handing out use the same walk through a queue, so the ranking shows what is
//! handed out.
//!
//! Two kinds of leads are in no queue, whatever its document says: leads that asked not to be contacted, and leads
//! that are MQLs only because of a new model. Four kinds are shown with the reason but not handed out: leads that a
//! rep holds, that rest after a call, that were skipped, and that are outside their hours.
//!
//! Every installation begins with one queue, `sales`.

pub mod api;
mod candidate;
pub mod claims;
mod document;
mod hours;
mod order;
mod reasons;
mod selection;
mod store;
mod walk;

use std::{ops::Deref, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use tokio::sync::Semaphore;

use document::{Document, Queue};
use store::QueueRow;
use walk::{Position, Ranked, Walk};

use crate::{
    http::problem::Problem,
    models::Models,
    platform::{core::Core, db::damaged},
};

/// What the calls of queues work with: the models, and the limit on requests for the next lead. Cheap to
/// clone.
#[derive(Debug, Clone)]
pub struct Queues {
    /// The core, and the models under which leads are scored.
    pub models: Models,
    /// Limits how many requests for the next lead run at once. The other requests wait here without a
    /// connection, so that many such requests leave connections for other calls.
    pub handing_out: Arc<Semaphore>,
}

impl Deref for Queues {
    type Target = Models;

    fn deref(&self) -> &Models {
        &self.models
    }
}

/// The name of the queue that every installation begins with.
pub const SALES: &str = "sales";

/// How many leads one page of a ranking looks at, at most. After that many, the page ends, and the next page
/// goes on from there.
const LOOKED_AT: usize = 20_000;

/// Whether a text can be the name of a queue: 1 to 63 of `a-z0-9_-`, the first a letter or digit.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 63 && name.starts_with(plain) && name.chars().all(|c| plain(c) || c == '_' || c == '-')
}

/// Reads the queue of this name, if there is one.
async fn find(conn: &mut PgConnection, name: &str) -> sqlx::Result<Option<QueueRow>> {
    if is_name(name) { store::find(conn, name).await } else { Ok(None) }
}

/// Why a queue's stored document cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreadable(String);

impl From<Unreadable> for sqlx::Error {
    fn from(why: Unreadable) -> sqlx::Error {
        damaged(format!("a queue's document: {why}"))
    }
}

impl QueueRow {
    /// Parses the stored document, and makes the queue of it.
    fn ready(&self) -> Result<(Document, Queue), Unreadable> {
        let document: Document =
            serde_json::from_value(self.document.clone()).map_err(|error| Unreadable(error.to_string()))?;
        document.ready_as_stored(&self.name, self.updated_at).map_err(|faults| {
            let said: Vec<String> =
                faults.iter().map(|one| format!("{}: {}", one.pointer, one.message)).collect();
            Unreadable(said.join("; "))
        })
    }
}

/// Stores a queue's document, if `expected` accepts the queue before. Returns the queue, and whether it is
/// new.
async fn replace(
    queues: &Queues,
    name: &str,
    document: &Value,
    expected: impl FnOnce(Option<&QueueRow>) -> Result<(), Problem>,
) -> Result<(QueueRow, bool), Problem> {
    let mut tx = queues.db.begin().await?;
    let before = store::lock(&mut tx, name).await?;
    expected(before.as_ref())?;
    let now = store::now(&mut tx, queues.clock.stands_at()).await?;
    let row = store::upsert(&mut tx, name, document, now).await?;
    tx.commit().await?;
    Ok((row, before.is_none()))
}

/// Deletes a queue, if `expected` accepts it as it is. Its claims stay until they end or expire.
async fn remove(
    queues: &Queues,
    name: &str,
    expected: impl FnOnce(&QueueRow) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let no_such = || Problem::not_found("queue");
    if !is_name(name) {
        return Err(no_such());
    }
    let mut tx = queues.db.begin().await?;
    expected(&store::lock(&mut tx, name).await?.ok_or_else(no_such)?)?;
    store::delete(&mut tx, name).await?;
    tx.commit().await?;
    Ok(())
}

/// Reads one page of a ranking. Returns its leads, and the place from which the next page goes on. `None`:
/// there is no next page.
async fn page(
    conn: &mut PgConnection,
    asked: walk::Asked<'_>,
    from: Option<Position>,
    limit: u16,
) -> sqlx::Result<(Vec<Ranked>, Option<Position>)> {
    let limit = usize::from(limit);
    let mut walk = Walk::new(asked, from, Some(limit as i64 + 1));
    let mut rows: Vec<Ranked> = Vec::new();
    while rows.len() <= limit {
        if walk.seen >= LOOKED_AT {
            return Ok((rows, Some(walk.position)));
        }
        match walk.more(conn).await? {
            Some(more) => rows.extend(more),
            None => return Ok((rows, None)),
        }
    }
    rows.truncate(limit);
    let next = rows.last().map(|last| last.position);
    Ok((rows, next))
}

/// The time that all instances agree on: the database's time, or the standing clock of a test.
async fn now(core: &Core, conn: &mut PgConnection) -> sqlx::Result<DateTime<Utc>> {
    store::now(conn, core.clock.stands_at()).await
}
