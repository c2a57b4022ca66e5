//! The scoring core: `score(model, profile, events, as_of)` and nothing else.
//!
//! A score is a pure function. The log of events is the truth; a [`Tally`] is a cache of it that events are added to,
//! and must say at any moment what [`evaluate`] says of the whole log, whatever the order, batching or lateness in
//! which the events arrived. There is no clock here, no randomness and no float in the arithmetic.
//!
//! # Units
//!
//! Points are integers in milli-points ([`Milli`]), instants and spans in microseconds, UTC ([`Instant`],
//! [`Span`]), decay factors in millionths. Every rounding is half away from zero.
//!
//! # Which events count
//!
//! An event counts at `as_of` if it occurred by then, its verdict is not `machine`, and (for rules on events,
//! counts and inactivity) it is not older than the newest `engagement_reset`. Its age is `as_of - occurred_at`; it lies
//! in a window while `0 <= age < window`.
//!
//! # Numbers
//!
//! A number is the decimal that is written. A condition compares numbers to the last digit, and where the rule's own value is
//! a number, a text that is written as one counts as that number. JSON numbers that are no 64-bit integers are read as binary
//! floats, to the nearest one; such a number is the shortest decimal that reads back as the float.
//!
//! # Types of events
//!
//! A rule, and a hand-raise, meets an event whose type has the same [form](event_type::form): two spellings of one word are
//! one type. Everything that this crate knows by name, such as `score_adjusted`, is compared as it is written.
//!
//! # From rules to the score
//!
//! 1. A rule is what it pays, held between its `min` and `max`. It pays
//!    - **attribute**: its points while the profile meets a [`condition`];
//!    - **event**: for each counted occurrence, its points times the [`decay`] factor of its age, rounded. Counted are
//!      the newest matching events in the window: 100 if there is no limit, N by a limit of N; by a limit of N per D,
//!      going from the newest to the oldest, each before which fewer than N kept ones are less than D newer. Only the
//!      newest 200 are ever considered;
//!    - **count**: its points while at least so many matching events lie in its window;
//!    - **inactivity**: its points once the newest activity is old enough, and again at every repeat. Before any
//!      activity it pays nothing. What is no activity is listed in [`event::NOT_ACTIVITY`].
//! 2. A group is the sum of its rules, or the one with the largest absolute value (the first on a tie), held between
//!    its `min` and `max`, then times its weight, rounded.
//! 3. A dimension is the sum of its groups, held within its range.
//! 4. The raw score is fit, engagement and the adjustments that have not expired.
//! 5. The score is the raw score held within its range, published rounded to whole points.
//!
//! Clamping happens on totals only. A rule may be about any type of event, also about one that is no activity.
//! A [`Receipt`] names every step of this with its points, which add up to the score.
//!
//! # Example
//!
//! ```
//! use scoring::{Event, Model, Tally};
//! use serde_json::json;
//!
//! let model = Model::parse(&json!({
//!     "name": "visits",
//!     "score": {"min": 0, "max": 100},
//!     "dimensions": {
//!         "fit": {"min": 0, "max": 0, "groups": []},
//!         "engagement": {"min": 0, "max": 60, "groups": [{"name": "web", "rules": [{
//!             "name": "pricing", "event": "page_viewed", "where": {"field": "path", "glob": "/pricing*"},
//!             "points": 10, "decay": {"curve": "half_life", "half_life": "7d"}
//!         }]}]}
//!     },
//!     "grades": {"fit": [{"label": "A"}], "engagement": [{"label": "1", "from": 5}, {"label": "2"}]},
//!     "bands": [{"label": "hot", "from": 60}, {"label": "cold"}]
//! })).expect("no mistakes");
//! let event: Event = serde_json::from_value(json!({
//!     "id": "1", "type": "page_viewed", "occurred_at": "2026-03-01T00:00:00Z", "properties": {"path": "/Pricing"}
//! }))?;
//!
//! let mut tally = Tally::new(&model);
//! tally.add(&model, event.as_ref());
//! let score = tally.evaluate(&model, "2026-03-08T00:00:00Z".parse()?);
//!
//! assert_eq!((score.score, score.engagement.0, score.grade.as_str()), (5, 5_000, "A1"));
//! assert_eq!(score.next_change_at, Some("2026-03-09T00:00:00Z".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod adjustment;
mod breakdown;
pub mod check;
pub mod condition;
pub mod decay;
mod decimal;
pub mod event;
pub mod event_type;
pub mod forecast;
mod mistake;
pub mod model;
pub mod mql;
pub mod passages;
mod points;
pub mod profile;
pub mod receipt;
mod replay;
mod score;
mod tally;
mod time;

pub use adjustment::Adjustment;
pub use check::check;
pub use event::{Event, EventRef, Verdict, is_activity};
pub use mistake::{Mistake, Mistakes};
pub use model::Model;
pub use points::{DecimalError, Milli};
pub use receipt::Receipt;
pub use replay::{Evaluation, evaluate, replay};
pub use score::Score;
pub use tally::{Contribution, SEMANTICS, Tally, TallyError};
pub use time::{Instant, InstantError, Span, SpanError};
