//! How far the preparation of a version is.

use chrono::TimeDelta;
use leadscore::publishing::jobs::{Step, rebuild_step};
use serde_json::json;

use super::progress;
use crate::harness::{
    models::{begin, visit, visits},
    rebuild_next, run,
};

#[tokio::test]
async fn progress_tells_how_far_it_is_how_fast_and_how_long_it_takes() {
    run(async |app| {
        for user in ["a", "b", "c", "d", "e", "f"] {
            visit(app, user, 1).await;
        }
        let new = begin(app, &visits(10)).await;
        let before = progress(app, &new).await;
        rebuild_next(app, 1).await.unwrap();
        app.advance(TimeDelta::seconds(1));
        rebuild_next(app, 2).await.unwrap();

        let between = progress(app, &new).await;

        assert_eq!((&before["leads_done"], &before["leads_total"]), (&json!(0), &json!(6)));
        assert_eq!((&before["leads_per_second"], &before["seconds_left"]), (&json!(null), &json!(null)));
        assert_eq!((&between["leads_done"], &between["leads_total"]), (&json!(3), &json!(6)));
        assert_eq!((&between["leads_per_second"], &between["seconds_left"]), (&json!(3.0), &json!(1)));
        app.run_due().await;
        let after = progress(app, &new).await;
        assert_eq!((&after["leads_done"], &after["phase"]), (&json!(6), &json!("live")));
        assert_eq!(after["live_since"], json!(app.now()));
    })
    .await;
}

#[tokio::test]
async fn progress_tells_how_much_of_the_log_has_been_read() {
    run(async |app| {
        for user in ["a", "b"] {
            visit(app, user, 1).await;
        }
        let new = begin(app, &visits(10)).await;
        let before = progress(app, &new).await;

        assert_eq!(rebuild_step(&app.app.publishing, 1).await.unwrap(), Step::Read, "the pass begins");
        assert_eq!(rebuild_step(&app.app.publishing, 1).await.unwrap(), Step::Read, "the log is read");
        assert_eq!(rebuild_step(&app.app.publishing, 1).await.unwrap(), Step::Rebuilt(1));

        assert_eq!((&before["log_read"], &before["leads_done"]), (&json!(0.0), &json!(0)));
        let after = progress(app, &new).await;
        assert_eq!((&after["log_read"], &after["leads_done"]), (&json!(1.0), &json!(1)));
        app.run_due().await;
    })
    .await;
}
