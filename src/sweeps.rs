//! The background work of the service, listed once.

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
    platform::sweep::start,
    publishing::jobs::{Clear, Rebuild, Settle},
    queues::claims::jobs::SettleClaims,
};

/// Starts every sweep. They end when the service stops.
pub fn start_all(app: &App) {
    start::<DueScores>(app, &app.lifecycle);
    start::<Reconsider>(app, &app.lifecycle);
    start::<Normalise>(app, &app.lifecycle);
    start::<Renew>(app, &app.lifecycle);
    start::<Release>(app, &app.lifecycle);
    start::<MakeWords>(app, &app.models);
    start::<Breach>(app, &app.lifecycle);
    start::<Expire>(app, &app.lifecycle);
    start::<Rebuild>(app, &app.publishing);
    start::<Settle>(app, &app.publishing);
    start::<Clear>(app, &app.publishing);
    start::<SettleClaims>(app, &app.queues);
    start::<outbox::jobs::Sequence>(app, &app.core);
    start::<outbox::jobs::Forget>(app, &app.core);
    start::<FanOut>(app, &app.webhooks);
    start::<Deliver>(app, &app.webhooks);
    start::<webhooks::jobs::Forget>(app, &app.webhooks);
    start::<ForgetRejected>(app, &app.intake);
}
