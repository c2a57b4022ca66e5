//! A believable month of traffic, for a first look at a running service.
//!
//! [`traffic`] makes the month from a seed, [`sending`] sends it to the [`service`], [`report`] says what became of it.
//!
//! The month ends now, and the same seed has the same event ids for ever. So that a second run adds nothing, the
//! first event sent marks one lead with when the month ended; a later run asks for that mark and makes the same month.

mod report;
mod sending;
mod service;
mod traffic;

use anyhow::{bail, ensure};
use chrono::{DateTime, SubsecRound, Utc};
use cli::{connection::Connection, screen};
use serde_json::Value;

use crate::clock::Clock;
use service::Service;
use traffic::Plan;

/// How to fill a running service.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// The service. The key must be one that may do everything.
    #[command(flatten)]
    pub connection: Connection,

    /// Which people, and what they do; the same seed is the same traffic
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// How many people say who they are; several times as many visitors do not
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub leads: u32,

    /// How many days the traffic spans
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=365))]
    pub days: u32,

    /// How many events to send a second [default: as many as the service takes]
    #[arg(long, value_parser = rate)]
    pub rate: Option<f64>,

    /// How many leads of the queue to show
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=500))]
    pub top: u16,

    /// When the traffic ends, such as 2026-11-21T10:00:00Z [default: now; if the seed was sent before, as it did then]
    #[arg(long, value_parser = until)]
    pub until: Option<DateTime<Utc>>,
}

/// Sends the month, and shows what came of it.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let clock = Clock::System;
    let service = Service::new(&settings.connection)?;
    let plan = plan(&settings, &service, clock.now()).await?;
    let events = traffic::traffic(&plan);
    let mut out = std::io::stdout();
    let sent = sending::send(&service, events, settings.rate).await?;
    report::summary(&mut out, &sent, plan.seed)?;
    if settings.top > 0 {
        let mut leads = Vec::new();
        for lead in service.queue(settings.top).await? {
            let receipt = service.receipt(&lead).await?;
            leads.push((lead, receipt));
        }
        report::queue(&mut out, &leads, clock.now(), screen::width())?;
    }
    Ok(())
}

/// The month to send: if this seed's was sent before, the same again.
async fn plan(settings: &Settings, service: &Service, now: DateTime<Utc>) -> anyhow::Result<Plan> {
    let Settings { seed, leads, days, .. } = *settings;
    ensure!(
        settings.until.is_none_or(|until| until <= now),
        "--until lies ahead; the traffic can only be past"
    );
    let (email, attribute) = traffic::mark(seed);
    let known = service.find(&email).await?.and_then(|lead| lead.profile.get(&attribute).cloned());
    let Some(known) = known else {
        let until = settings.until.unwrap_or(now).trunc_subsecs(0);
        return Ok(Plan { seed, leads, days, until });
    };
    let until = known.get("until").and_then(Value::as_str).and_then(|text| until(text).ok());
    let plan = Plan { seed, leads, days, until: until.unwrap_or(now) };
    let same = settings.until.is_none_or(|asked| asked.trunc_subsecs(0) == plan.until);
    if !same || traffic::mark_of(&plan) != known {
        bail!(
            "{} holds another month of seed {seed} already: {} days until {}. Ask for that one, or for another --seed",
            service.url(),
            known["days"],
            plan.until.to_rfc3339(),
        );
    }
    Ok(plan)
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate >= 0.01);
    rate.ok_or_else(|| "a rate is a number, 0.01 or more".to_owned())
}

fn until(text: &str) -> Result<DateTime<Utc>, String> {
    let parsed =
        DateTime::parse_from_rfc3339(text).map_err(|_| "write it as 2026-11-21T10:00:00Z".to_owned())?;
    Ok(parsed.to_utc())
}
