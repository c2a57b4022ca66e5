//! The background work of the service, listed once.

use futures_util::{FutureExt, future::BoxFuture};

use crate::{
    app::App,
    feed::{
        outbox,
        webhooks::{
            self,
            jobs::{Deliver, FanOut},
        },
    },
    intake::{ingest::jobs::ForgetRejected, normalisation::jobs::Normalise, verdicts::jobs::Release},
    leads::jobs::MakeWords,
    lifecycle::{
        change::jobs::{DueScores, Reconsider, Renew},
        handoffs::jobs::{Breach, Expire},
    },
    platform::sweep::{self, Sweep},
    publishing::jobs::{Clear, Rebuild, Settle},
    queues::claims::jobs::SettleClaims,
};

/// A sweep of a composed service.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// How logs and metrics call it.
    pub name: &'static str,
    /// Starts it. It ends when the service stops.
    pub start: fn(&App),
    /// Runs it once: the number of rows seen to.
    pub run_once: fn(&App) -> BoxFuture<'_, sqlx::Result<usize>>,
}

macro_rules! sweeps {
    ($($sweep:path: $feature:ident),* $(,)?) => {
        /// Every sweep, with the feature that it works for.
        pub const ALL: &[Listed] = &[$(Listed {
            name: <$sweep as Sweep>::NAME,
            start: |app| sweep::start::<$sweep>(app, app.$feature.clone()),
            run_once: |app| sweep::run_once::<$sweep>(&app.$feature).boxed(),
        }),*];
    };
}

sweeps! {
    DueScores: lifecycle,
    Reconsider: lifecycle,
    Normalise: lifecycle,
    Renew: lifecycle,
    Release: lifecycle,
    MakeWords: models,
    Breach: lifecycle,
    Expire: lifecycle,
    Rebuild: publishing,
    Settle: publishing,
    Clear: publishing,
    SettleClaims: queues,
    outbox::jobs::Sequence: core,
    outbox::jobs::Forget: core,
    FanOut: webhooks,
    Deliver: webhooks,
    webhooks::jobs::Forget: webhooks,
    ForgetRejected: intake,
}
