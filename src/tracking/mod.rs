//! Foreign shapes.
pub mod api;
