//! The router: every call of the service, by who makes it.

mod docs;
mod health;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;

pub use docs::Description;

use crate::{
    app::App,
    feed::{outbox, webhooks},
    http::layers,
    intake::{corrections, ingest, links, mail, merges, tracking, upsert},
    keys, leads,
    lifecycle::{checklists, erasure, handoffs, outcomes, policy},
    models,
    publishing::{self, comparison},
    queues, scores, timeline,
};

/// Collects every documented call, by who makes it.
fn calls() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(docs::document())
        // Trackers, SDKs and back ends send events, from pages of any site.
        .merge(layers::for_any_site(ingest::api::routes().merge(tracking::api::routes())))
        // Mails, and those who read them.
        .merge(links::api::routes())
        .merge(mail::api::routes())
        // Sales and the CRM look at leads and queues.
        .merge(leads::api::routes())
        .merge(upsert::api::routes())
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

/// Makes the router of the whole service.
pub fn router(app: &App) -> Router {
    let (calls, _) = calls().split_for_parts();
    let router = calls.merge(docs::routes());
    layers::around(router, &app.core, &app.bodies).with_state(app.clone())
}

/// Makes the OpenAPI description of all calls.
pub fn openapi() -> Description {
    let (_, document) = calls().split_for_parts();
    docs::finished(document)
}
