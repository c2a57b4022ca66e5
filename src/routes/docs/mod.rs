//! The description of the calls: `/openapi.yaml`, and `/docs` to read it in a browser.

mod description;

use std::sync::LazyLock;

use axum::{Router, http::header, routing::get};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response as Documented,
    ResponseBuilder, Server,
    security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    tag::TagBuilder,
};
use utoipa_swagger_ui::{Config, SwaggerUi};

pub use description::Description;

use crate::http::problem::{Code, Document, Violation};
use crate::keys::Scope;

/// Makes the description without calls: title, tags, and how keys are sent.
pub(super) fn document() -> OpenApi {
    let tags = [
        ("Ingestion", "Events in. Scope `ingest`."),
        (
            "E-mail",
            "What happens to mails: links that report opens and clicks, unsubscribing, providers' webhooks. Scope `admin`, to \
            make links `read_write`.",
        ),
        ("Leads", "Leads, their scores and receipts. Scope `read`, to change them `read_write`."),
        (
            "Queues",
            "Who is called next, and which rep has which lead. Scope `read`, to hand out leads `read_write`, to change a queue `admin`.",
        ),
        (
            "Handoffs",
            "From marketing to sales: handoffs, answers, checklists, outcomes, the policy. Scope `read`, to answer \
            `read_write`, to change the policy `admin`.",
        ),
        ("Webhooks", "What happened to leads, sent to your servers. Scope `admin`."),
        ("Models", "Scoring models. Scope `read`, to change them `admin`."),
        ("Changes", "What happened to leads, for programs that keep a copy. Scope `read`."),
        ("Operations", "Keys (scope `admin`), health, metrics."),
    ];
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Leadscore")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(include_str!("../openapi.md")))
                .license(Some(
                    LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build(),
                ))
                .build(),
        )
        .tags(Some(tags.map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build())))
        .security(Some([SecurityRequirement::new("key", Vec::<String>::new())]))
        .build()
}

/// Adds what every call shares: how keys are sent, and what a failure looks like.
pub(super) fn finished(mut document: OpenApi) -> Description {
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    for (name, schema) in [
        (<Document<'_> as utoipa::ToSchema>::name(), <Document<'_> as utoipa::PartialSchema>::schema()),
        (<Violation as utoipa::ToSchema>::name(), <Violation as utoipa::PartialSchema>::schema()),
        (<Code as utoipa::ToSchema>::name(), <Code as utoipa::PartialSchema>::schema()),
    ] {
        components.schemas.insert(name.into_owned(), schema);
    }
    document.servers = Some(vec![Server::new("/")]);
    for item in document.paths.paths.values_mut() {
        let calls = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for call in calls.into_iter().flatten() {
            for (status, response) in &mut call.responses.responses {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    plainly(status).clone_into(&mut response.description);
                }
            }
            call.responses.responses.insert("default".to_owned(), RefOr::T(failure()));
            let scope = scope(call.tags.as_deref().unwrap_or_default());
            call.security.get_or_insert_with(|| vec![SecurityRequirement::new("key", [scope.as_str()])]);
        }
    }
    Description::of(&document)
}

/// Returns the scope that a call needs if its description names none.
fn scope(tags: &[String]) -> Scope {
    match tags.first().map(String::as_str) {
        Some("Ingestion") => Scope::Ingest,
        Some("Leads" | "Queues" | "Handoffs" | "Changes" | "Models") => Scope::Read,
        _ => Scope::Admin,
    }
}

/// Returns the text for an answer that has none of its own.
fn plainly(status: &str) -> &'static str {
    match status {
        "201" => "Made",
        "204" => "Done",
        _ => "The answer",
    }
}

fn failure() -> Documented {
    let content = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Problem")))).build();
    ResponseBuilder::new()
        .description("What went wrong, and what to do about it")
        .content("application/problem+json", content)
        .build()
}

/// Configures the page for readers. Without `none`, the page would send the description to a public validator.
fn reader() -> Config<'static> {
    Config::new(["/openapi.json"]).validator_url("none")
}

/// The description as both files hold it.
struct Files {
    yaml: String,
    json: String,
}

/// The files depend on the code alone. The first router of a process writes them.
static FILES: LazyLock<Files> = LazyLock::new(|| {
    let description = super::openapi();
    Files { yaml: description.to_yaml(), json: description.to_json() }
});

/// Serves the description, as files and for reading.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let Files { yaml, json } = &*FILES;
    let file =
        |kind: &'static str, text: &'static str| get(async move || ([(header::CONTENT_TYPE, kind)], text));
    Router::new()
        .route("/openapi.yaml", file("application/yaml", yaml))
        .route("/openapi.json", file("application/json", json))
        .merge(SwaggerUi::new("/docs").config(reader()))
}
