//! Logs and metrics.

use std::{io::IsTerminal, time::Duration};

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// How often the recorded samples are put into the buckets.
pub const UPKEEP: Duration = Duration::from_secs(5);
/// Upper bounds of the buckets for durations, in seconds.
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Upper bounds of the buckets for the size of a commit, in events.
const EVENTS: [f64; 7] = [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0];

/// Starts logging to standard error. `RUST_LOG` says what is logged; `info` if it is not set.
pub fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
}

/// Starts the metrics of this process.
///
/// # Errors
/// If the process already has a recorder of metrics.
pub fn metrics() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Full("leadscore_commit_events".to_owned()), &EVENTS)
        })
        .context("the buckets of the metrics")?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).context("a recorder of metrics is set already")?;
    Ok(handle)
}

/// Puts the recorded samples into the buckets after each interval `every`, until the service stops. Otherwise each
/// sample would stay in memory until the next scrape, and for ever if nobody scrapes.
pub async fn keep_up(metrics: PrometheusHandle, every: Duration, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        metrics.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn samples_are_put_into_the_buckets_though_nobody_scrapes() {
        let recorder = PrometheusBuilder::new().set_buckets(&SECONDS).unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || metrics::histogram!("leadscore_test_seconds").record(0.5));
        let handle = recorder.handle();
        // To render the metrics would do the upkeep; the recorder's own state is looked at instead.
        let counted =
            |handle: &PrometheusHandle| !format!("{handle:?}").contains("distributions: RwLock { data: {},");
        assert!(!counted(&handle));

        let stop = CancellationToken::new();
        #[expect(clippy::disallowed_methods, reason = "a test's task ends with the test")]
        let kept_up = tokio::spawn(keep_up(handle.clone(), Duration::from_millis(1), stop.clone()));

        while !counted(&handle) {
            assert!(!kept_up.is_finished());
            tokio::task::yield_now().await;
        }
        stop.cancel();
        kept_up.await.unwrap();
        assert!(
            handle.render().contains("leadscore_test_seconds_bucket{le=\"0.5\"} 1"),
            "{}",
            handle.render()
        );
    }
}
