//! Webhooks: what happened to leads, brought to other people's servers.
//!
//! The cast. An *endpoint* is where to and which kinds of changes; it reads the feed of [`outbox`](crate::outbox) up to its
//! own position. A *delivery* is one change for one endpoint, or a ping. Its body is fixed when it is made: every attempt
//! sends the same bytes under the same `webhook-id`, which is the change's own id, at whatever endpoint. An *attempt* is
//! one request and what came of it. A *lane* is the line of one lead's deliveries to one endpoint.
//!
//! **The way of a delivery.** [`FanOut`](jobs::FanOut) goes through the feed for each endpoint: in one transaction it makes
//! the deliveries, opens their lanes and moves the endpoint's position on; so nothing is left out and nothing made twice,
//! whatever is killed when. [`Deliver`](jobs::Deliver) looks which endpoints have lanes that are due and gives them
//! *couriers*. A courier takes a lane by a lease, sends the first of its line, and writes down what came of it together
//! with what is next: the lane is due again at once, or after a wait, or ends. No transaction is open while it waits for an
//! answer.
//!
//! **At least once.** A courier that is killed leaves a lease that ends; another one sends the same again. A courier that
//! was slower than its lease finds the lane taken and writes nothing. So a receiver may see a message twice, and tells it by
//! its `webhook-id`.
//!
//! **In order, lead by lead.** Within a lane, the next is sent when the one before has arrived or was given up. So one lead's
//! changes never overtake each other, and a message that its receiver refuses holds up this lead's alone. What is
//! redelivered goes out in its old place in line, before what still waits.
//!
//! **Nobody waits for others.** An endpoint has up to eight couriers at a time, one if its last delivery failed; they are
//! tasks of their own, so the only thing that endpoints share is how many there may be in all.
//!
//! **An endpoint that is disabled** takes nothing; its deliveries wait, and its position stands still. When it is enabled it
//! goes on where it stopped, as far back as changes are kept. One that answers 410 is disabled at once, one that does
//! nothing but fail for [`PATIENCE_DAYS`] days then.
//!
//! Times are the app's clock's, but for how long a request takes.

pub mod address;
mod courier;
mod deliveries;
mod endpoints;
pub mod jobs;
mod lanes;
mod schedule;
mod signature;

pub mod api;

use std::{sync::Arc, time::Duration};

pub use courier::Couriers;
pub use deliveries::waiting_since;

use address::Reachable;

/// For how many days an endpoint may do nothing but fail.
pub const PATIENCE_DAYS: i64 = 5;

/// What the operator chooses.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where deliveries may go.
    pub reachable: Arc<Reachable>,
    /// How long a request may take, from the connection to the end of the answer.
    pub timeout: Duration,
}

impl Default for Settings {
    /// To public addresses alone; 30 seconds.
    fn default() -> Settings {
        Settings { reachable: Arc::default(), timeout: Duration::from_secs(30) }
    }
}
