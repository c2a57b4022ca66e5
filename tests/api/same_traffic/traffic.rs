//! Random traffic of a few people: what is said of whom, when, and by which way it comes.

use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};

const USERS: [&str; 3] = ["ann", "ben", "cy"];
const ADDRESSES: [&str; 3] = ["ann@acme.example", "Ben@acme.example", "info@acme.example"];
const DEVICES: [&str; 3] = ["phone", "laptop", "kiosk"];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "Mozilla/5.0",
];
const LINKS: [&str; 2] = ["https://acme.example/a", "https://acme.example/b"];
const MAILS: [&str; 2] = ["spring", "autumn"];

/// By which way a message comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Way {
    /// `POST /v1/events`.
    Own,
    /// Segment's API.
    Segment,
    /// What an e-mail provider tells.
    Provider,
}

/// What is said once, and sent as often as it takes.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) way: Way,
    /// When it happens, in seconds since the story began.
    pub(super) at: i64,
    /// How far the sender's clock is ahead, in seconds, of one that says when it sends.
    skew: Option<i64>,
    said: Value,
}

impl Message {
    /// The message as it is sent now, of a story that began then.
    pub(super) fn sent(&self, began: DateTime<Utc>, now: DateTime<Utc>) -> Value {
        let text = |at: DateTime<Utc>| json!(at.to_rfc3339_opts(SecondsFormat::Millis, true));
        let ahead = TimeDelta::seconds(self.skew.unwrap_or(0));
        let at = began + TimeDelta::seconds(self.at);
        let mut said = self.said.clone();
        let (happened, sent) = match self.way {
            Way::Own => ("occurred_at", "sent_at"),
            Way::Segment => ("timestamp", "sentAt"),
            Way::Provider => {
                said["ts_epoch"] = json!(at.timestamp_millis());
                return said;
            }
        };
        said[happened] = text(at + ahead);
        if self.skew.is_some() {
            said[sent] = text(now + ahead);
        }
        said
    }

    /// With an id of its own, where it is to have one; where it says `shared`, others of other people may have the same.
    fn numbered(mut self, number: usize) -> Message {
        for id in ["id", "messageId"] {
            match self.said.get(id).and_then(Value::as_str) {
                Some("own") => self.said[id] = json!(format!("m{number}")),
                Some("none") => {
                    self.said.as_object_mut().unwrap().remove(id);
                    self.skew = None;
                }
                _ => {}
            }
        }
        self
    }

    /// By what the service knows it: two of one key would be two stories about one event.
    fn key(&self) -> String {
        if self.said["id"] == "shared" {
            let lead = &self.said["lead"];
            let strongest = ["user_id", "email", "anonymous_id"].into_iter().find_map(|name| lead.get(name));
            return format!("shared {strongest:?}");
        }
        let mut said = self.said.clone();
        for circumstance in ["context", "user_agent"] {
            said.as_object_mut().unwrap().remove(circumstance);
        }
        format!("{:?} {} {said}", self.way, self.at)
    }
}

/// What happens in a story, in the order in which it happens.
pub(super) fn messages() -> impl Strategy<Value = Vec<Message>> {
    let message = prop_oneof![4 => own(), 4 => segment(), 3 => provider()];
    prop::collection::vec(message, 1..16).prop_map(|messages| {
        let numbered = messages.into_iter().enumerate().map(|(number, message)| message.numbered(number));
        let mut known = HashSet::new();
        let mut messages: Vec<Message> = numbered.filter(|message| known.insert(message.key())).collect();
        messages.sort_by_key(|message| message.at);
        messages
    })
}

/// Often the same instant, or as near as the rules about mails look; else days apart.
fn instant() -> impl Strategy<Value = i64> {
    let moment = select(vec![0, 1, 3, 59, 61, 120, 57_000]);
    (select(vec![0, 1, 2, 9, 20]), moment).prop_map(|(day, moment)| day * 86_400 + moment)
}

fn skew() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![2 => Just(None), 1 => select(vec![-90_000, 0, 7]).prop_map(Some)]
}

fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let known = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(known.collect::<Map<_, _>>())
}

/// Present so often.
fn maybe<S: Strategy<Value: 'static> + 'static>(often: f64, one: S) -> BoxedStrategy<Option<S::Value>> {
    prop::option::weighted(often, one).boxed()
}

fn text(texts: &'static [&'static str]) -> impl Strategy<Value = Value> {
    select(texts).prop_map(|text| json!(text))
}

fn agent() -> BoxedStrategy<Option<Value>> {
    maybe(0.3, text(&AGENTS))
}

fn traits() -> impl Strategy<Value = Value> {
    let title = prop_oneof![4 => text(&["Director", "Student", "Sales Manager"]), 1 => Just(Value::Null)];
    let company = select(vec![3, 200]).prop_map(|employees| json!({"employees": employees}));
    let phone = Just(json!("+1 555 0100"));
    (maybe(0.6, title), maybe(0.3, phone), maybe(0.3, company), maybe(0.4, text(&ADDRESSES))).prop_map(
        |(title, phone, company, email)| {
            object([("title", title), ("phone", phone), ("company", company), ("email", email)])
        },
    )
}

/// What happens, and what is particular to it.
fn happening() -> impl Strategy<Value = (&'static str, Value)> {
    let bare = [
        "trial_started",
        "content_downloaded",
        "form_submitted",
        "demo_requested",
        "email_subscribed",
        "email_complained",
        "email_opened",
        "do_not_contact_requested",
    ];
    let page = select(vec!["/pricing", "/product", "/careers"])
        .prop_map(|path| ("page_viewed", json!({"path": path})));
    let bounce =
        select(vec!["hard", "soft"]).prop_map(|kind| ("email_bounced", json!({"bounce_type": kind})));
    let of_mail = (
        select(vec!["email_clicked", "email_clicked", "email_delivered", "email_unsubscribed"]),
        maybe(0.9, text(&MAILS)),
        maybe(0.8, text(&LINKS)),
        maybe(0.1, Just(json!(true))),
    );
    let of_mail = of_mail.prop_map(|(kind, mail, url, honeypot)| {
        (kind, object([("message_id", mail), ("url", url), ("honeypot", honeypot)]))
    });
    prop_oneof![
        3 => page,
        4 => select(bare.to_vec()).prop_map(|kind| (kind, json!({}))),
        1 => bounce,
        4 => of_mail,
    ]
}

/// In our own shape.
fn own() -> impl Strategy<Value = Message> {
    let lead = (maybe(0.4, text(&USERS)), maybe(0.5, text(&ADDRESSES)), maybe(0.5, text(&DEVICES)));
    let lead = lead.prop_map(|(user, email, device)| {
        let nobody = user.is_none() && email.is_none() && device.is_none();
        let device = device.or(nobody.then(|| json!(DEVICES[0])));
        object([("user_id", user), ("email", email), ("anonymous_id", device)])
    });
    let what = prop_oneof![2 => Just(("identify", json!({}))), 3 => happening()];
    let id = prop_oneof![5 => Just("own"), 1 => Just("shared")];
    (instant(), skew(), id, lead, what, maybe(0.4, traits()), agent()).prop_map(
        |(at, skew, id, lead, (kind, properties), traits, agent)| {
            let context = agent.map(|agent| json!({"user_agent": agent}));
            let mut said = object([("traits", traits), ("context", context)]);
            said["id"] = json!(id);
            said["type"] = json!(kind);
            said["lead"] = lead;
            said["properties"] = properties;
            Message { way: Way::Own, at, skew, said }
        },
    )
}

/// A call of Segment's API, without whose it is.
fn call() -> impl Strategy<Value = Value> {
    let named = [
        ("trial_started", "Trial Started"),
        ("demo_requested", "Demo Requested"),
        ("email_clicked", "Email Link Clicked"),
        ("email_unsubscribed", "Unsubscribed"),
        ("email_delivered", "Email Delivered"),
    ];
    let track = happening().prop_map(move |(kind, properties)| {
        let name = named.iter().find(|(ours, _)| *ours == kind).map_or(kind, |(_, theirs)| theirs);
        json!({"type": "track", "event": name, "properties": properties})
    });
    let page = select(vec!["/pricing", "/careers"]).prop_map(|path| {
        json!({"type": "page", "name": "A page", "properties": {"url": format!("https://acme.example{path}?utm_source=x")}})
    });
    let former = prop_oneof![text(&USERS), text(&DEVICES)];
    prop_oneof![
        4 => traits().prop_map(|traits| json!({"type": "identify", "traits": traits})),
        5 => track,
        2 => page,
        1 => Just(json!({"type": "screen", "name": "Home"})),
        1 => select(vec![3, 200]).prop_map(|size| json!({"type": "group", "groupId": "acme", "traits": {"employees": size}})),
        3 => former.prop_map(|former| json!({"type": "alias", "previousId": former})),
    ]
}

/// As an SDK of Segment's or a relative's sends it.
fn segment() -> impl Strategy<Value = Message> {
    let id = prop_oneof![6 => Just("own"), 1 => Just("none")];
    let who = (maybe(0.6, text(&USERS)), maybe(0.6, text(&DEVICES)), maybe(0.2, text(&ADDRESSES)));
    (instant(), skew(), id, who, call(), agent()).prop_map(
        |(at, skew, id, (user, device, address), mut said, agent)| {
            let alias = said["type"] == "alias";
            let user = user.or(alias.then(|| json!(USERS[0])));
            let device = device.or(user.is_none().then(|| json!(DEVICES[0])));
            let traits = address.map(|address| json!({"email": address}));
            let whose = [("userId", user), ("anonymousId", device), ("messageId", Some(json!(id)))];
            for (name, value) in whose {
                if let Some(value) = value {
                    said[name] = value;
                }
            }
            said["context"] = object([("userAgent", agent), ("traits", traits)]);
            Message { way: Way::Segment, at, skew, said }
        },
    )
}

/// As Brevo tells it.
fn provider() -> impl Strategy<Value = Message> {
    let kinds = [
        "click",
        "click",
        "click",
        "delivered",
        "delivered",
        "opened",
        "proxy_open",
        "hard_bounce",
        "soft_bounce",
        "spam",
        "unsubscribed",
    ];
    (instant(), select(kinds.to_vec()), text(&ADDRESSES), text(&MAILS), text(&LINKS), agent()).prop_map(
        |(at, kind, address, mail, link, agent)| {
            let mut said = object([("link", Some(link).filter(|_| kind == "click")), ("user_agent", agent)]);
            said["event"] = json!(kind);
            said["email"] = address;
            said["message-id"] = mail;
            Message { way: Way::Provider, at, skew: None, said }
        },
    )
}
