//! What people are told where nothing can work.

use std::net::TcpListener;

use insta::assert_snapshot;
use serde_json::Value;

use crate::{
    run::{command, command_for, end, service_with_leads, settled},
    scratch::Scratch,
    service::{ADMIN, WRITE},
};

#[test]
fn without_a_key_it_is_said_where_keys_come_from() {
    let said = end(command(&["leads"]));
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert_snapshot!(said.err);
}

#[test]
fn without_a_service_it_is_said_how_to_start_one() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = end(command(&["queue", "--server", &format!("http://{free}"), "--key", ADMIN]));
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("Start the service with `leadscore serve`"), "{}", said.err);
    let said = end(command(&["queue", "--server", "leads.example", "--key", ADMIN]));
    assert_eq!(said.code, Some(2), "that is no address");
}

#[test]
fn a_key_that_will_not_do_is_told_from_one_that_is_not_known() {
    let scratch = Scratch::new();
    let service = service_with_leads(&scratch);
    let with = |key: &str| {
        let mut command = command_for(&service, &["leads"]);
        command.env("LEADSCORE_KEY", key);
        end(command)
    };

    let (stranger, writer) = (with("sk_of_somewhere_else_entirely"), with(WRITE));

    assert_eq!((stranger.code, writer.code), (Some(1), Some(1)));
    assert_snapshot!(settled(&stranger.err));
    assert_snapshot!(settled(&writer.err));
    service.stop();
}

#[test]
fn the_settings_of_the_service_will_do_where_it_runs() {
    let scratch = Scratch::new();
    let service = service_with_leads(&scratch);
    let mut command = command(&["leads", "--json"]);
    command.env("LEADSCORE_ADMIN_KEY", ADMIN).env("LEADSCORE_URL", "");
    command.env("LEADSCORE_PUBLIC_URL", format!("http://{}/", service.address));

    let said = end(command);

    assert_eq!(said.code, Some(0), "{}", said.err);
    let page: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(page["data"].as_array().unwrap().len(), 3);
    service.stop();
}

#[test]
fn the_help_names_every_verb() {
    assert_snapshot!(end(command(&["--help"])).out);
    assert!(end(command(&["models", "--help"])).out.contains("rollback"));
}
