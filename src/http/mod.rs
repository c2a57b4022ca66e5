//! The frame around every call: layers, extractors, problems, pages, the description. It knows no feature but the keys.

pub mod aside;
pub mod auth;
pub mod body;
pub mod docs;
pub mod etag;
pub mod extract;
pub mod layers;
pub mod listen;
pub mod page;
pub mod picture;
pub mod problem;
pub mod said;

pub use docs::Description;

use crate::keys::Keys;

/// What the frame asks of the state of the router.
pub trait RouterState: Clone + Send + Sync + 'static {
    /// Who may do what.
    fn keys(&self) -> &Keys;
}
