//! An example of every call that takes a body, one that is acknowledged; and the things that calls are about.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::Ask;
use crate::harness::{TestApp, does, models::visits};

/// Somebody whom sales is offered; the lead's id.
async fn offered(app: &TestApp, user: &str) -> String {
    let events = json!([
        {"id": format!("{user}-i"), "type": "identify", "lead": {"user_id": user, "email": format!("{user}@acme.example")},
         "traits": {"title": "CEO", "company": {"name": "Acme"}}},
        {"id": format!("{user}-d"), "type": "demo_requested", "lead": {"user_id": user}, "properties": {"amount": 1.5}},
    ]);
    app.events(events).await["leads"][1]["lead_id"].as_str().unwrap().to_owned()
}

/// Somebody of whom sales knows nothing.
async fn plain(app: &TestApp, user: &str) -> String {
    let event = json!({"id": format!("{user}-p"), "type": "page_viewed", "lead": {"user_id": user}});
    app.events(event).await["leads"][0]["lead_id"].as_str().unwrap().to_owned()
}

fn id(thing: &Value) -> String {
    thing["id"].as_str().unwrap_or_else(|| panic!("{thing}")).to_owned()
}

async fn handoff(app: &TestApp, user: &str) -> String {
    let lead = offered(app, user).await;
    id(&app.get(&format!("/v1/handoffs?lead_id={lead}")).await.json()["data"][0])
}

/// A claim on a lead by a rep who has no other.
async fn claim(app: &TestApp, user: &str) -> Value {
    offered(app, user).await;
    does(app, "POST", "/v1/queues/sales/next", json!({"rep": user})).await
}

async fn draft(app: &TestApp) -> String {
    id(&does(app, "POST", "/v1/models", visits(50)).await)
}

async fn endpoint(app: &TestApp) -> String {
    let wanted = json!({"url": "https://crm.example/hook", "enabled": false});
    id(&does(app, "POST", "/v1/webhooks", wanted).await)
}

/// Makes one of everything, so that every list has rows.
pub(super) async fn scene(app: &TestApp) {
    let lead = offered(app, "first").await;
    claim(app, "second").await;
    claim(app, "third").await;
    let other = plain(app, "fourth").await;
    draft(app).await;
    for user in ["fifth", "sixth"] {
        does(app, "POST", "/v1/keys", json!({"name": user, "scopes": ["read"]})).await;
        does(app, "POST", "/v1/mail-sources", json!({"provider": "postmark", "name": user})).await;
        let left = plain(app, user).await;
        does(
            app,
            "POST",
            &format!("/v1/leads/{left}/consent"),
            json!({"state": "withdrawn", "channel": "email", "reason": "r"}),
        )
        .await;
        app.events(
            json!({"type": "identify", "lead": {"user_id": user, "email": format!("{user}@b.example")}}),
        )
        .await;
        app.events(json!({"type": "identify", "lead": {"user_id": format!("{user}-2"), "email": format!("{user}@b.example")}})).await;
    }
    does(
        app,
        "POST",
        &format!("/v1/leads/{other}/outcome"),
        json!({"outcome": "won", "amount": 1, "currency": "EUR", "note": "n"}),
    )
    .await;
    let hook = endpoint(app).await;
    does(app, "PATCH", &format!("/v1/webhooks/{hook}"), json!({"enabled": true})).await;
    for _ in 0..2 {
        does(app, "POST", &format!("/v1/webhooks/{hook}/ping"), Value::Null).await;
    }
    does(app, "PATCH", &format!("/v1/webhooks/{hook}"), json!({"enabled": false})).await;
    does(app, "POST", &format!("/v1/leads/{lead}/adjustments"), json!({"points": 1, "reason": "r"})).await;
    app.run_due().await;
}

/// The first row of a list.
async fn first(app: &TestApp, list: &str) -> String {
    let rows = app.get(list).await.json();
    rows["data"][0]["id"].as_str().or_else(|| rows["data"][0]["name"].as_str()).unwrap_or("none").to_owned()
}

/// A path with things that there are in the places of its parameters; one of them may be given.
pub(super) async fn existing(app: &TestApp, template: &str, given: Option<(&str, &str)>) -> String {
    let mut path = template.to_owned();
    if let Some((name, value)) = given {
        path = path.replace(&format!("{{{name}}}"), value);
    }
    if path.contains("{delivery}") {
        let endpoint = first(app, "/v1/webhooks").await;
        let delivery = first(app, &format!("/v1/webhooks/{endpoint}/deliveries")).await;
        path = path.replace("{delivery}", &delivery).replace("{id}", &endpoint);
    }
    for list in ["leads", "claims", "handoffs", "models", "webhooks", "keys", "mail-sources"] {
        let start = format!("/v1/{list}/{{id}}");
        if path.starts_with(&start) {
            path = path.replace("{id}", &first(app, &format!("/v1/{list}")).await);
        }
    }
    for (name, value) in [
        ("{event_id}", "first-d"),
        ("{by}", "external_id"),
        ("{value}", "first"),
        ("{name}", "sales"),
        ("{provider}", "postmark"),
        ("{token}", "none"),
        ("{key}", "wk_none"),
        ("{type}", "track"),
    ] {
        path = path.replace(name, value);
    }
    assert!(!path.contains('{'), "say in `existing` what stands in {path}");
    path
}

/// A request for an operation that is acknowledged, about things of its own; `n` is another number for each. None: no
/// text, number or document can be said in this call.
pub(super) async fn example(app: &TestApp, operation: &str, n: usize) -> Option<Ask> {
    let user = format!("user-{n}");
    for example in [
        of_events(app, operation, &user).await,
        of_leads(app, operation, &user).await,
        of_decisions(app, operation, &user).await,
        of_sales(app, operation, &user).await,
        of_rules(app, operation, &user).await,
    ] {
        if example.is_some() {
            return example;
        }
    }
    // Only yes or no can be said in these.
    let plain = ["POST /v1/models/{id}/publish", "POST /v1/models/{id}/rollback"];
    assert!(
        plain.contains(&operation),
        "give an example of {operation}, so that its texts and numbers are tried"
    );
    None
}

async fn of_events(app: &TestApp, operation: &str, user: &str) -> Option<Ask> {
    let track = json!({"type": "track", "event": "Trial Started", "userId": user, "messageId": format!("m-{user}"),
        "properties": {"plan": "pro", "seats": 3}, "context": {"page": {"path": "/a"}, "traits": {"city": "Rome"}}});
    let (path, body) = match operation {
        "POST /v1/events" => (
            "/v1/events",
            json!({"id": format!("e-{user}"), "type": "trial_started", "lead": {"user_id": user, "email": format!("{user}@x.example"), "anonymous_id": user},
                "occurred_at": "2026-03-01T09:00:00Z", "sent_at": "2026-03-02T09:00:00Z",
                "properties": {"n": 1}, "traits": {"n": 1}, "context": {"n": 1}}),
        ),
        "POST /v1/batch" => {
            ("/v1/batch", json!({"batch": [track], "context": {"n": 1}, "sentAt": "2026-03-02T09:00:00Z"}))
        }
        "POST /v1/track" => ("/v1/track", track),
        "POST /v1/identify" => {
            ("/v1/identify", json!({"userId": user, "traits": {"n": 1}, "anonymousId": user}))
        }
        "POST /v1/page" => (
            "/v1/page",
            json!({"userId": user, "name": "Home", "properties": {"url": "https://a.example/?utm_source=x", "n": 1}}),
        ),
        "POST /v1/screen" => ("/v1/screen", json!({"userId": user, "name": "Home", "properties": {"n": 1}})),
        "POST /v1/group" => {
            ("/v1/group", json!({"userId": user, "groupId": "g", "traits": {"employees": 5}}))
        }
        "POST /v1/alias" => ("/v1/alias", json!({"userId": user, "previousId": format!("{user}-before")})),
        "POST /v1/hooks/{provider}/{token}" => {
            let source = json!({"provider": "postmark", "name": user, "basic": {"username": "p", "password": "s3cret"}});
            let url = does(app, "POST", "/v1/mail-sources", source).await["url"].as_str().unwrap().to_owned();
            let news = json!({"RecordType": "Click", "MessageID": user, "Recipient": format!("{user}@x.example"),
                "ReceivedAt": "2026-03-02T08:00:00Z", "OriginalLink": "https://a.example/", "UserAgent": "Mozilla/5.0", "Geo": {"IP": "198.51.100.7"}});
            let mut ask = Ask::json("POST", url.strip_prefix("http://leads.test").unwrap(), &news);
            ask.headers.push(("authorization", format!("Basic {}", STANDARD.encode("p:s3cret"))));
            return Some(ask);
        }
        _ => return None,
    };
    Some(Ask::json("POST", path, &body))
}

async fn of_leads(app: &TestApp, operation: &str, user: &str) -> Option<Ask> {
    let lead = json!({"user_id": user, "email": format!("{user}@x.example"), "traits": {"n": 1, "company": {"n": 1}},
        "source": "crm", "occurred_at": "2026-03-01T09:00:00Z"});
    let of = async |rest: &str| format!("/v1/leads/{}{rest}", plain(app, user).await);
    Some(match operation {
        "POST /v1/leads" => Ask::json("POST", "/v1/leads", &lead),
        "POST /v1/leads/batch" => Ask::json("POST", "/v1/leads/batch", &json!({"leads": [lead]})),
        "PUT /v1/leads/by/{by}/{value}" => {
            let body = json!({"traits": {"n": 1}, "source": "crm", "email": format!("{user}@y.example")});
            Ask::json("PUT", format!("/v1/leads/by/external_id/{user}"), &body)
        }
        "PATCH /v1/leads/{id}" => {
            Ask::json("PATCH", of("").await, &json!({"traits": {"n": 1, "owner": "amy"}, "source": "s"}))
        }
        "POST /v1/leads/{id}/score/what-if" => {
            let body = json!({"traits": {"n": 1}, "as_of": "2026-03-05T00:00:00Z",
                "events": [{"type": "page_viewed", "properties": {"n": 1}, "traits": {"n": 1}, "occurred_at": "2026-03-02T09:00:00Z"}]});
            Ask::json("POST", of("/score/what-if").await, &body)
        }
        "POST /v1/links" => {
            let body = json!({"email": format!("{user}@x.example"), "message_id": "m1", "links": [{"url": "https://a.example/x"}]});
            app.events(json!({"type": "identify", "lead": {"email": format!("{user}@x.example")}})).await;
            Ask::json("POST", "/v1/links", &body)
        }
        _ => return None,
    })
}

/// What somebody decides of a lead.
async fn of_decisions(app: &TestApp, operation: &str, user: &str) -> Option<Ask> {
    let of = async |rest: &str| format!("/v1/leads/{}{rest}", plain(app, user).await);
    Some(match operation {
        "POST /v1/leads/{id}/adjustments" => {
            let body =
                json!({"points": 5, "reason": "r", "author": "a", "expires_at": "2027-01-01T00:00:00Z"});
            Ask::json("POST", of("/adjustments").await, &body)
        }
        "POST /v1/leads/{id}/reset" => {
            Ask::json("POST", of("/reset").await, &json!({"reason": "r", "author": "a"}))
        }
        "POST /v1/leads/{id}/consent" => {
            let body = json!({"state": "withdrawn", "channel": "email", "reason": "r", "author": "a"});
            Ask::json("POST", of("/consent").await, &body)
        }
        "POST /v1/leads/{id}/events/{event_id}/verdict" => {
            let path = of(&format!("/events/{user}-p/verdict")).await;
            Ask::json("POST", path, &json!({"verdict": "machine", "reason": "r", "author": "a"}))
        }
        "POST /v1/leads/{id}/merge" => {
            let other = plain(app, &format!("{user}-other")).await;
            Ask::json("POST", of("/merge").await, &json!({"lead_id": other, "reason": "r", "author": "a"}))
        }
        "POST /v1/leads/{id}/unmerge" => {
            let other = plain(app, &format!("{user}-other")).await;
            let path = of("").await;
            does(app, "POST", &format!("{path}/merge"), json!({"lead_id": other, "reason": "r"})).await;
            Ask::json(
                "POST",
                format!("{path}/unmerge"),
                &json!({"lead_id": other, "reason": "r", "author": "a"}),
            )
        }
        "POST /v1/leads/{id}/outcome" => {
            let body = json!({"outcome": "won", "amount": 100, "currency": "EUR", "note": "n", "author": "a", "occurred_at": "2026-03-01T09:00:00Z"});
            Ask::json("POST", of("/outcome").await, &body)
        }
        "POST /v1/leads/{id}/stage" => {
            let body =
                json!({"stage": "recycled", "reason": "r", "until": "2026-06-01T00:00:00Z", "author": "a"});
            Ask::json("POST", of("/stage").await, &body)
        }
        "PUT /v1/leads/{id}/qualification" => {
            let body = json!({"framework": "bant", "answers": {"budget": {"answer": "yes", "evidence": "e"}}, "author": "a"});
            Ask::json("PUT", of("/qualification").await, &body)
        }
        _ => return None,
    })
}

async fn of_sales(app: &TestApp, operation: &str, user: &str) -> Option<Ask> {
    let answer = async |verb: &str, body: Value| {
        Some(Ask::json("POST", format!("/v1/handoffs/{}/{verb}", handoff(app, user).await), &body))
    };
    let act = async |verb: &str, mut body: Value| {
        let claim = claim(app, user).await;
        body["token"] = claim["token"].clone();
        Some(Ask::json("POST", format!("/v1/claims/{}/{verb}", id(&claim)), &body))
    };
    match operation {
        "POST /v1/leads/{id}/handoff" => {
            let lead = plain(app, user).await;
            Some(Ask::json("POST", format!("/v1/leads/{lead}/handoff"), &json!({"rep": "r", "author": "a"})))
        }
        "POST /v1/handoffs/{id}/accept" => answer("accept", json!({"rep": "r", "note": "n"})).await,
        "POST /v1/handoffs/{id}/reject" => {
            let reasons = app.get("/v1/policy").await.json();
            let code = reasons["document"]["reject_reasons"][0]["code"].clone();
            answer("reject", json!({"reason": code, "rep": "r", "note": "n"})).await
        }
        "POST /v1/handoffs/{id}/reassign" => answer("reassign", json!({"rep": "r", "author": "a"})).await,
        "POST /v1/handoffs/{id}/recycle" => {
            let handoff = handoff(app, user).await;
            does(app, "POST", &format!("/v1/handoffs/{handoff}/accept"), json!({"rep": "r"})).await;
            let body = json!({"reason": "r", "rep": "r", "note": "n", "until": "2026-06-01T00:00:00Z"});
            Some(Ask::json("POST", format!("/v1/handoffs/{handoff}/recycle"), &body))
        }
        "POST /v1/queues/{name}/next" => {
            offered(app, user).await;
            Some(Ask::json("POST", "/v1/queues/sales/next", &json!({"rep": user})))
        }
        "POST /v1/claims/{id}/renew" => act("renew", json!({})).await,
        "POST /v1/claims/{id}/release" => act("release", json!({"reason": "r"})).await,
        "POST /v1/claims/{id}/skip" => act("skip", json!({"reason": "r", "delay": "1h"})).await,
        "POST /v1/claims/{id}/complete" => {
            act("complete", json!({"note": "n", "callback_at": "2026-03-05T00:00:00Z"})).await
        }
        "PUT /v1/queues/{name}" => {
            let body = json!({"description": "d", "timezone": "UTC",
                "filter": {"stage": ["mql"], "owner": ["amy", null], "attributes": {"field": "size", "eq": 5}, "min_score": 3},
                "tiers": [{"name": "t", "when": {"territory": ["eu"], "waiting_longer_than": "1d"}, "order": ["-score"]}],
                "claims": {"length": "30m", "rest": "1d", "most_at_once": 3}});
            Some(Ask::json("PUT", format!("/v1/queues/{user}"), &body))
        }
        _ => None,
    }
}

async fn of_rules(app: &TestApp, operation: &str, user: &str) -> Option<Ask> {
    let mut model = visits(50);
    model["description"] = json!("d");
    model["tests"] = json!([{"name": "t", "profile": {"n": 1}, "events": [], "as_of": "2026-03-01T00:00:00Z", "expect": {"score": 0}}]);
    let hook = async |method, rest: &str, body: Value| {
        Some(Ask::json(method, format!("/v1/webhooks/{}{rest}", endpoint(app).await), &body))
    };
    match operation {
        "POST /v1/models" => Some(Ask::json("POST", "/v1/models", &model)),
        "PUT /v1/models/{id}" => Some(Ask::json("PUT", format!("/v1/models/{}", draft(app).await), &model)),
        "POST /v1/models/check" => Some(Ask::json("POST", "/v1/models/check", &model)),
        "POST /v1/models/evaluate" => {
            let body = json!({"model": model, "profile": {"n": 1}, "as_of": "2026-03-05T00:00:00Z",
                "events": [{"type": "page_viewed", "occurred_at": "2026-03-02T09:00:00Z", "properties": {"n": 1}}]});
            Some(Ask::json("POST", "/v1/models/evaluate", &body))
        }
        "POST /v1/models/{id}/preview" => {
            let path = format!("/v1/models/{}/preview", draft(app).await);
            Some(Ask::json("POST", path, &json!({"capacity_per_day": 5, "sample": 10, "seed": 1})))
        }
        "PUT /v1/policy" => {
            let mut body = app.get("/v1/policy").await.json()["document"].clone();
            body["exclusions"] = json!([{"domain": "rival.example", "label": "competitor"}, {"tag": "vip", "label": "partner"}]);
            Some(Ask::json("PUT", "/v1/policy", &body))
        }
        "POST /v1/webhooks" => {
            let body =
                json!({"url": format!("https://crm.example/{user}"), "description": "d", "enabled": false});
            Some(Ask::json("POST", "/v1/webhooks", &body))
        }
        "PATCH /v1/webhooks/{id}" => {
            hook("PATCH", "", json!({"url": "https://crm.example/", "description": "d"})).await
        }
        "POST /v1/webhooks/{id}/recover" => {
            hook("POST", "/recover", json!({"since": "2026-03-01T00:00:00Z"})).await
        }
        "POST /v1/mail-sources" => {
            let body =
                json!({"provider": "brevo", "name": user, "header": {"name": "x-key", "value": "s3cret"}});
            Some(Ask::json("POST", "/v1/mail-sources", &body))
        }
        "POST /v1/keys" => {
            let body = json!({"name": user, "scopes": ["ingest"], "allowed_origins": ["https://a.example"]});
            Some(Ask::json("POST", "/v1/keys", &body))
        }
        _ => None,
    }
}
