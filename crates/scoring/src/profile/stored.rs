//! The stored form of a fold: a JSON object with an entry for each attribute.
//!
//! The entry of `company` has the whole company as its value, so that older releases can read it as one
//! attribute. Beside the value, the entry has the facts of the keys. Older releases folded `company` as one
//! attribute and wrote no such facts. If the facts are missing, all keys get the date of the whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;

use super::company::Company;
use super::fact::Dated;
use super::{COMPANY, Fold};

#[derive(Deserialize)]
struct Entry {
    #[serde(flatten)]
    fact: Dated,
    keys: Option<BTreeMap<String, Dated>>,
    cleared: Option<Dated>,
    whole: Option<Dated>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum EntryRef<'a> {
    Attribute(&'a Dated),
    Company {
        #[serde(flatten)]
        fact: Dated,
        keys: &'a BTreeMap<String, Dated>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cleared: &'a Option<Dated>,
        #[serde(skip_serializing_if = "Option::is_none")]
        whole: &'a Option<Dated>,
    },
}

impl Serialize for Fold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attributes =
            self.attributes.iter().map(|(name, fact)| (name.as_str(), EntryRef::Attribute(fact)));
        serializer.collect_map(attributes.chain(self.company.entry().map(|entry| (COMPANY, entry))))
    }
}

impl<'de> Deserialize<'de> for Fold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut entries = BTreeMap::<String, Value>::deserialize(deserializer)?;
        let company =
            entries.remove(COMPANY).map(serde_json::from_value).transpose().map_err(D::Error::custom)?;
        let attributes = entries.into_iter().map(|(name, entry)| Ok((name, serde_json::from_value(entry)?)));
        let attributes = attributes.collect::<Result<_, serde_json::Error>>().map_err(D::Error::custom)?;
        Ok(Self { attributes, company: company.map(Entry::company).unwrap_or_default() })
    }
}

impl Company {
    fn entry(&self) -> Option<EntryRef<'_>> {
        let facts = self.keys.values().chain(&self.whole);
        let newest = facts.max_by_key(|fact| (fact.at, fact.event_id.as_str()))?;
        let value = self.onto(None).unwrap_or_default();
        let fact = Dated { value, at: newest.at, event_id: newest.event_id.clone() };
        let Self { keys, cleared, whole } = self;
        Some(EntryRef::Company { fact, keys, cleared, whole })
    }
}

impl Entry {
    fn company(self) -> Company {
        let Entry { fact, keys, cleared, whole } = self;
        if let Some(keys) = keys {
            return Company { keys, cleared, whole };
        }
        let mut company = Company::default();
        company.state(&fact.value, fact.at, &fact.event_id);
        company
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::time::Instant;

    #[test]
    fn a_company_that_was_stored_as_one_attribute_is_read_key_by_key() {
        let stored = json!({
            "title": {"value": "CEO", "at": "2026-01-01T00:00:00Z", "event_id": "a"},
            "company": {"value": {"employees": 20}, "at": "2026-02-01T00:00:00Z", "event_id": "b"},
        });

        let mut fold: Fold = serde_json::from_value(stored).unwrap();
        let later = "2026-03-01T00:00:00Z".parse::<Instant>().unwrap();
        fold.apply(json!({"company": {"industry": "software"}}).as_object().unwrap(), later, "c");

        let profile = json!({"title": "CEO", "company": {"employees": 20, "industry": "software"}});
        assert_eq!(Value::Object(fold.to_profile()), profile);
        let stored = json!(fold);
        assert_eq!(stored["company"]["value"], profile["company"], "for those who read it as one attribute");
        assert_eq!(stored["company"]["event_id"], "c");
        assert_eq!(serde_json::from_value::<Fold>(stored).unwrap(), fold);
    }
}
