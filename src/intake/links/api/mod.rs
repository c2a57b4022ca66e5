//! `POST /v1/links`: links for a mail.

mod page;
mod public;

use axum::{extract::FromRef, extract::State, http::StatusCode};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{
        extract::{Json, Query},
        problem::Problem,
        said::{Mistakes, Texts, mistake},
    },
    intake::links::{
        Links, ring, rotate,
        token::{Act, LONGEST_MESSAGE, Secret, Token},
    },
    keys::auth::{Admin, Editor, RouterState},
    leads::{
        self,
        identity::{Identity, Kind},
    },
    platform::ids::{IdentityId, LeadId},
};

/// How many links a mail may have.
const MOST_LINKS: usize = 200;
/// How long a destination may be, in bytes.
const LONGEST_URL: usize = 2_000;

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Links: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(create_links))
        .routes(routes!(rotate_link_secret))
        .merge(public::routes())
}

/// A mail to one address, for which links are made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateLinks {
    /// The lead that the mail goes to. If the lead has several addresses, give `email` instead.
    lead_id: Option<LeadId>,
    /// The address that the mail goes to. An address that is not known yet does not become a lead by this
    /// call.
    email: Option<String>,
    /// Your id of the mail, 1 to 200 bytes. Events have it as `message_id`.
    message_id: String,
    /// The destinations of the mail's links, at most 200.
    #[serde(default)]
    links: Vec<Destination>,
}

/// The destination of a link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Destination {
    /// The URL: `https://…` or `http://…`, at most 2000 bytes.
    url: String,
    /// Whether you hide the link from people, so that only machines follow it. False if absent.
    #[serde(default)]
    honeypot: bool,
}

/// The links to put into the mail.
#[derive(Debug, Serialize, ToSchema)]
struct MadeLinks {
    /// The address that the mail goes to.
    email: String,
    /// The URL of a picture that counts opens. Put it at the end of the HTML.
    open_url: String,
    /// The links, in the order of the request.
    links: Vec<MadeLink>,
    /// The URL of a link by which the reader unsubscribes.
    unsubscribe_url: String,
    /// Headers to add to the mail.
    headers: UnsubscribeHeaders,
}

/// A link that counts clicks.
#[derive(Debug, Serialize, ToSchema)]
struct MadeLink {
    /// The destination, as normalised by the service.
    url: String,
    /// The URL to put into the mail in place of the destination.
    click_url: String,
}

/// Headers by which mail programs show their own button to unsubscribe (RFC 8058). The DKIM signature of the
/// mail must cover both.
#[derive(Debug, Serialize, ToSchema)]
struct UnsubscribeHeaders {
    /// The value of the header `List-Unsubscribe`.
    #[serde(rename = "List-Unsubscribe")]
    list_unsubscribe: String,
    /// The value of the header `List-Unsubscribe-Post`.
    #[serde(rename = "List-Unsubscribe-Post")]
    list_unsubscribe_post: &'static str,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Rotate {
    /// Whether all earlier links stop working, including those in mails that were sent. False if absent.
    #[serde(default)]
    end_others: bool,
}

/// Makes links for a mail: they count opens and clicks, and unsubscribe.
///
/// The service stores only the address. Everything else is in the signed tokens of the links.
#[utoipa::path(post, path = "/v1/links", tag = "E-mail", request_body = CreateLinks,
    security(("key" = ["read_write"])), responses((status = 200, body = MadeLinks)))]
async fn create_links(
    State(links): State<Links>,
    _editor: Editor,
    Json(body): Json<CreateLinks>,
) -> Result<Json<MadeLinks>, Problem> {
    let urls = checked(&body)?;
    let email = recipient(&links, &body).await?;
    let mint = Mint {
        signer: ring::read(&links).await?,
        identity: email.id(),
        message: &body.message_id,
        public_url: &links.public_url,
    };
    let unsubscribe_url = mint.url("u", Act::Unsubscribe);
    let link = |(destination, url): (&Destination, String)| MadeLink {
        click_url: mint.url("c", Act::Click { url: url.clone(), honeypot: destination.honeypot }),
        url,
    };
    Ok(Json(MadeLinks {
        email: email.value().to_owned(),
        open_url: format!("{}.gif", mint.url("o", Act::Open)),
        links: body.links.iter().zip(urls).map(link).collect(),
        headers: UnsubscribeHeaders {
            list_unsubscribe: format!("<{unsubscribe_url}>"),
            list_unsubscribe_post: "List-Unsubscribe=One-Click",
        },
        unsubscribe_url,
    }))
}

/// Makes a new secret, which signs all later links.
///
/// Earlier links keep working, unless `end_others` is true. Use `end_others` if the secret has leaked: every
/// link in sent mails stops working, on other instances within a minute. The call may be repeated; the newest
/// secret signs.
#[utoipa::path(post, path = "/v1/links/rotate", tag = "E-mail", params(Rotate),
    responses((status = 204)))]
async fn rotate_link_secret(
    State(links): State<Links>,
    _admin: Admin,
    Query(query): Query<Rotate>,
) -> Result<StatusCode, Problem> {
    rotate(&links, query.end_others).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the URLs of a mail's links.
struct Mint<'a> {
    signer: (u16, Secret),
    identity: IdentityId,
    message: &'a str,
    public_url: &'a str,
}

impl Mint<'_> {
    fn url(&self, path: &str, act: Act) -> String {
        let token = Token { identity: self.identity, message: self.message.to_owned(), act };
        format!("{}/{path}/{}", self.public_url, token.seal(self.signer.0, &self.signer.1))
    }
}

/// Checks the request, and returns the destinations in their normal form.
fn checked(body: &CreateLinks) -> Result<Vec<String>, Problem> {
    let mut mistakes = Mistakes::default();
    let plain = !body.message_id.chars().any(char::is_control);
    if !(1..=LONGEST_MESSAGE).contains(&body.message_id.len()) || !plain {
        let message = format!("write 1 to {LONGEST_MESSAGE} bytes without control characters");
        mistakes.add("/message_id", "invalid_id", message);
    }
    if body.links.len() > MOST_LINKS {
        mistakes.add("/links", "too_many", format!("name at most {MOST_LINKS} links"));
    }
    let mut urls = Vec::with_capacity(body.links.len());
    for (index, link) in body.links.iter().enumerate() {
        match Url::parse(&link.url) {
            Ok(url) if ["http", "https"].contains(&url.scheme()) && url.as_str().len() <= LONGEST_URL => {
                urls.push(url.into());
            }
            _ => {
                let message = format!("write an https:// or http:// URL of at most {LONGEST_URL} bytes");
                mistakes.add(format!("/links/{index}/url"), "invalid_url", message);
            }
        }
    }
    mistakes.refuse()?;
    Ok(urls)
}

/// Finds the address that the mail goes to. An address that is not known yet is stored.
async fn recipient(links: &Links, body: &CreateLinks) -> Result<Identity, Problem> {
    let mut conn = links.db.acquire().await?;
    match (&body.email, body.lead_id) {
        (Some(email), None) => {
            let email = Identity::parse(Kind::Email, email)
                .map_err(|why| mistake("/email", "invalid_email", why.to_string()))?;
            leads::know(&mut conn, &email, links.clock.now()).await?;
            Ok(email)
        }
        (None, Some(lead)) => {
            let lead = leads::read(&mut conn, lead).await?.ok_or_else(|| Problem::not_found("lead"))?;
            let lead = lead.merged_into.unwrap_or(lead.id);
            match leads::emails_of(&mut conn, &[lead]).await?.as_slice() {
                [(_, email)] => Identity::parse(Kind::Email, email)
                    .map_err(|why| mistake("/lead_id", "invalid_email", why.to_string())),
                [] => Err(mistake("/lead_id", "no_address", "the lead has no e-mail address")),
                _ => Err(mistake(
                    "/lead_id",
                    "several_addresses",
                    "the lead has several e-mail addresses; give one as `email` instead",
                )),
            }
        }
        _ => Err(mistake("/email", "invalid", "name the recipient by `email` or by `lead_id`")),
    }
}
