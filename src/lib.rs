//! Leadscore: events in, exact scores kept, a ranked queue out.
//!
//! One module for each duty:
//!
//! - [`ingest`]: events in, our own shape; the writers that commit them
//! - [`tracking`]: the shapes of other SDKs, turned into events
//! - [`links`]: links in mails, which report opens and clicks, and unsubscribe
//! - [`mail`]: reports of e-mail providers about mails
//! - [`validity`]: what addresses, numbers and websites show when they arrive
//! - [`verdicts`]: who caused an event, a person or a machine
//! - [`leads`]: identities, links and spans, profiles
//! - [`scores`]: the pure core applied to rows: on events, when due; receipts
//! - [`corrections`]: what people decide about a score
//! - [`erasure`]: a person who wants to be forgotten
//! - [`merges`]: two leads that somebody says are one person, and the way back
//! - [`crm`]: what other systems know of leads: upserts
//! - [`policy`]: what the organisation decides besides the model
//! - [`qualification`]: the passages between marketing and sales, and the offers that follow from them
//! - [`handoffs`]: the answers of sales to offers
//! - [`checklists`]: what sales finds out, criterion by criterion
//! - [`outcomes`]: what people say has become of a lead
//! - [`timeline`]: what has happened to a lead
//! - [`queues`]: who is called next, and claims: which rep has which lead
//! - [`outbox`]: what happened to leads, as a feed
//! - [`webhooks`]: the same changes, sent to other servers
//! - [`models`]: the rules, as documents in versions
//! - [`publishing`]: how a version goes live, and back; shadows
//! - [`comparison`]: two models side by side
//! - [`keys`]: who may do what
//! - [`http`]: the frame around every call
//! - [`sweep`]: the frame around background work
//! - [`demo`]: a year as it could have been: traffic, sales and deals
//!
//! Below them are [`app`], [`command`], [`config`], [`clock`], [`ids`], [`db`], [`serve`], [`health`], [`telemetry`].

pub mod app;
pub mod checklists;
pub mod clock;
pub mod command;
pub mod comparison;
pub mod config;
pub mod core;
pub mod corrections;
pub mod crm;
pub mod db;
pub mod demo;
pub mod erasure;
pub mod handoffs;
pub mod health;
pub mod http;
pub mod ids;
pub mod ingest;
pub mod json;
pub mod keys;
pub mod leads;
pub mod lifecycle;
pub mod links;
pub mod mail;
pub mod merges;
pub mod models;
pub mod normalisation;
pub mod outbox;
pub mod outcomes;
pub mod policy;
pub mod publishing;
pub mod qualification;
pub mod queues;
pub mod routes;
pub mod scores;
pub mod serve;
pub mod spelling;
pub mod sweep;
pub mod sweeps;
pub mod telemetry;
pub mod timeline;
pub mod tracking;
pub mod validity;
pub mod verdicts;
pub mod webhooks;
