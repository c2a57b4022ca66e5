//! Words on mails in any order: how a lead stands, and who is on the list of suppressions, are as a plain reading has them.

use chrono::TimeDelta;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::harness::{TestApp, run};

/// How many people are made up.
const PEOPLE: usize = 60;
/// The names that each of them goes by.
const NAMES: [&str; 3] = ["user", "work", "home"];

/// A word of one of a person's names: which name, what it said, of which list, and how many minutes ago.
#[derive(Debug, Clone)]
struct Said {
    name: usize,
    kind: &'static str,
    list: Option<&'static str>,
    minutes: i64,
}

impl Said {
    fn event(&self, app: &TestApp, person: &str, number: usize) -> Value {
        let lead = match NAMES[self.name] {
            "user" => json!({"user_id": person}),
            place => json!({"email": format!("{person}@{place}.example")}),
        };
        json!({"id": format!("{person} {number}"), "type": self.kind, "lead": lead, "properties": {"list": self.list},
            "occurred_at": app.now() - TimeDelta::minutes(self.minutes)})
    }

    fn state(&self) -> &'static str {
        match self.kind {
            "email_subscribed" => "granted",
            "email_bounced" => "bounced",
            "email_unsubscribed" => "withdrawn",
            _ => "complained",
        }
    }

    /// Whether this is a later yes to what was refused: to everything, or to that list.
    fn answers(&self, other: &Said) -> bool {
        let same_list = self.list.is_none() || (other.kind != "email_bounced" && self.list == other.list);
        self.kind == "email_subscribed"
            && self.name == other.name
            && self.minutes < other.minutes
            && same_list
    }
}

/// What stands of what one name said: a refusal before a bounce before a yes, the newest of its kind.
fn standing(words: &[Said], name: usize) -> Option<&'static str> {
    let own: Vec<&Said> = words.iter().filter(|said| said.name == name).collect();
    let open = own.iter().filter(|said| !own.iter().any(|yes| yes.answers(said)));
    let (bounces, refusals): (Vec<&Said>, Vec<&Said>) = open
        .filter(|said| said.kind != "email_subscribed")
        .copied()
        .partition(|said| said.kind == "email_bounced");
    let refusal = refusals.iter().max_by_key(|said| (-said.minutes, severity(said.state())));
    let bounce = bounces.first().map(|said| said.state());
    refusal.map(|said| said.state()).or(bounce).or(own.first().map(|_| "granted"))
}

fn severity(state: &str) -> usize {
    ["granted", "bounced", "withdrawn", "complained"].iter().position(|known| *known == state).unwrap()
}

/// How mails stand for a person, and how its addresses stand on the list of suppressions.
fn expected(words: &[Said], person: &str) -> (Value, Vec<String>) {
    let of_names: Vec<Option<&str>> = (0..NAMES.len()).map(|name| standing(words, name)).collect();
    let whole = of_names.iter().flatten().max_by_key(|state| severity(state));
    let refusal =
        of_names.iter().flatten().filter(|state| severity(state) >= 2).max_by_key(|state| severity(state));
    let row = |name: usize| {
        let own = of_names[name].filter(|state| *state != "granted");
        let state = refusal.copied().into_iter().chain(own).max_by_key(|state| severity(state))?;
        Some(format!("{person}@{}.example {state}", NAMES[name]))
    };
    let mut rows: Vec<String> = (1..NAMES.len()).filter_map(row).collect();
    rows.sort();
    (json!(whole), rows)
}

fn words() -> impl Strategy<Value = Vec<Said>> {
    let kinds = ["email_subscribed", "email_unsubscribed", "email_complained", "email_bounced"];
    let one = (
        0..NAMES.len(),
        prop::sample::select(kinds.to_vec()),
        prop::sample::select(vec![None, Some("a"), Some("b")]),
        1..7_i64,
    );
    let said = one.prop_map(|(name, kind, list, minutes)| Said { name, kind, list, minutes });
    prop::collection::vec(said, 1..9)
}

#[tokio::test]
async fn a_refusal_is_lifted_by_the_persons_own_later_yes_and_by_nothing_else() {
    run(async |app| {
        let mut runner = TestRunner::new_with_rng(
            Config::default(),
            proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
        );
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            let (person, words) = (format!("p{number:02}"), words().new_tree(&mut runner).unwrap().current());
            let names = ["work", "home"].map(|place| {
                json!({"type": "identify", "occurred_at": app.now() - TimeDelta::hours(1),
                "lead": {"user_id": person, "email": format!("{person}@{place}.example")}})
            });
            let mut events: Vec<Value> =
                words.iter().enumerate().map(|(number, said)| said.event(app, &person, number)).collect();
            // The names become one person before, among and after their words.
            for (at, name) in names.into_iter().enumerate() {
                events.insert((number + at) % (events.len() + 1), name);
            }
            for event in events {
                app.events(json!([event])).await;
            }
            people.push((person, words));
        }

        let listed = app.pages("/v1/suppressions?limit=500").await;
        for (person, words) in people {
            let own = |row: &&Value| row["email"].as_str().unwrap().starts_with(&format!("{person}@"));
            let rows = listed.iter().filter(own);
            let mut rows: Vec<String> =
                rows.map(|row| format!("{} {}", row["email"], row["state"]).replace('"', "")).collect();
            rows.sort();
            let lead = app.lead(&person).await;
            let state = lead["consent"]["channels"]["email"]["state"].clone();
            assert_eq!((state, rows), expected(&words, &person), "{person}: {words:?}");
        }
    })
    .await;
}
