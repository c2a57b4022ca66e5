//! `leadscore models publish`, `rollback` and `progress`: how a version goes live, and back.

use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::json;

use super::version::{Named, Version, discard};
use crate::{
    client::{Answer, Body, Client},
    connection::Common,
    lead::segment,
    screen::{Screen, confirm},
    words::{instant, visible},
};

/// How long to wait before the service is asked again how far it is.
const PAUSE: Duration = Duration::from_millis(250);

/// Which model to publish.
#[derive(Debug, Clone, Args)]
pub struct Publish {
    /// The model: a file, an id or NAME@VERSION
    #[arg(value_parser = Named::parse)]
    model: Named,

    /// Offer to sales the leads that become an MQL by nothing but this model
    #[arg(long)]
    offer_to_sales: bool,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,

    /// Do not wait until all leads are scored
    #[arg(long)]
    no_wait: bool,

    /// Where to, and in what form.
    #[command(flatten)]
    common: Common,
}

/// Which version to take back.
#[derive(Debug, Clone, Args)]
pub struct Rollback {
    /// The version to take back: an id, NAME@VERSION or `live`
    #[arg(default_value = "live", value_parser = Named::parse)]
    model: Named,

    /// Offer to sales the leads that become an MQL by nothing but the version that is live again
    #[arg(long)]
    offer_to_sales: bool,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,

    /// Do not wait until all leads are scored
    #[arg(long)]
    no_wait: bool,

    /// Where to, and in what form.
    #[command(flatten)]
    common: Common,
}

/// Which version to look at.
#[derive(Debug, Clone, Args)]
pub struct Progress {
    /// The version: an id, NAME@VERSION or `live`
    #[arg(default_value = "live", value_parser = Named::parse)]
    model: Named,

    /// Where from, and in what form.
    #[command(flatten)]
    common: Common,
}

/// How far a version is, of the API.
#[derive(Debug, Deserialize)]
struct Stand {
    model_id: String,
    phase: String,
    leads_total: u64,
    leads_done: u64,
    seconds_left: Option<i64>,
    live_since: Option<DateTime<Utc>>,
    kept_until: Option<DateTime<Utc>>,
}

impl Publish {
    /// Publishes the version; of a file, a draft is made first, which goes again if it is refused.
    pub(crate) async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let (version, is_draft_of_file) = self.model.version_or_draft(&client).await?;
        let begun = async {
            confirm(&format!("Publish {}? All leads are scored by it.", version.name()), self.yes)?;
            act(&client, &version, "publish", self.offer_to_sales).await
        };
        let begun = match begun.await {
            Err(error) if is_draft_of_file => {
                discard(&client, &version).await.context(error.to_string())?;
                return Err(error);
            }
            begun => begun?,
        };
        let answer = if self.no_wait { begun } else { wait(&client, begun).await? };
        show(&client, &mut screen, &answer).await
    }
}

impl Rollback {
    pub(crate) async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let version = self.model.existing(&client).await?;
        let question = if version.role.as_deref() == Some("preparing") {
            format!("Give up publishing {}?", version.name())
        } else {
            "Go back to the version that was live before?".to_owned()
        };
        confirm(&question, self.yes)?;
        let begun = act(&client, &version, "rollback", self.offer_to_sales).await?;
        let answer = if self.no_wait { begun } else { wait(&client, begun).await? };
        show(&client, &mut screen, &answer).await
    }
}

impl Progress {
    pub(crate) async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let version = self.model.existing(&client).await?;
        let answer = client.get(&path(&version.id, "progress"), &[]).await?;
        show(&client, &mut screen, &answer).await
    }
}

fn path(id: &str, verb: &str) -> String {
    format!("/v1/models/{}/{verb}", segment(id))
}

async fn act(client: &Client, version: &Version, verb: &str, offer_to_sales: bool) -> anyhow::Result<Answer> {
    let body = Body::json(&json!({ "offer_to_sales": offer_to_sales }))?;
    let answer = client.post(&path(&version.id, verb), Some(&body)).await?;
    answer.context("the service answered without the progress")
}

/// Asks how far a version is until nothing is left to do. A terminal sees a bar.
async fn wait(client: &Client, begun: Answer) -> anyhow::Result<Answer> {
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} leads").context("a template")?);
    let mut answer = begun;
    loop {
        let stand: Stand = answer.read()?;
        bar.set_length(stand.leads_total);
        bar.set_position(stand.leads_done);
        bar.set_message(stand.doing());
        if !stand.is_under_way() {
            bar.finish_and_clear();
            return Ok(answer);
        }
        tokio::time::sleep(PAUSE).await;
        answer = client.get(&path(&stand.model_id, "progress"), &[]).await?;
    }
}

/// Says how far a version is. An error if its publication was given up.
async fn show(client: &Client, screen: &mut Screen, answer: &Answer) -> anyhow::Result<()> {
    if screen.json {
        return Ok(screen.answer(answer)?);
    }
    let stand: Stand = answer.read()?;
    let version: Version =
        client.get(&format!("/v1/models/{}", segment(&stand.model_id)), &[]).await?.read()?;
    Ok(screen.line(stand.told(&version))?)
}

impl Stand {
    fn is_under_way(&self) -> bool {
        ["rebuilding", "settling", "removing"].contains(&self.phase.as_str())
    }

    /// What is being done, for a bar.
    fn doing(&self) -> String {
        let left = self.seconds_left.map_or(String::new(), |seconds| format!(", {seconds} s left"));
        format!("{}{left}", visible(&self.phase))
    }

    /// How the version stands, in a sentence.
    fn told(&self, version: &Version) -> String {
        let (name, Stand { leads_done, leads_total, .. }) = (version.name(), self);
        let left = self.seconds_left.map_or(String::new(), |seconds| format!(", {seconds} s left"));
        let live = self.live_since.map_or(String::new(), |since| format!(" since {}", instant(since)));
        match self.phase.as_str() {
            "live" => format!("{name} is live{live}. Every lead is scored by it."),
            "rebuilding" => format!(
                "{name} is being prepared: {leads_done} of {leads_total} leads are scored by it{left}. The live version \
                 serves until then."
            ),
            "settling" => format!(
                "{name} is live{live}. Stages and queues follow: {leads_done} of {leads_total} leads are done{left}."
            ),
            "shadow" => format!("{name} runs in shadow: leads are scored by it, and nothing else follows."),
            "kept" => {
                let until =
                    self.kept_until.map_or(String::new(), |until| format!(" until {}", instant(until)));
                format!("{name} was live before. Its scores are kept{until}, so that you can go back to it.")
            }
            "removing" => format!(
                "The scores of {name} are being removed: {leads_done} of {leads_total} leads are done."
            ),
            other => format!("{name}: {}.", visible(other)),
        }
    }
}
