//! What is left when something is killed by SIGKILL, and that the next start copes with it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use private_postgres::{Cluster, Settings};

use crate::app::{App, socket_dir};
use crate::scratch::{Scratch, kill_hard, runs, wait_until};
use crate::session::Session;

#[test]
fn a_killed_app_takes_its_server_along() {
    let scratch = Scratch::new();
    let app = App::start(&scratch.root());
    let server = scratch.server();

    app.kill();

    wait_until("the server to end", || !runs(server));
    assert!(scratch.log().contains("database system is shut down"), "it was a clean stop");
}

#[test]
fn an_app_without_its_supervisor_stops_the_server_itself() {
    let scratch = Scratch::new();
    let app = App::start(&scratch.root());
    let server = scratch.server();

    kill_hard(scratch.supervisor());
    let status = app.finish();

    assert!(status.success() && !runs(server));
    assert!(scratch.log().contains("database system is shut down"));
}

#[test]
fn a_new_user_replaces_a_killed_supervisor() {
    let scratch = Scratch::new();
    let first = App::start(&scratch.root());
    let killed = scratch.supervisor();
    kill_hard(killed);

    let second = App::start(&scratch.root());

    assert_ne!(scratch.supervisor(), killed);
    let server = scratch.server();
    first.kill();
    second.kill();
    wait_until("the server to end", || !runs(server));
}

#[test]
fn an_orphaned_server_is_adopted_and_later_stopped() {
    let scratch = Scratch::new();
    let app = App::start(&scratch.root());
    let server = scratch.server();
    kill_hard(scratch.supervisor());
    app.kill();
    assert!(runs(server), "nobody was left to stop it");

    let cluster = Cluster::start(&scratch.settings()).unwrap();

    assert_eq!(scratch.server(), server);
    assert!(cluster.bin_dir().join("initdb").is_file(), "the folder is known though none was searched");
    cluster.stop().unwrap();
    assert!(scratch.log().contains("database system is shut down"), "the stop waited for it");
    wait_until("the server to end", || !runs(server));
}

#[test]
fn a_killed_server_is_started_again_with_its_data() {
    let scratch = Scratch::new();
    let settings = Settings { durable: true, ..scratch.settings() };
    let cluster = Cluster::start(&settings).unwrap();
    let mut session = Session::open(cluster.socket_dir()).unwrap();
    session.run("create table t (n int); insert into t values (7)").unwrap();
    let killed = scratch.server();

    kill_hard(killed);
    let again = Cluster::start(&settings).unwrap();

    assert_ne!(scratch.server(), killed);
    assert_eq!(Session::open(again.socket_dir()).unwrap().run("select n from t").unwrap(), "7");
    assert!(scratch.log().contains("automatic recovery in progress"));
}

#[test]
fn a_kill_of_app_supervisor_and_server_is_survived_three_times() {
    let scratch = Scratch::new();
    let settings = Settings { durable: true, ..scratch.settings() };
    let cluster = Cluster::start(&settings).unwrap();
    Session::open(cluster.socket_dir()).unwrap().run("create table t (n int)").unwrap();
    cluster.stop().unwrap();

    for _ in 0..3 {
        let app = App::start_durable(&scratch.root());
        Session::open(&socket_dir(&scratch.root())).unwrap().run("insert into t values (1)").unwrap();
        kill_hard(scratch.supervisor());
        kill_hard(scratch.server());
        app.kill();
    }

    let cluster = Cluster::start(&settings).unwrap();
    assert_eq!(Session::open(cluster.socket_dir()).unwrap().run("select count(*) from t").unwrap(), "3");
}

#[test]
fn a_stale_pid_file_with_the_pid_of_a_live_process_is_seen_through() {
    let scratch = Scratch::new();
    let cluster = Cluster::start(&scratch.settings()).unwrap();
    let data = cluster.root().join("data");
    let pid_file = fs::read_to_string(data.join("postmaster.pid")).unwrap();
    let pid_of_then = scratch.server().to_string();
    cluster.stop().unwrap();
    let owner = fs::metadata(&data).unwrap();
    let mut bystander = Command::new("sleep").arg("300").uid(owner.uid()).gid(owner.gid()).spawn().unwrap();
    let stale = pid_file.replacen(&pid_of_then, &bystander.id().to_string(), 1);
    fs::write(data.join("postmaster.pid"), &stale).unwrap();
    fs::write(scratch.root().join("s/.s.PGSQL.5432.lock"), &stale).unwrap();

    let cluster = Cluster::start(&scratch.settings()).unwrap();

    assert!(Session::open(cluster.socket_dir()).is_ok());
    cluster.stop().unwrap();
    assert!(runs(i32::try_from(bystander.id()).unwrap()), "nobody took it for the server and ended it");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn a_kill_during_initdb_is_survived_three_times() {
    let scratch = Scratch::new();
    let unfinished = || {
        let entries = fs::read_dir(scratch.root()).into_iter().flatten().filter_map(Result::ok);
        entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with("data.new.")).count()
    };

    for round in 0..3 {
        let app = App::spawn(&scratch.root());
        wait_until("initdb to write", || !scratch.processes("data.new.").is_empty() && unfinished() > 0);
        app.kill();
        assert!(!scratch.root().join("data").exists(), "round {round} ended in the middle");
    }

    let cluster = Cluster::start(&scratch.settings()).unwrap();
    assert!(Session::open(cluster.socket_dir()).is_ok());
    cluster.stop().unwrap();
    scratch.wait_until_nothing_runs();
}

#[test]
fn a_broken_configuration_is_told_in_the_servers_own_words() {
    let scratch = Scratch::new();
    Cluster::start(&scratch.settings()).unwrap().stop().unwrap();
    let path = scratch.root().join("data/postgresql.conf");
    let mut file = fs::File::options().append(true).open(path).unwrap();
    writeln!(file, "nonsense = = 1").unwrap();

    let error = Cluster::start(&scratch.settings()).unwrap_err().to_string();

    assert!(error.contains("did not start: it ended (exit status: 1)"), "{error}");
    assert!(error.contains("syntax error in file"), "{error}");
    assert!(!error.contains("shut down"), "of its log only what is new: {error}");
}
