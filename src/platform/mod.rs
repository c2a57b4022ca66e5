//! What every wing stands on: the core, the clock, ids, the database, JSON, spelling, background work.

pub mod clock;
pub mod core;
pub mod db;
pub mod ids;
pub mod json;
pub mod spelling;
pub mod sweep;
