//! The sync with a CRM that we hand out, run as its users run it: the real script, against the real service and a server
//! that speaks the CRM's shapes.

mod fake;
mod hubspot;
mod salesforce;

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Map, Value, json};
use sqlx::ConnectOptions;
use tokio::runtime::Runtime;

use crate::{
    database::TestDatabase,
    install,
    scratch::Scratch,
    service::{ADMIN, KEYS, Service},
};
use fake::{Failure, Fake, Speak, TOKEN};

/// What a CRM calls things.
struct Dialect {
    name: &'static str,
    speak: Speak,
    email: &'static str,
    first_name: &'static str,
    last_name: &'static str,
    company: &'static str,
    employees: &'static str,
    title: &'static str,
    phone: &'static str,
    owner: &'static str,
    score: &'static str,
    band: &'static str,
    stage: &'static str,
    lead: &'static str,
}

const HUBSPOT: Dialect = Dialect {
    name: "hubspot",
    speak: hubspot::speak,
    email: "email",
    first_name: "firstname",
    last_name: "lastname",
    company: "company",
    employees: "numemployees",
    title: "jobtitle",
    phone: "phone",
    owner: "hubspot_owner_id",
    score: "leadscore",
    band: "leadscore_band",
    stage: "leadscore_stage",
    lead: "leadscore_id",
};

const SALESFORCE: Dialect = Dialect {
    name: "salesforce",
    speak: salesforce::speak,
    email: "Email",
    first_name: "FirstName",
    last_name: "LastName",
    company: "Company",
    employees: "NumberOfEmployees",
    title: "Title",
    phone: "Phone",
    owner: "OwnerId",
    score: "Leadscore_Score__c",
    band: "Leadscore_Band__c",
    stage: "Leadscore_Stage__c",
    lead: "Leadscore_Id__c",
};

/// A service, a CRM, and the script between them.
struct Office {
    crm: Fake,
    dialect: &'static Dialect,
    service: Service,
    scratch: Scratch,
    database: TestDatabase,
    runtime: Runtime,
}

/// The script, with no arguments yet.
fn script() -> Command {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/crm/sync.py"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    command
}

/// Whether the script can run here.
fn python() -> bool {
    let there = install::version("python3", &["-c", "import sqlite3"]).is_some();
    if !there {
        eprintln!("passed over: there is no python3 with sqlite3");
    }
    there
}

impl Office {
    fn open(dialect: &'static Dialect) -> Office {
        let (scratch, runtime) = (Scratch::new(), Runtime::new().expect("a runtime"));
        let database = runtime.block_on(TestDatabase::create());
        let url = database.options().to_url_lossy();
        let service = Service::start_with(&scratch, &[("DATABASE_URL", url.as_str()), KEYS[0], KEYS[1]]);
        let crm = Fake::start(&runtime, dialect.speak);
        Office { crm, dialect, service, scratch, database, runtime }
    }

    fn close(self) {
        self.service.stop();
        drop(self.crm);
        self.runtime.block_on(self.database.remove());
    }

    fn state(&self) -> std::path::PathBuf {
        self.scratch.folder.join("state.sqlite")
    }

    /// The cursor into the feed of changes is one of long ago, as after weeks without a run.
    fn forget_what_was_followed(&self) {
        let script = "import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db: db.execute(\"update place set at = 'OTk5OTk5' where side = 'leadscore'\")";
        let status = Command::new("python3").args(["-c", script]).arg(self.state()).status();
        assert!(status.expect("python3 runs").success());
    }

    fn run(&self, settings: &[(&str, &str)]) -> Output {
        let mut command = script();
        command.arg(self.dialect.name).env("LEADSCORE_URL", format!("http://{}", self.service.address));
        command.env("LEADSCORE_KEY", ADMIN).env("CRM_URL", &self.crm.url).env("CRM_TOKEN", TOKEN);
        command.env("STATE", self.state()).env("no_proxy", "*").env_remove("CRM_EXTERNAL_ID");
        command.envs(settings.iter().copied()).output().expect("the script runs")
    }

    /// A run that ends well; what it did.
    fn sync(&self) -> Value {
        self.sync_with(&[])
    }

    fn sync_with(&self, settings: &[(&str, &str)]) -> Value {
        let output = self.run(settings);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{errors}");
        serde_json::from_slice(&output.stdout).expect("what it did")
    }

    fn events(&self, events: &Value) {
        let answer = self.service.call("POST", "/v1/events", ADMIN, &events.to_string()).expect("an answer");
        assert_eq!(answer.body["rejected"], json!([]), "{answer:?}");
    }

    fn lead(&self, email: &str) -> Value {
        let answer = self.service.get(&format!("/v1/leads/by/email/{email}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// A record that somebody in the CRM makes.
    fn add(&self, id: &str, email: &str, title: &str) {
        let names = self.dialect;
        let mut fields = Map::new();
        for (name, value) in [(names.email, email), (names.last_name, "Doe"), (names.title, title)] {
            fields.insert(name.to_owned(), json!(value));
        }
        self.crm.data().add(id.to_owned(), fields);
    }

    fn set(&self, id: &str, field: &str, value: &str) {
        self.crm.data().set(id, [(field.to_owned(), json!(value))]);
    }

    fn field(&self, id: &str, field: &str) -> Value {
        self.crm.data().records[id].fields.get(field).cloned().unwrap_or_default()
    }

    fn record_of(&self, email: &str) -> String {
        self.crm.data().by_field(self.dialect.email, &json!(email)).expect("a record")
    }

    /// The CRM says of a record how its lead stands.
    fn assert_in_step(&self, id: &str, lead: &Value) {
        let score = self.field(id, self.dialect.score);
        let score = score.as_str().map_or(score.clone(), |text| text.parse::<i64>().unwrap().into());
        let says = [
            score,
            self.field(id, self.dialect.band),
            self.field(id, self.dialect.stage),
            self.field(id, self.dialect.lead),
        ];
        assert_eq!(says.each_ref(), ["score", "band", "stage", "id"].map(|field| &lead[field]));
    }

    /// How many events the service has taken.
    fn accepted(&self) -> u64 {
        let metrics = self.service.get("/metrics").body;
        let line = metrics.as_str().unwrap().lines().find(|line| {
            line.starts_with("leadscore_events_total{") && line.contains("outcome=\"accepted\"")
        });
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// How much either side was written to.
    fn written(&self) -> (u64, usize) {
        (self.accepted(), self.crm.data().writes)
    }
}

fn visit(email: &str, kind: &str) -> Value {
    json!({"type": kind, "lead": {"email": email}, "properties": {"path": "/pricing"}})
}

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
    makes_up_for_a_long_absence(&office, jane);
    office.close();
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

/// Wherever a run breaks off, the next one makes up for it, and nothing is done twice.
fn loses_nothing_when_it_breaks_off(dialect: &'static Dialect) {
    if !python() {
        return;
    }
    let office = Office::open(dialect);
    let jane = "jane@acme.example";
    office.add("1", jane, "Manager");
    office.events(
        &json!({"type": "identify", "lead": {"email": "ada@acme.example"}, "traits": {"title": "CTO"}}),
    );
    office.events(&visit("ada@acme.example", "demo_requested"));
    for failure in [Failure::Before, Failure::After] {
        office.crm.fail(failure);
        assert!(!office.run(&[]).status.success(), "a run that breaks off says so");
    }
    office.sync();
    assert_eq!(office.crm.data().records.len(), 2, "nobody is made twice");
    office.assert_in_step("1", &office.lead(jane));
    office.assert_in_step(&office.record_of("ada@acme.example"), &office.lead("ada@acme.example"));

    for (failure, kind) in [(Failure::Before, "trial_started"), (Failure::After, "chat_started")] {
        office.events(&visit(jane, kind));
        office.crm.fail(failure);
        assert!(!office.run(&[]).status.success());
        office.sync();
        office.assert_in_step("1", &office.lead(jane));
    }
    office.events(&visit(jane, "webinar_attended"));
    office.crm.fail(Failure::Busy);
    assert_eq!(office.sync(), json!({"written": 1}), "who comes too soon comes again");

    let kept = fs::read(office.state()).unwrap();
    office.set("1", dialect.title, "CEO");
    office.sync();
    let (lead, accepted) = (office.lead(jane), office.accepted());
    fs::write(office.state(), kept).unwrap();
    office.sync();
    assert_eq!(office.lead(jane), lead, "as if nothing of the last run had been written down");
    assert_eq!(office.accepted(), accepted);
    office.assert_in_step("1", &lead);
    office.close();
}

/// Sales answers a handoff, and the next run goes on from there.
fn follows_what_sales_answers(dialect: &'static Dialect) {
    if !python() {
        return;
    }
    let office = Office::open(dialect);
    let jane = "jane@acme.example";
    office.add("1", jane, "CEO");
    office.events(&visit(jane, "demo_requested"));
    office.sync();
    let offers = office.service.get("/v1/handoffs?state=open").body;
    let accept = format!("/v1/handoffs/{}/accept", offers["data"][0]["id"].as_str().unwrap());

    let answer = office.service.call("POST", &accept, ADMIN, r#"{"rep": "ann"}"#).expect("an answer");

    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(office.sync(), json!({"written": 1}));
    assert_eq!(office.field("1", dialect.stage), "sql");
    office.assert_in_step("1", &office.lead(jane));
    assert_eq!(office.sync(), json!({}));
    office.close();
}

/// What leads are called reaches the records that are made for them; a company's size counts here, and what others said of
/// the company stays.
fn knows_names_and_companies(dialect: &'static Dialect, employees: Value) {
    if !python() {
        return;
    }
    let office = Office::open(dialect);
    let (jane, ada, eve) = ("jane@acme.example", "ada@engines.example", "eve@plain.example");
    let company = json!({"domain": "acme.example", "employees": 2});
    office.events(&json!([
        {"type": "identify", "lead": {"email": jane}, "occurred_at": "2020-01-01T00:00:00Z",
            "traits": {"company": company}},
        {"type": "identify", "lead": {"email": ada},
            "traits": {"name": "Ada King Byron", "company": {"name": "Engines"}}},
        {"type": "identify", "lead": {"email": eve},
            "traits": {"firstName": "Eve", "lastName": "Moss", "name": "E. M.", "company": "Plain"}},
        visit(ada, "demo_requested"),
        visit(eve, "demo_requested"),
    ]));
    office.add("1", jane, "Manager");
    office.set("1", dialect.company, "Acme");
    office.crm.data().set("1", [(dialect.employees.to_owned(), employees)]);

    office.sync();

    let lead = office.lead(jane);
    let company = json!({"domain": "acme.example", "employees": 50, "name": "Acme"});
    assert_eq!((&lead["profile"]["company"], &lead["fit"]), (&company, &json!(25_000)));
    let called = |email: &str| {
        let record = office.record_of(email);
        [dialect.first_name, dialect.last_name, dialect.company].map(|field| office.field(&record, field))
    };
    assert_eq!(called(ada), ["Ada King", "Byron", "Engines"]);
    assert_eq!(called(eve), ["Eve", "Moss", "Plain"]);
    assert_eq!(office.sync(), json!({}));
    office.close();
}

/// The product's own id of a person, where the CRM keeps it; and where it does not.
fn finds_the_products_users(dialect: &'static Dialect, field: &str) {
    if !python() {
        return;
    }
    let office = Office::open(dialect);
    office.events(&json!({"type": "identify", "lead": {"user_id": "app-1", "email": "jane@acme.example"}}));
    office.events(&json!({"type": "identify", "lead": {"user_id": "app-2"}}));
    office.add("1", "jane@acme.example", "CEO");
    office.add("2", "bob@acme.example", "CEO");
    office.set("2", field, "app-2");

    office.sync_with(&[("CRM_EXTERNAL_ID", field)]);

    for (user, record) in [("app-1", "1"), ("app-2", "2")] {
        let lead = office.service.get(&format!("/v1/leads/by/external_id/{user}")).body;
        assert_eq!(lead["profile"]["title"], "CEO", "{lead}");
        office.assert_in_step(record, &lead);
    }
    assert_eq!(office.sync_with(&[("CRM_EXTERNAL_ID", field)]), json!({}));
    office.close();

    let office = Office::open(dialect);
    office.events(&json!({"type": "identify", "lead": {"user_id": "app-1", "email": "jane@acme.example"}}));
    office.add("1", "jane@acme.example", "CEO");
    office.sync();
    let lead = office.lead("jane@acme.example");
    assert_eq!((&lead["user_id"], &lead["profile"]["title"]), (&json!("app-1"), &json!("CEO")));
    office.assert_in_step("1", &lead);
    office.close();
}

#[test]
fn hubspot_and_leads_keep_in_step() {
    keeps_in_step(&HUBSPOT);
}

#[test]
fn salesforce_and_leads_keep_in_step() {
    keeps_in_step(&SALESFORCE);
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

#[test]
fn a_sync_with_hubspot_that_breaks_off_loses_nothing() {
    loses_nothing_when_it_breaks_off(&HUBSPOT);
}

#[test]
fn a_sync_with_salesforce_that_breaks_off_loses_nothing() {
    loses_nothing_when_it_breaks_off(&SALESFORCE);
}

#[test]
fn hubspot_is_told_what_sales_answers() {
    follows_what_sales_answers(&HUBSPOT);
}

#[test]
fn salesforce_is_told_what_sales_answers() {
    follows_what_sales_answers(&SALESFORCE);
}

#[test]
fn names_and_companies_are_the_same_in_hubspot() {
    knows_names_and_companies(&HUBSPOT, json!("50-100"));
}

#[test]
fn names_and_companies_are_the_same_in_salesforce() {
    knows_names_and_companies(&SALESFORCE, json!(50));
}

#[test]
fn contacts_of_hubspot_are_found_by_the_products_ids() {
    finds_the_products_users(&HUBSPOT, "app_user_id");
}

#[test]
fn leads_of_salesforce_are_found_by_the_products_ids() {
    finds_the_products_users(&SALESFORCE, "App_User_Id__c");
}

#[test]
fn a_contacts_lifecycle_stage_moves_forward_only() {
    if !python() {
        return;
    }
    let office = Office::open(&HUBSPOT);
    office.add("1", "jane@acme.example", "CEO");
    office.add("2", "bob@acme.example", "CEO");
    office.set("1", "lifecyclestage", "lead");
    office.set("2", "lifecyclestage", "customer");
    office.events(&json!([
        visit("jane@acme.example", "demo_requested"),
        visit("bob@acme.example", "demo_requested")
    ]));

    office.sync();

    assert_eq!(office.field("1", "lifecyclestage"), "marketingqualifiedlead");
    assert_eq!(office.field("2", "lifecyclestage"), "customer");
    assert_eq!(office.field("2", "leadscore_stage"), "mql");
    assert_eq!(office.sync(), json!({}));
    office.close();
}

#[test]
fn bands_are_ratings_in_salesforce_and_converted_leads_are_left_alone() {
    if !python() {
        return;
    }
    let office = Office::open(&SALESFORCE);
    office.add("1", "jane@acme.example", "CEO");
    office.events(&visit("jane@acme.example", "demo_requested"));
    office.sync();
    assert_eq!(office.field("1", "Rating"), "Warm");
    office.crm.data().set("1", [("IsConverted".to_owned(), json!(true))]);
    office.sync();
    let writes = office.crm.data().writes;

    office.events(&visit("jane@acme.example", "trial_started"));

    assert_eq!(office.sync(), json!({}));
    assert_eq!(office.crm.data().writes, writes);
    assert_eq!(office.lead("jane@acme.example")["profile"]["crm_converted"], true);
    office.close();
}

#[test]
fn refusals_are_told_to_salesforce_and_not_taken_back() {
    if !python() {
        return;
    }
    let office = Office::open(&SALESFORCE);
    let (jane, bob) = ("jane@acme.example", "bob@acme.example");
    office.add("1", jane, "CEO");
    office.add("2", bob, "CEO");
    office.sync();
    let refused = |id: &str| ["HasOptedOutOfEmail", "DoNotCall"].map(|field| office.field(id, field));
    assert_eq!(refused("1"), [Value::Null, Value::Null], "what nobody said is not told");

    office.events(&json!([visit(jane, "email_unsubscribed"), visit(bob, "do_not_contact_requested")]));
    office.sync();

    assert_eq!(refused("1"), [json!(true), Value::Null]);
    assert_eq!(refused("2"), [json!(true), json!(true)]);
    office.events(&visit(jane, "email_subscribed"));
    office.sync();
    assert_eq!(refused("1"), [json!(true), Value::Null]);
    office.close();
}

#[test]
fn a_run_that_lacks_something_says_what() {
    if !python() {
        return;
    }
    let complaint = |arguments: &[&str], settings: &[(&str, &str)]| {
        let mut command = script();
        for name in ["LEADSCORE_URL", "LEADSCORE_KEY", "CRM_URL", "CRM_TOKEN"] {
            command.env_remove(name);
        }
        let output =
            command.args(arguments).envs(settings.iter().copied()).output().expect("the script runs");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("text")
    };

    let wrong: [&[&str]; 2] = [&[], &["pipedrive"]];
    for arguments in wrong {
        let said = complaint(arguments, &[]);
        assert!(said.starts_with("usage: sync.py") && said.contains("{hubspot,salesforce}"), "{said}");
    }
    let said = complaint(&["hubspot"], &[("CRM_URL", "http://127.0.0.1:1"), ("LEADSCORE_KEY", "")]);
    assert!(said.contains("LEADSCORE_URL, LEADSCORE_KEY, CRM_TOKEN"), "{said}");
    assert!(!said.contains("Traceback"), "{said}");
}
