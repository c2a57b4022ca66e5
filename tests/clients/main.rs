//! The real SDKs against the real service, with only the host changed; its own tracker in a real browser; and the real
//! libraries by which receivers verify its webhooks.
//!
//! Each is installed as its users install it and runs a script such as its documentation shows; `install` says how. A
//! test is passed over, and says so, only where the language itself, or the browser, is missing.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod browser;
mod crm;
mod install;
mod sdks;
mod webhooks;

#[path = "../api/harness/database.rs"]
#[expect(dead_code, reason = "shared with the tests of the API, which use all of it")]
mod database;
#[path = "../process/http.rs"]
mod http;
#[path = "../api/harness/receiver.rs"]
#[expect(dead_code, reason = "shared with the tests of the API, which use all of it")]
mod receiver;
#[path = "../process/scratch.rs"]
#[expect(dead_code, reason = "shared with the tests of the process, which use all of it")]
mod scratch;
#[path = "../process/service.rs"]
#[expect(dead_code, reason = "shared with the tests of the process, which use all of it")]
mod service;

use std::{
    fs::{File, read_to_string},
    process::{Command, ExitStatus},
};

use serde_json::Value;
use sqlx::ConnectOptions;
use tokio::runtime::Runtime;

use database::TestDatabase;
use scratch::{Scratch, wait_for};
use service::{KEYS, Service, WRITE};

/// A service on a database of its own.
struct Stage {
    scratch: Scratch,
    runtime: Runtime,
    database: TestDatabase,
    service: Service,
}

impl Stage {
    fn set() -> Stage {
        let (scratch, runtime) = (Scratch::new(), Runtime::new().expect("a runtime"));
        let database = runtime.block_on(TestDatabase::create());
        let url = database.options().to_url_lossy();
        let service = Service::start_with(&scratch, &[("DATABASE_URL", url.as_str()), KEYS[0], KEYS[1]]);
        Stage { scratch, runtime, database, service }
    }

    fn strike(self) {
        self.service.stop();
        self.runtime.block_on(self.database.remove());
    }

    /// Runs a script to its end, which must be a good one: the SDK says that all was sent.
    fn run(&self, script: &mut Command) {
        let (status, said) = self.attempt(script, WRITE);
        assert!(status.success(), "{script:?}: {status}: {said}");
    }

    /// Runs a script with a key to its end; how it ended, and what all scripts have said.
    fn attempt(&self, script: &mut Command, key: &str) -> (ExitStatus, String) {
        let said = self.scratch.folder.join("script.log");
        let log = || File::options().append(true).create(true).open(&said).expect("a log");
        let host = format!("http://{}", self.service.address);
        script.env("HOST", host).env("WRITE_KEY", key).stdout(log()).stderr(log());
        let mut script = script.spawn().expect("the script runs");
        let status = wait_for("the script to end", || script.try_wait().expect("it is our child"));
        (status, read_to_string(said).unwrap_or_default())
    }

    /// The sum of the counters of this name whose labels hold this text, since the service started.
    fn counted(&self, name: &str, label: &str) -> u64 {
        let metrics = self.service.get("/metrics").body;
        let lines = metrics.as_str().expect("text").lines();
        let counters = lines.filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(label));
        counters.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().expect("a number")).sum()
    }

    fn leads(&self) -> Vec<Value> {
        self.service.get("/v1/leads").body["data"].as_array().expect("leads").clone()
    }
}
