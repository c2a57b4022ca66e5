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
    platform::sweep::Job,
    publishing::jobs::{Clear, Rebuild, Settle},
    queues::claims::jobs::SettleClaims,
};

/// Returns the sweeps that change leads, their stages and their scores.
pub fn of_leads(app: &App) -> Vec<Job> {
    vec![
        Job::of::<DueScores>(&app.lifecycle),
        Job::of::<Reconsider>(&app.lifecycle),
        Job::of::<Renew>(&app.lifecycle),
        Job::of::<Release>(&app.lifecycle),
        Job::of::<Expire>(&app.lifecycle),
        Job::of::<Rebuild>(&app.publishing),
        Job::of::<Settle>(&app.publishing),
        Job::of::<Clear>(&app.publishing),
    ]
}

/// Returns the sweeps that keep up the feed, remind of overdue handoffs, and settle claims.
pub fn of_changes(app: &App) -> Vec<Job> {
    vec![
        Job::of::<outbox::jobs::Sequence>(&app.core),
        Job::of::<Breach>(&app.lifecycle),
        Job::of::<outbox::jobs::Forget>(&app.core),
        Job::of::<SettleClaims>(&app.queues),
    ]
}

/// Returns the sweeps that send webhooks.
pub fn of_webhooks(app: &App) -> Vec<Job> {
    vec![
        Job::of::<FanOut>(&app.webhooks),
        Job::of::<Deliver>(&app.webhooks),
        Job::of::<webhooks::jobs::Forget>(&app.webhooks),
    ]
}

/// Returns the sweeps that bring old rows into today's form, and delete what is no longer needed.
pub fn of_upkeep(app: &App) -> Vec<Job> {
    vec![
        Job::of::<Normalise>(&app.lifecycle),
        Job::of::<MakeWords>(&app.models),
        Job::of::<ForgetRejected>(&app.intake),
    ]
}

/// Starts every sweep. They end when the service stops.
pub fn start_all(app: &App) {
    let all = [of_leads, of_changes, of_webhooks, of_upkeep].into_iter().flat_map(|of| of(app));
    all.for_each(|job| job.start(app));
}
