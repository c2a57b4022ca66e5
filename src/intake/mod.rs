//! Everything that comes in: events of all shapes, reports of e-mail providers, upserts of other systems, and
//! people's corrections and merges.

pub mod corrections;
pub mod ingest;
pub mod links;
pub mod mail;
pub mod merges;
pub mod normalisation;
pub mod tracking;
pub mod upsert;
pub mod verdicts;
