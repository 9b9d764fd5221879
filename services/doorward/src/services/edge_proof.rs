//! What the edge shows in place of the machine key.

use config::ConfigError;

use super::{EnabledServices, ServiceId, Settings};

const PROBLEM: &str = "is true, and the edge shows no certificate to a gateway in its own process; unset it, as the machine key leaves the process with no request then, or set PROXY_WORKLOAD_TOKEN_FILE";

impl Settings {
    /// Refuses an edge that shows its client certificate alone where the gateway is in the same process: there is no connection.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub(crate) fn check_edge(&self, enabled: &EnabledServices) -> Result<(), ConfigError> {
        let is_one_process = enabled.contains(ServiceId::Proxy) && enabled.contains(ServiceId::Gateway);
        let shows_certificate = self.proxy.workload_certificate && self.proxy.workload_token_file.is_none();
        if is_one_process && shows_certificate && self.proxy.accepts_signed_urls() {
            let setting = "PROXY_WORKLOAD_CERTIFICATE".to_owned();
            return Err(ConfigError::Invalid { setting, problem: PROBLEM.to_owned() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use config::Environment;
    use runtime::Random;

    use super::*;
    use crate::secrets::Secrets;

    #[test]
    fn edge_shows_no_certificate_to_a_gateway_in_its_own_process() {
        let by_certificate = [
            ("PROXY_WORKLOAD_CERTIFICATE", "true"),
            ("OCIS_GRPC_CLIENT_TLS_MODE", "on"),
            ("OCIS_GRPC_CLIENT_TLS_CERTIFICATE", "/etc/tls/edge.pem"),
            ("OCIS_GRPC_CLIENT_TLS_KEY", "/etc/tls/edge.key"),
        ];
        let check = |more: &[(&str, &str)]| {
            let variables = by_certificate.iter().chain(more);
            let environment: Environment =
                variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let enabled = EnabledServices::of(&environment).expect("services");
            let settings = Settings::load(&environment, &Secrets::make(&Random::seeded(1))).expect("is read");
            settings.check_edge(&enabled).map_err(|error| error.to_string())
        };
        let problem = check(&[]).expect_err("there is no connection");
        assert!(problem.starts_with("PROXY_WORKLOAD_CERTIFICATE "), "{problem}");
        for more in [
            ("PROXY_WORKLOAD_TOKEN_FILE", "/run/token"),
            ("PROXY_ENABLE_PRESIGNEDURLS", "false"),
            ("OCIS_EXCLUDE_RUN_SERVICES", "gateway"),
        ] {
            assert_eq!(check(&[more]), Ok(()), "{more:?}");
        }
    }
}
