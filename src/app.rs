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

/// How many requests for the next lead an instance handles at once.
const HANDING_OUT: usize = 3;

/// The service's features, composed. Cheap to clone. Nothing of an `App` is static, so two can live in one process.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

/// The features of an [`App`], each with what it works with.
#[derive(Debug)]
pub struct Parts {
    /// What every feature stands on.
    pub core: Core,
    /// The keys, which decide who may do what.
    pub keys: Keys,
    /// The models under which leads are scored.
    pub models: Models,
    /// What every change of a lead works with.
    pub lifecycle: Lifecycle,
    /// What takes events in: the writers.
    pub intake: Intake,
    /// The links in mails, and the counts of their use.
    pub links: Links,
    /// Reads the reports of e-mail providers.
    pub mail: Mail,
    /// Sends webhooks.
    pub webhooks: Webhooks,
    /// Publishes models.
    pub publishing: Publishing,
    /// Ranks leads and hands them out.
    pub queues: Queues,
    /// The bytes that all request bodies may take together.
    pub bodies: Budget,
    /// The metrics, shown at `/metrics`.
    pub metrics: PrometheusHandle,
    /// Cancelled when no request is served any more. Until then the writers accept the events of requests.
    served: CancellationToken,
}

/// The operator's settings of the features.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address under which others reach the service, without a slash at the end.
    pub public_url: String,
    /// How long the feed keeps changes.
    pub changes_kept: TimeDelta,
    /// How webhooks are sent.
    pub webhooks: webhooks::Settings,
    /// How documents are fetched from Amazon.
    pub amazon: Fetch,
    /// How many bytes of bodies are held, and how long the service waits for them.
    pub bodies: body::Limits,
    /// How many refused items are kept, and how long.
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

    /// Stops the service: nothing new begins, what has begun is finished, and the connections to the database are
    /// closed.
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

/// Implements `FromRef`, so that a handler can take a feature by `State`.
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
