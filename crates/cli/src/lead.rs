//! A lead, as far as this program shows it, and the ways to name one.

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    client::{Answer, Client},
    words::{short, visible},
};

/// Names and companies of more characters are cut.
const LONGEST: usize = 40;
/// What is written otherwise in a segment of a path: all but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A lead of the API.
#[derive(Debug, Deserialize)]
pub(crate) struct Lead {
    pub(crate) id: String,
    pub(crate) user_id: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) stage: String,
    pub(crate) score: i64,
    pub(crate) grade: String,
    pub(crate) band: String,
    #[serde(default)]
    pub(crate) profile: Map<String, Value>,
    pub(crate) last_activity_at: Option<DateTime<Utc>>,
}

/// Rows of a list, and where the list goes on.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) data: Vec<T>,
    pub(crate) has_more: bool,
    pub(crate) next_cursor: Option<String>,
}

impl Lead {
    /// What `explain` takes for this lead: its address, else its user id, else its id.
    pub(crate) fn handle(&self) -> String {
        visible(self.email.as_deref().or(self.user_id.as_deref()).unwrap_or(&self.id))
    }

    /// A text of the profile, such as `name` or `company.name`.
    pub(crate) fn said(&self, path: &str) -> Option<String> {
        let mut keys = path.split('.');
        let first = self.profile.get(keys.next()?)?;
        keys.try_fold(first, |value, key| value.get(key))?.as_str().map(|text| short(text, LONGEST))
    }

    /// The name and what the person is, such as `Jane Doe, VP Sales, Acme`. Empty if nothing is known.
    pub(crate) fn described(&self) -> String {
        let known = ["name", "title", "company.name"].map(|path| self.said(path));
        known.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Whatever names the lead, the friendliest first.
    pub(crate) fn names(&self) -> String {
        let user_id = self.user_id.as_deref().map(|id| format!("user id {}", visible(id)));
        let names = [self.email.as_deref().map(visible), user_id, Some(format!("id {}", visible(&self.id)))];
        names.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }
}

/// The lead that somebody names by its id, an e-mail address or a user id.
///
/// An id of the service is a UUID; so may be a user id, which is tried next.
pub(crate) async fn find(client: &Client, named: &str) -> anyhow::Result<Answer> {
    let by = |by: &str| format!("/v1/leads/by/{by}/{}", segment(named));
    let paths = if named.parse::<Uuid>().is_ok() {
        vec![format!("/v1/leads/{named}"), by("external_id")]
    } else if named.contains('@') {
        vec![by("email"), by("external_id")]
    } else {
        vec![by("external_id")]
    };
    for path in &paths {
        if let Some(answer) = client.get_if_any(path).await? {
            return Ok(answer);
        }
    }
    Err(anyhow!(
        "no lead is known as `{}`. Name a lead by its id, its e-mail address or its user id; `leadscore leads --q` \
         finds those that begin alike",
        visible(named)
    ))
}

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// How many rows the API gives at most at once.
const PAGE: usize = 500;

/// Reads the pages of a list, one after the other, until there are `limit` rows or no more; all if absent.
/// `shown` gets each page as it came and its rows.
///
/// Returns whether more rows follow.
pub(crate) async fn pages<T: serde::de::DeserializeOwned>(
    client: &Client,
    path: &str,
    query: &[(&str, String)],
    limit: Option<usize>,
    mut shown: impl FnMut(&Answer, Vec<T>) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let (mut left, mut cursor) = (limit, None::<String>);
    loop {
        let mut query = query.to_vec();
        query.push(("limit", left.unwrap_or(PAGE).min(PAGE).to_string()));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let answer = client.get(path, &query).await?;
        let page: Page<T> = answer.read()?;
        left = left.map(|left| left.saturating_sub(page.data.len()));
        shown(&answer, page.data)?;
        if !page.has_more || left == Some(0) {
            return Ok(page.has_more);
        }
        cursor = Some(page.next_cursor.context("the service says that more follows, but not where")?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_path_is_one_segment() {
        assert_eq!(segment("jane+1@acme.example"), "jane%2B1%40acme.example");
        assert_eq!(segment("a/b ü"), "a%2Fb%20%C3%BC");
    }
}
