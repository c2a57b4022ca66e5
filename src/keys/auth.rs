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

/// What the extractors need from the router's state.
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
    /// A caller whose key may send events.
    Sender,
    Scope::Ingest
);
caller!(
    /// A caller whose key may read leads, scores, queues and models.
    Reader,
    Scope::Read
);
caller!(
    /// A caller whose key may read, and may change leads.
    Editor,
    Scope::ReadWrite
);
caller!(
    /// A caller whose key has the scope `admin`.
    Admin,
    Scope::Admin
);

/// Returns the record of the key that the caller sent, if the key alone allows the call.
///
/// # Errors
/// 401 `unauthorized` without a known key, or with a key that is only for signed requests. 403 `missing_scope` without
/// the scope. 403 `origin_not_allowed` on a page whose origin the key does not allow.
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

/// Returns the record of the key that the caller sent, if the key has the scope. If the key needs signed requests, the
/// caller of this function must check the signature.
///
/// # Errors
/// 401 `unauthorized` without a known key. 403 `missing_scope` without the scope. 403 `origin_not_allowed` on a page
/// whose origin the key does not allow.
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
        return Err(Problem::new(
            Code::OriginNotAllowed,
            "Pages of this origin may not use this key. Add the origin to the key, or use another key.",
        ));
    }
    Ok(key)
}

/// Returns the key in the header `Authorization`: as Bearer, or as the user name of Basic.
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
