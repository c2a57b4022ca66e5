//! The real SDKs against the real service, with only the host changed; its own tracker in a real browser; the real
//! libraries by which receivers verify its webhooks; and clients that real generators make of its description.
//!
//! Each is installed as its users install it and runs a script such as its documentation shows; `install` says how. A
//! test is passed over, and says so, only where the language itself, or the browser, is missing.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]
#![expect(clippy::disallowed_methods, reason = "statements of a test look into the tables")]

mod browser;
mod crm;
mod generated;
mod install;
mod sdks;
mod tracker;
mod webhooks;
mod wire;

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
use sqlx::{ConnectOptions, Connection};
use tokio::runtime::Runtime;

use database::TestDatabase;
use scratch::{Scratch, wait_for};
use service::{KEYS, Service, WRITE};
use wire::Wire;

/// A service on a database of its own.
struct Stage {
    scratch: Scratch,
    runtime: Runtime,
    database: TestDatabase,
    service: Service,
    wire: Wire,
}

impl Stage {
    fn set() -> Stage {
        let (scratch, runtime) = (Scratch::new(), Runtime::new().expect("a runtime"));
        let database = runtime.block_on(TestDatabase::create());
        let url = database.options().to_url_lossy();
        let (wire, [admin, write]) = (Wire::new(), KEYS);
        let listen = wire.service.to_string();
        let named = [("LEADSCORE_LISTEN", listen.as_str()), ("LEADSCORE_PUBLIC_URL", &wire.host)];
        let mut service = Service::start_with(
            &scratch,
            &[("DATABASE_URL", url.as_str()), admin, write, named[0], named[1]],
        );
        // It says where others find it: at the other end of the wire.
        service.address = wire.service;
        Stage { scratch, runtime, database, service, wire }
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
        script.env("HOST", &self.wire.host).env("WRITE_KEY", key).stdout(log()).stderr(log());
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

    /// Every event of the log, in the order in which it happened.
    fn log(&self) -> Vec<Value> {
        self.runtime.block_on(async {
            let mut conn = self.database.connect().await;
            let log = sqlx::query_scalar(
                "select jsonb_build_object('id', e.id, 'type', e.type, 'name', e.name, 'who', i.kind,
                    'at', e.occurred_at, 'properties', e.properties, 'traits', e.traits, 'context', e.context)
                from event e join identity i on i.id = e.identity_id
                order by e.occurred_at, e.id",
            );
            let log = log.fetch_all(&mut conn).await.expect("the log");
            conn.close().await.expect("a farewell");
            log
        })
    }
}
