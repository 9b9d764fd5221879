//! `Debug` for the messages that carry a secret: everything but the secret shows.

use std::fmt;

use crate::cs3::{auth, gateway};
use crate::doorward::{apptokens, gateway as transactions, idp, passwords, serviceaccounts};
use crate::envoy::{config::core, service::auth as envoy};

/// Stands for a secret. That there is none shows: it explains many a failed sign-in.
struct Secret(bool);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "[empty]" } else { "[redacted]" })
    }
}

/// Implements `Debug`. The message is taken apart whole, so that a field more does not go unnoticed.
macro_rules! redacted {
    ($($message:path as $name:literal { $($shown:ident),* $(,)? } hides $secret:ident;)*) => {$(
        impl fmt::Debug for $message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Self { $($shown,)* $secret } = self;
                f.debug_struct($name)
                    $(.field(stringify!($shown), $shown))*
                    .field(stringify!($secret), &Secret($secret.is_empty()))
                    .finish()
            }
        }
    )*};
}

redacted! {
    auth::applications::v1beta1::AppPassword as "AppPassword" {
        token_scope, label, user, expiration, ctime, utime
    } hides password;
    auth::applications::v1beta1::GetAppPasswordRequest as "GetAppPasswordRequest" { opaque, user } hides password;
    auth::applications::v1beta1::InvalidateAppPasswordRequest as "InvalidateAppPasswordRequest" {
        opaque
    } hides password;
    auth::provider::v1beta1::AuthenticateRequest as "AuthenticateRequest" { opaque, client_id } hides client_secret;
    gateway::v1beta1::AuthenticateRequest as "AuthenticateRequest" { opaque, r#type, client_id } hides client_secret;
    gateway::v1beta1::AuthenticateResponse as "AuthenticateResponse" { status, opaque, user } hides token;
    gateway::v1beta1::WhoAmIRequest as "WhoAmIRequest" { opaque } hides token;
    apptokens::v1::CreateTokenResponse as "CreateTokenResponse" { token } hides secret;
    apptokens::v1::ImportedToken as "ImportedToken" {
        id, owner_id, owner_username, label, kind, scopes, created, expires, window, last_used
    } hides verifier;
    apptokens::v1::RevokeTokenRequest as "RevokeTokenRequest" {} hides token;
    transactions::v1::MintResponse as "MintResponse" { expires, scope, txn } hides transaction_token;
    idp::v1::AddClientResponse as "AddClientResponse" { client } hides secret;
    idp::v1::AddInitialAccessResponse as "AddInitialAccessResponse" { expires } hides token;
    idp::v1::ConfirmTotpRequest as "ConfirmTotpRequest" { code } hides enrolment;
    idp::v1::ConfirmTotpResponse as "ConfirmTotpResponse" {} hides recovery_codes;
    idp::v1::RegenerateRecoveryCodesResponse as "RegenerateRecoveryCodesResponse" {} hides recovery_codes;
    idp::v1::RotateSecretResponse as "RotateSecretResponse" {} hides secret;
    idp::v1::UpdateClientResponse as "UpdateClientResponse" { client } hides secret;
    passwords::v1::JudgePasswordRequest as "JudgePasswordRequest" { user_id, new_user } hides password;
    passwords::v1::ResetPasswordRequest as "ResetPasswordRequest" { user_id, first_password } hides new_password;
    passwords::v1::SetPasswordRequest as "SetPasswordRequest" { user_id } hides password;
    serviceaccounts::v1::AddSecretResponse as "AddSecretResponse" { account, secret_id } hides secret;
    serviceaccounts::v1::CreateServiceAccountResponse as "CreateServiceAccountResponse" { account } hides secret;
}

impl fmt::Debug for passwords::v1::ChangeOwnPasswordRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { old_password, new_password } = self;
        f.debug_struct("ChangeOwnPasswordRequest")
            .field("old_password", &Secret(old_password.is_empty()))
            .field("new_password", &Secret(new_password.is_empty()))
            .finish()
    }
}

impl fmt::Debug for transactions::v1::MintRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { internal_token, transaction_token, scope, request_context, request_details, lifetime_seconds } =
            self;
        f.debug_struct("MintRequest")
            .field("internal_token", &Secret(internal_token.is_empty()))
            .field("transaction_token", &Secret(transaction_token.is_empty()))
            .field("scope", scope)
            .field("request_context", request_context)
            .field("request_details", request_details)
            .field("lifetime_seconds", lifetime_seconds)
            .finish()
    }
}

impl fmt::Debug for idp::v1::BeginTotpResponse {
    /// All of it is the secret, in several forms.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { enrolment, address, picture } = self;
        f.debug_struct("BeginTotpResponse")
            .field("enrolment", &Secret(enrolment.is_empty()))
            .field("address", &Secret(address.is_empty()))
            .field("picture", &Secret(picture.is_empty()))
            .finish()
    }
}

impl fmt::Debug for core::v3::HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, raw_value } = self;
        let is_empty = value.is_empty() && raw_value.is_empty();
        f.debug_struct("HeaderValue").field("key", key).field("value", &Secret(is_empty)).finish()
    }
}

impl fmt::Debug for envoy::v3::attribute_context::HttpRequest {
    /// Paths may hold secrets, as headers do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, method, headers, path, host, scheme, protocol, header_map: _ } = self;
        f.debug_struct("HttpRequest")
            .field("id", id)
            .field("method", method)
            .field("headers", &headers.keys().collect::<Vec<_>>())
            .field("path", &Secret(path.is_empty()))
            .field("host", host)
            .field("scheme", scheme)
            .field("protocol", protocol)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::cs3::auth::applications::v1beta1::{AppPassword, GenerateAppPasswordResponse};
    use crate::cs3::gateway::v1beta1::AuthenticateRequest;

    #[test]
    fn a_secret_does_not_show() {
        let request = AuthenticateRequest {
            r#type: "basic".into(),
            client_id: "marie".into(),
            client_secret: "hunter2".into(),
            ..Default::default()
        };
        let shown = format!("{request:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("basic") && shown.contains("marie") && shown.contains("[redacted]"), "{shown}");
    }

    #[test]
    fn a_secret_within_another_message_does_not_show() {
        let response = GenerateAppPasswordResponse {
            app_password: Some(AppPassword { password: "hunter2".into(), label: "phone".into(), ..Default::default() }),
            ..Default::default()
        };
        let shown = format!("{response:?}");
        assert!(!shown.contains("hunter2") && shown.contains("phone"), "{shown}");
    }

    #[test]
    fn an_empty_secret_shows_as_empty() {
        assert!(format!("{:?}", AuthenticateRequest::default()).contains("client_secret: [empty]"));
    }
}
