//! The same events in any order, any grouping and repeated come to the same verdicts.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::{
    collection::vec, option, prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner,
};
use serde_json::{Value, json};

use super::{raw, verdicts};
use crate::harness::{TestApp, run};

/// Something that happens to one of two mails, so many seconds after the story's beginning.
#[derive(Debug, Clone)]
struct Happening {
    kind: &'static str,
    link: Option<&'static str>,
    hidden: bool,
    mail: u8,
    second: i64,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let kind = select(vec![
        "email_delivered",
        "email_clicked",
        "email_clicked",
        "email_clicked",
        "email_unsubscribed",
    ]);
    let link = option::weighted(0.8, select(vec!["a", "b"]));
    let one = (kind, link, prop::bool::weighted(0.1), 0..2_u8, 0..200_i64);
    vec(one, 1..10).prop_map(|all| {
        let happening = |(kind, link, hidden, mail, second)| Happening { kind, link, hidden, mail, second };
        all.into_iter().map(happening).collect()
    })
}

impl Happening {
    fn event(&self, index: usize, address: &str, began: DateTime<Utc>) -> Value {
        json!({"id": format!("e{index}"), "type": self.kind, "lead": {"email": address},
            "occurred_at": began + TimeDelta::seconds(self.second),
            "properties": {"message_id": format!("m{}", self.mail), "url": self.link, "honeypot": self.hidden}})
    }
}

/// Sends a story's events in an order, a few at a time, while time goes by.
async fn tell(app: &TestApp, events: &[Value], sizes: &[usize]) {
    let mut rest = events;
    for size in sizes.iter().cycle() {
        let (part, after) = rest.split_at((*size).min(rest.len()));
        if part.is_empty() {
            return;
        }
        app.events(json!(part)).await;
        app.advance(TimeDelta::seconds(7 * i64::try_from(*size).unwrap()));
        app.run_due().await;
        rest = after;
    }
}

#[tokio::test]
async fn the_order_the_grouping_and_the_repetition_of_a_mails_events_do_not_matter() {
    run(async |app| {
        let mut runner = TestRunner::deterministic();
        let case = happenings().prop_flat_map(|all| {
            let indices: Vec<usize> = (0..all.len()).chain(0..all.len() / 2).collect();
            (Just(all), Just(indices).prop_shuffle(), vec(1..4_usize, 3), vec(1..9_usize, 3))
        });
        for number in 0..40 {
            let (all, shuffled, sizes, others) = case.new_tree(&mut runner).unwrap().current();
            app.advance(TimeDelta::minutes(10));
            let began = app.now() - TimeDelta::seconds(200);
            let (one, other) = (format!("one{number}@acme.example"), format!("other{number}@acme.example"));
            let first: Vec<Value> =
                all.iter().enumerate().map(|(index, what)| what.event(index, &one, began)).collect();
            let second: Vec<Value> =
                shuffled.iter().map(|index| all[*index].event(*index, &other, began)).collect();

            tell(app, &first, &sizes).await;
            tell(app, &second, &others).await;
            app.advance(TimeDelta::minutes(3));
            app.run_due().await;

            assert_eq!(verdicts(app, &one).await, verdicts(app, &other).await, "case {number}: {all:?}");
            assert_eq!(raw(app, &one).await, raw(app, &other).await, "case {number}: {all:?}");
        }
    })
    .await;
}
