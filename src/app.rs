//! What every request and every sweep works with.

use std::{ops::Deref, sync::Arc};

use chrono::TimeDelta;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    clock::Clock,
    db::Pools,
    http::body::{self, Budget},
    ids::Ids,
    ingest::{Types, WriterContext, Writers},
    keys::KeyRing,
    lifecycle::{Lifecycle, jobs::Renewing},
    links::Links,
    mail::{Amazon, Fetch},
    models::Live,
    policy::Policies,
    publishing::{Pace, Reading},
    webhooks::{self, Couriers},
};

/// How many requests for the next lead an instance works on at once.
const HANDING_OUT: usize = 3;

/// The service's parts; cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

/// The parts themselves.
#[derive(Debug)]
pub struct Parts {
    /// Connections for requests and sweeps.
    pub db: PgPool,
    /// What time it is.
    pub clock: Clock,
    /// Where new ids come from.
    pub ids: Arc<Ids>,
    /// Who may do what.
    pub keys: KeyRing,
    /// The model under which leads are scored.
    pub live: Live,
    /// The policy in force.
    pub policies: Policies,
    /// What every change of a lead works with.
    pub lifecycle: Lifecycle,
    /// How fast background work may go.
    pub pace: Pace,
    /// What has been read of the log for a version that is being prepared.
    pub reading: Reading,
    /// How far this instance has come with replaying leads whose states are of older semantics.
    pub renewing: Renewing,
    /// How many requests for the next lead may be at work or wait for a queue at once. The others wait here, so that a rush
    /// for leads leaves connections to everybody else.
    pub handing_out: Semaphore,
    /// This instance of the service, among those on the same database.
    pub instance: Uuid,
    /// The tasks that write events to the log, and the channel to them.
    pub writers: Writers,
    /// What is known of the links of mails.
    pub links: Links,
    /// Amazon's certificates, by which what SES tells is verified.
    pub amazon: Amazon,
    /// What sends webhooks.
    pub couriers: Arc<Couriers>,
    /// Everything that must finish before the process may end.
    pub tasks: TaskTracker,
    /// What the bodies of requests are paid from.
    pub bodies: Budget,
    /// Cancelled when the service is about to stop: it is no longer ready, but still serves.
    pub leaving: CancellationToken,
    /// Cancelled when the service is to stop.
    pub stop: CancellationToken,
    /// Cancelled when no request is served any more: until then the writers take what requests bring.
    served: CancellationToken,
    /// The counters, rendered at `/metrics`.
    pub metrics: PrometheusHandle,
    /// The address under which others reach the service, without a slash at the end.
    pub public_url: String,
    /// For how long changes are kept.
    pub changes_kept: TimeDelta,
    /// What is kept of refused items.
    pub rejects: Rejects,
}

/// What is kept of refused items.
#[derive(Debug, Clone, Copy)]
pub struct Rejects {
    /// For how long.
    pub kept: TimeDelta,
    /// How many.
    pub most: i64,
}

impl Default for Rejects {
    fn default() -> Rejects {
        Rejects { kept: TimeDelta::days(30), most: 50_000 }
    }
}

/// What the operator chooses.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address under which others reach the service, without a slash at the end.
    pub public_url: String,
    /// For how long changes are kept.
    pub changes_kept: TimeDelta,
    /// How webhooks are sent.
    pub webhooks: webhooks::Settings,
    /// Who fetches what Amazon has.
    pub amazon: Fetch,
    /// How much of bodies is held.
    pub bodies: body::Limits,
    /// What is kept of refused items.
    pub rejects: Rejects,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            public_url: "http://127.0.0.1:8080".to_owned(),
            changes_kept: TimeDelta::days(30),
            webhooks: webhooks::Settings::default(),
            amazon: Fetch::default(),
            bodies: body::Limits::default(),
            rejects: Rejects::default(),
        }
    }
}

impl App {
    /// Puts the parts together and starts the writers.
    pub fn start(pools: Pools, clock: Clock, ids: Ids, metrics: PrometheusHandle, settings: Settings) -> App {
        let ids = Arc::new(ids);
        let (live, policies) = (Live::default(), Policies::default());
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let served = CancellationToken::new();
        let lifecycle = Lifecycle {
            db: pools.main.clone(),
            live: live.clone(),
            policies: policies.clone(),
            clock: clock.clone(),
            ids: Arc::clone(&ids),
        };
        let on_writers = Lifecycle { db: pools.writers, ..lifecycle.clone() };
        let context = WriterContext { lifecycle: on_writers, types: Types::default() };
        let writers = Writers::start(&context, &tasks, &served);
        App(Arc::new(Parts {
            db: pools.main,
            keys: KeyRing::new(clock.clone()),
            clock,
            live,
            policies,
            lifecycle,
            pace: Pace::default(),
            reading: Reading::default(),
            renewing: Renewing::default(),
            handing_out: Semaphore::new(HANDING_OUT),
            instance: ids.next(),
            ids,
            writers,
            links: Links::default(),
            amazon: Amazon::new(settings.amazon),
            couriers: Couriers::new(settings.webhooks),
            tasks,
            bodies: Budget::new(settings.bodies),
            leaving: CancellationToken::new(),
            stop,
            served,
            metrics,
            public_url: settings.public_url,
            changes_kept: settings.changes_kept,
            rejects: settings.rejects,
        }))
    }

    /// Stops: nothing new begins, what has begun is finished, connections are closed.
    pub async fn shut_down(&self) {
        self.leaving.cancel();
        self.stop.cancel();
        self.served.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.db.close().await;
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
