//! Who the events are about.
//!
//! - *Identity*: one user id, e-mail address or anonymous id. Its id is a hash of kind and value, so a request always
//!   names the same identity. Events hang on identities.
//! - *Link*: a dated fact that one identity follows another.
//! - *Span*: for which lead an identity's events count in a stretch of time. Spans are a fold of the links.
//! - *Lead*: the set of spans that point to it.
//! - *Named in passing*: an identity that has no span. It is no lead yet, and its events wait in the log.
//! - *Passage*: a move of a lead from one stage to another. [`Cause::allows`] is the table of moves.
//! - *Home*: the lead that a span would count for if nobody had merged leads by hand. Links lead to homes. A span's
//!   lead is the end of its home's trail of `merged_into`. So when a merge is undone, an identity that came to a
//!   merged lead goes back with that lead.
//!
//! The guarantees: a link never rewrites an event. The result depends on the facts, not on the order in which they
//! came. A shared device never joins two user ids. A lead without identities stays as a signpost (`merged_into`) to
//! where they went.

pub mod api;
mod attributes;
mod cause;
pub mod consent;
pub mod identity;
pub mod jobs;
mod joining;
mod locked;
mod merging;
mod passage;
mod placeholder;
mod resolve;
mod respelling;
mod stage;
mod store;
pub mod validity;
pub(crate) mod view;
mod words;

use chrono::{DateTime, Utc};
use scoring::Tally;
use serde::{Deserialize, Serialize};

pub(crate) use attributes::{Attributes, attributes_of, read as read_attributes, tell as tell_unreadable};
pub use cause::Cause;
pub use locked::LockedLeads;
pub(crate) use merging::{hand_over, part, take_in};
pub use passage::{NotAllowed, Passed, Target, Why};
pub use resolve::{Mention, ResolveError, lock, lock_free, lock_heir, look_up, resolve};
pub use respelling::Respelling;
pub use stage::{MqlBy, Stage};
pub(crate) use store::{
    after, delete_profiles, emails_of, family, homes_of, identity, know, known_as, lead_of,
    lock as lock_rows, named, profiles_of, read, trail, update as update_rows, upsert_profiles,
};
pub use words::{counts as counts_as_words, write_words};

use crate::platform::{
    clock::to_instant,
    ids::{IdentityId, LeadId},
};

/// A stretch of time in which an identity's events count for a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Whose events.
    pub identity_id: IdentityId,
    /// From here, inclusive.
    pub since: DateTime<Utc>,
    /// To here, exclusive; none: open.
    pub until: Option<DateTime<Utc>>,
    /// The lead for which they count.
    pub lead_id: LeadId,
    /// The lead for which they would count had nobody merged leads by hand.
    pub home: LeadId,
    /// The identity that this one follows; none: it stands for itself.
    pub parent_id: Option<IdentityId>,
}

/// A lead's own row: what is not a function of its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// Its id.
    pub id: LeadId,
    /// Where it stands: [`Lead::pass`] alone moves it.
    stage: Stage,
    /// How many passages into `mql` it has begun.
    pub cycle: i32,
    /// What opened the passage under way; none unless `mql`.
    pub mql_by: Option<MqlBy>,
    /// Since when its score is too low to stay `mql`.
    pub below_since: Option<DateTime<Utc>>,
    /// Whether a newly published model brought it there.
    pub below_by_model: bool,
    /// When its last passage ended.
    pub last_exit_at: Option<DateTime<Utc>>,
    /// Since when it is to ripen again; none unless `recycled`.
    pub recycled_at: Option<DateTime<Utc>>,
    /// Until when at least, whatever the model says.
    pub recycled_until: Option<DateTime<Utc>>,
    /// Since when contact is withheld because it was merged with one that was not to be contacted.
    #[serde(default)]
    pub withheld_at: Option<DateTime<Utc>>,
    /// How often its set of identities has changed.
    pub epoch: i32,
    /// Where its identities went, once it has none.
    pub merged_into: Option<LeadId>,
    /// Since when.
    pub merged_at: Option<DateTime<Utc>>,
    #[serde(skip)]
    passed: Vec<Passed>,
}

impl Lead {
    /// A lead that has just been seen for the first time.
    pub fn new(id: LeadId, identified: bool) -> Lead {
        Lead {
            id,
            stage: if identified { Stage::Lead } else { Stage::Anonymous },
            cycle: 0,
            mql_by: None,
            below_since: None,
            below_by_model: false,
            last_exit_at: None,
            recycled_at: None,
            recycled_until: None,
            withheld_at: None,
            epoch: 0,
            merged_into: None,
            merged_at: None,
            passed: Vec::new(),
        }
    }

    /// Where it stands.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether the person is not to be contacted: it asked so, or somebody said that it is one who did, and has not raised its
    /// hand since.
    pub fn do_not_contact(&self, tally: &Tally) -> bool {
        let withheld = self.withheld_at.map(to_instant);
        tally.do_not_contact() || (withheld.is_some() && tally.hand_raised_at() <= withheld)
    }

    /// Forgets that it is an MQL for having raised its hand: whoever looks at its stage next sees whether it has.
    pub fn ask_again(&mut self) {
        if self.mql_by == Some(MqlBy::HandRaise) {
            self.mql_by = Some(MqlBy::Threshold);
        }
    }

    /// The lead as it would be at a stage, for those who only suppose; whoever keeps a lead moves it by
    /// [`Lead::pass`].
    #[must_use]
    pub fn supposed_at(self, stage: Stage) -> Lead {
        Lead { stage, ..self }
    }
}
