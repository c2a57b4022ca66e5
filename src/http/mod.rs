//! The frame: the router as a table of contents, the layers in order, and what every call shares. It knows the other
//! modules only to mount them.

pub mod aside;
pub mod auth;
pub mod body;
mod docs;
pub mod etag;
pub mod extract;
mod health;
mod layers;
pub mod listen;
pub mod page;
pub mod picture;
pub mod problem;
pub mod said;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    app::App, checklists, comparison, corrections, crm, erasure, handoffs, ingest, keys, leads, links, mail,
    merges, models, outbox, outcomes, policy, publishing, queues, scores, timeline, tracking, webhooks,
};

pub use docs::{Description, openapi};

/// Every documented call, by who makes it.
fn calls() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(docs::document())
        // Trackers, SDKs and back ends send events, from pages of any site.
        .merge(layers::for_any_site(ingest::api::routes().merge(tracking::api::routes())))
        // Mails, and those who read them.
        .merge(links::api::routes())
        .merge(mail::api::routes())
        // Sales and the CRM look at leads and queues.
        .merge(leads::api::routes())
        .merge(crm::api::routes())
        .merge(scores::api::routes())
        .merge(corrections::api::routes())
        .merge(erasure::api::routes())
        .merge(merges::api::routes())
        .merge(timeline::api::routes())
        .merge(queues::api::routes())
        .merge(handoffs::api::routes())
        .merge(checklists::api::routes())
        .merge(outcomes::api::routes())
        .merge(outbox::api::routes())
        .merge(webhooks::api::routes())
        // Marketing keeps the rules.
        .merge(policy::api::routes())
        .merge(models::api::routes())
        .merge(publishing::api::routes())
        .merge(comparison::api::routes())
        // Operators.
        .merge(keys::api::routes())
        .merge(health::routes())
}

/// The whole service as one router.
pub fn router(app: &App) -> Router {
    let (calls, document) = calls().split_for_parts();
    let router = calls.merge(docs::routes(document));
    layers::around(router, app).with_state(app.clone())
}
