//! The versions of models that a service has, and the ways to name one.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::document;
use crate::{
    client::{Body, Client},
    lead::segment,
    words::visible,
};

/// A version of a model of the API.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Version {
    pub(crate) id: String,
    #[serde(rename = "name")]
    pub(crate) model: String,
    #[serde(rename = "version")]
    pub(crate) number: i64,
    pub(crate) state: String,
    pub(crate) role: Option<String>,
    pub(crate) document: Value,
    pub(crate) published_at: Option<DateTime<Utc>>,
}

/// All versions of a service.
#[derive(Debug, Deserialize)]
pub(crate) struct Versions {
    pub(crate) data: Vec<Version>,
}

/// What somebody names: a file, or a version of the service.
#[derive(Debug, Clone)]
pub(crate) enum Named {
    File(PathBuf),
    Live,
    Id(Uuid),
    Version(String, i64),
}

impl Version {
    /// Such as `b2b-saas@2`.
    pub(crate) fn name(&self) -> String {
        format!("{}@{}", visible(&self.model), self.number)
    }
}

impl Named {
    /// What a word on the command line names. What looks like nothing else is a file.
    pub(crate) fn parse(text: &str) -> Result<Named, String> {
        if text == "live" {
            return Ok(Named::Live);
        }
        if let Ok(id) = text.parse() {
            return Ok(Named::Id(id));
        }
        let path = Path::new(text);
        if !path.exists()
            && let Some((model, version)) = text.rsplit_once('@')
            && let Ok(version) = version.parse()
        {
            return Ok(Named::Version(model.to_owned(), version));
        }
        if path.exists() || path.extension().is_some() {
            return Ok(Named::File(path.to_owned()));
        }
        Err(format!("`{text}` is no file, and no version: an id, NAME@VERSION or `live`"))
    }

    /// The version of the service that is named; `None` for a file.
    pub(crate) async fn version(&self, client: &Client) -> anyhow::Result<Option<Version>> {
        let missing = match self {
            Named::File(_) => return Ok(None),
            Named::Id(id) => {
                let answer = client.get(&format!("/v1/models/{}", segment(&id.to_string())), &[]).await?;
                return Ok(Some(answer.read()?));
            }
            Named::Live => "no version is live".to_owned(),
            Named::Version(model, version) => format!("there is no version {}@{version}", visible(model)),
        };
        let versions: Versions = client.get("/v1/models", &[]).await?.read()?;
        let found = versions.data.into_iter().find(|found| match self {
            Named::Version(model, version) => found.model == *model && found.number == *version,
            _ => found.role.as_deref() == Some("live"),
        });
        found
            .map(Some)
            .ok_or_else(|| anyhow!("{missing}; `leadscore models list` shows those that there are"))
    }

    /// The version that is named, where a file will not do.
    pub(crate) async fn existing(&self, client: &Client) -> anyhow::Result<Version> {
        let found = self.version(client).await?;
        found.ok_or_else(|| {
            crate::Usage::error("name a version of the service: an id, NAME@VERSION or `live`")
        })
    }

    /// The version that is named; of a file, the draft that is made of it.
    pub(crate) async fn version_or_draft(&self, client: &Client) -> anyhow::Result<(Version, bool)> {
        let Named::File(path) = self else {
            return Ok((self.existing(client).await?, false));
        };
        let text = document::text(path)?;
        let answer = client.post("/v1/models", Some(&Body::Yaml(text))).await?;
        let draft: Version = answer.context("the service answered without the draft")?.read()?;
        Ok((draft, true))
    }
}

/// Deletes a draft that was made for one call alone.
pub(crate) async fn discard(client: &Client, draft: &Version) -> anyhow::Result<()> {
    client.delete(&format!("/v1/models/{}", segment(&draft.id))).await
}
