//! The service, composed of its features.

use std::{ops::Deref, sync::Arc};

use axum::extract::FromRef;
use chrono::TimeDelta;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    feed::webhooks::{self, Couriers, Webhooks},
    http::body::{self, Budget},
    intake::{
        ingest::{Intake, Types, WriterContext, Writers},
        links::Links,
        mail::{Amazon, Fetch, Mail},
    },
    keys::{KeyRing, Keys, auth::RouterState},
    lifecycle::{Lifecycle, policy::Policies},
    models::{Live, Models},
    platform::{
        clock::Clock,
        core::{self, Core, CoreParts, Pace},
        db::Pools,
        ids::Ids,
    },
    publishing::Publishing,
    queues::Queues,
};

/// How many requests for the next lead an instance works on at once.
const HANDING_OUT: usize = 3;

/// The service's features, composed. Cheap to clone. Nothing of it is static: two of them can live in one process.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

/// The features themselves, each with what it works with.
#[derive(Debug)]
pub struct Parts {
    /// What every feature stands on.
    pub core: Core,
    /// Who may do what.
    pub keys: Keys,
    /// The models under which leads are scored.
    pub models: Models,
    /// What every change of a lead works with.
    pub lifecycle: Lifecycle,
    /// What takes events in.
    pub intake: Intake,
    /// What is known of the links of mails.
    pub links: Links,
    /// What reads reports of e-mail providers.
    pub mail: Mail,
    /// What sends webhooks.
    pub webhooks: Webhooks,
    /// What publishes models.
    pub publishing: Publishing,
    /// What ranks and hands out leads.
    pub queues: Queues,
    /// What the bodies of requests are paid from.
    pub bodies: Budget,
    /// The counters, rendered at `/metrics`.
    pub metrics: PrometheusHandle,
    /// Cancelled when no request is served any more. Until then the writers take what requests bring.
    served: CancellationToken,
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
    pub rejects: core::Rejects,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            public_url: "http://127.0.0.1:8080".to_owned(),
            changes_kept: TimeDelta::days(30),
            webhooks: webhooks::Settings::default(),
            amazon: Fetch::default(),
            bodies: body::Limits::default(),
            rejects: core::Rejects::default(),
        }
    }
}

impl App {
    /// Composes the features and starts the writers.
    pub fn start(pools: Pools, clock: Clock, ids: Ids, metrics: PrometheusHandle, settings: Settings) -> App {
        let core = Core::new(CoreParts {
            db: pools.main.clone(),
            clock: clock.clone(),
            pace: Pace::default(),
            tasks: TaskTracker::new(),
            leaving: CancellationToken::new(),
            stop: CancellationToken::new(),
            instance: ids.next(),
            ids: Arc::new(ids),
            public_url: settings.public_url,
            changes_kept: settings.changes_kept,
            rejects: settings.rejects,
        });
        let keys = Keys { core: core.clone(), ring: Arc::new(KeyRing::new(clock)) };
        let models = Models { core: core.clone(), live: Live::default() };
        let lifecycle = Lifecycle {
            models: models.clone(),
            db: pools.main,
            policies: Policies::default(),
            renewing: Arc::default(),
        };
        let served = CancellationToken::new();
        let context = WriterContext { lifecycle: lifecycle.on(pools.writers), types: Types::default() };
        let writers = Writers::start(&context, &core.tasks, &served);
        let intake = Intake { lifecycle: lifecycle.clone(), keys: keys.clone(), writers };
        let couriers = Couriers::new(settings.webhooks);
        let amazon = Arc::new(Amazon::new(settings.amazon));
        App(Arc::new(Parts {
            links: Links::new(intake.clone()),
            mail: Mail { intake: intake.clone(), amazon, couriers: Arc::clone(&couriers) },
            webhooks: Webhooks { core: core.clone(), couriers },
            publishing: Publishing::new(lifecycle.clone()),
            queues: Queues { models: models.clone(), handing_out: Arc::new(Semaphore::new(HANDING_OUT)) },
            bodies: Budget::new(settings.bodies),
            core,
            keys,
            models,
            lifecycle,
            intake,
            metrics,
            served,
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

impl Deref for Parts {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl RouterState for App {
    fn keys(&self) -> &Keys {
        &self.keys
    }
}

impl FromRef<App> for Policies {
    fn from_ref(app: &App) -> Policies {
        app.lifecycle.policies.clone()
    }
}

/// Lets a handler take a feature by `State`.
macro_rules! features {
    ($($feature:ident: $field:ident),* $(,)?) => {
        $(impl FromRef<App> for $feature {
            fn from_ref(app: &App) -> $feature {
                app.$field.clone()
            }
        })*
    };
}

features! {
    Core: core,
    Keys: keys,
    Models: models,
    Lifecycle: lifecycle,
    Intake: intake,
    Links: links,
    Mail: mail,
    Webhooks: webhooks,
    Publishing: publishing,
    Queues: queues,
}
