//! `transaction_token` of a route in the file of routes.

use std::collections::BTreeMap;

use oidc::scope::Scopes;
use serde::Deserialize;
use serde_json::Value;
use token::transaction::{TransactionError, TransactionRequest};

/// What a route does about transaction tokens.
#[derive(Debug, Clone)]
pub enum TransactionRoute {
    /// Requests a token of the gateway for the user of the request.
    Mint(Mint),
    /// Requires a valid token of the caller, which has this scope, and passes it on.
    Verify(Scopes),
}

/// A token that is requested of the gateway.
#[derive(Debug, Clone)]
pub struct Mint {
    /// What it is for.
    pub(super) scope: String,
    /// The details, a JSON object, or empty.
    pub(super) details: String,
    /// What it says about the request.
    pub(super) context: Vec<ContextMember>,
}

/// Something that a token can say about the request that it is issued for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ContextMember {
    /// The client's address.
    ReqIp,
    /// The method.
    Method,
    /// The host that the client named.
    Host,
}

/// The key as the file has it: with `mint` or with `verify`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransactionEntry {
    mint: Option<MintEntry>,
    verify: Option<VerifyEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MintEntry {
    scope: String,
    #[serde(default)]
    details: BTreeMap<String, Value>,
    #[serde(default)]
    context: Vec<ContextMember>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyEntry {
    scope: String,
}

impl ContextMember {
    /// The name in the token.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ReqIp => "req_ip",
            Self::Method => "method",
            Self::Host => "host",
        }
    }
}

impl TransactionEntry {
    /// What it says.
    ///
    /// # Errors
    /// The problem, for the operator.
    pub(crate) fn read(self, unprotected: bool) -> Result<TransactionRoute, String> {
        if unprotected {
            return Err(
                "transaction_token needs the user of the request, whom an unprotected route does not know".to_owned()
            );
        }
        match self {
            Self { mint: Some(mint), verify: None } => mint.read().map(TransactionRoute::Mint),
            Self { mint: None, verify: Some(verify) } => {
                let request = TransactionRequest::new(&verify.scope, "", "")
                    .map_err(|problem| format!("transaction_token: verify: {problem}"))?;
                Ok(TransactionRoute::Verify(request.scope().clone()))
            }
            _ => Err("transaction_token has either mint or verify".to_owned()),
        }
    }
}

impl Mint {
    /// A token with this scope that says nothing else.
    ///
    /// # Errors
    /// The problem, for the operator.
    pub(super) fn of_scope(scope: &str) -> Result<Self, TransactionError> {
        TransactionRequest::new(scope, "", "")?;
        Ok(Self { scope: scope.to_owned(), details: String::new(), context: Vec::new() })
    }
}

impl MintEntry {
    fn read(self) -> Result<Mint, String> {
        let members = self.details.into_iter().collect::<serde_json::Map<_, _>>();
        let details = if members.is_empty() { String::new() } else { Value::Object(members).to_string() };
        TransactionRequest::new(&self.scope, &details, "")
            .map_err(|problem| format!("transaction_token: mint: {problem}"))?;
        Ok(Mint { scope: self.scope, details, context: self.context })
    }
}
