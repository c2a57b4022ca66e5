//! Leads: who the events are about.
//!
//! - *Identity*: one user id, e-mail address or anonymous id. Its id is a hash of kind and value, so a request always
//!   names the same identity. Events hang on identities.
//! - *Link*: a dated fact: one identity follows another, because an event named both.
//! - *Span*: a stretch of time in which an identity's events count for one lead. Spans are a fold of the
//!   links.
//! - *Lead*: the set of spans that point to it.
//! - *Named in passing*: an identity that has no span. It is no lead yet, and its events wait in the log.
//! - *Passage*: a move of a lead from one stage to another. [`Cause::allows`] is the table of moves.
//! - *Home*: the lead that a span would count for if nobody had merged leads by hand. Links lead to homes.
//!   The lead of a span is found by following `merged_into` from its home to the end. So when a merge is
//!   undone, an identity that joined a merged lead goes back with that lead.
//!
//! The guarantees: a link never rewrites an event. The result depends on the facts, not on the order in which
//! they came. A shared device never joins two user ids. A lead without identities stays as a signpost
//! (`merged_into`) to the lead where its identities went.

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
    /// The identity.
    pub identity_id: IdentityId,
    /// The beginning, inclusive.
    pub since: DateTime<Utc>,
    /// The end, exclusive; `None` if the span is open.
    pub until: Option<DateTime<Utc>>,
    /// The lead for which the events count.
    pub lead_id: LeadId,
    /// The lead for which the events would count if nobody had merged leads by hand.
    pub home: LeadId,
    /// The identity that this one follows; `None` if it follows nobody.
    pub parent_id: Option<IdentityId>,
}

/// A lead's own row: the fields that do not follow from its log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// The lead's id.
    pub id: LeadId,
    /// The stage. Only [`Lead::pass`], a merge and the undoing of a merge or a model change it.
    stage: Stage,
    /// How often the lead has become an MQL.
    pub cycle: i32,
    /// What made the lead an MQL; `None` if the stage is not `mql`.
    pub mql_by: Option<MqlBy>,
    /// Since when the score of an MQL is below `leave`.
    pub below_since: Option<DateTime<Utc>>,
    /// Whether a newly published model brought the score below `leave`.
    pub below_by_model: bool,
    /// The last exit: when the lead last left the stages `mql`, `sql`, `opportunity` and `customer`, or was
    /// recycled.
    pub last_exit_at: Option<DateTime<Utc>>,
    /// When the lead was recycled; `None` if the stage is not `recycled`.
    pub recycled_at: Option<DateTime<Utc>>,
    /// Until when a recycled lead must wait at least, even if the model's cooldown is shorter.
    pub recycled_until: Option<DateTime<Utc>>,
    /// Since when the lead must not be contacted because it was merged with a lead that must not be
    /// contacted.
    #[serde(default)]
    pub withheld_at: Option<DateTime<Utc>>,
    /// How often the lead's set of identities has changed.
    pub epoch: i32,
    /// The lead where the identities went; set only for a signpost.
    pub merged_into: Option<LeadId>,
    /// When the lead became a signpost.
    pub merged_at: Option<DateTime<Utc>>,
    #[serde(skip)]
    passed: Vec<Passed>,
}

impl Lead {
    /// A new lead: at the stage `lead` if it is identified, else `anonymous`.
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

    /// The stage.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether the person must not be contacted on any channel. The person opted out, or was merged with
    /// someone who did, and has not raised a hand since.
    pub fn do_not_contact(&self, tally: &Tally) -> bool {
        let withheld = self.withheld_at.map(to_instant);
        tally.do_not_contact() || (withheld.is_some() && tally.hand_raised_at() <= withheld)
    }

    /// Turns an MQL by hand-raise into an MQL by score. The next decision restores the hand-raise if it still
    /// counts.
    pub fn ask_again(&mut self) {
        if self.mql_by == Some(MqlBy::HandRaise) {
            self.mql_by = Some(MqlBy::Threshold);
        }
    }

    /// The lead as it would be at another stage, for a supposition that is not stored. Use [`Lead::pass`] to
    /// move a lead.
    #[must_use]
    pub fn supposed_at(self, stage: Stage) -> Lead {
        Lead { stage, ..self }
    }
}
