//! What comes in: events by every road, what providers and other systems report, and what people correct.

pub mod corrections;
pub mod ingest;
pub mod links;
pub mod mail;
pub mod merges;
pub mod normalisation;
pub mod tracking;
pub mod upsert;
pub mod verdicts;
