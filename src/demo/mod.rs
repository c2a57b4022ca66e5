//! A year as it could have been: traffic, what sales did with the leads, and the outcomes.
//!
//! [`traffic`] makes what people do, from a seed. [`play`] runs a service of its own, whose clock is set to each
//! moment of the year. That service takes the events as they come and looks at leads when they are due. [`sales`]
//! answers handoffs, calls people and records outcomes. So each passage and each handoff has the date on which it would
//! have happened. No clock is turned back: the playing service never knows a later time.
//!
//! The playing service works on tables of its own, a *stage* ([`store`]). Otherwise the sweeps of a running service
//! would look at the leads by today's time. When the year is over, one transaction moves everything into the
//! service's tables. From then on the real clock counts.
//!
//! The year ends now, and the same seed always makes the same event ids. To make a second run add nothing, an event
//! marks one lead with the end of the year, and a later run looks for that mark.

mod house;
mod play;
mod report;
mod sales;
#[expect(
    clippy::disallowed_methods,
    reason = "copies every table with all its columns, so the statements are built at run time"
)]
mod store;
mod traffic;

use std::path::PathBuf;

use anyhow::{Context, anyhow, ensure};
use chrono::{DateTime, SubsecRound, Utc};
use cli::screen;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use crate::{
    config,
    keys::Secret,
    lifecycle::change::jobs::DueScores,
    models,
    platform::{clock::Clock, sweep},
};
use house::House;
use traffic::Plan;

/// What the demo plays, and on which database.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// The Postgres database of the service, which may be running. Without one, the demo uses the service's own
    /// Postgres in the data folder
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// Where the service's own Postgres keeps its data
    #[arg(long, env = "LEADSCORE_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// The admin key (sk_…) of the service, shown when `leadscore serve` first started. A service that never started
    /// gets this key
    #[arg(long, env = "LEADSCORE_ADMIN_KEY", hide_env_values = true, value_parser = config::admin_key)]
    pub key: Option<Secret>,

    /// Decides which people there are and what they do. The same seed gives the same story
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// How many people say who they are. Several times as many visitors stay anonymous
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub leads: u32,

    /// How many days the story spans
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=730))]
    pub days: u32,

    /// How many leads of the queue to show
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=500))]
    pub top: u16,

    /// When the story ends, such as 2026-11-21T10:00:00Z [default: now]
    #[arg(long, value_parser = until)]
    pub until: Option<DateTime<Utc>>,
}

/// Plays the story on the database of a service, and prints a summary and the top of the queue.
pub async fn run(settings: Settings, database: PgConnectOptions) -> anyhow::Result<()> {
    let key = settings.key.clone().context(
        "a key is missing. Give --key sk_… or set LEADSCORE_ADMIN_KEY. The admin key was shown when `leadscore serve` first \
         started, unless LEADSCORE_ADMIN_KEY was set for it: then it is that one",
    )?;
    let metrics = crate::telemetry::metrics()?;
    let service = House::open(database.clone(), Clock::System, metrics, key).await?;
    let mut out = std::io::stdout();
    service.greet(&mut out)?;
    let told = tell(&settings, &service, database).await;
    if let Ok(told) = &told {
        report::summary(&mut out, told.as_ref(), settings.seed)?;
        if settings.top > 0 {
            // Updates what became due while the year was played, in case no service is running.
            while sweep::run_once::<DueScores>(&service.app.lifecycle).await? > 0 {}
            let page = service.get(&format!("/v1/queues/sales/leads?limit={}", settings.top)).await?;
            report::queue(&mut out, &page["data"], service.app.clock.now(), screen::width())?;
        }
    }
    service.close().await;
    told.map(|_| ())
}

/// Plays the story and moves it into the service's tables. `None` if this seed was played before.
async fn tell(
    settings: &Settings,
    service: &House,
    database: PgConnectOptions,
) -> anyhow::Result<Option<play::Told>> {
    let Settings { seed, leads, days, .. } = *settings;
    let now = service.app.clock.now();
    ensure!(
        settings.until.is_none_or(|until| until <= now),
        "--until lies in the future; the story can only lie in the past"
    );
    let (email, attribute) = traffic::mark(seed);
    let known = service.get(&format!("/v1/leads?limit=1&email={email}")).await?;
    if !known["data"][0]["profile"][&attribute].is_null() {
        return Ok(None);
    }
    let plan = Plan { seed, leads, days, until: settings.until.unwrap_or(now).trunc_subsecs(0) };

    // Only one demo plays at a time. The lock ends with the connection.
    let mut only = PgConnection::connect_with(&database).await?;
    ensure!(
        store::lock(&mut only).await?,
        "another demo is being played on this database; wait until it has ended"
    );
    store::set_up(&mut only).await?;
    let told = tokio::select! {
        told = on_stage(&plan, service, database) => told,
        interrupted = tokio::signal::ctrl_c() => {
            Err(interrupted.map_or_else(Into::into, |()| anyhow!("interrupted; nothing was changed")))
        }
    };
    // The stage is removed, also after an error.
    store::clear(&mut only).await?;
    told.map(Some)
}

/// Plays the story on an empty stage, and moves it into the service's tables.
async fn on_stage(plan: &Plan, service: &House, database: PgConnectOptions) -> anyhow::Result<play::Told> {
    let began = service.app.clock.now();
    let stage = service.stage(store::on_stage(database), Clock::manual(plan.begin())).await?;
    let home = store::home(&service.app.db).await?;
    store::copy_decisions(&stage.app.db, &home).await?;
    let told = play::play(&stage, plan).await;
    stage.close().await;
    let told = told?;
    let mut tx = models::begin_change(&service.app.db).await?;
    ensure!(
        store::decisions_are_the_same(&mut tx).await?,
        "a model was published while the year was played; run the demo again"
    );
    store::move_in(&mut tx, began - service.app.changes_kept).await.context(
        "the story cannot be moved into the service's tables; if some of its people are known there already, take another --seed",
    )?;
    tx.commit().await?;
    Ok(told)
}

fn until(text: &str) -> Result<DateTime<Utc>, String> {
    let parsed = DateTime::parse_from_rfc3339(text)
        .map_err(|_| "write the instant as 2026-11-21T10:00:00Z".to_owned())?;
    Ok(parsed.to_utc())
}
