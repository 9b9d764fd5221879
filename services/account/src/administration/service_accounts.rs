//! What administrators do with service accounts, as the pages and the API do it (`docs/security-requirements.md#n22`). What is wrong with
//! an account is for auth-service to say.

use std::time::{SystemTime, UNIX_EPOCH};

use proto::doorward::serviceaccounts::v1::service_accounts_api_client::ServiceAccountsApiClient;
use proto::doorward::serviceaccounts::v1::{
    AddSecretRequest, AddSecretResponse, CreateServiceAccountRequest, CreateServiceAccountResponse,
    DeleteServiceAccountRequest, GetServiceAccountRequest, ListServiceAccountsRequest, ListServiceAccountsResponse,
    RemoveSecretRequest, ServiceAccount, UpdateServiceAccountRequest,
};
use status::Kind;
use tonic::Status;

use super::Administration;
use super::users::absent;
use crate::transport::{OnBehalfOf, Transport};

/// Whether a service account is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServiceAccountState {
    /// It is accepted.
    Active,
    /// An administrator has disabled it.
    Disabled,
    /// It has expired.
    Expired,
    /// The configuration has an account with the same identifier, which is accepted in its place.
    Overridden,
}

impl ServiceAccountState {
    /// That of an account at this time.
    pub(crate) fn of(account: &ServiceAccount, now: SystemTime) -> Self {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let has_expired = account.expires.is_some_and(|end| u64::try_from(end).unwrap_or_default() <= now);
        if account.overridden {
            Self::Overridden
        } else if account.disabled {
            Self::Disabled
        } else if has_expired {
            Self::Expired
        } else {
            Self::Active
        }
    }
}

impl Administration {
    fn service_accounts_api(&self) -> Result<ServiceAccountsApiClient<Transport>, Status> {
        self.service_accounts.clone().ok_or_else(absent)
    }

    /// A page of the service accounts.
    pub(crate) async fn list_service_accounts(
        &self,
        by: &OnBehalfOf<'_>,
        request: ListServiceAccountsRequest,
    ) -> Result<ListServiceAccountsResponse, Status> {
        Ok(self.service_accounts_api()?.list_service_accounts(by.call(request)).await?.into_inner())
    }

    /// The service account with this identifier.
    pub(crate) async fn service_account(&self, by: &OnBehalfOf<'_>, id: &str) -> Result<ServiceAccount, Status> {
        let request = GetServiceAccountRequest { id: id.to_owned() };
        let found = self.service_accounts_api()?.get_service_account(by.call(request)).await?.into_inner();
        found.account.ok_or_else(|| status::grpc(Kind::NotFound, "there is no such service account"))
    }

    /// Creates a service account, with its first secret.
    pub(crate) async fn create_service_account(
        &self,
        by: &OnBehalfOf<'_>,
        new: CreateServiceAccountRequest,
    ) -> Result<CreateServiceAccountResponse, Status> {
        Ok(self.service_accounts_api()?.create_service_account(by.call(new)).await?.into_inner())
    }

    /// Changes a service account.
    pub(crate) async fn update_service_account(
        &self,
        by: &OnBehalfOf<'_>,
        change: UpdateServiceAccountRequest,
    ) -> Result<ServiceAccount, Status> {
        let changed = self.service_accounts_api()?.update_service_account(by.call(change)).await?;
        Ok(changed.into_inner().account.unwrap_or_default())
    }

    /// Deletes a service account with its secrets.
    pub(crate) async fn delete_service_account(&self, by: &OnBehalfOf<'_>, id: &str) -> Result<(), Status> {
        let request = DeleteServiceAccountRequest { id: id.to_owned() };
        self.service_accounts_api()?.delete_service_account(by.call(request)).await.map(drop)
    }

    /// Adds a secret to a service account. The one that it has ends after so many seconds, or when it is removed.
    pub(crate) async fn add_service_account_secret(
        &self,
        by: &OnBehalfOf<'_>,
        id: &str,
        expire_old_in: Option<u64>,
    ) -> Result<AddSecretResponse, Status> {
        let request = AddSecretRequest { id: id.to_owned(), expire_old_in };
        Ok(self.service_accounts_api()?.add_secret(by.call(request)).await?.into_inner())
    }

    /// Removes a secret of a service account.
    pub(crate) async fn remove_service_account_secret(
        &self,
        by: &OnBehalfOf<'_>,
        id: &str,
        secret_id: &str,
    ) -> Result<(), Status> {
        let request = RemoveSecretRequest { id: id.to_owned(), secret_id: secret_id.to_owned() };
        self.service_accounts_api()?.remove_secret(by.call(request)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn state_says_why_an_account_is_refused() {
        let now = UNIX_EPOCH + Duration::from_millis(100_500);
        let state = |account: &ServiceAccount| ServiceAccountState::of(account, now);
        let account = ServiceAccount::default();
        assert_eq!(state(&account), ServiceAccountState::Active);
        for (expires, expected) in [
            (101, ServiceAccountState::Active),
            (100, ServiceAccountState::Expired),
            (0, ServiceAccountState::Expired),
            (-1, ServiceAccountState::Expired),
        ] {
            assert_eq!(state(&ServiceAccount { expires: Some(expires), ..account.clone() }), expected, "{expires}");
        }
        let disabled = ServiceAccount { disabled: true, expires: Some(1), ..account };
        assert_eq!(state(&disabled), ServiceAccountState::Disabled);
        assert_eq!(state(&ServiceAccount { overridden: true, ..disabled }), ServiceAccountState::Overridden);
    }
}
