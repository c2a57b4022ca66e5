//! A user of the cluster in a process of its own, which a test may kill.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use crate::scratch::{DEADLINE, PROGRAM, kill_hard};

/// What the shell of an ordinary app does.
const TELL_AND_WAIT: &str = "echo $DATABASE_URL; exec cat";

/// `private-postgres run ROOT -- sh -c …`: the shell tells its `DATABASE_URL` and then runs until its
/// standard input ends.
pub(crate) struct App {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl App {
    /// Starts one; it may take a while until it has its cluster.
    pub(crate) fn spawn(root: &Path) -> Self {
        Self::spawn_with(run(root, TELL_AND_WAIT))
    }

    /// Starts one that does not trade durability for speed, and waits until it has its cluster.
    pub(crate) fn start_durable(root: &Path) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("run").arg(root).args(["--", "/bin/sh", "-c", TELL_AND_WAIT]);
        Self::spawn_with(command).started()
    }

    pub(crate) fn spawn_with(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (tell, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, input, lines }
    }

    /// Starts one and waits until it has its cluster.
    pub(crate) fn start(root: &Path) -> Self {
        Self::spawn(root).started()
    }

    fn started(mut self) -> Self {
        let url = self.line();
        assert!(url.starts_with("postgres:///postgres?host="), "it tells its URL: {url:?}");
        self
    }

    /// The next line that the shell writes; an empty one when it has ended.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(DEADLINE) {
            Err(RecvTimeoutError::Timeout) => panic!("waited in vain for a line of the shell"),
            line => line.unwrap_or_default(),
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid is an i32")
    }

    /// Kills the app, not its shell, which ends as its input does.
    pub(crate) fn kill(mut self) {
        kill_hard(self.pid());
        self.child.wait().expect("it is our child");
        self.input = None;
        while !self.line().is_empty() {}
    }

    /// Lets the shell end, and with it the app, in good order.
    pub(crate) fn finish(mut self) -> ExitStatus {
        self.input = None;
        self.child.wait().expect("it is our child")
    }
}

/// The command for an app with this shell script.
pub(crate) fn run(root: &Path, script: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("run").arg("--throwaway").arg(root).args(["--", "/bin/sh", "-c", script]);
    command
}

/// The socket directory of a cluster with a short path.
pub(crate) fn socket_dir(root: &Path) -> PathBuf {
    root.join("s")
}
