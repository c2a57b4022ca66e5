//! `leadscore models preview`: what publishing a model would change.

use chrono::{DateTime, Utc};
use clap::Args;
use comfy_table::Cell;
use serde::Deserialize;
use serde_json::json;

use super::version::{Named, discard};
use crate::{
    client::{Answer, Body},
    connection::Common,
    lead::segment,
    screen::{Rows, Screen, table},
    words::{counted, instant, points, visible},
};

/// How many of the leads whose scores change most are shown.
const MOVERS: usize = 10;
/// How many of the reasons for a lead's change are shown.
const REASONS: usize = 3;

/// Which model to preview.
#[derive(Debug, Clone, Args)]
pub struct Preview {
    /// The model: a file, an id or NAME@VERSION. Of a file a draft is made, and deleted again
    #[arg(value_parser = Named::parse)]
    model: Named,

    /// Look at so many leads, taken at random [default: all, 20000 at most]
    #[arg(long, value_name = "LEADS", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    sample: Option<u32>,

    /// How many MQLs sales can take on in a day
    #[arg(long, value_name = "MQLS")]
    capacity: Option<f64>,

    /// Where from, and in what form.
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Deserialize)]
struct Previewed {
    as_of: DateTime<Utc>,
    live: VersionName,
    model: VersionName,
    sampled: bool,
    sample_size: u64,
    population: u64,
    bands: Vec<Band>,
    mql: Mql,
    mqls_per_day: PerDay,
    movers: Vec<Mover>,
    rank_correlation: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct VersionName {
    name: String,
    version: i64,
}

#[derive(Debug, Deserialize)]
struct Band {
    label: String,
    before: Estimate,
    after: Estimate,
    enters: Estimate,
    leaves: Estimate,
}

#[derive(Debug, Deserialize)]
struct Mql {
    before: Estimate,
    after: Estimate,
    enters: Estimate,
    leaves: Estimate,
}

/// A count, with its 95 % interval where it was estimated from a sample.
#[derive(Debug, Deserialize)]
struct Estimate {
    count: i64,
    low: i64,
    high: i64,
}

#[derive(Debug, Deserialize)]
struct PerDay {
    days: u32,
    live: Mean,
    model: Mean,
}

#[derive(Debug, Deserialize)]
struct Mean {
    mean: f64,
    exceeds_capacity: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Mover {
    lead_id: String,
    user_id: Option<String>,
    email: Option<String>,
    before: i64,
    after: i64,
    why: Vec<LineChange>,
}

#[derive(Debug, Deserialize)]
struct LineChange {
    kind: String,
    rule: Option<String>,
    group: Option<String>,
    before: i64,
    after: i64,
}

impl Preview {
    /// Shows what the version would change. Of a file a draft is made for the question, and deleted again.
    pub(crate) async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let client = self.common.connection.client()?;
        let mut screen = Screen::new(&self.common, now);
        let (version, is_draft_of_file) = self.model.version_or_draft(&client).await?;
        let mut body = json!({});
        if let Some(sample) = self.sample {
            body["sample"] = sample.into();
        }
        if let Some(capacity) = self.capacity {
            body["capacity_per_day"] = capacity.into();
        }
        let path = format!("/v1/models/{}/preview", segment(&version.id));
        let answered = client.post(&path, Some(&Body::json(&body)?)).await;
        if is_draft_of_file {
            discard(&client, &version).await?;
        }
        let answer: Answer = answered?.ok_or_else(|| anyhow::anyhow!("the service answered nothing"))?;
        if screen.json {
            return Ok(screen.answer(&answer)?);
        }
        show(&mut screen, &answer.read()?)?;
        Ok(())
    }
}

fn show(screen: &mut Screen, preview: &Previewed) -> std::io::Result<()> {
    let Previewed { live, model, sample_size, population, .. } = preview;
    screen.line(format!("If {model} took the place of {live}, as of {}", instant(preview.as_of)))?;
    screen.line(if preview.sampled {
        format!("{sample_size} of {population} leads were looked at; counts are estimates, with their 95 % interval")
    } else {
        format!("All {population} leads were looked at")
    })?;
    screen.line("")?;
    let mut rows = table(Rows::Dense, ["Band", "Before", "After", "Enter", "Leave"], &[1, 2, 3, 4]);
    let Mql { before, after, enters, leaves } = &preview.mql;
    let bands =
        preview.bands.iter().map(|it| (it.label.as_str(), [&it.before, &it.after, &it.enters, &it.leaves]));
    for (label, counts) in bands.chain([("MQL", [before, after, enters, leaves])]) {
        let counts = counts.map(Estimate::told).map(Cell::new);
        rows.add_row([Cell::new(visible(label))].into_iter().chain(counts));
    }
    screen.table(rows)?;
    screen.line("")?;
    screen.line(preview.mqls_per_day.told())?;
    if let Some(correlation) = preview.rank_correlation {
        screen.line(format!("Order of the leads: rank correlation {correlation:.2}; 1 is the same order"))?;
    }
    movers(screen, &preview.movers)
}

fn movers(screen: &mut Screen, movers: &[Mover]) -> std::io::Result<()> {
    if movers.is_empty() {
        return screen.line("No score changes");
    }
    screen.line(format!("\nThe {} that change most", counted(movers.len().min(MOVERS), "lead")))?;
    let mut rows = table(Rows::Ruled, ["Lead", "Before", "After", "Why"], &[1, 2]);
    for mover in movers.iter().take(MOVERS) {
        let name = mover.email.as_deref().or(mover.user_id.as_deref()).unwrap_or(&mover.lead_id);
        let why: Vec<String> = mover.why.iter().take(REASONS).map(LineChange::told).collect();
        rows.add_row([
            Cell::new(visible(name)),
            Cell::new(mover.before),
            Cell::new(mover.after),
            Cell::new(why.join("\n")),
        ]);
    }
    screen.table(rows)
}

impl std::fmt::Display for VersionName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", visible(&self.name), self.version)
    }
}

impl Estimate {
    fn told(&self) -> String {
        let Estimate { count, low, high } = self;
        if low == high { count.to_string() } else { format!("{count} ({low} to {high})") }
    }
}

impl PerDay {
    fn told(&self) -> String {
        let (before, after) = (self.live.mean, self.model.mean);
        let much = match self.model.exceeds_capacity {
            Some(true) => "; more than sales can take on",
            Some(false) => "; sales can take them on",
            None => "",
        };
        format!("MQLs a day: {before:.2} before, {after:.2} after, over {} days{much}", self.days)
    }
}

impl LineChange {
    fn told(&self) -> String {
        let about = self.rule.as_deref().or(self.group.as_deref()).unwrap_or(&self.kind);
        let kind =
            if self.kind == "rule" { String::new() } else { format!(" ({})", self.kind.replace('_', " ")) };
        format!("{}{}: {} → {}", visible(about), visible(&kind), points(self.before), points(self.after))
    }
}
