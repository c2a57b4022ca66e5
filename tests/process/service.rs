//! A running `leadscore serve`.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    http::{self, Answer},
    scratch::{DEADLINE, PROGRAM, Scratch, send, wait_for},
};

pub(crate) const ADMIN: &str = "sk_the_admin_key_of_the_tests";
pub(crate) const WRITE: &str = "wk_the_write_key_of_the_tests";
/// The settings of a service with known keys.
pub(crate) const KEYS: [(&str, &str); 2] = [("LEADSCORE_ADMIN_KEY", ADMIN), ("LEADSCORE_WRITE_KEY", WRITE)];

/// The command with exactly these settings, on any free port.
pub(crate) fn command(scratch: &Scratch, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("LEADSCORE_") && name != "LEADSCORE_POSTGRES") {
            command.env_remove(name);
        }
    }
    let log = File::options().append(true).create(true).open(scratch.folder.join("service.log"));
    command
        .arg("serve")
        .env_remove("DATABASE_URL")
        .env("LEADSCORE_LISTEN", "127.0.0.1:0")
        .env("LEADSCORE_DATA_DIR", scratch.data())
        .env("LEADSCORE_STOP_DELAY", "0")
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.expect("a log"));
    command
}

/// Runs a service that is expected to give up; its status and what it says.
pub(crate) fn refusal(scratch: &Scratch, settings: &[(&str, &str)]) -> (ExitStatus, String) {
    let output = command(scratch, settings).stderr(Stdio::piped()).output().expect("the program runs");
    (output.status, String::from_utf8(output.stderr).expect("text"))
}

/// A service that was started, and is killed when a test forgets or fails to stop it.
pub(crate) struct Service {
    child: Option<Child>,
    lines: Receiver<String>,
    /// How long it took to be ready.
    pub(crate) took: Duration,
    pub(crate) address: SocketAddr,
}

impl Service {
    /// Starts one with known keys and waits until it is ready.
    pub(crate) fn start(scratch: &Scratch) -> Service {
        Service::start_with(scratch, &KEYS)
    }

    /// Starts one with these settings and waits until it is ready.
    pub(crate) fn start_with(scratch: &Scratch, settings: &[(&str, &str)]) -> Service {
        let began = Instant::now();
        let mut child = command(scratch, settings).spawn().expect("the program runs");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (tell, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let mut service =
            Service { child: Some(child), lines, took: Duration::ZERO, address: ([0, 0, 0, 0], 0).into() };
        let greeting = service.line();
        let address = greeting.strip_prefix("Leadscore is ready at http://").expect("a greeting");
        service.address = address.split(' ').next().unwrap().parse().expect("an address");
        service.took = began.elapsed();
        service
    }

    /// The next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line of output")
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().expect("it runs").id()).expect("a pid is an i32")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, ADMIN, "").expect("an answer")
    }

    pub(crate) fn call(&self, method: &str, path: &str, key: &str, body: &str) -> std::io::Result<Answer> {
        http::call(self.address, &http::request(method, path, key, body))
    }

    /// Sends one event; the answer's status and how many were accepted.
    pub(crate) fn send(&self, id: &str) -> std::io::Result<(u16, u64)> {
        send_event(self.address, id)
    }

    /// The status with which a key is met when it reads leads.
    pub(crate) fn status_for(&self, key: &str) -> u16 {
        self.call("GET", "/v1/leads", key, "").expect("an answer").status
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().expect("it was started").try_wait().expect("it is our child")
    }

    /// Waits for its end; its status, and what it printed that was not read yet.
    pub(crate) fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let status = wait_for("the service to end", || self.ended());
        self.child = None;
        (status, self.lines.iter().collect())
    }

    /// Stops it in good order; what it printed that was not read yet.
    pub(crate) fn stop(self) -> Vec<String> {
        self.signal(Signal::SIGTERM);
        let (status, lines) = self.wait();
        assert_eq!(status.code(), Some(0), "it stops in good order");
        lines
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Sends one event; the answer's status and how many were accepted.
pub(crate) fn send_event(address: SocketAddr, id: &str) -> std::io::Result<(u16, u64)> {
    let answer = http::call(address, &http::request("POST", "/v1/events", WRITE, &event(id).to_string()))?;
    Ok((answer.status, answer.body["accepted"].as_u64().unwrap_or(0)))
}

/// An event of a lead of its own.
pub(crate) fn event(id: &str) -> Value {
    json!({ "id": id, "type": "page_viewed", "lead": { "user_id": format!("lead-{id}") } })
}
