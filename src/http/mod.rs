//! The frame around every call: layers, extractors, problems, pages. It knows no feature.

pub mod aside;
pub mod body;
pub mod etag;
pub mod extract;
pub mod layers;
pub mod listen;
pub mod page;
pub mod picture;
pub mod problem;
pub mod said;
