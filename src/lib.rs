//! Leadscore: events in, exact scores kept, a ranked queue out.
//!
//! The wings of the house. A wing imports those above it in this list, and none below:
//!
//! - [`platform`]: the core, the clock, ids, the database, JSON, spelling, background work
//! - [`http`]: the frame around every call
//! - [`keys`]: who may do what
//! - [`models`]: the rules, as documents in versions
//! - [`leads`]: identities, links and spans, profiles, consent; what addresses and numbers show
//! - [`scores`]: the pure core applied to rows: states, replays, receipts
//! - [`feed`]: what happened to leads, to be read and as webhooks
//! - [`lifecycle`]: the one way in which a lead changes; stages, handoffs, checklists, outcomes, the policy, erasure
//! - [`queues`]: who is called next, and claims: which rep has which lead
//! - [`intake`]: what comes in: events, SDKs, mails, links, upserts, verdicts, corrections, merges
//! - [`publishing`]: how a version goes live, and back; shadows; two models side by side
//! - [`timeline`]: what has happened to a lead
//!
//! The composition stands on all of them: [`app`], [`routes`], [`sweeps`], [`serve`], [`demo`], [`config`], [`command`],
//! [`telemetry`], [`health`].

pub mod app;
pub mod command;
pub mod config;
pub mod demo;
pub mod feed;
pub mod health;
pub mod http;
pub mod intake;
pub mod keys;
pub mod leads;
pub mod lifecycle;
pub mod models;
pub mod platform;
pub mod publishing;
pub mod queues;
pub mod routes;
pub mod scores;
pub mod serve;
pub mod sweeps;
pub mod telemetry;
pub mod timeline;
