//! The service as its callers see it: HTTP in, HTTP and database out, on a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]
#![expect(clippy::disallowed_methods, reason = "statements of a test look into the tables")]

mod harness;

mod admission;
mod bodies;
mod bounds;
mod changes;
mod checklists;
mod comparison;
mod consent;
mod consent_words;
mod corrections;
mod crm;
mod description;
mod documents;
mod drafts;
mod erasure;
mod events;
mod foresight;
mod handoffs;
mod hostile;
mod identities;
mod incremental;
mod keys;
mod leads;
mod lifecycle;
mod links;
mod lists;
mod mail;
mod merges;
mod models;
mod mutations;
mod normalisation;
mod operations;
mod outbox;
mod outcomes;
mod policy;
mod publishing;
mod queues;
mod readable;
mod refusals;
mod repeats;
mod rollback;
mod same_traffic;
mod scopes;
mod search;
mod semantics;
mod spellings;
mod timeline;
mod tracking;
mod two_services;
mod validity;
mod verdicts;
mod webhooks;
mod workers;
mod writers;

#[path = "../../benches/worst/mod.rs"]
mod worst;
