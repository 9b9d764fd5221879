//! The command line.

use std::{fs, path::PathBuf, time::Duration};

use clap::Parser;
use conformance::{Person, Plan, Profile, ReceiverAt, Rotate, StaticClient, Target, Waits};
use secrecy::SecretString;

/// Walks an OpenID Provider as the OpenID Foundation's suite does. Exit code 0: no check failed; 1: one did; 2: it could not
/// start.
#[derive(Debug, Parser)]
#[command(name = "conformance", version)]
pub(crate) struct Arguments {
    /// The issuer.
    #[arg(long)]
    issuer: String,
    /// The login name of the user who signs in.
    #[arg(long)]
    user: String,
    /// The file with the password.
    #[arg(long)]
    password_file: PathBuf,
    /// Certificates in PEM that are trusted in addition to those of the system.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// `id:secret` of a static client; give two.
    #[arg(long)]
    static_client: Vec<String>,
    /// `id:secret` of a static client that authenticates by `client_secret_post`.
    #[arg(long)]
    static_post_client: Option<String>,
    /// The initial access token for dynamic registration.
    #[arg(long)]
    registration_token: Option<SecretString>,
    /// A command that makes the provider use a new signing key, and ends when it does.
    #[arg(long)]
    rotate_command: Option<String>,
    /// The certificate in PEM by which the provider reaches this relying party; without it, it does so by http.
    #[arg(long, requires = "receiver_key")]
    receiver_certificate: Option<PathBuf>,
    /// The key of that certificate in PEM.
    #[arg(long, requires = "receiver_certificate")]
    receiver_key: Option<PathBuf>,
    /// Only these profiles: basic, implicit, hybrid, config, dynamic, rp-logout, back-channel, front-channel, session,
    /// third-party; fapi2-security, fapi2-message-signing, which are walked only if they are named.
    #[arg(long, value_delimiter = ',', value_parser = profile)]
    plans: Vec<Profile>,
    /// How many checks run at a time.
    #[arg(long, default_value_t = 8)]
    at_a_time: usize,
    /// Seconds before a code is used again.
    #[arg(long, default_value_t = 30)]
    code_reuse_wait: u64,
    /// Seconds after the relying party changed its keys.
    #[arg(long, default_value_t = 60)]
    key_rotation_wait: u64,
    /// Seconds until a code of FAPI 2.0 is expired.
    #[arg(long, default_value_t = 62)]
    code_expiry_wait: u64,
    /// Seconds before a refresh token of FAPI 2.0 is used again.
    #[arg(long, default_value_t = 30)]
    refresh_reuse_wait: u64,
    /// The file that the table is written to, in Markdown.
    #[arg(long)]
    pub(crate) table: Option<PathBuf>,
    /// What the table calls the provider; its issuer otherwise.
    #[arg(long)]
    pub(crate) title: Option<String>,
}

impl Arguments {
    /// The provider under test.
    pub(crate) fn target(&self) -> Result<Target, String> {
        let password = read(&self.password_file)?;
        let person = Person { name: self.user.clone(), password: password.trim_end_matches(['\r', '\n']).into() };
        let receiver = match (&self.receiver_certificate, &self.receiver_key) {
            (Some(certificate), Some(key)) => {
                ReceiverAt::Https { certificate: read(certificate)?, key: read(key)?.into() }
            }
            _ => ReceiverAt::Http,
        };
        Ok(Target {
            authority: self.ca.as_ref().map(read).transpose()?,
            static_clients: self.static_client.iter().map(|text| client(text)).collect::<Result<_, _>>()?,
            static_post_client: self.static_post_client.as_deref().map(client).transpose()?,
            registration_token: self.registration_token.clone(),
            rotate: self.rotate_command.clone().map(rotate),
            receiver,
            waits: Waits {
                code_reuse: Duration::from_secs(self.code_reuse_wait),
                key_rotation: Duration::from_secs(self.key_rotation_wait),
                code_expiry: Duration::from_secs(self.code_expiry_wait),
                refresh_reuse: Duration::from_secs(self.refresh_reuse_wait),
            },
            at_a_time: self.at_a_time,
            ..Target::new(&self.issuer, person)
        })
    }

    /// What is walked.
    pub(crate) fn plans(&self) -> Vec<Plan> {
        if self.plans.is_empty() { Plan::all() } else { self.plans.iter().copied().flat_map(Plan::of).collect() }
    }
}

fn read(path: &PathBuf) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn profile(text: &str) -> Result<Profile, String> {
    let found = Profile::ALL.into_iter().find(|profile| profile.as_str() == text);
    found.ok_or_else(|| format!("there is no profile {text}"))
}

fn client(text: &str) -> Result<StaticClient, String> {
    let (id, secret) = text.split_once(':').ok_or("a static client is given as id:secret")?;
    Ok(StaticClient { id: id.to_owned(), secret: secret.into() })
}

fn rotate(command: String) -> Rotate {
    Rotate::new(move || {
        let command = command.clone();
        async move {
            let ended = tokio::process::Command::new("sh").args(["-c", &command]).status().await;
            match ended {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(format!("the command ended with {status}")),
                Err(error) => Err(error.to_string()),
            }
        }
    })
}
