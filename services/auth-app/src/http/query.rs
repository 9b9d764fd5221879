//! The parameters of queries: which of them each call has, and what the `OpenAPI` document says of them.

use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Required, Schema, SchemaFormat, Type};

use super::schemas;

/// Entries of a page, at most and when nothing is said.
pub(super) const PAGE: u64 = 100;

/// A parameter of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueryParameter {
    Expiry,
    Label,
    Scope,
    Window,
    MaxLifetime,
    UserId,
    UserName,
    Reason,
    Limit,
    After,
    Token,
}

impl QueryParameter {
    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Expiry => "expiry",
            Self::Label => "label",
            Self::Scope => "scope",
            Self::Window => "window",
            Self::MaxLifetime => "max_lifetime",
            Self::UserId => "userID",
            Self::UserName => "userName",
            Self::Reason => "reason",
            Self::Limit => "limit",
            Self::After => "after",
            Self::Token => "token",
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Expiry => {
                "After how long the token expires. `never` is refused unless the operator allows it, and so is what is longer than the \
                 operator allows: 8760 hours by default, 24 for a token of another user."
            }
            Self::Label => {
                "What the token is called. If it is left out: `Generated via API`, or `Generated via Impersonation API`."
            }
            Self::Scope => {
                "What the token may do; several by repeating the parameter. Everything that its owner may if it is left out."
            }
            Self::Window => {
                "In place of `expiry`: the token expires when it was not used for so long. Between 60 seconds and 30 days."
            }
            Self::MaxLifetime => {
                "With `window`: after how long the token expires however much it is used. At least as long as the window; at most 30 days, \
                 unless the operator says otherwise, which is also the default."
            }
            Self::UserId => {
                "The identifier of the user whose tokens they are, if they are not the caller's own. For administrators, where the operator \
                 allows impersonation."
            }
            Self::UserName => "The same by the login name. If both are given they must name the same user.",
            Self::Reason => {
                "With `userID` or `userName`: why an administrator acts in the name of another user, for the audit log."
            }
            Self::Limit => "How many tokens to return at most.",
            Self::After => "The identifier of the last token of the page before.",
            Self::Token => {
                "Which token: its identifier, its secret, or the hash by which it was imported from another system."
            }
        }
    }

    fn schema(self) -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        match self {
            Self::Expiry => text().pattern(Some(schemas::EXPIRY)).into(),
            Self::Label => Ref::from_schema_name(schemas::LABEL).into(),
            Self::Scope => schemas::scopes("").into(),
            Self::Window | Self::MaxLifetime => Ref::from_schema_name(schemas::DURATION).into(),
            Self::UserId | Self::UserName | Self::Token => text().min_length(Some(1)).into(),
            Self::Reason => Ref::from_schema_name(schemas::REASON).into(),
            Self::Limit => {
                let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(PAGE));
                number.default(Some(json!(PAGE))).into()
            }
            Self::After => text().format(Some(SchemaFormat::Custom("uuid".to_owned()))).into(),
        }
    }

    fn example(self) -> Option<Value> {
        Some(match self {
            Self::Expiry => json!("72h"),
            Self::Label => json!("Phone"),
            Self::Scope => json!(["node:4c510ada-c86b-4815-8820-42cdf82c3d51:r"]),
            Self::Window => json!("7d"),
            Self::MaxLifetime => json!("30d"),
            Self::UserId => json!("4c510ada-c86b-4815-8820-42cdf82c3d51"),
            Self::UserName => json!("einstein"),
            Self::Reason => json!("moving to the new server"),
            Self::Token => json!("01912cd1-93a0-7c3e-9f0a-5b1d8e2f4c60"),
            Self::Limit | Self::After => return None,
        })
    }

    fn described(self) -> Parameter {
        let is_list = self == Self::Scope;
        ParameterBuilder::new()
            .name(self.name())
            .parameter_in(ParameterIn::Query)
            .description(Some(self.description()))
            .required(if self == Self::Token { Required::True } else { Required::False })
            .style(is_list.then_some(ParameterStyle::Form))
            .explode(is_list.then_some(true))
            .schema(Some(self.schema()))
            .example(self.example())
            .build()
    }
}

fn described(parameters: &[QueryParameter]) -> Vec<Parameter> {
    parameters.iter().map(|parameter| parameter.described()).collect()
}

/// The query of the list of tokens.
pub(super) struct ListQuery;

impl ListQuery {
    pub(super) const PARAMETERS: [QueryParameter; 5] = [
        QueryParameter::Limit,
        QueryParameter::After,
        QueryParameter::UserId,
        QueryParameter::UserName,
        QueryParameter::Reason,
    ];
}

impl IntoParams for ListQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        described(&Self::PARAMETERS)
    }
}

/// The query by which a token is created.
pub(super) struct CreateQuery;

impl CreateQuery {
    pub(super) const PARAMETERS: [QueryParameter; 8] = [
        QueryParameter::Expiry,
        QueryParameter::Label,
        QueryParameter::Scope,
        QueryParameter::Window,
        QueryParameter::MaxLifetime,
        QueryParameter::UserId,
        QueryParameter::UserName,
        QueryParameter::Reason,
    ];
}

impl IntoParams for CreateQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        described(&Self::PARAMETERS)
    }
}

/// The query that names the token to revoke.
pub(super) struct RevokeQuery;

impl RevokeQuery {
    pub(super) const PARAMETERS: [QueryParameter; 4] =
        [QueryParameter::Token, QueryParameter::UserId, QueryParameter::UserName, QueryParameter::Reason];
}

impl IntoParams for RevokeQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        described(&Self::PARAMETERS)
    }
}

/// The query that names the owner of a token.
pub(super) struct OwnerQuery;

impl OwnerQuery {
    pub(super) const PARAMETERS: [QueryParameter; 3] =
        [QueryParameter::UserId, QueryParameter::UserName, QueryParameter::Reason];
}

impl IntoParams for OwnerQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        described(&Self::PARAMETERS)
    }
}
