//! `leadscore models diff`: the rules in which two models differ.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::{
    document,
    version::{Named, Version},
};
use crate::{
    client::Client,
    connection::Common,
    screen::Screen,
    words::{counted, visible},
};

/// Which two models to compare.
#[derive(Debug, Clone, Args)]
pub struct Diff {
    /// The model before: a file, an id, NAME@VERSION or `live`. With one model alone: the live one is before, this after
    #[arg(value_parser = Named::parse)]
    a: Named,

    /// The model after
    #[arg(value_parser = Named::parse)]
    b: Option<Named>,

    /// Where from, and in what form.
    #[command(flatten)]
    common: Common,
}

/// A place at which two documents differ.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change {
    /// The keys on the way to the place. Entries of lists go by their name or label, else by their number.
    path: Vec<String>,
    before: Option<Value>,
    after: Option<Value>,
}

impl Diff {
    pub(crate) async fn run(self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let (before, after) = match self.b {
            Some(after) => (self.a, after),
            None => (Named::Live, self.a),
        };
        let client = self.common.connection.client()?;
        let ((from, before), (to, after)) = (named(&client, before).await?, named(&client, after).await?);
        let changes = changes(&before, &after);
        let mut screen = Screen::new(&self.common, now);
        if screen.json {
            return Ok(screen.line(serde_json::to_string(&changes)?)?);
        }
        let (tests, rules): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.is_in_tests());
        screen.line(format!("From {from} to {to}: {}", counted(changes.len(), "change")))?;
        for line in rules.into_iter().flat_map(Change::told) {
            screen.line(line)?;
        }
        if !tests.is_empty() {
            screen.line(format!("  and {} in the model's own tests", counted(tests.len(), "change")))?;
        }
        Ok(())
    }
}

/// A model's name for people, and its document.
async fn named(client: &Client, named: Named) -> anyhow::Result<(String, Value)> {
    if let Named::File(path) = &named {
        return Ok((path.display().to_string(), document::read(path)?));
    }
    let version: Version = named.existing(client).await?;
    Ok((version.name(), version.document))
}

/// Every place at which the documents differ, in the order of the keys.
fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare(&mut Vec::new(), Some(before), Some(after), &mut found);
    found
}

fn compare(path: &mut Vec<String>, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Change>) {
    let parts = match (before, after) {
        (Some(before), Some(after)) if same(before, after) => return,
        (Some(before), Some(after)) => entries(before).zip(entries(after)),
        _ => None,
    };
    let Some((was, is)) = parts else {
        return found.push(Change { path: path.clone(), before: before.cloned(), after: after.cloned() });
    };
    let find = |entries: &[(String, &Value)], key: &str| {
        entries.iter().position(|(name, _)| name == key).map(|place| entries[place].1.clone())
    };
    // What is in the order of the document after, then what it has no more.
    let mut seen = BTreeSet::new();
    for (key, _) in is.iter().chain(&was).filter(|(key, _)| seen.insert(key.clone())) {
        path.push(key.clone());
        compare(path, find(&was, key).as_ref(), find(&is, key).as_ref(), found);
        path.pop();
    }
}

/// Whether two values mean the same: 5 is 5.0.
fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && b.is_number() && a.as_f64() == b.as_f64())
}

/// The parts of a value by which it is compared: keys, or the names of a list's entries. `None` for what is compared as
/// a whole.
fn entries(value: &Value) -> Option<Vec<(String, &Value)>> {
    match value {
        Value::Object(map) => Some(map.iter().map(|(key, value)| (key.clone(), value)).collect()),
        Value::Array(list) => {
            let name = |entry: &Value| {
                ["name", "label"].iter().find_map(|key| Some(entry.get(key)?.as_str()?.to_owned()))
            };
            let named: Vec<(String, &Value)> =
                list.iter().map(|entry| Some((name(entry)?, entry))).collect::<Option<_>>()?;
            let distinct: BTreeSet<&String> = named.iter().map(|(name, _)| name).collect();
            (distinct.len() == named.len()).then_some(named)
        }
        _ => None,
    }
}

impl Change {
    fn is_in_tests(&self) -> bool {
        self.path.first().is_some_and(|key| key == "tests")
    }

    /// The place for people: a rule goes by its dimension, its group and its name.
    fn place(&self) -> String {
        let structure = [(0, "dimensions"), (2, "groups"), (4, "rules")];
        let named =
            self.path.iter().enumerate().filter(|(depth, key)| !structure.contains(&(*depth, key.as_str())));
        visible(&named.map(|(_, key)| key.as_str()).collect::<Vec<_>>().join(" › "))
    }

    /// The change as a line if the values are short, else with the values beneath the place.
    fn told(&self) -> Vec<String> {
        let place = self.place();
        match (&self.before, &self.after) {
            (Some(before), Some(after)) if is_short(before) && is_short(after) => {
                vec![format!(
                    "  ~ {place}: {} → {}",
                    visible(&before.to_string()),
                    visible(&after.to_string())
                )]
            }
            (before, after) => {
                let before = before.iter().flat_map(|value| valued('-', &place, value));
                before.chain(after.iter().flat_map(|value| valued('+', &place, value))).collect()
            }
        }
    }
}

/// A value that is there no more, or anew: beside its place if it is short, else as YAML beneath.
fn valued(sign: char, place: &str, value: &Value) -> Vec<String> {
    let beneath = if is_short(value) { None } else { yaml_serde::to_string(value).ok() };
    match beneath {
        None => vec![format!("  {sign} {place}: {}", visible(&value.to_string()))],
        Some(yaml) => {
            let lines = yaml.lines().map(|line| format!("      {}", visible(line)));
            [format!("  {sign} {place}:")].into_iter().chain(lines).collect()
        }
    }
}

fn is_short(value: &Value) -> bool {
    value.to_string().chars().count() <= 30
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: &Value, after: &Value) -> Vec<String> {
        changes(before, after).iter().flat_map(Change::told).collect()
    }

    #[test]
    fn a_rule_is_compared_with_the_rule_of_its_name_wherever_it_stands() {
        let before = json!({"rules": [{"name": "a", "points": 5}, {"name": "b", "points": 1}]});
        let after = json!({"rules": [{"name": "c", "points": 2}, {"name": "a", "points": 7.5}]});
        assert_eq!(
            told(&before, &after),
            [
                "  + rules › c: {\"name\":\"c\",\"points\":2}",
                "  ~ rules › a › points: 5 → 7.5",
                "  - rules › b: {\"name\":\"b\",\"points\":1}",
            ]
        );
    }

    #[test]
    fn a_long_value_stands_beneath_its_place() {
        let rule = json!({"name": "free trial", "points": 20, "event": "trial_started"});
        let model =
            |rules: Value| json!({"dimensions": {"fit": {"groups": [{"name": "g", "rules": rules}]}}});
        assert_eq!(
            told(&model(json!([])), &model(json!([rule]))),
            [
                "  + fit › g › free trial:",
                "      event: trial_started",
                "      name: free trial",
                "      points: 20",
            ]
        );
    }

    #[test]
    fn what_means_the_same_is_no_change() {
        assert!(told(&json!({"max": 10}), &json!({"max": 10.0})).is_empty());
    }

    #[test]
    fn lists_without_names_are_compared_as_a_whole() {
        let told = told(&json!({"in": ["a"]}), &json!({"in": ["a", "b"]}));
        assert_eq!(told, ["  ~ in: [\"a\"] → [\"a\",\"b\"]"]);
    }
}
