//! Pages in a real browser, on another origin than the service: its own tracker, and SDKs for web pages.

use std::process::Command;

use serde_json::{Value, json};

use crate::{Stage, install, scratch::wait_until};

/// What became of a visit: every event of the log, in the order in which it happened, and the leads.
struct Visited {
    events: Vec<Value>,
    leads: Vec<Value>,
}

impl Visited {
    /// Some fields of every event, sorted, since many happen in one millisecond; a field of its properties has a dot in
    /// front. How long pages were in view is left out: that is this machine's affair.
    fn fields(&self, names: &[&str]) -> Value {
        let field = |event: &Value, name: &str| match name.strip_prefix('.') {
            Some(name) => event["properties"][name].clone(),
            None => event[name].clone(),
        };
        let events = self.events.iter().filter(|event| event["type"] != "page_left");
        let mut rows: Vec<Value> =
            events.map(|event| names.iter().map(|name| field(event, name)).collect()).collect();
        rows.sort_by_key(Value::to_string);
        rows.into()
    }

    /// For how many seconds each page was in view, in the order in which they were left.
    fn stays(&self) -> Vec<(&str, u64)> {
        let left = self.events.iter().filter(|event| event["type"] == "page_left");
        let about = left.map(|event| &event["properties"]);
        about.map(|about| (about["path"].as_str().unwrap(), about["seconds"].as_u64().unwrap())).collect()
    }

    fn of(&self, kind: &str) -> &Value {
        self.events.iter().find(|event| event["type"] == kind).unwrap_or(&Value::Null)
    }

    fn view(&self, path: &str) -> &Value {
        let views = self.events.iter().filter(|event| event["type"] == "page_viewed");
        views.map(|event| &event["properties"]).find(|about| about["path"] == path).unwrap_or(&Value::Null)
    }
}

/// Has a visitor do something on a page, and waits for as many events as that makes; the same bytes again must change
/// nothing. None where there is no browser.
fn visit(script: &str, what: &str, events: usize) -> Option<Visited> {
    let Some((folder, browser)) = install::browser() else {
        eprintln!("passed over: there is no chromium, no node or no npm");
        return None;
    };
    let stage = Stage::set();
    let mut command = Command::new("node");
    command.arg(folder.join(script)).arg(what).env("CHROMIUM", browser);

    stage.run(&mut command);

    wait_until("what the page sent as it was left", || stage.log().len() >= events);
    let visited = Visited { leads: stage.leads(), events: stage.log() };
    let duplicates = || stage.counted("leadscore_events_total", "duplicate");
    let before = duplicates();
    stage.wire.send_again();
    assert_eq!(
        (stage.leads(), stage.log()),
        (visited.leads.clone(), visited.events.clone()),
        "the same bytes"
    );
    assert!(events == 0 || duplicates() > before, "they were sent again");
    stage.strike();
    Some(visited)
}

#[test]
fn a_visit_is_tracked_by_itself_and_names_the_visitor_by_marked_fields_alone() {
    let Some(visited) = visit("tracker.js", "visit", 7) else { return };

    assert_eq!(
        visited.fields(&["type", ".path"]),
        json!([
            ["demo_requested", null],
            ["form_submitted", "/pricing"],
            ["identify", null],
            ["page_viewed", "/"],
            ["page_viewed", "/pricing"],
        ]),
        "{:#?}",
        visited.events
    );
    let stays = visited.stays();
    assert!(matches!(stays[..], [("/", 40..60), ("/pricing", 81..120)]), "{stays:?}");
    let landed = visited.view("/");
    assert_eq!([&landed["referrer"], &landed["utm_source"]], ["https://search.example/", "news"]);
    let went_on = visited.view("/pricing");
    assert_eq!(went_on["title"], "Prices");
    assert!(went_on["referrer"].as_str().unwrap().ends_with("/?utm_source=news"), "{went_on}");
    assert_eq!(visited.of("demo_requested")["properties"]["plan"], "pro");
    assert_eq!(visited.of("form_submitted")["properties"], json!({"form": "contact", "path": "/pricing"}));
    let mut said = visited.of("identify")["traits"].clone();
    said.as_object_mut().unwrap().remove("derived");
    assert_eq!(said, json!({"email": "Jane@acme.example", "title": "VP Sales"}));
    assert!(
        !visited.events.iter().any(|event| event.to_string().contains("secret")),
        "{:#?}",
        visited.events
    );
    assert_eq!(visited.leads.len(), 1);
    assert_eq!([&visited.leads[0]["email"], &visited.leads[0]["stage"]], ["jane@acme.example", "mql"]);
    assert_eq!(visited.leads[0]["engagement"], 45_000, "10 for the prices, 30 for the demo, 5 for the form");
}

#[test]
fn segments_snippet_loads_the_tracker_with_only_its_host_changed() {
    let Some(visited) = visit("tracker.js", "snippet", 8) else { return };

    assert_eq!(
        visited.fields(&["type", "who", ".path"]),
        json!([
            ["alias", "user_id", null],
            ["demo_requested", "user_id", null],
            ["group", "user_id", null],
            ["identify", "user_id", null],
            ["link_clicked", "user_id", null],
            ["page_viewed", "anonymous_id", "/pricing"],
            ["page_viewed", "user_id", "/customers"],
            ["trial_started", "user_id", null],
        ]),
        "{:#?}",
        visited.events
    );
    // What the snippet adds to every call that waits, to say where it was made.
    assert!(!visited.events.iter().any(|event| event.to_string().contains("bpc")), "{:#?}", visited.events);
    assert_eq!(visited.leads.len(), 1);
    let jane = &visited.leads[0];
    assert_eq!([&jane["user_id"], &jane["email"], &jane["stage"]], ["jane", "jane@acme.example", "mql"]);
    assert_eq!(jane["profile"]["company"]["employees"], 200);
}

#[test]
fn what_could_not_be_sent_is_sent_at_the_next_visit_and_counts_once() {
    let Some(visited) = visit("tracker.js", "offline", 3) else { return };

    let demos = visited.events.iter().filter(|event| event["type"] == "demo_requested");
    assert_eq!(demos.map(|event| &event["id"]).collect::<Vec<_>>(), ["m-offline"]);
    let views = visited.events.iter().filter(|event| event["type"] == "page_viewed");
    assert_eq!(views.count(), 2, "{:#?}", visited.events);
    assert_eq!(visited.leads.len(), 1, "the visitor is the same");
}

#[test]
fn who_objects_to_being_tracked_is_not() {
    let Some(visited) = visit("tracker.js", "objection", 0) else { return };

    assert!(visited.events.is_empty(), "{:#?}", visited.events);
}

#[test]
fn where_consent_is_asked_for_nothing_is_sent_or_kept_before_it_is_given_or_after_it_is_taken_back() {
    let Some(visited) = visit("tracker.js", "consent", 3) else { return };

    assert_eq!(
        visited.fields(&["type", ".path"]),
        json!([["demo_requested", null], ["page_viewed", "/given"], ["page_viewed", "/pricing"]]),
        "{:#?}",
        visited.events
    );
}

/// A page that uses an SDK; every message is taken, and nobody but the service is asked for anything.
fn prove(sdk: &str) {
    let Some(visited) = visit("sdks.js", sdk, 4) else { return };

    assert_eq!(
        visited.fields(&["type"]),
        json!([["demo_requested"], ["group"], ["identify"], ["page_viewed"]]),
        "{:#?}",
        visited.events
    );
    assert_eq!(visited.view("/pricing")["title"], "Acme");
    assert_eq!(visited.leads.len(), 1);
    let jane = &visited.leads[0];
    assert_eq!([&jane["user_id"], &jane["email"], &jane["stage"]], ["jane", "jane@acme.example", "mql"]);
    assert_eq!(jane["engagement"], 40_000, "10 for the prices, seen as a stranger, and 30 for the demo");
    assert_eq!(jane["profile"]["company"]["employees"], 200);
}

#[test]
fn segments_browser_sdk_works_with_only_its_host_changed() {
    prove("segment");
}

#[test]
fn segments_browser_sdk_works_in_batches() {
    prove("segment-batching");
}

#[test]
fn rudderstacks_browser_sdk_works_with_only_its_host_changed() {
    prove("rudder");
}

#[test]
fn rudderstacks_browser_sdk_works_in_batches() {
    prove("rudder-batch");
}

#[test]
fn rudderstacks_browser_sdk_works_by_beacons() {
    prove("rudder-beacon");
}
