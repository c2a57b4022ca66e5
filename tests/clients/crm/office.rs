//! A service, a CRM, and the script between them.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Map, Value, json};
use sqlx::ConnectOptions;
use tokio::runtime::Runtime;

use super::{
    Dialect,
    fake::{Fake, TOKEN},
};
use crate::{
    database::TestDatabase,
    install,
    scratch::Scratch,
    service::{ADMIN, KEYS, Service},
};

/// A service, a CRM, and the script between them.
pub(super) struct Office {
    pub(super) crm: Fake,
    pub(super) dialect: &'static Dialect,
    pub(super) service: Service,
    scratch: Scratch,
    database: TestDatabase,
    runtime: Runtime,
}

/// The script, with no arguments yet.
pub(super) fn script() -> Command {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/crm/sync.py"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    command
}

/// Whether the script can run here.
pub(super) fn python() -> bool {
    let there = install::version("python3", &["-c", "import sqlite3"]).is_some();
    if !there {
        eprintln!("passed over: there is no python3 with sqlite3");
    }
    there
}

impl Office {
    pub(super) fn open(dialect: &'static Dialect) -> Office {
        let (scratch, runtime) = (Scratch::new(), Runtime::new().expect("a runtime"));
        let database = runtime.block_on(TestDatabase::create());
        let url = database.options().to_url_lossy();
        let service = Service::start_with(&scratch, &[("DATABASE_URL", url.as_str()), KEYS[0], KEYS[1]]);
        let crm = Fake::start(&runtime, dialect.speak);
        Office { crm, dialect, service, scratch, database, runtime }
    }

    pub(super) fn close(self) {
        self.service.stop();
        drop(self.crm);
        self.runtime.block_on(self.database.remove());
    }

    pub(super) fn state(&self) -> std::path::PathBuf {
        self.scratch.folder.join("state.sqlite")
    }

    /// The cursor into the feed of changes is one of long ago, as after weeks without a run.
    pub(super) fn forget_what_was_followed(&self) {
        let script = "import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db: db.execute(\"update place set at = 'OTk5OTk5' where side = 'leadscore'\")";
        let status = Command::new("python3").args(["-c", script]).arg(self.state()).status();
        assert!(status.expect("python3 runs").success());
    }

    pub(super) fn run(&self, settings: &[(&str, &str)]) -> Output {
        let mut command = script();
        command.arg(self.dialect.name).env("LEADSCORE_URL", format!("http://{}", self.service.address));
        command.env("LEADSCORE_KEY", ADMIN).env("CRM_URL", &self.crm.url).env("CRM_TOKEN", TOKEN);
        command.env("STATE", self.state()).env("no_proxy", "*").env_remove("CRM_EXTERNAL_ID");
        command.envs(settings.iter().copied()).output().expect("the script runs")
    }

    /// A run that ends well; what it did.
    pub(super) fn sync(&self) -> Value {
        self.sync_with(&[])
    }

    pub(super) fn sync_with(&self, settings: &[(&str, &str)]) -> Value {
        let output = self.run(settings);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{errors}");
        serde_json::from_slice(&output.stdout).expect("what it did")
    }

    pub(super) fn events(&self, events: &Value) {
        let answer = self.service.call("POST", "/v1/events", ADMIN, &events.to_string()).expect("an answer");
        assert_eq!(answer.body["rejected"], json!([]), "{answer:?}");
    }

    pub(super) fn lead(&self, email: &str) -> Value {
        let answer = self.service.get(&format!("/v1/leads/by/email/{email}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// A record that somebody in the CRM makes.
    pub(super) fn add(&self, id: &str, email: &str, title: &str) {
        let names = self.dialect;
        let mut fields = Map::new();
        for (name, value) in [(names.email, email), (names.last_name, "Doe"), (names.title, title)] {
            fields.insert(name.to_owned(), json!(value));
        }
        self.crm.data().add(id.to_owned(), fields);
    }

    pub(super) fn set(&self, id: &str, field: &str, value: &str) {
        self.crm.data().set(id, [(field.to_owned(), json!(value))]);
    }

    pub(super) fn field(&self, id: &str, field: &str) -> Value {
        self.crm.data().records[id].fields.get(field).cloned().unwrap_or_default()
    }

    pub(super) fn record_of(&self, email: &str) -> String {
        self.crm.data().by_field(self.dialect.email, &json!(email)).expect("a record")
    }

    /// The CRM says of a record how its lead stands.
    pub(super) fn assert_in_step(&self, id: &str, lead: &Value) {
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
    pub(super) fn accepted(&self) -> u64 {
        let metrics = self.service.get("/metrics").body;
        let line = metrics.as_str().unwrap().lines().find(|line| {
            line.starts_with("leadscore_events_total{") && line.contains("outcome=\"accepted\"")
        });
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// How much either side was written to.
    pub(super) fn written(&self) -> (u64, usize) {
        (self.accepted(), self.crm.data().writes)
    }
}
