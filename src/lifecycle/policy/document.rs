//! The policy document: its fields, limits and built-in values.

use std::collections::HashSet;

use scoring::Span;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Framework;
use crate::{
    http::said::{LONGEST_NAME, Mistakes, Texts},
    leads::identity::{Identity, Kind},
    platform::spelling,
};

/// How many exclusions a policy may have.
const MOST_EXCLUSIONS: usize = 20_000;
/// How many reasons a list may have.
const MOST_REASONS: usize = 100;
/// How long a reason's code may be, in bytes.
const LONGEST_CODE: usize = 60;

/// The policy document. A part that is left out is as in the built-in policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PolicyDocument)]
pub struct Document {
    /// The people who are never offered to sales, whatever their score. At most 20 000 lines.
    pub exclusions: Vec<Exclusion>,
    /// The terms on which leads are offered to sales.
    pub handoff: Terms,
    /// The reasons for which sales may reject a lead. 1 to 100 reasons.
    pub reject_reasons: Vec<RejectReason>,
    /// The reasons for which a deal may be lost. 1 to 100 reasons.
    pub loss_reasons: Vec<LossReason>,
}

/// A line of the exclusions. It names people by exactly one of `domain`, `email` and `tag`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// Why these people are excluded.
    pub label: Label,
    /// Excludes everybody whose e-mail address, `company.domain` or `derived.company_domain` is in this
    /// domain or a subdomain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "rival.example")]
    pub domain: Option<String>,
    /// Excludes the person with this e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Excludes everybody whose attribute `tags` contains this tag. Upper and lower case do not matter. 1 to
    /// 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// Why a person is excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExclusionLabel)]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Label {
    /// The person works for us.
    OwnStaff,
    /// The person works for a competitor.
    Competitor,
    /// The person works for a partner.
    Partner,
    /// Any other reason.
    Other,
}

impl Label {
    /// The name of the label, as stored and as in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The terms on which leads are offered to sales.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = HandoffTerms)]
pub struct Terms {
    /// Whether a lead is offered automatically when it becomes an MQL. If false, people offer leads by hand.
    pub auto_offer: bool,
    /// How long sales may take to answer a handoff, at most 365 days. Null: without limit.
    #[serde(with = "duration")]
    #[schema(value_type = Option<String>, default = "4h", example = "4h")]
    pub sla: Option<Span>,
    /// How long after the offer an unanswered handoff ends by itself, at most 365 days. Null: never.
    #[serde(with = "duration")]
    #[schema(value_type = Option<String>, example = "14d")]
    pub expires_after: Option<Span>,
    /// Where the lead of an expired handoff goes.
    pub expired_to: ExpiredTo,
    /// What sales must have found out before it accepts a lead. Null: nothing.
    pub accept_needs: Option<AcceptNeeds>,
    /// Which MQLs become SQLs automatically. Null: none.
    pub auto_sql: Option<AutoSql>,
}

/// Where the lead of an expired handoff goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpiredTo {
    /// To the stage `lead`. The lead may be an MQL again as soon as the person does something.
    Lead,
    /// To the stage `recycled`. The lead may be an MQL again after the model's cooldown, once the person has done something.
    Recycled,
}

/// What sales must have found out before it accepts a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptNeeds {
    /// The framework whose criteria must be answered.
    pub framework: Framework,
    /// How many of the four criteria must have an answer other than `unknown`: 1 to 4.
    pub answered: u8,
}

/// Which MQLs become SQLs automatically, without an answer of sales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AutoSql {
    /// The lowest score of such an MQL.
    pub min_score: i64,
    /// Whether the person must have asked for sales too.
    #[serde(default)]
    pub hand_raise_only: bool,
}

/// A reason for which sales may reject a lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectReason {
    /// The code of the reason: 1 to 60 of `a` to `z`, `0` to `9` and `_`.
    pub code: String,
    /// The text that people read, 1 to 200 characters.
    pub label: String,
    /// Where the rejected lead goes.
    pub then: Then,
}

/// Where a rejected lead goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RejectedTo)]
pub enum Then {
    /// To the stage `lead`. The lead may be an MQL again as soon as the person does something.
    Lead,
    /// To the stage `recycled`. The lead may be an MQL again after the model's cooldown, once the person has done something.
    Recycled,
    /// To the stage `disqualified`. The lead does not become an MQL again by itself.
    Disqualified,
}

/// A reason for which a deal may be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LossReason {
    /// The code of the reason: 1 to 60 of `a` to `z`, `0` to `9` and `_`.
    pub code: String,
    /// The text that people read, 1 to 200 characters.
    pub label: String,
}

mod duration {
    //! Durations as text, such as `4h`.

    use scoring::Span;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(super) fn serialize<S: Serializer>(span: &Option<Span>, to: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => to.collect_str(span),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Span>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            auto_offer: true,
            sla: Some(Span(Span::DAY.0 / 6)),
            expires_after: None,
            expired_to: ExpiredTo::Recycled,
            accept_needs: None,
            auto_sql: None,
        }
    }
}

impl Default for Document {
    fn default() -> Document {
        let reject = |(code, label, then): (&str, &str, Then)| RejectReason {
            code: code.to_owned(),
            label: label.to_owned(),
            then,
        };
        let lost =
            |(code, label): (&str, &str)| LossReason { code: code.to_owned(), label: label.to_owned() };
        Document {
            exclusions: Vec::new(),
            handoff: Terms::default(),
            reject_reasons: REJECT_REASONS.map(reject).to_vec(),
            loss_reasons: LOSS_REASONS.map(lost).to_vec(),
        }
    }
}

const REJECT_REASONS: [(&str, &str, Then); 12] = [
    ("not_a_fit", "Does not fit what we sell", Then::Disqualified),
    ("not_a_buyer", "Student, job seeker or private person", Then::Disqualified),
    ("competitor", "Competitor or consultant who looks around", Then::Disqualified),
    ("duplicate", "We have this person already", Then::Disqualified),
    ("already_customer", "Is a customer already", Then::Disqualified),
    ("bad_contact_data", "No way to reach the person", Then::Lead),
    ("not_reachable", "Did not answer after several attempts", Then::Recycled),
    ("no_need", "Has no need at present", Then::Recycled),
    ("no_budget", "Has no money for it at present", Then::Recycled),
    ("no_authority", "Cannot decide, and knows nobody who can", Then::Recycled),
    ("bad_timing", "Wants it, but later", Then::Recycled),
    ("other", "Another reason; see the note", Then::Lead),
];

const LOSS_REASONS: [(&str, &str); 9] = [
    ("price", "Too expensive"),
    ("no_budget", "The money was spent elsewhere"),
    ("no_decision", "Nothing was decided"),
    ("competitor", "Bought from a competitor"),
    ("missing_feature", "Something was missing in the product"),
    ("bad_timing", "Wants it, but later"),
    ("no_response", "Did not answer any more"),
    ("lost_champion", "The person who wanted it has left"),
    ("other", "Another reason; see the note"),
];

impl Document {
    /// Brings domains, addresses and tags into their normal forms, and adds everything that is wrong to
    /// `mistakes`.
    pub(super) fn tidy(&mut self, mistakes: &mut Mistakes) {
        if self.exclusions.len() > MOST_EXCLUSIONS {
            mistakes.add("/exclusions", "too_many", format!("write at most {MOST_EXCLUSIONS} exclusions"));
        }
        for (index, exclusion) in self.exclusions.iter_mut().enumerate() {
            exclusion.tidy(&format!("/exclusions/{index}"), mistakes);
        }
        self.handoff.check(mistakes);
        let rejects = self.reject_reasons.iter().map(|reason| (&reason.code, &reason.label));
        check_reasons("/reject_reasons", rejects, mistakes);
        let losses = self.loss_reasons.iter().map(|reason| (&reason.code, &reason.label));
        check_reasons("/loss_reasons", losses, mistakes);
    }
}

impl Exclusion {
    fn tidy(&mut self, pointer: &str, mistakes: &mut Mistakes) {
        let named = [&self.domain, &self.email, &self.tag].into_iter().flatten().count();
        if named != 1 {
            mistakes.add(pointer, "not_one", "write exactly one of domain, email and tag");
        }
        if let Some(domain) = &mut self.domain {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            match spelling::domain(domain.trim().trim_matches('.')) {
                Some(normal) if normal.len() <= 253 && normal.chars().all(plain) => *domain = normal,
                _ => {
                    let pointer = format!("{pointer}/domain");
                    mistakes.add(&pointer, "invalid_domain", "write a domain such as rival.example");
                }
            }
        }
        if let Some(email) = &mut self.email {
            match Identity::parse(Kind::Email, email) {
                Ok(identity) => identity.value().clone_into(email),
                Err(why) => mistakes.add(format!("{pointer}/email"), "invalid_email", why.to_string()),
            }
        }
        if let Some(tag) = &mut self.tag {
            *tag = mistakes.text(&format!("{pointer}/tag"), tag, LONGEST_NAME).to_lowercase();
        }
    }
}

impl Terms {
    fn check(&self, mistakes: &mut Mistakes) {
        let year = Span(365 * Span::DAY.0);
        for (pointer, span) in [("/handoff/sla", self.sla), ("/handoff/expires_after", self.expires_after)] {
            if span.is_some_and(|span| span > year) {
                mistakes.add(pointer, "too_long", "write at most 365d");
            }
        }
        if self.accept_needs.is_some_and(|needs| !(1..=4).contains(&needs.answered)) {
            mistakes.add("/handoff/accept_needs/answered", "out_of_range", "write 1 to 4");
        }
    }
}

fn check_reasons<'a>(
    pointer: &str,
    reasons: impl Iterator<Item = (&'a String, &'a String)>,
    mistakes: &mut Mistakes,
) {
    let mut seen = HashSet::new();
    for (index, (code, label)) in reasons.enumerate() {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let at = format!("{pointer}/{index}/code");
        if code.is_empty() || code.len() > LONGEST_CODE || !code.chars().all(plain) {
            let message = format!("write 1 to {LONGEST_CODE} of a to z, 0 to 9 and _");
            mistakes.add(&at, "invalid_code", message);
        } else if !seen.insert(code) {
            mistakes.add(&at, "repeated", "another reason has this code");
        }
        mistakes.text(&format!("{pointer}/{index}/label"), label, LONGEST_NAME);
    }
    if seen.is_empty() || seen.len() > MOST_REASONS {
        mistakes.add(pointer, "not_that_many", format!("write 1 to {MOST_REASONS} reasons"));
    }
}
