//! Rotation of the secrets that the data folder holds.

use std::io;
use std::path::Path;

use config::Secret;
use runtime::Random;

use super::{
    ACCOUNT_SECRET, APP_TOKEN_KEY, EDGE_CLIENT, EDGE_SESSION, FILE, IDP_ENCRYPTION, JWT, MACHINE_KEY, Secrets,
    SecretsError, TRANSACTION, random_secret,
};

/// A secret that is made on the first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum GeneratedSecret {
    /// Signs internal tokens
    Jwt,
    /// Lets a service act for a user
    MachineKey,
    /// Authenticates the first service account
    ServiceAccount,
    /// Keys the digests of app tokens
    AppTokenKey,
    /// Seals signing keys, codes and tokens of idp
    IdpEncryption,
    /// Authenticates the edge as a client of idp
    EdgeClient,
    /// Seals sessions and cookies of the edge
    EdgeSession,
    /// Derives the keys of transaction tokens
    Transaction,
}

/// Why a secret is not rotated. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RotationError {
    /// The file or its folder.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// There is no file.
    #[error("the data folder holds no generated secrets; the first start of doorward server makes them")]
    Nothing,
    /// A third value would take the place of one that is still accepted.
    #[error(
        "the value before the last rotation is still accepted, and a third one would end what depends on it; end it first: doorward secrets rotate {0} --end-previous"
    )]
    Previous(&'static str),
}

impl GeneratedSecret {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::Jwt,
        Self::MachineKey,
        Self::ServiceAccount,
        Self::AppTokenKey,
        Self::IdpEncryption,
        Self::EdgeClient,
        Self::EdgeSession,
        Self::Transaction,
    ];

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::MachineKey => "machine-key",
            Self::ServiceAccount => "service-account",
            Self::AppTokenKey => "app-token-key",
            Self::IdpEncryption => "idp-encryption",
            Self::EdgeClient => "edge-client",
            Self::EdgeSession => "edge-session",
            Self::Transaction => "transaction",
        }
    }

    /// The variable that sets it.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Jwt => JWT,
            Self::MachineKey => MACHINE_KEY,
            Self::ServiceAccount => ACCOUNT_SECRET,
            Self::AppTokenKey => APP_TOKEN_KEY,
            Self::IdpEncryption => IDP_ENCRYPTION,
            Self::EdgeClient => EDGE_CLIENT,
            Self::EdgeSession => EDGE_SESSION,
            Self::Transaction => TRANSACTION,
        }
    }

    /// Whether the value before the last rotation is accepted until it is ended.
    pub(crate) fn has_previous(self) -> bool {
        self != Self::EdgeClient
    }

    /// Whether a running process reads it again.
    pub(crate) fn is_reread(self) -> bool {
        super::REREAD.contains(&self.variable())
    }

    /// What ends together with the previous value.
    pub(crate) fn ends_with_previous(self) -> &'static str {
        match self {
            Self::Jwt => {
                "internal tokens from before the rotation are refused; they end by themselves after OCIS_JWT_EXPIRES (5m)"
            }
            Self::MachineKey => {
                "callers that still use the former key are refused, and links of web clients that were signed before the rotation no longer open"
            }
            Self::ServiceAccount => "programs that still use the former secret are refused",
            Self::AppTokenKey => "app tokens that were not used since the rotation are refused for good",
            Self::IdpEncryption => {
                "users and applications whose tokens are from before the rotation have to sign in again"
            }
            Self::EdgeClient => "nothing",
            Self::EdgeSession => "browser sessions whose tokens were not refreshed since the rotation end",
            Self::Transaction => {
                "transaction tokens from before the rotation are refused; they end by themselves after OCIS_TRANSACTION_LIFETIME (60s)"
            }
        }
    }

    /// Its value in a file of secrets.
    pub(crate) fn of(self, secrets: &Secrets) -> &Secret {
        match self {
            Self::Jwt => &secrets.jwt,
            Self::MachineKey => &secrets.machine_key,
            Self::ServiceAccount => &secrets.service_account_secret,
            Self::AppTokenKey => &secrets.app_token_key,
            Self::IdpEncryption => &secrets.idp_encryption,
            Self::EdgeClient => &secrets.edge_client,
            Self::EdgeSession => &secrets.edge_session,
            Self::Transaction => &secrets.transaction,
        }
    }

    /// The value before the last rotation; `None` if it is not accepted any more.
    pub(crate) fn previous_of(self, secrets: &Secrets) -> Option<&Secret> {
        let previous = &secrets.previous;
        let found = match self {
            Self::Jwt => &previous.jwt,
            Self::MachineKey => &previous.machine_key,
            Self::ServiceAccount => &previous.service_account_secret,
            Self::AppTokenKey => &previous.app_token_key,
            Self::IdpEncryption => &previous.idp_encryption,
            Self::EdgeClient => return None,
            Self::EdgeSession => &previous.edge_session,
            Self::Transaction => &previous.transaction,
        };
        Some(found).filter(|found| !found.is_empty())
    }

    /// Sets both values; an empty previous one is none.
    fn set(self, secrets: &mut Secrets, current: Secret, previous: Secret) {
        let former = &mut secrets.previous;
        match self {
            Self::Jwt => (secrets.jwt, former.jwt) = (current, previous),
            Self::MachineKey => (secrets.machine_key, former.machine_key) = (current, previous),
            Self::ServiceAccount => {
                (secrets.service_account_secret, former.service_account_secret) = (current, previous);
            }
            Self::AppTokenKey => (secrets.app_token_key, former.app_token_key) = (current, previous),
            Self::IdpEncryption => (secrets.idp_encryption, former.idp_encryption) = (current, previous),
            Self::EdgeClient => secrets.edge_client = current,
            Self::EdgeSession => (secrets.edge_session, former.edge_session) = (current, previous),
            Self::Transaction => (secrets.transaction, former.transaction) = (current, previous),
        }
    }
}

impl Secrets {
    /// Replaces a secret of a data folder by a new one, and accepts the former one as the previous.
    ///
    /// # Errors
    /// When there is no file or it cannot be written, or a previous value is still accepted.
    pub(crate) fn rotate(folder: &Path, secret: GeneratedSecret, random: &Random) -> Result<(), RotationError> {
        change(folder, |secrets| {
            if secret.previous_of(secrets).is_some() {
                return Err(RotationError::Previous(secret.name()));
            }
            let former = secret.of(secrets).clone();
            secret.set(secrets, random_secret(random), former);
            Ok(())
        })
    }

    /// Drops the previous value of a secret of a data folder; returns whether there was one.
    ///
    /// # Errors
    /// When there is no file, or it cannot be written.
    pub(crate) fn end_previous(folder: &Path, secret: GeneratedSecret) -> Result<bool, RotationError> {
        if Self::read(folder)?.is_some_and(|secrets| secret.previous_of(&secrets).is_none()) {
            // without writing the file, whose time says when a secret was changed
            return Ok(false);
        }
        change(folder, |secrets| {
            let had_previous = secret.previous_of(secrets).is_some();
            let current = secret.of(secrets).clone();
            secret.set(secrets, current, Secret::default());
            Ok(had_previous)
        })
    }
}

/// Changes the file of a data folder as a whole, while no other process does.
fn change<T>(folder: &Path, change: impl FnOnce(&mut Secrets) -> Result<T, RotationError>) -> Result<T, RotationError> {
    let path = folder.join(FILE);
    let failed = |source: io::Error| SecretsError::File { path: path.clone(), source };
    if !path.exists() {
        return Err(RotationError::Nothing);
    }
    let _lock = runtime::lock_folder(folder).map_err(failed)?;
    let mut secrets = Secrets::read(folder)?.ok_or(RotationError::Nothing)?;
    let outcome = change(&mut secrets)?;
    secrets.write(&path).map_err(failed)?;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use clap::ValueEnum;

    use super::*;

    fn read(folder: &Path) -> Secrets {
        Secrets::read(folder).expect("is read").expect("is there")
    }

    /// Row D13.
    #[test]
    fn former_secret_is_the_previous_one_until_it_is_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let (before, _) = Secrets::read_or_make(folder, &Random::seeded(1)).expect("makes");
        for (secret, seed) in GeneratedSecret::ALL.into_iter().zip(2..) {
            Secrets::rotate(folder, secret, &Random::seeded(seed)).expect("rotates");
            let after = read(folder);
            let former = secret.of(&before).expose();
            assert!(secret.of(&after).expose() != former && secret.of(&after).expose().len() == 64, "{secret:?}");
            assert_eq!(secret.previous_of(&after).map(Secret::expose), secret.has_previous().then_some(former));
            let others = GeneratedSecret::ALL.into_iter().skip_while(|other| *other != secret).skip(1);
            for other in others {
                assert_eq!(other.of(&after).expose(), other.of(&before).expose(), "{secret:?} changes {other:?}");
            }
            let again = Secrets::rotate(folder, secret, &Random::seeded(99));
            assert_eq!(again.is_err(), secret.has_previous(), "{secret:?}: a third value ends the first one");

            let current = secret.of(&read(folder)).expose().to_owned();
            assert_eq!(Secrets::end_previous(folder, secret).expect("ends"), secret.has_previous());
            assert!(secret.previous_of(&read(folder)).is_none());
            assert_eq!(secret.of(&read(folder)).expose(), current);
            assert!(!Secrets::end_previous(folder, secret).expect("has ended"));
        }
        assert_eq!(read(folder).service_account_id, before.service_account_id);
        assert_eq!(fs::metadata(folder.join(FILE)).expect("is there").permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(folder.join(FILE)).expect("is read");
        assert!(!text.contains("_PREVIOUS"), "{}", text.lines().count());
    }

    #[test]
    fn nothing_is_made_where_there_are_no_secrets() {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = Secrets::rotate(folder.path(), GeneratedSecret::Jwt, &Random::seeded(1));
        assert!(matches!(refused, Err(RotationError::Nothing)));
        assert!(fs::read_dir(folder.path()).expect("reads").next().is_none());
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        for secret in GeneratedSecret::ALL {
            let named = secret.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(named.as_deref(), Some(secret.name()));
        }
    }
}
