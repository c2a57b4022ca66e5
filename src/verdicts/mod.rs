//! Who caused an event: a person, perhaps a machine, or a machine.
//!
//! *Finding*: what gives a machine away, or makes one likely; an event without any is a person's. Each finding means one
//! verdict, and of several the gravest counts. What a machine did stays in the log and counts for nothing.
//!
//! Of one event alone speak its user agent, how it was fetched and what its sender says of it: [`agents`].

pub mod agents;

use scoring::Verdict;

/// What speaks against a person, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    /// A link was followed by something that does not say what it is.
    NoAgent,
    /// The sender says that it was a machine: a mail provider knows its proxies and scanners.
    Provider,
    /// Fetched before anybody looked at it.
    Prefetch,
    /// A proxy that fetches a mail's pictures, whether anybody reads the mail or not.
    MailProxy,
    /// The user agent is that of a machine.
    Bot,
}

impl Finding {
    /// All of them.
    pub const ALL: [Finding; 5] =
        [Finding::NoAgent, Finding::Provider, Finding::Prefetch, Finding::MailProxy, Finding::Bot];

    /// What it means.
    pub fn verdict(self) -> Verdict {
        match self {
            Finding::NoAgent => Verdict::Suspect,
            Finding::Provider | Finding::Prefetch | Finding::MailProxy | Finding::Bot => Verdict::Machine,
        }
    }

    /// The word for it, as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Finding::NoAgent => "no_agent",
            Finding::Provider => "provider",
            Finding::Prefetch => "prefetch",
            Finding::MailProxy => "mail_proxy",
            Finding::Bot => "bot",
        }
    }
}

/// The verdict that a finding means; a person's, if there is none.
pub fn verdict(finding: Option<Finding>) -> Verdict {
    finding.map_or(Verdict::Human, Finding::verdict)
}

/// The word for a verdict, as stored.
pub fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Human => "human",
        Verdict::Suspect => "suspect",
        Verdict::Machine => "machine",
    }
}
