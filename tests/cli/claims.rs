//! `next` and `claims`: a rep's day.

use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use insta::assert_snapshot;

use crate::{
    run::{json_out, out, run, service_with_leads, settled},
    scratch::Scratch,
};

#[test]
fn a_rep_is_handed_leads_and_ends_each_claim() {
    let scratch = Scratch::new();
    let service = service_with_leads(&scratch);

    assert_snapshot!(settled(&out(&service, &["next", "--rep", "ann"])));
    assert_snapshot!(settled(&out(&service, &["claims", "list"])));
    let claims = service.get("/v1/claims?active=true").body;
    assert_eq!(json_out(&service, &["claims", "list", "--rep", "ann"]), std::slice::from_ref(&claims));
    let jane = claims["data"][0]["id"].as_str().unwrap();
    assert_snapshot!(settled(&out(&service, &["claims", "renew", jane])));
    let callback = (DateTime::<Utc>::from(SystemTime::now()) + TimeDelta::hours(73)).to_rfc3339();
    let done = ["claims", "complete", jane, "--note", "call again", "--callback-at", &callback];
    assert_snapshot!(settled(&out(&service, &done)));

    let handed = json_out(&service, &["next", "sales", "--rep", "ann"]);
    let raj = handed[0]["id"].as_str().unwrap();
    assert_eq!(handed, [service.get(&format!("/v1/claims/{raj}")).body]);
    let wrong = run(&service, &["claims", "skip", raj, "--reason", "in a meeting", "--token", "99"]);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("token"), "{}", wrong.err);
    out(&service, &["claims", "release", raj]);
    let raj = json_out(&service, &["next", "--rep", "bob"])[0]["id"].as_str().unwrap().to_owned();
    assert_snapshot!(settled(&out(
        &service,
        &["claims", "skip", &raj, "--reason", "in a meeting", "--delay", "2h"]
    )));

    assert_snapshot!(out(&service, &["next", "--rep", "ann"]));
    assert!(json_out(&service, &["next", "--rep", "ann"]).is_empty());
    assert_snapshot!(settled(&out(&service, &["claims", "list", "--over"])));
    let over = run(&service, &["claims", "renew", jane]);
    assert_eq!(over.code, Some(1));
    assert_snapshot!(settled(&over.err));
    service.stop();
}
