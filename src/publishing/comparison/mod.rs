//! Two scoring models side by side, on the leads that there are.
//!
//! *Preview*: what publishing a version would change. *Comparison*: how two versions order the same leads, and which
//! version placed the winners higher. Both only read. They answer for one instant and from one snapshot of the
//! database. Each lead is scored under both models from the same log, by the functions that score leads in operation.
//! [`crate::lifecycle::stages`] decides about each lead as in operation.
//!
//! *Sample*: at most [`MOST_REPLAYED`] leads are replayed, so the snapshot lasts seconds, and memory is bounded. If
//! there are more leads, the sample takes those whose id, hashed with a seed, comes first. These are the same leads
//! every time, even when more leads are added, so two drafts are tried on the same leads. Every count of a sample has
//! an interval.

pub mod api;
mod changes;
mod outcomes;
mod replay;
mod sides;
mod statistics;
mod store;
mod why;

use std::{collections::HashMap, sync::Arc};

use scoring::Instant;
use serde::Serialize;
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use utoipa::ToSchema;

use self::{
    changes::Changes,
    sides::{Comparison, Source},
    statistics::{Estimate, Sample},
    store::{Names, SampledLead},
    why::LineChange,
};
use crate::{
    http::aside::apart,
    lifecycle::Lifecycle,
    models::{self, Version},
    platform::{
        clock::to_instant,
        ids::{LeadId, ModelId},
    },
    publishing::Publishing,
};

/// How many leads are replayed at most.
const MOST_REPLAYED: u32 = 20_000;
/// How many leads are read at most if scores under both models are stored.
const MOST_STORED: u32 = 100_000;

/// Why a preview or a comparison fails.
#[derive(Debug, thiserror::Error)]
enum CompareError {
    #[error("no such version of a model")]
    UnknownVersion,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The leads from which an answer is made.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
struct Basis {
    /// Whether the answer is made from a sample. Then every count is an estimate with a 95 % interval.
    sampled: bool,
    /// How many leads were scored for the answer.
    sample_size: u64,
    /// How many leads there are.
    population: u64,
    /// The seed of the sample. The same seed takes the same leads.
    seed: i64,
}

impl Basis {
    /// Estimates a count among all leads from the count in the sample.
    fn estimate(&self, seen: u64) -> Estimate {
        Sample { size: self.sample_size, population: self.population }.estimate(seen)
    }
}

/// A version with its name and number.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct VersionName {
    /// The id of the version.
    id: ModelId,
    /// The model's name.
    name: String,
    /// The number of the version among the versions of this name.
    version: i32,
}

/// The two versions that are compared. The first is the live version, unless the caller names another.
struct Pair {
    versions: [Arc<Version>; 2],
    names: [VersionName; 2],
}

/// How to draw a sample. `most` is how many leads to take. `None`: as many as the limit allows.
#[derive(Debug, Clone, Copy, Default)]
struct Draw {
    most: Option<u32>,
    seed: i64,
}

/// The result of a preview.
struct Previewed {
    as_of: Instant,
    pair: Pair,
    basis: Basis,
    changes: Changes,
    /// The user id and e-mail address of each lead that is named.
    names: HashMap<LeadId, Names>,
    /// The changed lines of the receipt of each lead in `changes.movers`, in the same order.
    why: Vec<Vec<LineChange>>,
}

/// Computes what publishing a version would change, from one snapshot of the database. Writes nothing.
async fn preview(publishing: &Publishing, id: ModelId, draw: Draw) -> Result<Previewed, CompareError> {
    let _turn = publishing.comparing.acquire().await;
    let mut conn = publishing.db.acquire().await?;
    let mut tx = snapshot(&mut conn).await?;
    let pair = pair(publishing, &mut tx, None, id).await?;
    let as_of = to_instant(publishing.clock.now());
    let (leads, basis) = draw.leads(&mut tx, MOST_REPLAYED).await?;
    let replayed = replay::under_both(&mut tx, leads, &pair.versions, as_of).await?;
    let changes = apart(|| {
        let changes = Changes::of(&replayed, &pair.versions, as_of);
        drop(replayed);
        changes
    });
    let names = store::names_of(&mut tx, &changes.named()).await?;
    let movers = changes.movers.most.iter().map(|moved| moved.id).collect();
    let why = why::explain(&mut tx, movers, &pair.versions, as_of).await?;
    tx.rollback().await?;
    Ok(Previewed { as_of, pair, basis, changes, names, why })
}

/// Compares two versions, from one snapshot of the database. If `a` is `None`, the first is the live version.
async fn compare(
    publishing: &Publishing,
    a: Option<ModelId>,
    b: ModelId,
    draw: Draw,
) -> Result<Comparison, CompareError> {
    let _turn = publishing.comparing.acquire().await;
    let mut conn = publishing.db.acquire().await?;
    let mut tx = snapshot(&mut conn).await?;
    let pair = pair(publishing, &mut tx, a, b).await?;
    let as_of = to_instant(publishing.clock.now());
    let ids = pair.versions.each_ref().map(|version| version.id);
    let source = if store::are_scored(&mut tx, ids).await? { Source::Stored } else { Source::Replayed };
    let (basis, states) = match source {
        Source::Stored => {
            let (leads, basis) = draw.leads(&mut tx, MOST_STORED).await?;
            (basis, sides::stored(&mut tx, &leads, ids).await?)
        }
        Source::Replayed => {
            let (leads, basis) = draw.leads(&mut tx, MOST_REPLAYED).await?;
            let replayed = replay::under_both(&mut tx, leads, &pair.versions, as_of).await?;
            (basis, apart(|| sides::replayed(replayed)))
        }
    };
    let outcomes = outcomes::judge(&mut tx, &pair.versions).await?;
    tx.rollback().await?;
    Ok(apart(|| {
        let compared = sides::compare(&states, source, basis, pair, as_of, outcomes);
        drop(states);
        compared
    }))
}

/// Begins a read-only snapshot of the database, so that all counts are from one moment.
///
/// [`MOST_REPLAYED`] limits its length to seconds. A longer snapshot would keep Postgres from reusing dead
/// rows.
async fn snapshot(conn: &mut PgConnection) -> sqlx::Result<Transaction<'_, Postgres>> {
    conn.begin_with("begin isolation level repeatable read read only").await
}

impl Draw {
    /// Reads the leads of the answer: all leads, or a sample of at most `most`.
    async fn leads(self, conn: &mut PgConnection, most: u32) -> sqlx::Result<(Vec<SampledLead>, Basis)> {
        let population = store::population(conn).await?;
        let leads = store::sample(conn, i64::from(self.most.unwrap_or(most).min(most)), self.seed).await?;
        let sample_size = leads.len() as u64;
        let basis = Basis { sampled: sample_size < population, sample_size, population, seed: self.seed };
        Ok((leads, basis))
    }
}

/// Loads two versions, with their names.
async fn pair(
    lifecycle: &Lifecycle,
    conn: &mut PgConnection,
    a: Option<ModelId>,
    b: ModelId,
) -> Result<Pair, CompareError> {
    let first = match a {
        Some(id) => models::load(conn, id).await?.ok_or(CompareError::UnknownVersion)?,
        None => lifecycle.live.current(conn).await?,
    };
    let second = models::load(conn, b).await?.ok_or(CompareError::UnknownVersion)?;
    let names = [name(conn, &first).await?, name(conn, &second).await?];
    Ok(Pair { versions: [first, second], names })
}

async fn name(conn: &mut PgConnection, version: &Version) -> sqlx::Result<VersionName> {
    let number = store::version_number(conn, version.id).await?;
    Ok(VersionName { id: version.id, name: version.model.name().to_owned(), version: number })
}
