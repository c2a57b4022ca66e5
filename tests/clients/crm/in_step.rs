//! What both sides know goes both ways, and nothing goes round in circles.

use serde_json::json;

use super::{
    Dialect, HUBSPOT, SALESFORCE,
    office::{Office, python},
    visit,
};

/// What both sides know goes both ways, and nothing goes round in circles.
fn keeps_in_step(dialect: &'static Dialect) {
    if !python() {
        return;
    }
    let office = Office::open(dialect);
    let (jane, ada) = ("jane@acme.example", "ada@acme.example");
    for (id, email, title) in
        [("1", jane, "Manager"), ("2", "bob@acme.example", "Intern"), ("3", "cid@acme.example", "CEO")]
    {
        office.add(id, email, title);
    }
    office.events(&json!([
        {"type": "identify", "lead": {"email": ada}, "traits": {"title": "CTO", "last_name": "Byron", "phone": "+44 1"}},
        visit(ada, "demo_requested"),
        visit("stranger@acme.example", "page_viewed"),
    ]));

    let first = office.sync();

    assert_eq!(first, json!({"created": 3, "written": 4}));
    office.assert_in_step("1", &office.lead(jane));
    assert_eq!(office.lead(jane)["fit"], 10_000);
    let made = office.record_of(ada);
    let lead = office.lead(ada);
    office.assert_in_step(&made, &lead);
    assert_eq!(
        (&lead["stage"], &lead["user_id"]),
        (&json!("mql"), &json!(format!("{}:{made}", dialect.name)))
    );
    assert_eq!(office.field(&made, dialect.last_name), "Byron");
    assert_eq!(office.crm.data().records.len(), 4, "who is no MQL yet is not made there");

    follows_changes(&office, jane);
    makes_up_for_a_long_absence(&office, jane);
    office.close();
}

/// What changes on one side is brought to the other, and nothing else is.
fn follows_changes(office: &Office, jane: &str) {
    let dialect = office.dialect;
    let before = office.written();
    assert_eq!(office.sync(), json!({}), "the second time there is nothing to do");
    assert_eq!(office.written(), before);

    office.set("1", dialect.title, "CEO");
    assert_eq!(office.sync(), json!({"updated": 1, "written": 1}));
    assert_eq!(office.lead(jane)["fit"], 20_000, "a title changed there counts here");
    office.assert_in_step("1", &office.lead(jane));

    office.events(&visit(jane, "trial_started"));
    assert_eq!(office.sync(), json!({"written": 1}));
    office.assert_in_step("1", &office.lead(jane));

    office
        .events(&json!({"type": "form_submitted", "lead": {"email": jane}, "traits": {"title": "Student"}}));
    office.set("1", dialect.phone, "+1 555");
    office.set("1", dialect.owner, "ann");
    office.sync();
    let lead = office.lead(jane);
    assert_eq!(lead["profile"]["title"], "Student", "what did not change there is not news");
    assert_eq!(lead["profile"]["phone"], "+1 555");
    assert_eq!(office.service.get("/v1/leads?owner=ann").body["data"][0]["id"], lead["id"]);
    office.assert_in_step("1", &lead);
    office.sync();
    let before = office.written();
    assert_eq!((office.sync(), office.written()), (json!({}), before));
}

/// When it is no longer known what has changed, all leads are looked at, and what is news alone is written.
fn makes_up_for_a_long_absence(office: &Office, email: &str) {
    let before = office.written();
    office.forget_what_was_followed();
    assert_eq!((office.sync(), office.written()), (json!({}), before), "the copy made anew is the same");
    office.events(&visit(email, "chat_started"));
    office.forget_what_was_followed();
    assert_eq!(office.sync(), json!({"written": 1}));
    office.assert_in_step("1", &office.lead(email));
}

#[test]
fn hubspot_and_leads_keep_in_step() {
    keeps_in_step(&HUBSPOT);
}

#[test]
fn salesforce_and_leads_keep_in_step() {
    keeps_in_step(&SALESFORCE);
}
