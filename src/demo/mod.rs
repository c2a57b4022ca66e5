//! A believable month of traffic.

/// How to fill a running service.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {}

/// Sends the traffic.
pub async fn run(_settings: Settings) -> anyhow::Result<()> {
    Ok(())
}
