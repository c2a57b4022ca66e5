//! The service's own tracker, on pages in a real browser.

use serde_json::{Value, json};

use crate::browser::{Visited, visit};

/// The paths of the pages that were viewed, sorted.
fn viewed(visited: &Visited) -> Value {
    let rows = visited.fields(&["type", ".path"]);
    let views = rows.as_array().unwrap().iter().filter(|row| row[0] == "page_viewed");
    views.map(|row| row[1].clone()).collect()
}

/// How many events there are of a kind, each with a number of its own.
fn numbered(visited: &Visited, kind: &str) -> usize {
    let of_kind = visited.events.iter().filter(|event| event["type"] == kind);
    let mut numbers: Vec<i64> =
        of_kind.map(|event| event["properties"]["n"].as_i64().expect("a number")).collect();
    numbers.sort_unstable();
    let all = numbers.len();
    numbers.dedup();
    assert_eq!(numbers.len(), all, "none counts twice");
    all
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
    assert!(matches!(stays[..], [("/", 2_400..3_600), ("/pricing", 4_801..6_000)]), "{stays:?}");
    let landed = visited.view("/");
    assert_eq!([&landed["referrer"], &landed["utm_source"]], ["https://search.example/", "news"]);
    let went_on = visited.view("/pricing");
    assert_eq!(went_on["title"], "Prices");
    assert!(went_on["referrer"].as_str().unwrap().ends_with("/?utm_source=news"), "{went_on}");
    assert_eq!(visited.of("demo_requested")["properties"]["plan"], "pro");
    assert_eq!(visited.of("form_submitted")["properties"], json!({"form": "contact", "path": "/pricing"}));
    let mut said = visited.of("identify")["traits"].clone();
    said.as_object_mut().unwrap().remove("derived");
    let company = json!({"name": "Acme", "employees": "200"});
    let team = json!({"size": "5", "name": "Sales"});
    assert_eq!(
        said,
        json!({"email": "Jane@acme.example", "title": "VP Sales", "company": company, "team": team,
            "__proto__": {"polluted": "yes"}, "a..b": "as it is"})
    );
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
    let Some(visited) = visit("consent.js", "objection", 0) else { return };

    assert!(visited.events.is_empty(), "{:#?}", visited.events);
}

#[test]
fn where_consent_is_asked_for_nothing_is_sent_or_kept_before_it_is_given_or_after_it_is_taken_back() {
    let Some(visited) = visit("consent.js", "consent", 3) else { return };

    assert_eq!(
        visited.fields(&["type", ".path"]),
        json!([["demo_requested", null], ["page_viewed", "/given"], ["page_viewed", "/pricing"]]),
        "{:#?}",
        visited.events
    );
}

#[test]
fn who_refuses_in_one_tab_has_refused_in_all() {
    let Some(visited) = visit("consent.js", "tabs", 4) else { return };

    assert_eq!(
        visited.fields(&["type", ".path"]),
        json!([
            ["demo_requested", null],
            ["page_viewed", "/given"],
            ["page_viewed", "/pricing"],
            ["page_viewed", "/pricing"],
        ]),
        "{:#?}",
        visited.events
    );
}

#[test]
fn what_a_page_says_that_is_made_ready_in_advance_waits_until_it_is_seen() {
    let Some(visited) = visit("consent.js", "prerendering", 3) else { return };

    assert_eq!(visited.fields(&["type"]), json!([["demo_requested"], ["made_ready"], ["page_viewed"]]));
    assert_eq!(visited.leads.len(), 1, "the visitor is the same");
}

#[test]
fn each_route_and_each_return_of_a_page_is_a_view_but_not_a_route_that_is_taken_back() {
    let Some(visited) = visit("routes.js", "", 7) else { return };

    assert_eq!(viewed(&visited), json!(["/", "/", "/customers", "/late", "/late", "/other", "/pricing"]));
    let stays = visited.stays();
    assert!(stays.iter().any(|stay| matches!(stay, ("/", 2_400..3_600))), "it is read on: {stays:?}");
    assert!(visited.view("/pricing")["referrer"].as_str().unwrap().ends_with('/'), "{:#?}", visited.events);
    assert!(visited.view("/customers")["url"].as_str().unwrap().ends_with("/#/customers"));
}

#[test]
fn tabs_share_what_is_to_be_sent_and_keep_the_newest_two_hundred() {
    let Some(visited) = visit("delivery.js", "tabs", 382) else { return };

    assert_eq!(["shared", "kept", "dropped"].map(|kind| numbered(&visited, kind)), [180, 200, 0]);
    assert_eq!(viewed(&visited), json!(["/", "/"]));
}

#[test]
fn a_beacon_takes_what_it_may_and_the_next_page_the_rest() {
    let Some(visited) = visit("delivery.js", "beacons", 33) else { return };

    assert_eq!(numbered(&visited, "large"), 30);
    assert_eq!(viewed(&visited), json!(["/next", "/none", "/some"]));
}

#[test]
fn where_storage_is_closed_or_full_all_is_sent_and_a_refusal_holds() {
    let Some(visited) = visit("delivery.js", "storage", 7) else { return };

    assert_eq!(numbered(&visited, "kept"), 4);
    assert_eq!(viewed(&visited), json!(["/closed", "/full"]));
}

#[test]
fn the_calls_of_analytics_js_and_its_listeners_are_as_there() {
    let Some(visited) = visit("calls.js", "names", 6) else { return };

    assert_eq!(
        visited.fields(&["type"]),
        json!([["alias"], ["demo_requested"], ["group"], ["identify"], ["identify"], ["page_viewed"]]),
        "to ask who the group is sends nothing"
    );
}

#[test]
fn where_only_what_is_marked_counts_or_consent_is_awaited_nothing_else_is_sent() {
    let Some(visited) = visit("calls.js", "settings", 6) else { return };

    assert_eq!(
        visited.fields(&["type", ".form", ".path", ".plan"]),
        json!([
            ["contact_sales_requested", "contact", "/attribute", "pro"],
            ["contact_sales_requested", "contact", "/snippet", "pro"],
            ["demo_requested", null, null, null],
            ["demo_requested", null, null, null],
            ["identify", null, null, null],
            ["identify", null, null, null],
        ]),
        "{:#?}",
        visited.events
    );
    assert_eq!(visited.of("contact_sales_requested")["properties"].as_object().unwrap().len(), 3);
}

#[test]
fn what_a_page_does_wrong_costs_nothing_else_and_is_said_in_the_console() {
    let Some(visited) = visit("calls.js", "mistakes", 3) else { return };

    assert_eq!(visited.fields(&["type"]), json!([["heard"], ["page_viewed"], ["queued"]]));
}

#[test]
fn another_script_that_has_the_name_keeps_it() {
    let Some(visited) = visit("calls.js", "neighbours", 2) else { return };

    assert_eq!(viewed(&visited), json!(["/beside", "/element"]), "nothing of theirs came here");
}
