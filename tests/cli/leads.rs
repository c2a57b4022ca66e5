//! `leads`, `explain` and `queue`.

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
};

use insta::assert_snapshot;

use crate::{
    run::{command_for, json_out, out, run, service_with_leads, settled},
    scratch::Scratch,
};

#[test]
fn leads_are_listed_best_first_and_filtered_as_the_api_does() {
    let scratch = Scratch::new();
    let service = service_with_leads(&scratch);

    assert_snapshot!(settled(&out(&service, &["leads"])));
    assert_snapshot!(settled(&out(
        &service,
        &["leads", "--stage", "mql", "--sort", "created_at", "-n", "1"]
    )));
    assert_snapshot!(out(&service, &["leads", "--min-score", "100", "--band", "hot"]));
    assert_eq!(json_out(&service, &["leads", "--q", "jane@"]), [service.get("/v1/leads?q=jane@").body]);
    let pages = json_out(&service, &["leads", "--all"]);
    assert_eq!(pages.iter().map(|page| page["data"].as_array().unwrap().len()).sum::<usize>(), 3);

    let wrong = run(&service, &["leads", "--sort", "name"]);
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(1), ""));
    assert_snapshot!(wrong.err);
    service.stop();
}

#[test]
fn a_score_is_explained_whatever_the_lead_is_called() {
    let scratch = Scratch::new();
    let service = service_with_leads(&scratch);
    let id = service.get("/v1/leads?q=jane@").body["data"][0]["id"].as_str().unwrap().to_owned();

    let explained = settled(&out(&service, &["explain", "jane@acme.example"]));

    assert_snapshot!(explained);
    assert_eq!(settled(&out(&service, &["explain", "u-jane"])), explained);
    assert_eq!(settled(&out(&service, &["explain", &id])), explained);
    assert_snapshot!(settled(&out(&service, &["explain", "u-kim", "--all", "--model", "b2b-saas@1"])));
    let then = "2026-11-01T00:00:00+00:00";
    assert_eq!(
        json_out(&service, &["explain", &id, "--as-of", then]),
        [service.get(&format!("/v1/leads/{id}/score?as_of={}", then.replace('+', "%2B"))).body]
    );

    let unknown = run(&service, &["explain", "nobody@acme.example"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(1), ""));
    assert_snapshot!(unknown.err);
    service.stop();
}

#[test]
fn a_queue_is_shown_in_its_order_with_the_reasons() {
    let scratch = Scratch::new();
    let service = service_with_leads(&scratch);

    assert_snapshot!(settled(&out(&service, &["queue"])));
    let ranking = service.get("/v1/queues/sales/leads?limit=1").body;
    assert_eq!(json_out(&service, &["queue", "sales", "--free", "-n", "1"])[0]["data"], ranking["data"]);
    out(&service, &["next", "--rep", "ann"]);
    assert_snapshot!(settled(&out(&service, &["queue", "--rep", "bob"])));

    let unknown = run(&service, &["queue", "nowhere"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(1), ""));
    assert_snapshot!(unknown.err);
    service.stop();
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let scratch = Scratch::new();
    let service = service_with_leads(&scratch);
    let mut child =
        command_for(&service, &["leads"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();

    // Gone before anything is printed, so that the first line meets a closed pipe.
    drop(child.stdout.take());

    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
    service.stop();
}

#[test]
fn a_terminal_has_colours_unless_it_wants_none() {
    let scratch = Scratch::new();
    let service = service_with_leads(&scratch);
    let on_terminal = |no_color: Option<&str>| {
        let terminal = nix::pty::openpty(None, None).unwrap();
        let mut command = command_for(&service, &["leads"]);
        command.env("TERM", "xterm").env_remove("NO_COLOR").envs(no_color.map(|value| ("NO_COLOR", value)));
        let mut child = command.stdout(terminal.slave).spawn().unwrap();
        drop(command);
        let lines = BufReader::new(std::fs::File::from(terminal.master)).lines();
        // A terminal whose last writer has gone is an error, not an end.
        let text = lines.map_while(Result::ok).collect::<Vec<_>>().join("\n");
        assert!(child.wait().unwrap().success());
        text
    };

    let coloured = on_terminal(None);
    assert!(coloured.contains("\u{1b}[") && coloured.contains("jane@acme.example"), "{coloured}");
    let plain = on_terminal(Some("1"));
    assert!(!plain.contains('\u{1b}') && plain.contains("jane@acme.example"), "{plain}");
    assert!(!out(&service, &["leads"]).contains('\u{1b}'), "and a pipe is no terminal");
    service.stop();
}
