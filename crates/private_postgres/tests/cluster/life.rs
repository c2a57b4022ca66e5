//! The ordinary life of a cluster.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, geteuid};
use private_postgres::{Cluster, Settings};

use crate::app::{App, run, socket_dir};
use crate::scratch::{PROGRAM, Scratch, kill_hard, processes_of, runs, wait_until};
use crate::session::Session;

#[test]
fn a_cluster_comes_from_nothing_and_its_stop_leaves_nothing_running() {
    let scratch = Scratch::new();

    let cluster = Cluster::start(&scratch.settings()).unwrap();
    let (server, supervisor) = (scratch.server(), scratch.supervisor());
    let answer = Session::open(cluster.socket_dir()).unwrap().run("select 6 * 7").unwrap();
    cluster.stop().unwrap();

    assert_eq!(answer, "42");
    assert!(!runs(server) && !runs(supervisor), "a stop by the last user waits for both");
    assert!(scratch.log().contains("database system is shut down"));
}

#[test]
fn a_cluster_tells_how_it_is_reached() {
    let scratch = Scratch::new();

    let cluster = Cluster::start(&scratch.settings()).unwrap();

    let host = cluster.socket_dir().to_str().unwrap().replace('/', "%2F");
    let url = format!("postgres:///my%20db?host={host}&port=5432&user=postgres&sslmode=disable");
    assert_eq!(cluster.url("my db"), url);
    assert_eq!((cluster.port(), cluster.user()), (5432, "postgres"));
    assert!(cluster.bin_dir().join("initdb").is_file());
    let mut session = Session::open(cluster.socket_dir()).unwrap();
    assert_eq!(session.run("show server_version").unwrap(), cluster.server_version());
}

#[test]
fn nobody_else_reaches_the_server() {
    let scratch = Scratch::new();

    let cluster = Cluster::start(&scratch.settings()).unwrap();

    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(cluster.socket_dir().to_owned()), 0o700);
    assert_eq!(mode(cluster.socket_dir().join(".s.PGSQL.5432")), 0o700);
    let mut session = Session::open(cluster.socket_dir()).unwrap();
    assert_eq!(session.run("show listen_addresses").unwrap(), "");
    let pid_file = fs::read_to_string(cluster.root().join("data/postmaster.pid")).unwrap();
    assert_eq!(pid_file.lines().nth(5), Some(""), "the line of the TCP address");
}

#[test]
fn only_a_throwaway_cluster_trades_durability_for_speed() {
    let scratch = Scratch::new();
    let durability = "select concat_ws(' ', current_setting('fsync'), current_setting('synchronous_commit'),
                      current_setting('full_page_writes'), current_setting('wal_level'))";

    let cluster = Cluster::start(&scratch.settings()).unwrap();
    let throwaway = Session::open(cluster.socket_dir()).unwrap().run(durability).unwrap();
    cluster.stop().unwrap();
    let cluster = Cluster::start(&Settings { durable: true, ..scratch.settings() }).unwrap();
    let durable = Session::open(cluster.socket_dir()).unwrap().run(durability).unwrap();

    assert_eq!(throwaway, "off off off minimal");
    assert_eq!(durable, "on on on replica");
}

#[test]
fn the_last_of_two_users_takes_the_server_down() {
    let scratch = Scratch::new();
    let first = Cluster::start(&scratch.settings()).unwrap();
    let server = scratch.server();

    let second = Cluster::start(&scratch.settings()).unwrap();
    let third = App::start(&scratch.root());
    first.stop().unwrap();
    drop(second);

    assert_eq!(scratch.server(), server, "they share one server");
    assert!(Session::open(&socket_dir(&scratch.root())).is_ok(), "the third still uses it");
    assert!(third.finish().success());
    assert!(scratch.log().contains("database system is shut down"), "the stop waited for it");
    wait_until("the server to end", || !runs(server));
}

#[test]
fn a_dropped_lease_is_as_good_as_a_stop() {
    let scratch = Scratch::new();
    let cluster = Cluster::start(&scratch.settings()).unwrap();
    let server = scratch.server();

    drop(cluster);

    wait_until("the server to end", || !runs(server));
    assert!(scratch.log().contains("database system is shut down"));
}

#[test]
fn starters_that_race_for_a_cold_folder_get_one_server() {
    let scratch = Scratch::new();

    let mut apps: Vec<App> = (0..6).map(|_| App::spawn(&scratch.root())).collect();
    let urls: Vec<String> = apps.iter_mut().map(App::line).collect();

    assert!(urls.iter().all(|url| url.starts_with("postgres:") && *url == urls[0]), "{urls:?}");
    assert_eq!(scratch.log().matches("starting PostgreSQL").count(), 1);
    let server = scratch.server();
    scratch.supervisor();
    assert!(apps.into_iter().all(|app| app.finish().success()));
    wait_until("the server to end", || !runs(server));
}

#[test]
fn users_that_come_and_go_at_once_always_meet_a_server() {
    let scratch = Scratch::new();
    let come_and_go = || {
        for _ in 0..6 {
            let cluster = Cluster::start(&scratch.settings()).unwrap();
            Session::open(cluster.socket_dir()).unwrap().run("select 1").unwrap();
            cluster.stop().unwrap();
        }
    };

    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(come_and_go))));

    scratch.wait_until_nothing_runs();
    assert!(!scratch.log().contains("lock file"), "no server met the files of another");
}

#[test]
fn a_stop_spares_the_server_of_a_folder_made_anew() {
    let scratch = Scratch::new();
    let old = Cluster::start(&scratch.settings()).unwrap();
    let old_server = scratch.server();
    fs::remove_dir_all(scratch.root()).unwrap();

    let new = Cluster::start(&scratch.settings()).unwrap();
    old.stop().unwrap();

    assert!(Session::open(new.socket_dir()).is_ok());
    // It would end by itself, but takes up to a minute to look.
    kill_hard(old_server);
}

#[test]
fn a_server_waits_for_new_users_through_the_grace_period() {
    let scratch = Scratch::new();
    let settings = Settings { grace: Duration::from_secs(1), ..scratch.settings() };
    let cluster = Cluster::start(&settings).unwrap();
    let server = scratch.server();

    cluster.stop().unwrap();
    let cluster = Cluster::start(&settings).unwrap();

    assert_eq!(scratch.server(), server, "it was still there");
    drop(cluster);
    wait_until("the server to end", || !runs(server));
}

#[test]
fn a_path_too_long_for_a_socket_gets_one_elsewhere() {
    let scratch = Scratch::new();
    let root = scratch.folder.join("long".repeat(25));

    let cluster = Cluster::start(&Settings { root: root.clone(), ..scratch.settings() }).unwrap();

    let socket_dir = cluster.socket_dir().to_owned();
    assert!(!socket_dir.starts_with(&root) && Session::open(&socket_dir).is_ok());
    assert_eq!(fs::metadata(&socket_dir).unwrap().permissions().mode() & 0o777, 0o700);
    cluster.stop().unwrap();
    fs::remove_dir_all(socket_dir).unwrap();
}

#[test]
fn a_folder_that_the_servers_account_cannot_enter_is_left_for_another() {
    let scratch = Scratch::new();
    let closed = scratch.folder.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let settings = Settings { root: closed.join("pg"), ..scratch.settings() };

    let told = std::cell::RefCell::new(Vec::new());
    let cluster =
        Cluster::start_reporting(&settings, &|step| told.borrow_mut().push(step.to_string())).unwrap();

    assert!(Session::open(cluster.socket_dir()).is_ok());
    let root = cluster.root().to_owned();
    if geteuid().is_root() {
        assert!(!root.starts_with(&scratch.folder));
        assert!(told.borrow()[0].ends_with(&format!("the private cluster is in {}", root.display())));
        cluster.stop().unwrap();
        wait_until("every process to end", || processes_of(&root, "").is_empty());
        fs::remove_dir_all(root).unwrap();
    } else {
        assert_eq!(root, fs::canonicalize(closed).unwrap().join("pg"), "what is closed to others is ours");
    }
}

#[test]
fn ctrl_c_leaves_the_server_up_until_the_app_has_drained() {
    let scratch = Scratch::new();
    let script = "trap 'echo draining; read go; exit 7' INT; echo ready; while :; do read idle || :; done";
    let mut command = run(&scratch.root(), script);
    command.process_group(0);
    let mut app = App::spawn_with(command);
    assert_eq!(app.line(), "ready");
    let server = scratch.server();

    killpg(Pid::from_raw(app.pid()), Signal::SIGINT).unwrap();

    assert_eq!(app.line(), "draining");
    assert!(Session::open(&socket_dir(&scratch.root())).is_ok(), "the server has not got the signal");
    assert_eq!(app.finish().code(), Some(7));
    assert!(!runs(server));
    assert!(scratch.log().contains("received fast shutdown request"));
}

#[test]
fn a_termination_is_passed_on_to_the_command() {
    let scratch = Scratch::new();
    let script = "trap 'echo ending; exit 9' TERM; echo ready; while :; do read idle || :; done";
    let mut app = App::spawn_with(run(&scratch.root(), script));
    assert_eq!(app.line(), "ready");

    kill(Pid::from_raw(app.pid()), Signal::SIGTERM).unwrap();

    assert_eq!(app.line(), "ending");
    assert_eq!(app.finish().code(), Some(9));
    scratch.wait_until_nothing_runs();
}

#[test]
fn a_command_that_cannot_be_run_leaves_no_server() {
    let scratch = Scratch::new();

    let mut command = Command::new(PROGRAM);
    let output = command.arg("run").arg("--throwaway").arg(scratch.root()).arg("/no/such").output().unwrap();

    assert_eq!(output.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such: No such file or directory"));
    scratch.wait_until_nothing_runs();
}
