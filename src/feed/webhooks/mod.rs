//! Webhooks: what happened to leads, sent to other servers.
//!
//! - *Endpoint*: where to send, and which types of changes. An endpoint reads the feed of [`outbox`](crate::feed::outbox)
//!   up to its own position.
//! - *Delivery*: one change for one endpoint, or a ping. Its body is fixed when it is made. Every attempt sends the
//!   same bytes under the same `webhook-id`, which is the change's own id at every endpoint.
//! - *Attempt*: one request and its result.
//! - *Lane*: the line of one lead's deliveries to one endpoint.
//!
//! **The way of a delivery.** [`FanOut`](jobs::FanOut) goes through the feed for each endpoint. One transaction makes
//! the deliveries, opens their lanes and moves the endpoint's position. So nothing is left out and nothing is made
//! twice, whatever is killed when. [`Deliver`](jobs::Deliver) finds the endpoints with lanes that are due, and gives
//! them *couriers*. A courier takes a lane by a lease, sends the first delivery of the lane, and writes down the
//! result together with what is next: the lane is due again at once, or after a wait, or ends. No transaction is open
//! while the courier waits for an answer.
//!
//! **At least once.** A killed courier leaves a lease that ends, and another courier sends the same again. A courier
//! that was slower than its lease finds the lane taken and writes nothing. So a receiver may see a message twice, and
//! recognises it by its `webhook-id`.
//!
//! **In order, lead by lead.** Within a lane, the next delivery is sent when the one before has arrived or was given
//! up. So one lead's changes never overtake each other, and a refused message delays only its own lead. A redelivery
//! goes out in its old place in the lane, before what still waits.
//!
//! **No endpoint waits for others.** An endpoint has up to eight couriers at a time, or one if its last delivery
//! failed. Couriers are tasks of their own. Endpoints share only the total number of couriers.
//!
//! **A disabled endpoint** takes nothing. Its deliveries wait, and its position stands still. When it is enabled, it
//! continues where it stopped, as far back as changes are kept. An endpoint that answers 410 is disabled at once. An
//! endpoint that only fails is disabled after [`PATIENCE_DAYS`] days.
//!
//! Times are of the app's clock, except how long a request takes.

pub mod address;
mod courier;
mod deliveries;
mod endpoints;
pub mod jobs;
mod lanes;
mod schedule;
mod signature;

pub mod api;

use std::{ops::Deref, sync::Arc, time::Duration};

pub use courier::Couriers;
pub use deliveries::waiting_since;

use crate::platform::core::Core;
use address::Reachable;

/// After how many days of failures an endpoint is disabled.
pub const PATIENCE_DAYS: i64 = 5;

/// The core and the couriers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks {
    /// What every feature stands on.
    pub core: Core,
    /// Send the deliveries.
    pub couriers: Arc<Couriers>,
}

impl Deref for Webhooks {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

/// The operator's settings of webhooks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The networks to which deliveries may go.
    pub reachable: Arc<Reachable>,
    /// How long a request may take, from the connection to the end of the answer.
    pub timeout: Duration,
}

impl Default for Settings {
    /// Only public addresses, and 30 seconds.
    fn default() -> Settings {
        Settings { reachable: Arc::default(), timeout: Duration::from_secs(30) }
    }
}
