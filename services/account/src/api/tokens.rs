//! The app tokens of the signed-in user.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;
use proto::doorward::apptokens::v1::create_own_token_request::Life;
use proto::doorward::apptokens::v1::{self as app_tokens, CreateOwnTokenRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::User;
use super::problem::Problem;
use super::request::{Id, Members, Parameters};
use super::timestamp::Timestamp;
use super::{created, given};
use crate::http::signed_in::SignedIn;
use crate::own_tokens::OwnTokens;
use crate::state::AccountState;

pub(super) fn routes() -> OpenApiRouter<AccountState> {
    OpenApiRouter::new().routes(routes!(list, create, revoke_all)).routes(routes!(revoke)).routes(routes!(show_policy))
}

/// A page of a list.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many entries to return at most; 100 if it is left out, and never more.
    #[param(minimum = 1, maximum = 100)]
    pub(super) page_size: Option<u32>,
    /// `next_page_token` of the page before; left out for the first page.
    pub(super) page_token: Option<String>,
}

/// An app token, without its secret.
#[derive(Serialize, ToSchema)]
pub(super) struct Token {
    /// The identifier.
    id: String,
    /// The identifier of its owner.
    owner_id: String,
    /// How it came to be.
    kind: TokenKind,
    /// What its owner calls it.
    label: String,
    /// What it may do.
    #[schema(example = json!(["user"]))]
    scopes: Vec<String>,
    /// When it was created.
    created: Timestamp,
    /// The identifier of the user who has created it.
    created_by: String,
    /// When it expires; `null` if never.
    expires: Option<Timestamp>,
    /// The seconds by which each use of a sliding token postpones its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<i64>,
    /// When a sliding token expires, however much it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    latest: Option<Timestamp>,
    /// When it was last used, roughly; `null` if never.
    last_used: Option<Timestamp>,
    /// The address of the last use.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_from: Option<String>,
    /// The program of the last use, as it called itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_by: Option<String>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<Timestamp>,
}

/// How a token came to be.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TokenKind {
    /// Its owner has created it for an application.
    App,
    /// It is a personal access token.
    Personal,
    /// An administrator has created it in the name of its owner.
    Impersonated,
}

impl From<app_tokens::Token> for Token {
    fn from(token: app_tokens::Token) -> Self {
        Self {
            kind: match token.kind() {
                app_tokens::Kind::Unspecified | app_tokens::Kind::App => TokenKind::App,
                app_tokens::Kind::Personal => TokenKind::Personal,
                app_tokens::Kind::Impersonated => TokenKind::Impersonated,
            },
            id: token.id,
            owner_id: token.owner_id,
            label: token.label,
            scopes: token.scopes,
            created: Timestamp::at(token.created),
            created_by: token.created_by,
            expires: token.expires.and_then(Timestamp::of),
            window: token.window,
            latest: token.latest.and_then(Timestamp::of),
            last_used: token.last_used.and_then(Timestamp::of),
            last_used_from: given(token.last_used_from),
            last_used_by: given(token.last_used_by),
            revoked: token.revoked.and_then(Timestamp::of),
        }
    }
}

/// A page of app tokens.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenList {
    pub(super) tokens: Vec<Token>,
    /// For the next page; left out if this is the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_page_token: Option<String>,
}

/// A new app token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// What to call it.
    #[schema(max_length = 128)]
    label: String,
    /// What it may do: `user` for everything, `path:/FOLDER:r`, `path:/FOLDER:rw`, `profile` ...; everything if it is left out.
    #[schema(example = json!(["path:/photos:r"]))]
    scopes: Option<Vec<String>>,
    /// After how many seconds it expires; after the default lifetime if it is left out.
    #[schema(minimum = 1)]
    expires_in: Option<u32>,
    /// Whether it never expires, which the operator may not permit.
    #[serde(default)]
    never_expires: bool,
}

impl NewToken {
    fn request(self) -> Result<CreateOwnTokenRequest, Problem> {
        let life = match (self.expires_in, self.never_expires) {
            (Some(_), true) => {
                return Err(Problem::parameter("never_expires", "a token has expires_in, or never expires"));
            }
            (Some(seconds), false) => Some(Life::ExpiresIn(seconds.into())),
            (None, true) => Some(Life::Never(true)),
            (None, false) => None,
        };
        let scopes = self.scopes.unwrap_or_else(|| vec!["user".to_owned()]);
        Ok(CreateOwnTokenRequest { label: self.label, scopes, life })
    }
}

/// A new app token, with its secret.
#[derive(Serialize, ToSchema)]
struct CreatedToken {
    token: Token,
    /// The secret, which no other response has.
    secret: String,
}

/// How many tokens were revoked.
#[derive(Serialize, ToSchema)]
pub(super) struct RevokedTokens {
    pub(super) revoked: u64,
}

/// What a new app token may have.
#[derive(Serialize, ToSchema)]
struct TokenPolicy {
    /// The lifetime of a token for which none is given, in seconds.
    default_lifetime: i64,
    /// The longest lifetime, in seconds.
    longest_lifetime: i64,
    /// Whether a token may never expire.
    allows_never: bool,
    /// The kinds of scopes that a token may have.
    #[schema(example = json!(["user", "path"]))]
    scope_kinds: Vec<String>,
    /// How many tokens a user may have; `null` if there is no limit.
    most_tokens: Option<u64>,
}

fn own_tokens(signed_in: &SignedIn) -> Result<&OwnTokens, Problem> {
    signed_in.state.own_tokens.as_ref().ok_or_else(|| Problem::without("auth-app"))
}

/// Lists the app tokens, the oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    operation_id = "listTokens",
    tag = "tokens",
    params(Page),
    responses((status = 200, description = "A page of the tokens that are valid.", body = TokenList))
)]
async fn list(User(signed_in): User, Parameters(page): Parameters<Page>) -> Result<Json<TokenList>, Problem> {
    let Page { page_size, page_token } = page;
    let own_tokens = own_tokens(&signed_in)?;
    let token = page_token.unwrap_or_default();
    let listed = own_tokens.list(&signed_in.on_behalf(), page_size.unwrap_or_default(), &token).await?;
    let tokens = listed.tokens.into_iter().map(Token::from).collect();
    Ok(Json(TokenList { tokens, next_page_token: given(listed.next_page_token) }))
}

/// Creates an app token.
///
/// The response has its secret, which cannot be read again.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    operation_id = "createToken",
    tag = "tokens",
    request_body = NewToken,
    responses((
        status = 201,
        description = "The token with its secret.",
        body = CreatedToken,
        headers(("Location" = String, description = "The path of the token."))
    ))
)]
async fn create(User(signed_in): User, Members(new): Members<NewToken>) -> Result<Response, Problem> {
    let own_tokens = own_tokens(&signed_in)?;
    let (token, secret) = own_tokens.create(&signed_in.on_behalf(), new.request()?).await?;
    let path = format!("/api/v1/tokens/{}", token.id);
    Ok(created(&signed_in, &path, CreatedToken { token: token.into(), secret }))
}

/// Revokes an app token.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{id}",
    operation_id = "revokeToken",
    tag = "tokens",
    params(("id" = String, Path, description = "The identifier of the token.")),
    responses((status = 204, description = "The token is revoked."))
)]
async fn revoke(User(signed_in): User, Id(id): Id) -> Result<StatusCode, Problem> {
    own_tokens(&signed_in)?.revoke(&signed_in.on_behalf(), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes all app tokens.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens",
    operation_id = "revokeAllTokens",
    tag = "tokens",
    responses((status = 200, description = "The tokens are revoked.", body = RevokedTokens))
)]
async fn revoke_all(User(signed_in): User) -> Result<Json<RevokedTokens>, Problem> {
    let revoked = own_tokens(&signed_in)?.revoke_all(&signed_in.on_behalf()).await?;
    Ok(Json(RevokedTokens { revoked }))
}

/// Returns what a new app token may have.
#[utoipa::path(
    get,
    path = "/api/v1/token-policy",
    operation_id = "getTokenPolicy",
    tag = "tokens",
    responses((status = 200, description = "The policy.", body = TokenPolicy))
)]
async fn show_policy(User(signed_in): User) -> Result<Json<TokenPolicy>, Problem> {
    let policy = own_tokens(&signed_in)?.policy(&signed_in.on_behalf()).await?;
    Ok(Json(TokenPolicy {
        default_lifetime: policy.default_lifetime,
        longest_lifetime: policy.longest_lifetime,
        allows_never: policy.allows_never,
        scope_kinds: policy.scope_kinds,
        most_tokens: Some(policy.most_tokens).filter(|most| *most > 0),
    }))
}
