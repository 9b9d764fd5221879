//! What the handlers share.

use std::sync::Arc;

use authn::Directory;
use runtime::{Clock, FileValue, Random};
use token::Verifier;
use web::page::Installation;

use crate::administration::Administration;
use crate::applications::Application;
use crate::config::Config;
use crate::form_keys::FormKeys;
use crate::own_account::OwnAccount;
use crate::own_tokens::OwnTokens;
use crate::self_service::SelfService;

/// What the handlers share. Clones are cheap.
#[derive(Clone)]
pub(crate) struct AccountState(Arc<Parts>);

/// The parts of an [`AccountState`].
pub(crate) struct Parts {
    pub(crate) config: Config,
    /// The installation as its pages show it.
    pub(crate) installation: Installation,
    pub(crate) applications: Arc<FileValue<Vec<Application>>>,
    pub(crate) verifier: Verifier,
    pub(crate) form_keys: FormKeys,
    pub(crate) directory: Arc<dyn Directory>,
    /// `None` without auth-app.
    pub(crate) own_tokens: Option<OwnTokens>,
    /// `None` without idp.
    pub(crate) own_account: Option<OwnAccount>,
    pub(crate) self_service: SelfService,
    pub(crate) administration: Administration,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
}

impl AccountState {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The URL of a page below the root, for a path that begins with `/` or is empty.
    pub(crate) fn path(&self, below: &str) -> String {
        format!("{}{below}", self.config.root())
    }

    /// The URL of a page of the administration, for a path that begins with `/` or is empty.
    pub(crate) fn admin_path(&self, below: &str) -> String {
        format!("{}{below}", self.config.admin_root())
    }
}

impl std::ops::Deref for AccountState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
