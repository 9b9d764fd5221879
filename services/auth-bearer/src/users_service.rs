//! The service with the users, as it is called for more than looking users up.

use crate::tenants;
use crate::transport::Transport;

/// Where users are administered, and where tenants are looked up.
pub struct UsersService {
    /// Makes and changes users.
    pub(crate) administration: Transport,
    /// Has the tenants of the same users.
    pub(crate) tenants: (Transport, tenants::Service),
}

impl From<Transport> for UsersService {
    /// One users service that does both.
    fn from(users: Transport) -> Self {
        Self { administration: users.clone(), tenants: (users, tenants::Service::Users) }
    }
}
