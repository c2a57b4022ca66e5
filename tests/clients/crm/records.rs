//! What becomes of records in the CRM becomes of leads.

use serde_json::json;

use super::{
    Dialect, HUBSPOT, SALESFORCE,
    office::{Office, python},
    visit,
};

/// People change addresses, are found to be one, and leave.
fn follows_what_becomes_of_records(dialect: &'static Dialect, merge: fn(&Office) -> String) {
    if !python() {
        return;
    }
    let office = Office::open(dialect);
    office.add("1", "jane@old.example", "CEO");
    office.add("2", "jane@private.example", "CEO");
    office.events(&visit("jane@old.example", "trial_started"));
    office.sync();
    let jane = office.lead("jane@old.example");

    office.set("1", dialect.email, "jane@new.example");
    office.sync();

    let moved = office.lead("jane@new.example");
    assert_eq!((&moved["id"], &moved["email"]), (&jane["id"], &json!("jane@new.example")));
    assert_eq!(moved["engagement"], 20_000, "what she did under the old address is still hers");
    let private = office.lead("jane@private.example");
    assert_ne!(private["id"], moved["id"]);

    office.events(&visit("jane@private.example", "page_viewed"));
    let lasting = merge(&office);
    let done = office.sync();

    assert!(done["merged"].as_u64() >= Some(1), "{done}");
    let one = office.lead("jane@private.example");
    assert_eq!(one["id"], office.lead("jane@old.example")["id"]);
    assert_eq!(one["engagement"], 30_000, "the trial, and the look at the prices");
    office.assert_in_step(&lasting, &one);
    office.sync();
    assert_eq!(office.sync(), json!({}));

    office.crm.data().delete(&lasting, None);
    assert_eq!(office.sync()["updated"], 1);
    office.events(&visit("jane@old.example", "webinar_attended"));
    let writes = office.crm.data().writes;
    assert_eq!(office.sync(), json!({}));
    assert_eq!(office.crm.data().writes, writes, "what is deleted there is left alone");
    assert_eq!(office.lead("jane@old.example")["profile"]["crm_deleted"], true);
    office.close();
}

#[test]
fn what_becomes_of_contacts_in_hubspot_becomes_of_leads() {
    follows_what_becomes_of_records(&HUBSPOT, |office| {
        // The two go on as a third.
        let fields = office.crm.data().records["1"].fields.clone();
        for former in ["1", "2"] {
            office.crm.data().delete(former, Some("3".to_owned()));
        }
        office.crm.data().add("3".to_owned(), fields);
        office.crm.data().records.get_mut("3").unwrap().merged = vec!["1".to_owned(), "2".to_owned()];
        "3".to_owned()
    });
}

#[test]
fn what_becomes_of_leads_in_salesforce_becomes_of_ours() {
    follows_what_becomes_of_records(&SALESFORCE, |office| {
        office.set("1", "Phone", "+1 555");
        office.crm.data().delete("2", Some("1".to_owned()));
        "1".to_owned()
    });
}
