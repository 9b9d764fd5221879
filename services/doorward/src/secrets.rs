//! The secrets that the one process makes for itself on its first start.

mod rotation;

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use config::Secret;
use runtime::{Random, StagedFile};
use zeroize::Zeroizing;

pub(crate) use rotation::GeneratedSecret;

/// The file in the data folder that holds them.
pub(crate) const FILE: &str = "secrets";

/// Generated secrets. Each is the default of its setting: a configured value takes precedence.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// Signs internal tokens.
    pub jwt: Secret,
    /// Lets a service act for a user.
    pub machine_key: Secret,
    /// The identifier of the first service account.
    pub service_account_id: String,
    /// Its secret.
    pub service_account_secret: Secret,
    /// Keys the digests of app tokens.
    pub app_token_key: Secret,
    /// Seals what idp hands out and keeps.
    pub idp_encryption: Secret,
    /// Authenticates the edge as a client of idp.
    pub edge_client: Secret,
    /// Seals the sessions and cookies of the edge.
    pub edge_session: Secret,
    /// Derives the keys of transaction tokens.
    pub transaction: Secret,
    /// Those that were in use before, as long as they are accepted.
    pub previous: PreviousSecrets,
}

/// Secrets that are accepted after their rotation; empty where there is none.
#[derive(Debug, Clone, Default)]
pub struct PreviousSecrets {
    /// Has signed internal tokens.
    pub jwt: Secret,
    /// Let a service act for a user.
    pub machine_key: Secret,
    /// That of the first service account.
    pub service_account_secret: Secret,
    /// Has keyed the digests of app tokens.
    pub app_token_key: Secret,
    /// Has sealed codes, tokens and stored keys of idp.
    pub idp_encryption: Secret,
    /// Has sealed the sessions and cookies of the edge.
    pub edge_session: Secret,
    /// Has derived the keys of transaction tokens.
    pub transaction: Secret,
}

/// Why the secrets cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The file or its folder.
    #[error("{}: {source}; OCIS_BASE_DATA_PATH names the folder", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Other accounts can read the file, and that cannot be changed.
    #[error("{}: other accounts of this machine can read it (mode {mode:04o}), and its mode cannot be corrected: {source}; run chmod 0600 on it as its owner", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Why not.
        source: io::Error,
    },
    /// A line is missing or empty.
    #[error("{}: {name} is missing; restore the file from a backup, or delete it to have new secrets made", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Which line.
        name: &'static str,
    },
}

const JWT: &str = "OCIS_JWT_SECRET";
const MACHINE_KEY: &str = "OCIS_MACHINE_AUTH_API_KEY";
const ACCOUNT_ID: &str = "OCIS_SERVICE_ACCOUNT_ID";
const ACCOUNT_SECRET: &str = "OCIS_SERVICE_ACCOUNT_SECRET";
const APP_TOKEN_KEY: &str = "AUTH_APP_TOKEN_KEY";
const IDP_ENCRYPTION: &str = "IDP_ENCRYPTION_SECRET";
const EDGE_CLIENT: &str = "IDP_EDGE_CLIENT_SECRET";
const EDGE_SESSION: &str = "PROXY_SESSION_SECRET";
const TRANSACTION: &str = "OCIS_TRANSACTION_SECRET";
const JWT_PREVIOUS: &str = "OCIS_JWT_SECRET_PREVIOUS";
const MACHINE_KEY_PREVIOUS: &str = "OCIS_MACHINE_AUTH_API_KEY_PREVIOUS";
const ACCOUNT_SECRET_PREVIOUS: &str = "OCIS_SERVICE_ACCOUNT_SECRET_PREVIOUS";
const APP_TOKEN_KEY_PREVIOUS: &str = "AUTH_APP_TOKEN_KEY_PREVIOUS";
const IDP_ENCRYPTION_PREVIOUS: &str = "IDP_ENCRYPTION_SECRET_PREVIOUS";
const EDGE_SESSION_PREVIOUS: &str = "PROXY_SESSION_SECRET_PREVIOUS";
const TRANSACTION_PREVIOUS: &str = "OCIS_TRANSACTION_SECRET_PREVIOUS";

/// The secrets that a running process reads again when the file changes.
pub(crate) const REREAD: &[&str] = &[
    JWT,
    JWT_PREVIOUS,
    MACHINE_KEY,
    MACHINE_KEY_PREVIOUS,
    ACCOUNT_SECRET,
    ACCOUNT_SECRET_PREVIOUS,
    TRANSACTION,
    TRANSACTION_PREVIOUS,
];

impl Secrets {
    /// The secrets of a data folder; `None` if it has none yet.
    ///
    /// # Errors
    /// When the file cannot be read or lacks a secret.
    pub fn read(folder: &Path) -> Result<Option<Self>, SecretsError> {
        let path = folder.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SecretsError::File { path, source }),
        }
    }

    /// The secrets of a data folder, made and kept if it has none yet. The folder is made too, for its owner only. A file that
    /// other accounts could read is taken from them, of which the second value warns.
    ///
    /// # Errors
    /// When the folder or the file cannot be made or read, or when the file's mode cannot be corrected.
    pub fn read_or_make(folder: &Path, random: &Random) -> Result<(Self, Option<String>), SecretsError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| SecretsError::File { path, source }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
        let path = folder.join(FILE);
        let corrected = correct_mode(&path, |mode| fs::set_permissions(&path, mode))?;
        let complete = || Ok(Self::read(folder)?.filter(Self::is_complete));
        if let Some(secrets) = complete()? {
            return Ok((secrets, corrected));
        }
        // another process that starts now may be about to make them
        let _lock = runtime::lock_folder(folder).map_err(failed(folder))?;
        if let Some(secrets) = complete()? {
            return Ok((secrets, corrected));
        }
        let secrets = Self::read(folder)?.map_or_else(|| Self::make(random), |secrets| secrets.completed(random));
        secrets.write(&path).map_err(failed(&path))?;
        Ok((secrets, corrected))
    }

    /// Fresh secrets, kept nowhere: for commands that have to read a configuration and need no secret of it.
    pub fn make(random: &Random) -> Self {
        Self {
            jwt: random_secret(random),
            machine_key: random_secret(random),
            service_account_id: random.uuid().to_string(),
            service_account_secret: random_secret(random),
            app_token_key: random_secret(random),
            idp_encryption: random_secret(random),
            edge_client: random_secret(random),
            edge_session: random_secret(random),
            transaction: random_secret(random),
            previous: PreviousSecrets::default(),
        }
    }

    fn is_complete(&self) -> bool {
        let Self { idp_encryption, edge_client, edge_session, transaction, .. } = self;
        [idp_encryption, edge_client, edge_session, transaction].iter().all(|secret| !secret.is_empty())
    }

    /// The same with those that the file of a former version, without idp, browser sessions or transaction tokens, does not have.
    fn completed(self, random: &Random) -> Self {
        let kept_or_made = |secret: Secret| if secret.is_empty() { random_secret(random) } else { secret };
        Self {
            idp_encryption: kept_or_made(self.idp_encryption),
            edge_client: kept_or_made(self.edge_client),
            edge_session: kept_or_made(self.edge_session),
            transaction: kept_or_made(self.transaction),
            ..self
        }
    }

    /// Writes the file as a whole, so that a crash leaves all of it or none.
    fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = Zeroizing::new(Vec::new());
        writeln!(text, "# Made on the first start. Whoever reads this can be anyone: keep it, and keep it secret.")?;
        let lines = [
            (JWT, self.jwt.expose()),
            (MACHINE_KEY, self.machine_key.expose()),
            (ACCOUNT_ID, &self.service_account_id),
            (ACCOUNT_SECRET, self.service_account_secret.expose()),
            (APP_TOKEN_KEY, self.app_token_key.expose()),
            (IDP_ENCRYPTION, self.idp_encryption.expose()),
            (EDGE_CLIENT, self.edge_client.expose()),
            (EDGE_SESSION, self.edge_session.expose()),
            (TRANSACTION, self.transaction.expose()),
        ];
        let previous = &self.previous;
        let former = [
            (JWT_PREVIOUS, previous.jwt.expose()),
            (MACHINE_KEY_PREVIOUS, previous.machine_key.expose()),
            (ACCOUNT_SECRET_PREVIOUS, previous.service_account_secret.expose()),
            (APP_TOKEN_KEY_PREVIOUS, previous.app_token_key.expose()),
            (IDP_ENCRYPTION_PREVIOUS, previous.idp_encryption.expose()),
            (EDGE_SESSION_PREVIOUS, previous.edge_session.expose()),
            (TRANSACTION_PREVIOUS, previous.transaction.expose()),
        ];
        for (name, value) in lines.into_iter().chain(former.into_iter().filter(|(_, value)| !value.is_empty())) {
            writeln!(text, "{name}={value}")?;
        }
        StagedFile::write(path, &text)?.replace()
    }

    /// Those that a file of this text has.
    ///
    /// # Errors
    /// [`SecretsError::Missing`].
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, SecretsError> {
        let value = |name: &'static str| {
            let found = text.lines().filter_map(|line| line.split_once('=')).find(|(key, _)| key.trim() == name);
            let found = found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty());
            found.ok_or_else(|| SecretsError::Missing { path: path.to_owned(), name })
        };
        let later = |name| value(name).map(Secret::from).unwrap_or_default();
        Ok(Self {
            jwt: Secret::from(value(JWT)?),
            machine_key: Secret::from(value(MACHINE_KEY)?),
            service_account_id: value(ACCOUNT_ID)?.to_owned(),
            service_account_secret: Secret::from(value(ACCOUNT_SECRET)?),
            app_token_key: Secret::from(value(APP_TOKEN_KEY)?),
            idp_encryption: later(IDP_ENCRYPTION),
            edge_client: later(EDGE_CLIENT),
            edge_session: later(EDGE_SESSION),
            transaction: later(TRANSACTION),
            previous: PreviousSecrets {
                jwt: later(JWT_PREVIOUS),
                machine_key: later(MACHINE_KEY_PREVIOUS),
                service_account_secret: later(ACCOUNT_SECRET_PREVIOUS),
                app_token_key: later(APP_TOKEN_KEY_PREVIOUS),
                idp_encryption: later(IDP_ENCRYPTION_PREVIOUS),
                edge_session: later(EDGE_SESSION_PREVIOUS),
                transaction: later(TRANSACTION_PREVIOUS),
            },
        })
    }
}

/// When the secrets of a data folder were changed last; the beginning of time where there are none.
pub(crate) fn changed(folder: &Path) -> SystemTime {
    fs::metadata(folder.join(FILE)).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Restricts the file to its owner, and says so; nothing if there is no file, or nothing to correct.
fn correct_mode(
    path: &Path,
    set: impl FnOnce(fs::Permissions) -> io::Result<()>,
) -> Result<Option<String>, SecretsError> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(None) };
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & !0o700 == 0 {
        return Ok(None);
    }
    let failed = |source| SecretsError::Exposed { path: path.to_owned(), mode, source };
    set(fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(Some(format!(
        "{}: other accounts of this machine could read the secrets (mode {mode:04o}); the mode is corrected to 0600. \
         If another account may have read them, delete the file and start again to have new ones made",
        path.display()
    )))
}

/// 256 random bits in hexadecimal digits, which no shell, URL or YAML reads as anything else.
fn random_secret(random: &Random) -> Secret {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    let digits = |byte: &u8| format!("{byte:02x}");
    Secret::from(bytes.iter().map(digits).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_for_the_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let (made, _) = Secrets::read_or_make(&data, &Random::seeded(1)).unwrap();
        let (kept, _) = Secrets::read_or_make(&data, &Random::seeded(2)).unwrap();
        assert_eq!(made.jwt.expose(), kept.jwt.expose());
        assert_eq!(made.jwt.expose().len(), 64);
        assert_ne!(made.jwt.expose(), made.machine_key.expose());
        assert_eq!(fs::metadata(data.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn processes_that_start_at_the_same_time_use_the_same_secrets() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let start = |seed| Secrets::read_or_make(folder.path(), &Random::seeded(seed)).unwrap().0;
            let made: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (1..9).map(|seed| scope.spawn(move || start(seed))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let kept = start(9);
            assert!(made.iter().all(|secrets| secrets.jwt.expose() == kept.jwt.expose()));
        }
    }

    #[test]
    fn file_of_a_former_version_is_completed() {
        for missing in [
            &[EDGE_CLIENT, EDGE_SESSION][..],
            &[IDP_ENCRYPTION, EDGE_CLIENT, EDGE_SESSION],
            &[EDGE_CLIENT, TRANSACTION],
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (before, _) = Secrets::read_or_make(folder.path(), &Random::seeded(1)).unwrap();
            let path = folder.path().join(FILE);
            let text = fs::read_to_string(&path).unwrap();
            let is_missing = |line: &&str| missing.iter().any(|name| line.starts_with(name));
            let older: Vec<_> = text.lines().filter(|line| !is_missing(line)).collect();
            fs::write(&path, older.join("\n")).unwrap();
            let (after, _) = Secrets::read_or_make(folder.path(), &Random::seeded(2)).unwrap();
            assert_eq!(before.jwt.expose(), after.jwt.expose());
            let has_kept = before.idp_encryption.expose() == after.idp_encryption.expose();
            assert_eq!(has_kept, !missing.contains(&IDP_ENCRYPTION));
            assert_ne!(before.edge_client.expose(), after.edge_client.expose());
            let has_kept = before.transaction.expose() == after.transaction.expose();
            assert_eq!(has_kept, !missing.contains(&TRANSACTION));
            let made = [&after.edge_client, &after.edge_session, &after.transaction];
            assert_eq!(made.map(|secret| secret.expose().len()), [64; 3]);
            let (kept, _) = Secrets::read_or_make(folder.path(), &Random::seeded(3)).unwrap();
            assert_eq!(kept.edge_session.expose(), after.edge_session.expose());
        }
    }

    #[test]
    fn a_damaged_file_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "OCIS_JWT_SECRET=abc\n").unwrap();
        let error = Secrets::read_or_make(folder.path(), &Random::seeded(1)).unwrap_err().to_string();
        assert!(error.contains("OCIS_MACHINE_AUTH_API_KEY is missing") && !error.contains("abc"), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join(FILE)).unwrap(), "OCIS_JWT_SECRET=abc\n");
    }

    /// Row D4.
    #[test]
    fn readable_secrets_are_corrected_with_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let (made, nothing) = Secrets::read_or_make(folder.path(), &Random::seeded(1)).unwrap();
        assert_eq!(nothing, None);
        let path = folder.path().join(FILE);
        for mode in [0o644, 0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let (kept, warning) = Secrets::read_or_make(folder.path(), &Random::seeded(2)).unwrap();
            assert_eq!(kept.jwt.expose(), made.jwt.expose());
            assert!(warning.unwrap().contains(&format!("(mode {mode:04o}); the mode is corrected")), "{mode:o}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        }
        assert_eq!(Secrets::read_or_make(folder.path(), &Random::seeded(2)).unwrap().1, None);
    }

    /// Row D4.
    #[test]
    fn readable_secrets_whose_mode_cannot_be_corrected_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = correct_mode(&path, |_| Err(io::ErrorKind::PermissionDenied.into())).unwrap_err().to_string();
        assert!(error.contains("(mode 0644), and its mode cannot be corrected: permission denied"), "{error}");
    }

    #[test]
    fn a_folder_without_secrets_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Secrets::read(folder.path()).unwrap().is_none());
    }
}
