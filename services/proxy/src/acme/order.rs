//! One order, from the account to the certificate (RFC 8555 7).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, ExternalAccountKey,
    Identifier, NewAccount, NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};
use runtime::{IssuedCertificate, TlsError};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::time::{sleep, timeout};

use super::challenges::{Answer, Answers, KNOWN_AFTER};
use super::client::AuthorityClient;
use super::state::{State, StoredAccount, StoredCertificate};
use super::storage::{Lock, Storage, StorageError};
use crate::config::{HTTP_01, Plan};

/// The longest time that an order may take: less than the lease of a replica.
const TIMEOUT: Duration = Duration::from_mins(5);
/// How long an order waits for others.
pub(crate) const PACE: Pace = Pace {
    polling: RetryPolicy::new().initial_delay(Duration::from_millis(500)).backoff(1.5).timeout(Duration::from_mins(2)),
    known_after: KNOWN_AFTER,
};
/// The account was deleted at the authority.
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
/// Too many requests.
const RATE_LIMITED: &str = "urn:ietf:params:acme:error:rateLimited";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderError {
    /// The authority refuses, or cannot be reached.
    #[error(transparent)]
    Authority(#[from] Error),
    /// It does not offer the configured challenge.
    #[error("the authority offers no challenge {challenge} for {host}; choose another one in PROXY_ACME_CHALLENGE")]
    NoChallenge {
        /// The configured challenge.
        challenge: String,
        /// The host.
        host: String,
    },
    /// It could not validate a host.
    #[error("the authority could not validate {0}")]
    NotValidated(String),
    /// It asks for a name that was not ordered.
    #[error("the authority asks to validate {0}, which was not ordered")]
    ForeignName(String),
    /// It has taken too long.
    #[error("the order has taken more than {} minutes", TIMEOUT.as_secs() / 60)]
    Timeout,
    /// The work has panicked at what the authority answers.
    #[error("the answer of the authority could not be processed")]
    Panicked,
    /// The certificate cannot be used, or a file of authorities.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The account cannot be stored or read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The stored account cannot be read.
    #[error("the stored account is invalid: {0}")]
    Credentials(#[from] serde_json::Error),
}

impl OrderError {
    fn is_problem(&self, kind: &str) -> bool {
        matches!(self, Self::Authority(Error::Api(Problem { r#type: Some(of), .. })) if of == kind)
    }
}

/// How long an order waits for others.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// How the authority is asked whether it has validated the hosts and issued the certificate.
    pub(crate) polling: RetryPolicy,
    /// The time until every replica knows the answers to the challenges.
    pub(crate) known_after: Duration,
}

/// What orders need.
pub(crate) struct Ordering<'a> {
    pub(crate) plan: &'a Plan,
    /// The mail address for the authority; empty for none.
    pub(crate) email: &'a str,
    pub(crate) storage: &'a Storage,
    pub(crate) answers: &'a Answers,
    pub(crate) issued: &'a IssuedCertificate,
    pub(crate) client: AuthorityClient,
    pub(crate) pace: Pace,
}

impl Ordering<'_> {
    /// Obtains a certificate and puts it to use. An account that had to be created is in the state, and stored.
    pub(crate) async fn run(&self, lock: &Lock, state: &mut State) -> Result<StoredCertificate, OrderError> {
        // whatever happens, challenges are answered only while their order runs
        let _end = OnDrop(|| self.answers.replace(Vec::new()));
        let outcome = timeout(TIMEOUT, Box::pin(self.order(lock, state))).await.unwrap_or(Err(OrderError::Timeout));
        if let Err(error) = &outcome
            && error.is_problem(NO_ACCOUNT)
        {
            state.account = None;
        }
        outcome
    }

    /// The account at the authority, which is created if there is none.
    pub(crate) async fn account(&self, lock: &Lock, state: &mut State) -> Result<Account, OrderError> {
        let builder = Account::builder_with_http(Box::new(self.client.clone()));
        if let Some(stored) = state.account_for(self.plan) {
            let credentials: AccountCredentials = serde_json::from_value(stored.credentials.clone())?;
            return Ok(builder.from_credentials(credentials).await?);
        }
        let contact = format!("mailto:{}", self.email);
        let contact: Vec<_> = (!self.email.is_empty()).then_some(contact.as_str()).into_iter().collect();
        let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let key = self.plan.external_account.as_ref().map(|(id, key)| ExternalAccountKey::new(id.clone(), key));
        let directory = self.plan.directory.to_string();
        let (account, credentials) = builder.create(&new, directory.clone(), key.as_ref()).await?;
        let external_account = self.plan.external_account_id().to_owned();
        let credentials = serde_json::to_value(credentials)?;
        state.account = Some(StoredAccount { directory, external_account, credentials });
        self.storage.write(lock, state).await?;
        tracing::info!(account = account.id(), "created an account for ACME");
        Ok(account)
    }

    async fn order(&self, lock: &Lock, state: &mut State) -> Result<StoredCertificate, OrderError> {
        let account = self.account(lock, state).await?;
        let mut order = self.new_order(&account, state).await?;
        let answers = self.answers_for(&mut order).await?;
        self.answers.replace(answers.clone());
        if !answers.is_empty() && self.storage.publish(lock, &answers).await? {
            sleep(self.pace.known_after).await;
        }
        self.validate(&mut order).await?;
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&self.pace.polling).await?;
        let (from, until) = self.issued.put_to_use(&chain, &key, &self.plan.hosts)?;
        let (directory, hosts) = (self.plan.directory.to_string(), self.plan.hosts.clone());
        // earlier times have no stored form
        let (from, until) = (from.max(UNIX_EPOCH), until.max(UNIX_EPOCH));
        Ok(StoredCertificate { directory, hosts, chain, key, from, until })
    }

    /// Places the order. It names the certificate that it replaces (RFC 9773 5); if the authority does not accept that, it does not.
    async fn new_order(&self, account: &Account, state: &State) -> Result<Order, OrderError> {
        let identifiers: Vec<_> = self.plan.hosts.iter().cloned().map(Identifier::Dns).collect();
        if let Some(former) = state.certificate_for(self.plan).and_then(identifier_of) {
            match account.new_order(&NewOrder::new(&identifiers).replaces(former)).await.map_err(OrderError::from) {
                Err(error) if !error.is_problem(RATE_LIMITED) && !error.is_problem(NO_ACCOUNT) => {
                    tracing::debug!(%error, "the authority does not accept which certificate is replaced");
                }
                outcome => return outcome,
            }
        }
        Ok(account.new_order(&NewOrder::new(&identifiers)).await?)
    }

    /// The answers to the challenges of the hosts that are not validated yet.
    async fn answers_for(&self, order: &mut Order) -> Result<Vec<Answer>, OrderError> {
        let mut answers = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            let host = authorization.identifier().to_string();
            if !self.plan.hosts.contains(&host) {
                return Err(OrderError::ForeignName(host));
            }
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let Some(challenge) = authorization.challenge(self.challenge_type()) else {
                return Err(OrderError::NoChallenge { challenge: self.plan.challenge.clone(), host });
            };
            let authorization = challenge.key_authorization().as_str().to_owned();
            answers.push(Answer { host, token: challenge.token.clone(), authorization });
        }
        Ok(answers)
    }

    /// Has the authority validate the hosts.
    async fn validate(&self, order: &mut Order) -> Result<(), OrderError> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            if let Some(mut challenge) = authorization.challenge(self.challenge_type()) {
                challenge.set_ready().await?;
            }
        }
        match order.poll_ready(&self.pace.polling).await {
            Ok(OrderStatus::Ready) => Ok(()),
            Ok(_) => Err(OrderError::NotValidated(refusals(order).await)),
            // the order says less than the challenges
            Err(error @ Error::Api(_)) => {
                let refusals = refusals(order).await;
                Err(if refusals.is_empty() { error.into() } else { OrderError::NotValidated(refusals) })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn challenge_type(&self) -> ChallengeType {
        if self.plan.challenge == HTTP_01 { ChallengeType::Http01 } else { ChallengeType::TlsAlpn01 }
    }
}

/// What the authority says about the hosts that it could not validate.
async fn refusals(order: &mut Order) -> String {
    let mut refusals = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_err() {
            continue;
        }
        let host = authorization.identifier().to_string();
        let problems = authorization.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        refusals.extend(problems.map(|problem| format!("{host}: {problem}")));
    }
    refusals.join("; ")
}

/// By what renewal information and orders name a certificate (RFC 9773 4.1); `None` if its issuer has no key identifier.
pub(crate) fn identifier_of(certificate: &StoredCertificate) -> Option<CertificateIdentifier<'static>> {
    let own = CertificateDer::from_pem_slice(certificate.chain.as_bytes()).ok()?;
    CertificateIdentifier::try_from(&own).ok().map(CertificateIdentifier::into_owned)
}

/// The window that the authority suggests for the renewal, and after what time it wants to be asked again.
pub(crate) async fn suggested_window(
    account: &Account,
    certificate: &StoredCertificate,
) -> Result<Option<((SystemTime, SystemTime), Duration)>, OrderError> {
    let Some(identifier) = identifier_of(certificate) else { return Ok(None) };
    let (info, retry_after) = account.renewal_info(&identifier).await?;
    let window = info.suggested_window;
    // earlier times have no stored form
    let (start, end) = (SystemTime::from(window.start).max(UNIX_EPOCH), SystemTime::from(window.end).max(UNIX_EPOCH));
    Ok((window.start <= window.end).then_some(((start, end), retry_after)))
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
