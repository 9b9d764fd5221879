//! Changes of passwords by the users themselves: the Password Modify operation (RFC 3062), on a connection that is bound as the
//! user, so that the server's own rules decide.

use authn::{DirectoryError, prepare_password};
use ldap3::asn1::{TagClass, parse_tag};
use ldap3::controls::{Control, RawControl};
use ldap3::exop::PasswordModify;
use ldap3::{LdapResult, Scope};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use crate::binder::{Account, Binder, is_accepted};
use crate::failure::{Failure, code};
use crate::pool::{Limit, Search};
use crate::server::{PATIENCE, bind};

/// The object identifier of the operation.
const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";
/// The attribute of the root DSE that lists such operations (RFC 4512, 5.1).
const SUPPORTED: &str = "supportedExtension";
/// The control by which a server gives the reason of a refusal (draft-behera-ldap-password-policy-10, 6.2).
const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
/// A longer value of that control is not read: it holds two small numbers.
const LONGEST_POLICY_VALUE: usize = 64;

/// What the server has made of a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordChange {
    /// It is the password now.
    Changed,
    /// The old password is wrong.
    WrongPassword,
    /// The server refuses the change.
    Refused(Refusal),
}

/// Why the server refuses a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The password violates the server's rules.
    #[error("the LDAP server does not accept this password by its own rules")]
    Quality,
    /// The user has had the password before.
    #[error("the user has had this password before")]
    History,
    /// The last change was too short a time ago.
    #[error("the last change was too short a time ago for the LDAP server")]
    TooSoon,
    /// This user, or no user, may change the own password.
    #[error("the LDAP server does not let the user change the password")]
    NotPermitted,
}

/// Why the server has not answered with a [`PasswordChange`].
#[derive(Debug, thiserror::Error)]
pub enum PasswordChangeError {
    /// The password is what it was.
    #[error("the password is not changed")]
    Unchanged(#[source] DirectoryError),
    /// The request was sent, and no answer came: the password may be changed.
    #[error("the LDAP server does not say whether it has changed the password")]
    Unknown(#[source] DirectoryError),
}

impl From<Failure> for PasswordChangeError {
    fn from(failure: Failure) -> Self {
        Self::Unchanged(failure.into())
    }
}

impl Binder {
    /// Whether the server announces in its root DSE that users can change their passwords. A server that refuses to say it does
    /// not.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn supports_password_change(&self) -> Result<bool, DirectoryError> {
        if let Some(known) = self.password_change.get() {
            return Ok(known);
        }
        let is_supported = match self.read_support().await {
            Err(failure) if failure.is_temporary() => return Err(failure.into()),
            Err(failure) => {
                tracing::warn!(%failure, "users cannot change their passwords: the LDAP server does not let its root DSE be read");
                false
            }
            Ok(is_supported) => is_supported,
        };
        self.password_change.set(is_supported);
        Ok(is_supported)
    }

    async fn read_support(&self) -> Result<bool, Failure> {
        let attributes = [SUPPORTED.to_owned()];
        let root = Search {
            base: "",
            scope: Scope::Base,
            filter: "(objectClass=*)".to_owned(),
            attributes: &attributes,
            limit: Limit::AtMost(1),
            optional_base: true,
        };
        let found = self.users.pool.search(&root).await?;
        let (announced, _) = found.first().map(|entry| entry.ranged_texts(SUPPORTED)).unwrap_or_default();
        Ok(announced.iter().any(|extension| extension == PASSWORD_MODIFY))
    }

    /// Replaces the password of an account, whose old one is verified by the bind: prepared (RFC 8265 4.2), or as it was given, as
    /// at [`prove`](Self::prove). The new one is sent prepared. Neither may be empty: the server would bind without
    /// authentication, or make a password of its own.
    ///
    /// # Errors
    /// [`PasswordChangeError::Unknown`] if the connection breaks, or the server does not answer, when the request was sent.
    pub async fn change_password(
        &self,
        account: &Account,
        old: &SecretString,
        new: &SecretString,
    ) -> Result<PasswordChange, PasswordChangeError> {
        let new = prepare_password(new);
        if new.expose_secret().is_empty() {
            return Ok(PasswordChange::Refused(Refusal::Quality));
        }
        let _permit = self.permit().await?;
        let mut connection = self.users.pool.server.connect().await?;
        let Some(old) = bind_as_user(&mut connection, account, old).await? else {
            return Ok(PasswordChange::WrongPassword);
        };
        // without an identity it is the password of the user who is bound
        let request =
            PasswordModify { user_id: None, old_pass: Some(old.expose_secret()), new_pass: Some(new.expose_secret()) };
        let reason = RawControl { ctype: PASSWORD_POLICY.to_owned(), crit: false, val: None };
        let sent = connection.with_timeout(PATIENCE).with_controls(reason).extended(request).await;
        let result = sent.map_err(|error| PasswordChangeError::Unknown(Failure::from(error).into()))?.1;
        // a courtesy; the connection closes either way
        let _ = timeout(PATIENCE, connection.unbind()).await;
        self.outcome(result)
    }

    fn outcome(&self, result: LdapResult) -> Result<PasswordChange, PasswordChangeError> {
        if result.rc == code::SUCCESS {
            return Ok(PasswordChange::Changed);
        }
        if result.rc == code::INVALID_CREDENTIALS {
            return Ok(PasswordChange::WrongPassword);
        }
        if result.rc == code::PROTOCOL_ERROR {
            // announced, and unknown all the same
            self.password_change.set(false);
        }
        let policy_error = policy_error(&result);
        let Some(refusal) = refusal(result.rc, policy_error) else {
            return Err(Failure::Answer { operation: "change of a password", result }.into());
        };
        // the server's text is left out: what checks passwords there may repeat the password in it
        if refusal == Refusal::NotPermitted {
            tracing::warn!(
                code = result.rc,
                policy_error,
                "the LDAP server does not let a user change the own password: permit it there (OpenLDAP: access to attrs=userPassword by self write), or set AUTH_BASIC_LDAP_PASSWORD_CHANGE=false"
            );
        } else {
            tracing::info!(code = result.rc, policy_error, %refusal, "a new password is refused");
        }
        Ok(PasswordChange::Refused(refusal))
    }
}

/// Binds as the user. Returns the form of the password that the server accepts.
async fn bind_as_user(
    connection: &mut ldap3::Ldap,
    account: &Account,
    given: &SecretString,
) -> Result<Option<SecretString>, Failure> {
    let prepared = prepare_password(given);
    let is_other = prepared.expose_secret() != given.expose_secret();
    if prepared.expose_secret().is_empty() {
        return Ok(None);
    }
    for form in [Some(&prepared), Some(given).filter(|_| is_other)].into_iter().flatten() {
        if is_accepted(bind(connection, account.dn(), form.expose_secret()).await?)? {
            return Ok(Some(form.clone()));
        }
    }
    Ok(None)
}

/// What a result that is no success says of the change; `None` if it says nothing of it, as when the server is busy.
fn refusal(result: u32, policy_error: Option<u8>) -> Option<Refusal> {
    let of_policy = match policy_error {
        Some(8) => Some(Refusal::History),
        Some(7) => Some(Refusal::TooSoon),
        Some(5 | 6) => Some(Refusal::Quality),
        Some(3) => Some(Refusal::NotPermitted),
        _ => None,
    };
    of_policy.or(match result {
        code::CONSTRAINT_VIOLATION => Some(Refusal::Quality),
        // a referral comes from a replica that takes no changes
        code::INSUFFICIENT_ACCESS
        | code::UNWILLING_TO_PERFORM
        | code::REFERRAL
        | code::STRONGER_AUTH_REQUIRED
        | code::CONFIDENTIALITY_REQUIRED
        | code::PROTOCOL_ERROR => Some(Refusal::NotPermitted),
        _ => None,
    })
}

/// The error in the response control of the password policy.
fn policy_error(result: &LdapResult) -> Option<u8> {
    let control = result.ctrls.iter().find(|Control(_, raw)| raw.ctype == PASSWORD_POLICY);
    control.and_then(|Control(_, raw)| error_of(raw.val.as_deref()?))
}

/// `PasswordPolicyResponseValue ::= SEQUENCE { warning [0] CHOICE OPTIONAL, error [1] ENUMERATED OPTIONAL }`
fn error_of(value: &[u8]) -> Option<u8> {
    if value.len() > LONGEST_POLICY_VALUE {
        return None;
    }
    let (_, sequence) = parse_tag(value).ok()?;
    let error = sequence
        .expect_constructed()?
        .into_iter()
        .find_map(|element| element.match_class(TagClass::Context)?.match_id(1)?.expect_primitive())?;
    match error.as_slice() {
        [error] => Some(*error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn error_is_read_from_the_control() {
        assert_eq!(error_of(&[0x30, 0x03, 0x81, 0x01, 0x08]), Some(8));
        // a warning before it: 120 seconds until the password expires
        assert_eq!(error_of(&[0x30, 0x08, 0xa0, 0x03, 0x80, 0x01, 0x78, 0x81, 0x01, 0x07]), Some(7));
        for other in [&[][..], &[0x30, 0x00], &[0x30, 0x03, 0x80, 0x01, 0x08], &[0x81, 0x01, 0x08], &[0x30, 0x03, 0x81]]
        {
            assert_eq!(error_of(other), None, "{other:?}");
        }
    }

    #[test]
    fn each_result_has_its_refusal() {
        for (result, policy_error, expected) in [
            (19, None, Some(Refusal::Quality)),
            (19, Some(5), Some(Refusal::Quality)),
            (19, Some(6), Some(Refusal::Quality)),
            (19, Some(7), Some(Refusal::TooSoon)),
            (19, Some(8), Some(Refusal::History)),
            (53, Some(8), Some(Refusal::History)),
            (50, Some(3), Some(Refusal::NotPermitted)),
            (50, None, Some(Refusal::NotPermitted)),
            (53, None, Some(Refusal::NotPermitted)),
            (13, None, Some(Refusal::NotPermitted)),
            (10, None, Some(Refusal::NotPermitted)),
            (2, None, Some(Refusal::NotPermitted)),
            (51, None, None),
            (52, None, None),
            (80, None, None),
        ] {
            assert_eq!(refusal(result, policy_error), expected, "{result} {policy_error:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(value in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = error_of(&value);
        }
    }
}
