//! The same traffic makes the same leads, scores and consents: in order and as it happens, or in any other order, late, in
//! other batches, several times over, and again after people have decided about it.
//!
//! What is left out is what is a story of arrivals by its meaning: stages and what sales was offered (a crossing is never
//! back-dated), when something came, and the ids that the service gives. Each event says when it happened and has an id, or
//! is known by what it says: without these, the time of arrival is what was said. Nothing happens later than it comes.

mod traffic;
mod view;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use proptest::{
    prelude::*,
    sample::{Index, select},
    strategy::ValueTree,
    test_runner::TestRunner,
};
use serde_json::{Value, json};

use crate::harness::{START, TestApp, run};
use traffic::{Message, Way, messages};
use view::View;

/// How many random stories; `LEADSCORE_CASES` asks for more.
const CASES: u32 = 20;
/// How many smaller stories are tried when one goes wrong.
const MOST_SMALLER: u32 = 150;

/// What people may say of a lead, and the call by which they do; of an event where the path has a place for one.
const DECISIONS: [(&str, &str); 6] = [
    ("/events/{}/verdict", r#"{"verdict": "human", "reason": "she told me"}"#),
    ("/events/{}/verdict", r#"{"verdict": "machine", "reason": "our own test"}"#),
    ("/consent", r#"{"channel": "email", "state": "granted", "reason": "said so"}"#),
    ("/consent", r#"{"state": "withdrawn", "reason": "said so"}"#),
    ("/adjustments", r#"{"points": 7, "reason": "met at the fair"}"#),
    ("/reset", r#"{"reason": "another job"}"#),
];

/// A story, and how it comes to the second service.
#[derive(Debug, Clone)]
struct Story {
    /// What happens, in its order.
    messages: Vec<Message>,
    /// The same, once or more often, in the order in which it comes.
    deliveries: Vec<Delivery>,
    /// How many messages a request brings, and whether its answer is lost, so that it is sent again.
    requests: Vec<(usize, bool)>,
    /// What people decide once everything has come.
    decisions: Vec<Decision>,
    /// How long after the last message the services are looked at, in seconds.
    rest: i64,
}

/// A message when it comes, in seconds since the story began.
#[derive(Debug, Clone)]
struct Delivery {
    message: usize,
    comes: i64,
}

/// A call of [`DECISIONS`], about a lead and one of its events.
#[derive(Debug, Clone)]
struct Decision {
    lead: Index,
    event: Index,
    call: (&'static str, &'static str),
}

impl Story {
    fn ends(&self) -> i64 {
        self.messages.iter().map(|message| message.at).max().unwrap_or(0)
    }
}

fn stories() -> impl Strategy<Value = Story> {
    let late = select(vec![0, 0, 1, 90, 90_000, 20 * 86_400]);
    let decision = (any::<Index>(), any::<Index>(), select(DECISIONS.to_vec()));
    let decision = decision.prop_map(|(lead, event, call)| Decision { lead, event, call });
    messages().prop_flat_map(move |messages| {
        let turns = prop::collection::vec((late.clone(), any::<u16>()), messages.len());
        let again = prop::collection::vec((any::<Index>(), (late.clone(), any::<u16>())), 0..6);
        let all_at_the_end = any::<bool>();
        let requests = prop::collection::vec((1..7_usize, prop::bool::weighted(0.2)), 8);
        let decisions = prop::collection::vec(decision.clone(), 0..3);
        let rest = select(vec![0, 30, 121, 300_000]);
        (Just(messages), turns, again, all_at_the_end, requests, decisions, rest).prop_map(
            |(messages, turns, again, all_at_the_end, requests, decisions, rest)| {
                let number = messages.len();
                let again = again.into_iter().map(|(message, turn)| (message.index(number), turn));
                let turns = turns.into_iter().enumerate().chain(again);
                let mut story = Story { messages, deliveries: Vec::new(), requests, decisions, rest };
                let ends = story.ends();
                let comes = |at: i64, late: i64| if all_at_the_end { ends } else { ends.min(at + late) };
                let mut turns: Vec<(i64, u16, usize)> = turns
                    .map(|(message, (late, turn))| (comes(story.messages[message].at, late), turn, message))
                    .collect();
                turns.sort_unstable();
                story.deliveries =
                    turns.into_iter().map(|(comes, _, message)| Delivery { message, comes }).collect();
                story
            },
        )
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_traffic_makes_the_same_leads_scores_and_consents_however_it_comes() {
    let both =
        run(async |first| Box::pin(run(async |second| Box::pin(try_stories(first, second)).await)).await);
    Box::pin(both).await;
}

async fn try_stories(first: &TestApp, second: &TestApp) {
    let cases = std::env::var("LEADSCORE_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    let services = [Service::new(first).await, Service::new(second).await];
    let mut runner = TestRunner::deterministic();
    for number in 0..cases {
        let tree = stories().new_tree(&mut runner).unwrap();
        if let Err(wrong) = compare(&services, &tree.current()).await {
            let (story, wrong) = Box::pin(smallest(&services, tree, wrong)).await;
            panic!("story {number}, made smaller: {story:#?}\n{wrong}");
        }
    }
}

/// A story that goes wrong, as small as a few tries make it.
async fn smallest(
    services: &[Service<'_>; 2],
    mut tree: impl ValueTree<Value = Story>,
    mut wrong: String,
) -> (Story, String) {
    let mut smallest = tree.current();
    let mut smaller = tree.simplify();
    for _ in 0..MOST_SMALLER {
        if !smaller {
            break;
        }
        let story = tree.current();
        smaller = match compare(services, &story).await {
            Err(why) => {
                (smallest, wrong) = (story, why);
                tree.simplify()
            }
            Ok(()) => tree.complicate(),
        };
    }
    (smallest, wrong)
}

/// Tells both services the story, each in its way, and says where they differ.
async fn compare(services: &[Service<'_>; 2], story: &Story) -> Result<(), String> {
    let [first, second] = services;
    tokio::join!(first.begin(), second.begin());
    tokio::join!(first.live(story), second.receive(story));
    for service in services {
        service.move_to(story.ends() + story.rest).await;
        service.app.run_due().await;
    }
    let seen = same("when all has come", first, second).await?;
    for (number, decision) in story.decisions.iter().enumerate() {
        for service in services {
            service.decide(number, decision).await;
        }
    }
    let decided = if story.decisions.is_empty() { seen } else { same("once decided", first, second).await? };
    tokio::join!(first.send_again(story), second.send_again(story));
    let again = same("when all comes again", first, second).await?;
    if again == decided {
        Ok(())
    } else {
        Err(format!("all comes again:\n{}", differences(&decided, &again)))
    }
}

async fn same(when: &str, first: &Service<'_>, second: &Service<'_>) -> Result<Value, String> {
    let (one, other) = tokio::join!(View::of(first.app), View::of(second.app));
    if one.seen == other.seen {
        Ok(one.seen)
    } else {
        Err(format!("{when}:\n{}", differences(&one.seen, &other.seen)))
    }
}

/// The lines that only one of two views has.
fn differences(one: &Value, other: &Value) -> String {
    let (one, other) = (format!("{one:#}"), format!("{other:#}"));
    let only = |this: &str, that: &str, sign: &str| -> String {
        let lines = this.lines().filter(|line| !that.lines().any(|known| known == *line));
        lines.map(|line| [sign, line, "\n"].concat()).collect()
    };
    only(&one, &other, "- ") + &only(&other, &one, "+ ") + &one
}

/// A service with a clock of its own.
struct Service<'a> {
    app: &'a TestApp,
    began: DateTime<Utc>,
    /// Where the e-mail provider sends to.
    hook: String,
}

impl<'a> Service<'a> {
    async fn new(app: &'a TestApp) -> Service<'a> {
        let source = json!({"provider": "brevo", "name": "Mails", "header": {"name": "X-Token", "value": "s3cret-s3cret"}});
        let made = app.post("/v1/mail-sources", source.to_string()).await;
        assert_eq!(made.status, 201, "{made:?}");
        let hook = made.json()["url"].as_str().unwrap().strip_prefix("http://leads.test").unwrap().to_owned();
        Service { app, began: START.parse().unwrap(), hook }
    }

    /// Forgets the story before.
    async fn begin(&self) {
        self.app.run_due().await;
        let mut conn = self.app.database.connect().await;
        sqlx::query("truncate lead, identity, event cascade").execute(&mut conn).await.unwrap();
        self.app.advance(self.began - self.app.now());
    }

    /// Moves the clock to a second of the story, and does what is due by then.
    async fn move_to(&self, second: i64) {
        let ahead = self.began + TimeDelta::seconds(second) - self.app.now();
        if ahead > TimeDelta::zero() {
            self.app.advance(ahead);
            self.app.run_due().await;
        }
    }

    /// Everything in its order, at the moment at which it happens.
    async fn live(&self, story: &Story) {
        for message in &story.messages {
            self.move_to(message.at).await;
            self.send(&[message]).await;
        }
    }

    /// Everything as it is delivered.
    async fn receive(&self, story: &Story) {
        let mut requests = story.requests.iter().cycle();
        let mut rest = story.deliveries.as_slice();
        while !rest.is_empty() {
            let (size, lost) = requests.next().unwrap();
            let (request, after) = rest.split_at((*size).min(rest.len()));
            rest = after;
            self.move_to(request.last().unwrap().comes).await;
            let messages: Vec<&Message> = request.iter().map(|one| &story.messages[one.message]).collect();
            self.send(&messages).await;
            if *lost {
                self.send(&messages).await;
            }
        }
    }

    /// Everything, in one request a way.
    async fn send_again(&self, story: &Story) {
        self.send(&story.deliveries.iter().map(|one| &story.messages[one.message]).collect::<Vec<_>>()).await;
        self.app.run_due().await;
    }

    /// Sends messages, those that come by the same way in one request; the requests at once.
    async fn send(&self, messages: &[&Message]) {
        join_all([Way::Own, Way::Segment, Way::Provider].map(|way| self.send_by(way, messages))).await;
    }

    async fn send_by(&self, way: Way, messages: &[&Message]) {
        let of_way = messages.iter().filter(|message| message.way == way);
        let bodies: Vec<Value> = of_way.map(|message| message.sent(self.began, self.app.now())).collect();
        let answer = match (way, bodies.as_slice()) {
            (_, []) => return,
            (Way::Segment, [one]) => {
                let path = format!("/v1/{}", one["type"].as_str().unwrap());
                self.app.post(&path, one.to_string()).await
            }
            (Way::Segment, _) => self.app.post("/v1/batch", json!({"batch": bodies}).to_string()).await,
            (Way::Own, _) => self.app.post("/v1/events", json!(bodies).to_string()).await,
            (Way::Provider, _) => {
                let token = [("X-Token", "s3cret-s3cret")];
                self.app.post_with(&self.hook, &token, json!(bodies).to_string()).await
            }
        };
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["rejected"]),
            (200, &json!([])),
            "{answer:?} {bodies:?}"
        );
    }

    async fn decide(&self, number: usize, decision: &Decision) {
        self.app.advance(TimeDelta::seconds(1));
        self.app.run_due().await;
        let leads = View::of(self.app).await.leads;
        if leads.is_empty() {
            return;
        }
        let lead = decision.lead.get(&leads);
        let events = self.app.pages(&format!("/v1/leads/{lead}/events?limit=500")).await;
        let mut events: Vec<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
        events.sort_unstable();
        let (path, body) = decision.call;
        if events.is_empty() && path.contains("{}") {
            return;
        }
        let event = if events.is_empty() { "" } else { decision.event.get(&events) };
        let path = format!("/v1/leads/{lead}{}", path.replace("{}", event));
        let key = format!("decision-{number}");
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", &key)];
        let answer = self.app.post_with(&path, &headers, body).await;
        // Of some events nobody can say who caused them.
        assert!(answer.status.is_success() || answer.status == 422, "{path} {body} {answer:?}");
        self.app.run_due().await;
    }
}
