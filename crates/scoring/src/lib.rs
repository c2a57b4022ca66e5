//! The scoring core: `score(model, profile, events, as_of)` and nothing else.
//!
//! A score is a pure function. The log of events is the truth. A [`Tally`] is a cache of the log, to which
//! events are added. A tally gives at any moment the same score as [`evaluate`] over the whole log, in
//! whatever order, in whatever batches and however late the events arrive. This crate has no clock, no
//! randomness and no float in the arithmetic.
//!
//! # Units
//!
//! Points are integers in milli-points ([`Milli`]). Instants are microseconds UTC since 1970 ([`Instant`]),
//! spans are microseconds ([`Span`]). Decay factors are integers in millionths. Every rounding is half away
//! from zero.
//!
//! # Which events count
//!
//! An event counts at `as_of` if it occurred at or before `as_of` and its verdict is not `machine`. For rules
//! on events, counts and inactivity, the event must also not be older than the newest `engagement_reset`. The
//! age of an event is `as_of - occurred_at`. An event lies in a window while `0 <= age < window`.
//!
//! # Numbers
//!
//! Conditions compare numbers as exact decimals, to the last digit. If the rule's value is a number, a text
//! that is written as a number counts as that number. A JSON number that is no 64-bit integer is read as the
//! nearest binary float. Its value is then the shortest decimal that reads back as this float.
//!
//! # Types of events
//!
//! Rules and hand-raises match an event whose type has the same [form](event_type::form), so two Unicode
//! spellings of one word are one type. Types that this crate knows by name, such as `score_adjusted`, are
//! compared as they are written.
//!
//! # From rules to the score
//!
//! 1. A rule is worth what it pays, held between its `min` and `max`. A rule pays
//!    - **attribute**: its points while the profile meets a [`condition`];
//!    - **event**: for each counted event, its points times the [`decay`] factor of the event's age, rounded.
//!      The newest matching events in the window count: 100 without a limit, N with a limit of N. With a
//!      limit of N per D, the events are taken from the newest to the oldest; an event counts if fewer than N
//!      counted events are newer by less than D. A rule considers only the 200 newest matching events;
//!    - **count**: its points while at least `count` matching events lie in its window;
//!    - **inactivity**: its points once the newest activity is old enough, and again at every repeat. Without
//!      any activity the rule pays nothing. [`event::NOT_ACTIVITY`] lists the types that are no activity.
//! 2. A group is worth the sum of its rules, or the rule with the largest absolute value (the first on a
//!    tie). This is held between the group's `min` and `max`, then multiplied by its weight and rounded.
//! 3. A dimension is the sum of its groups, held within its range.
//! 4. The raw score is the sum of fit, engagement and the adjustments that have not expired.
//! 5. The score is the raw score held within its range. It is published in whole points, rounded.
//!
//! Only totals are clamped. A rule may be about any type of event, also about a type that is no activity. A
//! [`Receipt`] names every step with its points, and these points add up to the score.
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
