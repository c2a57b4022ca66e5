//! Leadscore: events in, exact scores kept, a ranked queue out.
//!
//! One module a room, by what it does:
//!
//! - [`ingest`]: events in, our own shape; the writers that commit them
//! - [`tracking`]: the shapes of other people's SDKs, turned into events
//! - [`links`]: links of mails, which tell of opens and clicks and unsubscribe
//! - [`mail`]: what e-mail providers tell of mails
//! - [`validity`]: what addresses and numbers give away when they arrive
//! - [`verdicts`]: who caused an event, a person or a machine
//! - [`leads`]: identities, who belongs to whom, profiles
//! - [`scores`]: the pure core applied to rows: on events, when due; receipts
//! - [`corrections`]: what people decide about a score
//! - [`erasure`]: a person who wants to be forgotten
//! - [`merges`]: two leads that are one person, on somebody's word, and the way back
//! - [`crm`]: what other systems know of leads, and how they stand
//! - [`policy`]: what the organisation has decided besides the model
//! - [`qualification`]: the passages between marketing and sales, and the offers that follow from them
//! - [`handoffs`]: what sales answers to its offers
//! - [`checklists`]: what sales has found out, criterion by criterion
//! - [`outcomes`]: what people say has become of a lead
//! - [`timeline`]: what has happened to a lead
//! - [`queues`]: who is to be called next, and claims: who calls whom
//! - [`outbox`]: what happened to leads, as a feed
//! - [`webhooks`]: the same, brought to other people's servers
//! - [`models`]: the rules, as documents in versions
//! - [`publishing`]: how a version goes live, and back; shadows
//! - [`comparison`]: two models side by side
//! - [`keys`]: who may do what
//! - [`http`]: the frame around every call
//! - [`sweep`]: the frame around background work
//! - [`demo`]: a believable year: traffic, sales and deals
//!
//! and beneath them [`app`], [`command`], [`config`], [`clock`], [`ids`], [`db`], [`serve`], [`health`], [`telemetry`].

pub mod app;
pub mod checklists;
pub mod clock;
pub mod command;
pub mod comparison;
pub mod config;
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
pub mod scores;
pub mod serve;
pub mod spelling;
pub mod sweep;
pub mod telemetry;
pub mod timeline;
pub mod tracking;
pub mod validity;
pub mod verdicts;
pub mod webhooks;
