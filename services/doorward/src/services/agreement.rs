//! Settings that have to be the same in several services of one process. A variable sets them in all; in YAML each service has its own.

use config::{ConfigError, Spiffe};

use super::{EnabledServices, ServiceId, Settings};

impl Settings {
    /// Checks that these services agree on whether users belong to tenants (`docs/security-requirements.md#g23`, `#d43`), and on whether
    /// this is one of several instances (`docs/security-requirements.md#g24`): each enforces a part of it. Also on X.509-SVIDs.
    ///
    /// # Errors
    /// When one says that it is so, and another one that it is not.
    pub(super) fn check_agreement(&self, enabled: &EnabledServices) -> Result<(), ConfigError> {
        let mut tenants = vec![
            (ServiceId::Gateway, self.gateway.multi_tenant_enabled),
            (ServiceId::Users, self.users.ldap.multi_tenant_enabled),
            (ServiceId::AuthBearer, self.auth_bearer.multi_tenant_enabled),
            (ServiceId::Idp, self.idp.multi_tenant_enabled),
        ];
        if self.auth_basic.is_ldap() {
            tenants.push((ServiceId::AuthBasic, self.auth_basic.auth_providers.ldap.multi_tenant_enabled));
        }
        agree("OCIS_MULTI_TENANT_ENABLED", &tenants, enabled)?;
        let instances = [
            (ServiceId::Gateway, self.gateway.multi_instance_enabled),
            (ServiceId::AuthBearer, self.auth_bearer.multi_instance.enabled),
            (ServiceId::Proxy, self.proxy.multi_instance_enabled),
        ];
        agree("OCIS_MULTI_INSTANCE_ENABLED", &instances, enabled)?;
        self.check_svids(enabled)
    }

    /// Checks that the listener of the gateway has the trust domains verify the certificates with SPIFFE ids that auth-machine and
    /// auth-service accept: in one process they believe the names that it has verified (`docs/security-requirements.md#m15`).
    fn check_svids(&self, enabled: &EnabledServices) -> Result<(), ConfigError> {
        let Self { gateway, auth_machine, auth_service, .. } = self;
        for (service, policy, grpc, spiffe) in [
            (ServiceId::AuthMachine, &auth_machine.workload_policy, &auth_machine.grpc, &auth_machine.spiffe),
            (ServiceId::AuthService, &auth_service.workload_policy, &auth_service.grpc, &auth_service.spiffe),
        ] {
            let are_here = enabled.contains(ServiceId::Gateway) && enabled.contains(service);
            if policy.policy_file.is_none() || !are_here {
                continue;
            }
            let settings = [(ServiceId::Gateway, gateway.grpc.tls.client_spiffe), (service, grpc.tls.client_spiffe)];
            agree("OCIS_GRPC_TLS_CLIENT_SPIFFE", &settings, enabled)?;
            let unknown = domains(spiffe).into_iter().find(|domain| !domains(&gateway.spiffe).contains(domain));
            if let Some(domain) = unknown.filter(|_| grpc.tls.client_spiffe) {
                let problem = format!(
                    "names {domain} for {} and not for gateway, where OCIS_GRPC_TLS_CLIENT_CA would verify its certificates; set the variable, or the key in the YAML file of each",
                    service.name()
                );
                return Err(ConfigError::Invalid { setting: "OCIS_SPIFFE_TRUST_DOMAINS".to_owned(), problem });
            }
        }
        Ok(())
    }
}

/// The names of the trust domains. Those that cannot be read are refused before.
fn domains(spiffe: &Spiffe) -> Vec<String> {
    spiffe.sources().unwrap_or_default().into_iter().map(|source| source.domain).collect()
}

fn agree(variable: &str, values: &[(ServiceId, bool)], enabled: &EnabledServices) -> Result<(), ConfigError> {
    let with = |wanted: bool| {
        values
            .iter()
            .find(|(service, value)| *value == wanted && enabled.contains(*service))
            .map(|(service, _)| service)
    };
    let (Some(on), Some(off)) = (with(true), with(false)) else { return Ok(()) };
    let (setting, on, off) = (variable.to_owned(), on.name(), off.name());
    let problem =
        format!("is true for {on} and false for {off}; set the variable, or the key in the YAML file of each");
    Err(ConfigError::Invalid { setting, problem })
}

#[cfg(test)]
mod tests {
    use config::Environment;
    use runtime::Random;

    use super::*;
    use crate::secrets::Secrets;

    /// What is wrong with these YAML files.
    fn problem(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Option<String> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("writes");
        }
        let directory = folder.path().display().to_string();
        let variables = [variables, &[("OCIS_CONFIG_DIR", directory.as_str())]].concat();
        let environment: Environment =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Settings::load(&environment, &Secrets::make(&Random::seeded(1))).err().map(|error| error.to_string())
    }

    /// The beginning of what is wrong with them, without what to do.
    fn conflict(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Option<String> {
        let problem = problem(files, variables)?;
        Some(problem.split(';').next().unwrap_or_default().to_owned())
    }

    /// `docs/security-requirements.md#g23`, `#g24`
    #[test]
    fn services_of_one_process_agree_on_tenants_and_instances() {
        let tenants = "multi_tenant_enabled: true\n";
        let instance = "multi_instance_enabled: true\n";
        for (files, expected) in [
            (&[("gateway.yaml", tenants)][..], "OCIS_MULTI_TENANT_ENABLED is true for gateway and false for users"),
            (
                &[("auth-bearer.yaml", tenants)],
                "OCIS_MULTI_TENANT_ENABLED is true for auth-bearer and false for gateway",
            ),
            (
                &[("gateway.yaml", instance)],
                "OCIS_MULTI_INSTANCE_ENABLED is true for gateway and false for auth-bearer",
            ),
            (&[("proxy.yaml", instance)], "OCIS_MULTI_INSTANCE_ENABLED is true for proxy and false for gateway"),
        ] {
            assert_eq!(conflict(files, &[]).as_deref(), Some(expected));
        }
        let ldap = [("AUTH_BASIC_AUTH_MANAGER", "ldap"), ("OCIS_LDAP_BIND_PASSWORD", "a-password")];
        for (services, more, other) in [
            ("gateway", &[][..], None),
            ("gateway,idp", &[], Some("idp")),
            ("gateway,auth-basic", &[], None),
            ("gateway,auth-basic", &ldap, Some("auth-basic")),
        ] {
            let variables = [more, &[("OCIS_RUN_SERVICES", services)]].concat();
            let expected =
                other.map(|other| format!("OCIS_MULTI_TENANT_ENABLED is true for gateway and false for {other}"));
            assert_eq!(conflict(&[("gateway.yaml", tenants)], &variables), expected, "others may agree");
        }
        assert_eq!(problem(&[], &[]), None);
    }

    /// `docs/security-requirements.md#m15`
    #[test]
    fn gateway_verifies_the_svids_that_services_of_its_process_accept() {
        let policy = ("OCIS_WORKLOAD_POLICY_FILE", "/etc/doorward/policy.yaml");
        let everywhere = ("OCIS_GRPC_TLS_CLIENT_SPIFFE", "true");
        let gateway = ("GATEWAY_GRPC_TLS_CLIENT_SPIFFE", "true");
        let machine = ("AUTH_MACHINE_GRPC_TLS_CLIENT_SPIFFE", "true");
        let service = ("AUTH_SERVICE_GRPC_TLS_CLIENT_SPIFFE", "true");
        let partner =
            ("AUTH_MACHINE_SPIFFE_TRUST_DOMAINS", "example.org=/etc/bundle.json,partner.org=/etc/partner.json");
        for (more, expected) in [
            (
                &[policy, machine][..],
                Some("OCIS_GRPC_TLS_CLIENT_SPIFFE is true for auth-machine and false for gateway"),
            ),
            (&[policy, service], Some("OCIS_GRPC_TLS_CLIENT_SPIFFE is true for auth-service and false for gateway")),
            (&[policy, gateway], Some("OCIS_GRPC_TLS_CLIENT_SPIFFE is true for gateway and false for auth-machine")),
            (
                &[policy, everywhere, partner],
                Some(
                    "OCIS_SPIFFE_TRUST_DOMAINS names partner.org for auth-machine and not for gateway, where OCIS_GRPC_TLS_CLIENT_CA would verify its certificates",
                ),
            ),
            (&[policy, everywhere], None),
            // its tokens are verified by auth-machine itself
            (&[policy, partner], None),
            // without a policy no certificate is one of a workload
            (&[gateway], None),
            (&[policy, machine, ("OCIS_RUN_SERVICES", "auth-machine,auth-service")], None),
        ] {
            let common = [
                ("OCIS_GRPC_TLS_ENABLED", "true"),
                ("OCIS_GRPC_TLS_CLIENT_CA", "/etc/tls/ca.pem"),
                ("OCIS_SPIFFE_TRUST_DOMAINS", "example.org=/etc/bundle.json"),
            ];
            assert_eq!(conflict(&[], &[more, &common].concat()).as_deref(), expected, "{more:?}");
        }
    }
}
