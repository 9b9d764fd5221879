#![doc = include_str!("../README.md")]

pub mod call;
pub mod find_users;
mod redacted;

/// All contracts and their comments, as an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// A module with the code generated for one package.
macro_rules! package {
    ($(#[$doc:meta])* $module:ident, $package:literal) => {
        $(#[$doc])*
        #[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]
        pub mod $module {
            tonic::include_proto!($package);
        }
    };
}

/// The CS3 API, as far as it is about authentication and users.
pub mod cs3 {
    /// Authentication.
    pub mod auth {
        /// Application passwords.
        pub mod applications {
            package! {
                /// `cs3.auth.applications.v1beta1`
                v1beta1, "cs3.auth.applications.v1beta1"
            }
        }
        /// Verifying one kind of credential.
        pub mod provider {
            package! {
                /// `cs3.auth.provider.v1beta1`
                v1beta1, "cs3.auth.provider.v1beta1"
            }
        }
        /// Which service verifies which kind of credential.
        pub mod registry {
            package! {
                /// `cs3.auth.registry.v1beta1`
                v1beta1, "cs3.auth.registry.v1beta1"
            }
        }
    }
    /// The one door to the services behind it.
    pub mod gateway {
        package! {
            /// `cs3.gateway.v1beta1`
            v1beta1, "cs3.gateway.v1beta1"
        }
    }
    /// Who there is.
    pub mod identity {
        /// Tenants.
        pub mod tenant {
            package! {
                /// `cs3.identity.tenant.v1beta1`
                v1beta1, "cs3.identity.tenant.v1beta1"
            }
        }
        /// Users.
        pub mod user {
            package! {
                /// `cs3.identity.user.v1beta1`
                v1beta1, "cs3.identity.user.v1beta1"
            }
        }
    }
    /// The outcome of calls.
    pub mod rpc {
        package! {
            /// `cs3.rpc.v1beta1`
            v1beta1, "cs3.rpc.v1beta1"
        }
    }
    /// Storage, as far as a sign-in is about it.
    pub mod storage {
        /// Spaces.
        pub mod provider {
            package! {
                /// `cs3.storage.provider.v1beta1`
                v1beta1, "cs3.storage.provider.v1beta1"
            }
        }
    }
    /// What all packages share.
    pub mod types {
        package! {
            /// `cs3.types.v1beta1`
            v1beta1, "cs3.types.v1beta1"
        }
    }
}

/// The contracts of oCIS, as far as the family calls its services; `OpenCloud` has the same ones.
pub mod ocis {
    /// Services.
    pub mod services {
        /// Settings and roles.
        pub mod settings {
            package! {
                /// `ocis.services.settings.v0`
                v0, "ocis.services.settings.v0"
            }
        }
    }
}

/// The family's own contracts.
pub mod doorward {
    /// Everybody's app tokens.
    pub mod apptokens {
        package! {
            /// `doorward.apptokens.v1`
            v1, "doorward.apptokens.v1"
        }
    }
    /// The calls of the gateway in addition to those of CS3.
    pub mod gateway {
        package! {
            /// `doorward.gateway.v1`
            v1, "doorward.gateway.v1"
        }
    }
    /// Administering the `OpenID` Provider.
    pub mod idp {
        package! {
            /// `doorward.idp.v1`
            v1, "doorward.idp.v1"
        }
    }
    /// The passwords that people sign in with.
    pub mod passwords {
        package! {
            /// `doorward.passwords.v1`
            v1, "doorward.passwords.v1"
        }
    }
    /// Administering service accounts.
    pub mod serviceaccounts {
        package! {
            /// `doorward.serviceaccounts.v1`
            v1, "doorward.serviceaccounts.v1"
        }
    }
    /// Administering people and groups.
    pub mod users {
        package! {
            /// `doorward.users.v1`
            v1, "doorward.users.v1"
        }
    }
}

/// Envoy's contracts, as far as they are about external authorization.
pub mod envoy {
    /// Configuration, whose messages others use.
    pub mod config {
        /// What all of it shares.
        pub mod core {
            package! {
                /// `envoy.config.core.v3`
                v3, "envoy.config.core.v3"
            }
        }
    }
    /// Services that Envoy asks.
    pub mod service {
        /// External authorization.
        pub mod auth {
            package! {
                /// `envoy.service.auth.v3`
                v3, "envoy.service.auth.v3"
            }
        }
    }
    /// Small types.
    pub mod r#type {
        package! {
            /// `envoy.type.v3`
            v3, "envoy.r#type.v3"
        }
    }
}

/// Google's contracts, as far as Envoy's need them.
pub mod google {
    package! {
        /// `google.rpc`
        rpc, "google.rpc"
    }
}
