//! What is known of the account, the certificate and the attempts, as it is stored.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::config::Plan;

/// Everything that is stored. It has private keys, and therefore no `Debug` form.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// The account at the authority.
    pub(crate) account: Option<StoredAccount>,
    /// The certificate that was issued last.
    pub(crate) certificate: Option<StoredCertificate>,
    /// When the authority wants it renewed.
    pub(crate) renewal: Option<Renewal>,
    /// The last attempt to obtain a certificate.
    pub(crate) attempt: Option<Attempt>,
}

/// An account.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct StoredAccount {
    /// The URL of the directory of its authority.
    pub(crate) directory: String,
    /// The identifier of the external account that it was created for; empty for none.
    pub(crate) external_account: String,
    /// Its URL and its private key.
    pub(crate) credentials: serde_json::Value,
}

/// A certificate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredCertificate {
    /// The URL of the directory of the authority that issued it.
    pub(crate) directory: String,
    /// The hosts that were ordered.
    pub(crate) hosts: Vec<String>,
    /// The chain, in PEM format.
    pub(crate) chain: String,
    /// The private key, in PEM format.
    pub(crate) key: String,
    /// The first moment of its validity.
    pub(crate) from: SystemTime,
    /// The last moment of its validity.
    pub(crate) until: SystemTime,
}

/// The renewal information of the authority (RFC 9773).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Renewal {
    /// The suggested window, and the moment in it at which the certificate is renewed; `None` if the authority suggests none.
    pub(crate) window: Option<Window>,
    /// When the authority is asked again.
    pub(crate) next_check: Option<SystemTime>,
}

/// A suggested window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// Its start.
    pub(crate) start: SystemTime,
    /// Its end.
    pub(crate) end: SystemTime,
    /// The random moment in it that was chosen.
    pub(crate) chosen: SystemTime,
}

/// An attempt to obtain a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// When it began.
    pub(crate) at: SystemTime,
    /// What was attempted, to notice another configuration.
    pub(crate) plan: String,
    /// How many have failed in succession; 0 after a success.
    pub(crate) failures: u32,
    /// The next one is not before.
    pub(crate) next: SystemTime,
    /// Why it failed.
    pub(crate) problem: Option<String>,
}

impl State {
    /// The certificate, if it is what the configuration asks for.
    pub(crate) fn certificate_for(&self, plan: &Plan) -> Option<&StoredCertificate> {
        let is_wanted = |held: &&StoredCertificate| {
            let hosts = &held.hosts;
            let are_same = hosts.len() == plan.hosts.len() && plan.hosts.iter().all(|host| hosts.contains(host));
            are_same && held.directory == plan.directory.as_str()
        };
        self.certificate.as_ref().filter(is_wanted)
    }

    /// The account, if it is at the authority of the configuration, for the same customer of it.
    pub(crate) fn account_for(&self, plan: &Plan) -> Option<&StoredAccount> {
        let is_usable = |account: &&StoredAccount| {
            account.directory == plan.directory.as_str() && account.external_account == plan.external_account_id()
        };
        self.account.as_ref().filter(is_usable)
    }
}

impl Plan {
    /// The identifier of the external account; empty for none.
    pub(crate) fn external_account_id(&self) -> &str {
        self.external_account.as_ref().map_or("", |(id, _)| id)
    }

    /// Tells this plan from others. The order of the hosts is no difference.
    pub(crate) fn fingerprint(&self) -> String {
        let Self { hosts, directory, challenge, external_account: _ } = self;
        let mut hosts = hosts.clone();
        hosts.sort();
        let text = [directory.as_str(), challenge, self.external_account_id(), &hosts.join(" ")].join("\n");
        crate::session::digest_of(&text)
    }
}
