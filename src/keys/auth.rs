//! Who calls: extractors named after what the caller may do. A handler without one is public.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Key, Keys, Scope};
use crate::http::{
    problem::{Code, Problem},
    said,
};

/// What the extractors here ask of the state of the router.
pub trait RouterState: Clone + Send + Sync + 'static {
    /// The keys in use.
    fn keys(&self) -> &Keys;
}

macro_rules! caller {
    ($(#[$doc:meta])* $name:ident, $scope:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(pub Key);

        impl<S: RouterState> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
                let presented = presented(&parts.headers);
                authenticate(state.keys(), presented.as_deref(), $scope, &parts.headers).await.map($name)
            }
        }
    };
}

caller!(
    /// May send events.
    Sender,
    Scope::Ingest
);
caller!(
    /// May look at leads, scores, queues and models.
    Reader,
    Scope::Read
);
caller!(
    /// May look, and change leads.
    Editor,
    Scope::ReadWrite
);
caller!(
    /// May do everything.
    Admin,
    Scope::Admin
);

/// The record of a presented key, if it is known, has the scope, and is enough by itself.
pub async fn authenticate(
    keys: &Keys,
    presented: Option<&str>,
    needed: Scope,
    headers: &HeaderMap,
) -> Result<Key, Problem> {
    let key = recognise(keys, presented, needed, headers).await?;
    if key.signing_secret.is_some() {
        let message = "This key is only for signed requests on Segment's paths, such as POST /v1/batch.";
        return Err(Problem::new(Code::Unauthorized, message));
    }
    Ok(key)
}

/// The record of a presented key, if it is known and has the scope. Whether the request is signed, if it has to be, is the
/// caller's to see.
pub async fn recognise(
    keys: &Keys,
    presented: Option<&str>,
    needed: Scope,
    headers: &HeaderMap,
) -> Result<Key, Problem> {
    let unknown = "Send a key of this service as `Authorization: Bearer <key>`.";
    let presented = presented.ok_or_else(|| Problem::new(Code::Unauthorized, unknown))?;
    let key = keys.ring.find(&keys.db, presented).await?;
    let key = key.ok_or_else(|| Problem::new(Code::Unauthorized, unknown))?;
    if !key.may(needed) {
        let message = format!("This call needs a key with the scope `{}`.", needed.as_str());
        return Err(Problem::new(Code::MissingScope, message));
    }
    let origin = said::header(headers, "origin");
    if let Some(origin) = origin
        && !key.origins.is_empty()
        && !key.origins.iter().any(|allowed| allowed == origin)
    {
        return Err(Problem::new(Code::OriginNotAllowed, "Pages of this origin may not use this key."));
    }
    Ok(key)
}

/// The key in the `Authorization` header: Bearer, or Basic with the key as user name.
pub fn presented(headers: &HeaderMap) -> Option<String> {
    let value = said::header(headers, "authorization")?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
        return decoded.split(':').next().map(str::to_owned);
    }
    None
}
