//! Which service, with which key: flags, or the environment.

use std::{env, fmt, str::FromStr};

use clap::Args;

use crate::{Usage, client::Client};

/// The service on this machine, as `leadscore serve` starts it.
pub const SERVER: &str = "http://127.0.0.1:8080";

/// How often a call is tried while the service has too much to do: about eight seconds in all.
const TRIES: usize = 5;

/// A running service and a key of it.
#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// The address of the service [default: `LEADSCORE_PUBLIC_URL`, else `http://127.0.0.1:8080`]
    #[arg(long, visible_alias = "url", env = "LEADSCORE_URL", value_name = "URL")]
    pub server: Option<String>,

    /// A secret key (sk_…) of the service [default: `LEADSCORE_ADMIN_KEY`]
    #[arg(long, env = "LEADSCORE_KEY", hide_env_values = true)]
    pub key: Option<Key>,
}

/// Where answers come from, and in what form they are printed.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The service.
    #[command(flatten)]
    pub connection: Connection,

    /// Print the answers of the API as JSON, one a line
    #[arg(long)]
    pub json: bool,
}

/// A key in the clear; never shown.
#[derive(Clone)]
pub struct Key(String);

impl FromStr for Key {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Key, &'static str> {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if plain { Ok(Key(text.to_owned())) } else { Err("a key is letters, digits and `_`, such as sk_…") }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// The key itself.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl Connection {
    /// A client of this service.
    ///
    /// # Errors
    ///
    /// [`Usage`] if no key was given or the address is none.
    pub fn client(&self) -> anyhow::Result<Client> {
        let key = match &self.key {
            Some(key) => key.clone(),
            None => setting("LEADSCORE_ADMIN_KEY").ok_or_else(no_key)?.parse().map_err(Usage::error)?,
        };
        let server = self.server.clone().or_else(|| setting("LEADSCORE_PUBLIC_URL"));
        Client::new(server.as_deref().unwrap_or(SERVER), key, TRIES)
    }
}

fn setting(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn no_key() -> anyhow::Error {
    Usage::error(
        "a key is missing. Give --key sk_…, or set LEADSCORE_KEY. `leadscore serve` printed the admin key at its first \
         start, unless LEADSCORE_ADMIN_KEY was set for it: then that is the key",
    )
}
