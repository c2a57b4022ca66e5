//! `/v1/keys`.

use axum::{
    extract::FromRef,
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Key, NewKey, Prefix, Scope, Secret, SigningSecret, store};
use crate::{
    http::{
        extract::{Json, Path, Query},
        page::{self, Page},
        problem::Problem,
        said::{LONGEST_KEY_NAME, MadeBefore, Mistakes, Texts, idempotency_key, once},
    },
    keys::{
        Keys,
        auth::{Admin, RouterState},
    },
    platform::ids::KeyId,
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Keys: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(list_keys, create_key)).routes(routes!(revoke_key))
}

/// What the service shows of a key: all but the key itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyView {
    id: KeyId,
    name: String,
    /// `wk_` or `sk_`.
    prefix: String,
    /// The key's last four characters.
    last_four: String,
    /// What the key may do.
    #[schema(value_type = Vec<Scope>)]
    scopes: Vec<String>,
    /// Origins of web pages that may use the key. If the list is empty, pages of every origin may.
    allowed_origins: Vec<String>,
    /// Whether each request with the key must be signed.
    signed: bool,
    created_at: DateTime<Utc>,
}

/// A new key. The key is shown only in this answer.
#[derive(Debug, Serialize, ToSchema)]
struct KeyWithSecret {
    #[serde(flatten)]
    record: KeyView,
    /// The key.
    key: String,
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateKey {
    /// A name for people, 1 to 100 characters.
    name: String,
    /// What the key may do: one or more scopes. `ingest` alone makes a write key (`wk_…`). Anything else makes a secret
    /// key (`sk_…`).
    scopes: Vec<Scope>,
    /// For a write key: the origins of web pages that may use it, such as `https://www.example.com`. Without any, pages
    /// of every origin may.
    #[serde(default)]
    allowed_origins: Vec<String>,
    /// For a write key: a secret by which another service signs its requests, such as Segment or Customer.io. The
    /// signature stands in the header `X-Signature`. The key is then good for signed requests only. Somebody who has
    /// key and secret can have people erased. 16 to 200 characters of ASCII without spaces.
    #[schema(value_type = Option<String>)]
    signing_secret: Option<SigningSecret>,
}

impl CreateKey {
    /// Trims the name, keeps each scope once, and writes origins as browsers send them: in lower case.
    fn normalised(mut self) -> CreateKey {
        self.name = self.name.trim().to_owned();
        self.scopes.sort_unstable();
        self.scopes.dedup();
        self.allowed_origins.iter_mut().for_each(|origin| origin.make_ascii_lowercase());
        self
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListKeys {
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the keys in use, oldest first.
#[utoipa::path(get, path = "/v1/keys", tag = "Operations", params(ListKeys),
    responses((status = 200, body = Page<KeyView>)))]
async fn list_keys(
    State(keys): State<Keys>,
    _admin: Admin,
    Query(query): Query<ListKeys>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let after = query.cursor.as_deref().map(page::decode).transpose()?;
    let rows = store::list(&mut *keys.db.acquire().await?, after, i64::from(limit) + 1).await?;
    Ok(Page::of(rows, limit, |key| key.id).map(view).respond(&uri))
}

/// Makes a key.
///
/// If you repeat the call with the same `Idempotency-Key`, the service makes no second key. It answers 409 `conflict`
/// and names the key that the first call made. The key itself was shown in the first answer and cannot be shown again.
#[utoipa::path(post, path = "/v1/keys", tag = "Operations", request_body = CreateKey,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 512 printable ASCII characters")),
    responses((status = 201, body = KeyWithSecret)))]
async fn create_key(
    State(keys): State<Keys>,
    _admin: Admin,
    headers: HeaderMap,
    Json(body): Json<CreateKey>,
) -> Result<(StatusCode, Json<KeyWithSecret>), Problem> {
    let body = body.normalised();
    let prefix = validate(&body)?;
    let request_key = idempotency_key(&headers)?;
    let secret = Secret::generate(prefix, &keys.ids);
    let new = NewKey {
        name: &body.name,
        scopes: &body.scopes,
        origins: &body.allowed_origins,
        signing_secret: body.signing_secret.as_ref(),
        environment: false,
        request_key: request_key.as_deref(),
    };
    let mut conn = keys.db.acquire().await?;
    let made = store::insert(&mut conn, &keys.ids, &secret, prefix, &new, keys.clock.now()).await;
    let key = once(made, request_key.as_deref(), async |key| made_before(&mut conn, key).await).await?;
    keys.ring.forget();
    let shown = KeyWithSecret { record: view(key), key: secret.reveal().to_owned() };
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Finds the key that an earlier call with the same idempotency key has made.
async fn made_before(conn: &mut PgConnection, request_key: &str) -> sqlx::Result<Option<MadeBefore>> {
    let made = store::made_by(conn, request_key).await?;
    Ok(made.map(|(id, last_four)| MadeBefore {
        what: format!("the key {id}, which ends in {last_four}"),
        showed: "the key itself",
        advice: format!("revoke it by DELETE /v1/keys/{id} and make another under a new Idempotency-Key"),
    }))
}

/// Revokes a key. The key stops working at once, on other instances within a second.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "Operations", params(("id" = KeyId, Path)),
    responses((status = 204)))]
async fn revoke_key(
    State(keys): State<Keys>,
    _admin: Admin,
    Path(id): Path<KeyId>,
) -> Result<StatusCode, Problem> {
    let revoked = store::revoke(&mut *keys.db.acquire().await?, id, keys.clock.now()).await?;
    keys.ring.forget();
    if revoked { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("key")) }
}

fn validate(body: &CreateKey) -> Result<Prefix, Problem> {
    let prefix = if body.scopes == [Scope::Ingest] { Prefix::Write } else { Prefix::Secret };
    let mut mistakes = Mistakes::default();
    mistakes.text("/name", &body.name, LONGEST_KEY_NAME);
    if body.scopes.is_empty() {
        mistakes.add("/scopes", "invalid", "name at least one scope");
    }
    if prefix == Prefix::Secret && !body.allowed_origins.is_empty() {
        let message = "only a write key may have origins: a secret key must not stand in a web page";
        mistakes.add("/allowed_origins", "invalid", message);
    }
    if !body.allowed_origins.iter().all(|origin| is_origin(origin)) {
        let message = "write an origin as https://www.example.com, without a path";
        mistakes.add("/allowed_origins", "invalid", message);
    }
    if let Some(secret) = &body.signing_secret {
        if prefix == Prefix::Secret {
            mistakes.add("/signing_secret", "invalid", "only a write key may have a signing secret");
        }
        if !secret.is_strong() {
            let message = "write 16 to 200 characters of ASCII without spaces";
            mistakes.add("/signing_secret", "invalid", message);
        }
    }
    mistakes
        .unless_any(Some(prefix))
        .map_err(|found| Problem::invalid("The key cannot be made with these values.", found))
}

fn is_origin(origin: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| {
        origin.strip_prefix(scheme).is_some_and(|host| {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
        })
    })
}

fn view(key: Key) -> KeyView {
    KeyView {
        id: key.id,
        name: key.name,
        prefix: key.prefix,
        last_four: key.last_four,
        scopes: key.scopes,
        allowed_origins: key.origins,
        signed: key.signing_secret.is_some(),
        created_at: key.created_at,
    }
}
