//! The people whom a policy excludes, in a form in which they are found quickly.

use std::collections::HashMap;

use scoring::profile::DERIVED;
use serde_json::{Map, Value};

use super::{Exclusion, Label};
use crate::{
    leads::identity::{Identity, Kind},
    platform::spelling,
};

/// The labels of excluded people: by domain and address in their normal forms, and by tag in lower case.
#[derive(Debug, Default)]
pub(super) struct Exclusions {
    domains: HashMap<String, Label>,
    emails: HashMap<String, Label>,
    tags: HashMap<String, Label>,
}

impl Exclusions {
    /// Builds the lookup from the lines of a policy. If several lines name the same domain, address or tag,
    /// the first line holds.
    pub(super) fn of(lines: &[Exclusion]) -> Exclusions {
        let mut exclusions = Exclusions::default();
        for Exclusion { label, domain, email, tag } in lines {
            // Older policies may hold domains and addresses that are not in today's normal form.
            let places = [
                (&mut exclusions.domains, domain.as_deref().map(normal_domain)),
                (&mut exclusions.emails, email.as_deref().map(normal_email)),
                (&mut exclusions.tags, tag.clone()),
            ];
            for (place, named) in places {
                if let Some(named) = named {
                    place.entry(named).or_insert(*label);
                }
            }
        }
        exclusions
    }

    /// Returns the label of a person. Addresses are checked first, then the company's domains, then tags.
    pub(super) fn label<'a>(
        &self,
        emails: impl IntoIterator<Item = &'a str>,
        profile: &'a Map<String, Value>,
    ) -> Option<Label> {
        if self.domains.is_empty() && self.emails.is_empty() {
            return self.by_tags(profile.get("tags")?);
        }
        let said = profile.get("email").and_then(Value::as_str);
        let domain = |place: &str, field: &str| profile.get(place)?.get(field)?.as_str();
        let companies = [domain("company", "domain"), domain(DERIVED, "company_domain")];
        emails
            .into_iter()
            .chain(said)
            .find_map(|email| self.by_email(&normal_email(email)))
            .or_else(|| companies.iter().flatten().find_map(|domain| self.by_domain(&normal_domain(domain))))
            .or_else(|| self.by_tags(profile.get("tags")?))
    }

    fn by_email(&self, email: &str) -> Option<Label> {
        let domain = email.rsplit_once('@').map(|(_, domain)| domain);
        self.emails.get(email).copied().or_else(|| self.by_domain(domain?))
    }

    /// Returns the label of a domain, or else of the nearest domain above it.
    fn by_domain(&self, domain: &str) -> Option<Label> {
        let below = |at: usize| &domain[at + 1..];
        let above = domain.match_indices('.').map(|(at, _)| below(at));
        std::iter::once(domain).chain(above).find_map(|domain| self.domains.get(domain)).copied()
    }

    /// Returns the label of the first excluded tag. `tags` is a list of tags or a single tag.
    fn by_tags(&self, tags: &Value) -> Option<Label> {
        let texts = tags.as_array().map_or(std::slice::from_ref(tags), Vec::as_slice);
        let tag = |text: &Value| self.tags.get(&text.as_str()?.trim().to_lowercase()).copied();
        texts.iter().find_map(tag)
    }
}

fn normal_domain(text: &str) -> String {
    spelling::domain(text).unwrap_or_else(|| spelling::lower(text))
}

fn normal_email(text: &str) -> String {
    let email = Identity::parse(Kind::Email, text);
    email.map_or_else(|_| spelling::lower(text), |email| email.value().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(label: Label, domain: Option<&str>, email: Option<&str>, tag: Option<&str>) -> Exclusion {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Exclusion { label, domain: owned(domain), email: owned(email), tag: owned(tag) }
    }

    fn exclusions() -> Exclusions {
        Exclusions::of(&[
            line(Label::Competitor, Some("rival.example"), None, None),
            line(Label::Partner, None, Some("eve@friend.example"), None),
            line(Label::OwnStaff, None, None, Some("staff")),
        ])
    }

    fn label(emails: &[&str], profile: &Value) -> Option<Label> {
        exclusions().label(emails.iter().copied(), profile.as_object().unwrap())
    }

    #[test]
    fn a_domain_stands_for_itself_and_for_what_is_below_it() {
        for email in ["a@rival.example", "a@mail.rival.example", "A@Rival.Example"] {
            assert_eq!(label(&[email], &json!({})), Some(Label::Competitor), "{email}");
        }
        for email in ["a@notrival.example", "a@rival.example.org", "rival.example@free.example"] {
            assert_eq!(label(&[email], &json!({})), None, "{email}");
        }
        let company = json!({"company": {"domain": "www.rival.example"}});
        assert_eq!(label(&[], &company), Some(Label::Competitor));
        let website = json!({"company": {"name": "Rival"}, "derived": {"company_domain": "rival.example"}});
        assert_eq!(label(&[], &website), Some(Label::Competitor));
    }

    #[test]
    fn a_domain_is_left_out_however_it_is_written() {
        let spelled = ["bücher.example", "BÜCHER.example.", "xn--bcher-kva.example"];
        for (excluded, sent) in spelled.iter().flat_map(|one| spelled.iter().map(move |two| (one, two))) {
            let exclusions = Exclusions::of(&[line(Label::Competitor, Some(excluded), None, None)]);
            let label = |emails: &[String], profile: &Value| {
                exclusions.label(emails.iter().map(String::as_str), profile.as_object().unwrap())
            };
            assert_eq!(
                label(&[format!("j@{sent}")], &json!({})),
                Some(Label::Competitor),
                "{excluded} {sent}"
            );
            assert_eq!(label(&[], &json!({"company": {"domain": sent}})), Some(Label::Competitor));
        }
    }

    #[test]
    fn an_address_stands_for_one_person() {
        assert_eq!(label(&["x@y.example", "eve@friend.example"], &json!({})), Some(Label::Partner));
        assert_eq!(label(&["adam@friend.example"], &json!({})), None);
        assert_eq!(label(&[], &json!({"email": "Eve@Friend.example"})), Some(Label::Partner));
    }

    #[test]
    fn a_tag_may_stand_alone_or_among_others() {
        assert_eq!(label(&[], &json!({"tags": ["vip", "Staff"]})), Some(Label::OwnStaff));
        assert_eq!(label(&[], &json!({"tags": "staff"})), Some(Label::OwnStaff));
        for tags in [json!(["staffing"]), json!({"staff": true}), json!(7), json!(null)] {
            assert_eq!(label(&[], &json!({"tags": tags})), None);
        }
    }
}
