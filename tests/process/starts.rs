//! Starting: the first time, again, with keys and settings from the environment, and where it cannot be.

use std::{net::TcpListener, process::Command};

use crate::{
    scratch::{PROGRAM, Scratch},
    service::{ADMIN, KEYS, Service, refusal},
};

/// The key in a line such as `  admin key  sk_…   everything; for you`.
fn key_in(line: &str) -> String {
    line.split_whitespace()
        .find(|word| word.starts_with("sk_") || word.starts_with("wk_"))
        .unwrap()
        .to_owned()
}

#[test]
fn a_first_start_shows_two_keys_and_a_second_finds_the_data_and_shows_none() {
    let scratch = Scratch::new();
    let mut service = Service::start_with(&scratch, &[]);
    let cold = service.took;
    assert_eq!(service.line(), "");
    assert_eq!(service.line(), "Keys, shown only now; keep them:");
    let (admin, write) = (key_in(&service.line()), key_in(&service.line()));
    assert!(admin.starts_with("sk_") && write.starts_with("wk_"), "{admin} {write}");
    let event = crate::service::event("1").to_string();
    assert_eq!(service.call("POST", "/v1/events", &write, &event).unwrap().body["accepted"], 1);
    let before = service.call("GET", "/v1/leads", &admin, "").unwrap().body;
    assert_eq!(service.stop(), [""; 0], "nothing else is printed");

    let service = Service::start_with(&scratch, &[]);

    eprintln!("a cold start took {cold:?}, a warm one {:?}", service.took);
    assert_eq!(service.call("GET", "/v1/leads", &admin, "").unwrap().body, before);
    assert_eq!(service.call("POST", "/v1/events", &write, &event).unwrap().body["duplicates"], 1);
    assert_eq!(service.stop(), [""; 0], "no key is printed again");
}

#[test]
fn keys_of_the_environment_work_from_the_first_start_and_none_is_printed() {
    let scratch = Scratch::new();
    let service = Service::start(&scratch);

    assert_eq!(service.status_for(ADMIN), 200);
    assert_eq!(service.send("1").unwrap(), (200, 1));
    assert_eq!(service.stop(), [""; 0]);
}

#[test]
fn a_replaced_key_of_the_environment_stops_working() {
    let scratch = Scratch::new();
    Service::start(&scratch).stop();
    let new = "sk_another_key_of_the_tests";

    let service = Service::start_with(&scratch, &[("LEADSCORE_ADMIN_KEY", new), KEYS[1]]);

    assert_eq!(service.status_for(new), 200);
    assert_eq!(service.status_for(ADMIN), 401);
    assert_eq!(service.send("1").unwrap(), (200, 1), "the other key stays");
    service.stop();

    let service = Service::start(&scratch);
    assert_eq!((service.status_for(ADMIN), service.status_for(new)), (200, 401), "and back");
    service.stop();
}

#[test]
fn empty_settings_are_as_good_as_none() {
    let scratch = Scratch::new();
    let names = ["DATABASE_URL", "LEADSCORE_ADMIN_KEY", "LEADSCORE_WRITE_KEY", "LEADSCORE_PUBLIC_URL"];
    let numbers = ["LEADSCORE_CONNECTIONS", "LEADSCORE_WRITERS", "LEADSCORE_LOG_FORMAT"];
    let webhooks = ["LEADSCORE_CHANGES_KEPT_DAYS", "LEADSCORE_WEBHOOK_ALLOW", "LEADSCORE_WEBHOOK_TIMEOUT"];
    let all = names.into_iter().chain(numbers).chain(webhooks);
    let empty: Vec<(&str, &str)> = all.map(|name| (name, "")).collect();

    let service = Service::start_with(&scratch, &empty);

    let printed = service.stop().join("\n");
    assert!(printed.contains("sk_") && printed.contains("wk_"), "keys are made: {printed}");
}

#[test]
fn a_key_that_is_too_short_is_refused_with_a_sentence() {
    let scratch = Scratch::new();

    for (name, key) in [("LEADSCORE_ADMIN_KEY", "sk_short"), ("LEADSCORE_WRITE_KEY", ADMIN)] {
        let (status, said) = refusal(&scratch, &[(name, key)]);

        assert!(!status.success());
        assert!(said.contains("and has at least 24 characters"), "{said}");
    }
    assert!(!scratch.data().exists(), "nothing was begun");
}

#[test]
fn a_database_that_cannot_be_used_ends_the_start_with_a_sentence() {
    let scratch = Scratch::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("postgres://nobody@{}/none", silent.local_addr().unwrap());
    let cases = [
        ("postgres://nobody@127.0.0.1:1/none", "cannot reach the database; check DATABASE_URL: "),
        ("elephant", "DATABASE_URL is not an address such as postgres://user@host/database"),
    ];
    for (url, expected) in cases {
        let (status, said) = refusal(&scratch, &[("DATABASE_URL", url)]);

        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("leadscore: {expected}")), "{said}");
    }
    let (status, said) = refusal(&scratch, &[("DATABASE_URL", &silent)]);
    assert_eq!(status.code(), Some(1));
    assert!(
        said.contains("the database does not answer") || said.contains("cannot reach the database"),
        "{said}"
    );
    assert!(!scratch.data().exists(), "and no Postgres of its own is begun");
}

#[test]
fn a_port_in_use_ends_the_start_with_a_sentence() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let (status, said) = refusal(&scratch, &[("LEADSCORE_LISTEN", &address)]);

    assert_eq!(status.code(), Some(1));
    assert!(said.contains(&format!("leadscore: cannot listen on {address}; choose another")), "{said}");
    assert!(!scratch.data().exists(), "nothing was begun");
}

#[test]
fn the_health_command_tells_a_ready_service_from_none() {
    let scratch = Scratch::new();
    let service = Service::start(&scratch);
    let everywhere = format!("0.0.0.0:{}", service.address.port());
    let health =
        || Command::new(PROGRAM).arg("health").env("LEADSCORE_LISTEN", &everywhere).output().unwrap();

    let ready = health();
    assert!(ready.status.success(), "{ready:?}");
    service.stop();

    let gone = health();
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("no answer from 127.0.0.1:"), "{gone:?}");
}
