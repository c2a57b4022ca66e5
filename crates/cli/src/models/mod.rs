//! `leadscore models`: the rules, as documents in versions.

mod check;
mod diff;
mod document;
mod preview;
mod publish;
pub(crate) mod version;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use comfy_table::Cell;

use crate::{
    connection::Common,
    screen::{Rows, Screen, keep_whole, table},
    words::{counted, instant, visible},
};
use version::Versions;

/// What to do with scoring models.
///
/// A version is named by its id, as NAME@VERSION such as b2b-saas@2, or as `live`.
#[derive(Debug, Clone, Subcommand)]
pub enum Models {
    /// List all versions of all models, newest first
    List(List),
    /// Check a model's file and run its own tests, without a service; the exit code says whether it can be published
    Check(check::Check),
    /// Show the rules in which two models differ
    Diff(diff::Diff),
    /// Show what publishing a model would change; changes nothing
    Preview(preview::Preview),
    /// Publish a model, and wait until all leads are scored by it
    Publish(publish::Publish),
    /// Go back to the version that was live before, or give up one that is being published
    Rollback(publish::Rollback),
    /// Show how far a version is on its way
    Progress(publish::Progress),
}

/// The list.
#[derive(Debug, Clone, Args)]
pub struct List {
    /// Where from, and in what form.
    #[command(flatten)]
    common: Common,
}

impl Models {
    pub(crate) async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        match self {
            Models::List(list) => list.run(now).await,
            Models::Check(check) => check.run(now),
            Models::Diff(diff) => diff.run(now).await,
            Models::Preview(preview) => preview.run(now).await,
            Models::Publish(publish) => publish.run(now).await,
            Models::Rollback(rollback) => rollback.run(now).await,
            Models::Progress(progress) => progress.run(now).await,
        }
    }
}

impl List {
    async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let answer = client.get("/v1/models", &[]).await?;
        if screen.json {
            return Ok(screen.answer(&answer)?);
        }
        let versions: Versions = answer.read()?;
        let mut rows = table(Rows::Dense, ["Version", "State", "Used as", "Published", "Id"], &[]);
        for version in &versions.data {
            rows.add_row([
                Cell::new(version.name()),
                Cell::new(visible(&version.state)),
                Cell::new(version.role.as_deref().map(visible).unwrap_or_default()),
                Cell::new(version.published_at.map(instant).unwrap_or_default()),
                Cell::new(visible(&version.id)),
            ]);
        }
        keep_whole(&mut rows, 4);
        screen.table(rows)?;
        Ok(screen.line(counted(versions.data.len(), "version"))?)
    }
}
