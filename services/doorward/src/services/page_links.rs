//! The links between the account pages and the page of idp for sign-in methods.

/// Where the page of idp links to for the account; empty for no link.
pub(super) fn account_url(account: &account::Config, is_enabled: bool) -> String {
    if is_enabled { account.root().to_owned() } else { String::new() }
}

/// Leaves out the link of the account pages to the page of our own idp that there is not without second factors.
pub(super) fn complete_account(account: &mut account::Config, idp: &idp::Config) {
    if idp.mfa.policy() == idp::MultiFactorPolicy::Off && account.security_url == account::SECURITY_URL {
        account.security_url.clear();
    }
}

#[cfg(test)]
mod tests {
    use config::Environment;
    use runtime::Random;

    use crate::secrets::Secrets;
    use crate::services::Settings;

    fn load(variables: &[(&str, &str)]) -> Settings {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment: Environment = variables.collect();
        Settings::load(&environment, &Secrets::make(&Random::seeded(1))).expect("is read")
    }

    #[test]
    fn pages_of_idp_and_account_link_to_each_other_where_both_have_them() {
        let links = |variables: &[(&str, &str)]| {
            let settings = load(variables);
            (settings.idp.account_url, settings.account.security_url)
        };
        let both = |account: &str, security: &str| (account.to_owned(), security.to_owned());
        assert_eq!(links(&[]), both("/account", account::SECURITY_URL));
        assert_eq!(links(&[("ACCOUNT_HTTP_ROOT", "/me")]).0, "/me");
        assert_eq!(links(&[("OCIS_EXCLUDE_RUN_SERVICES", "account")]).0, "");
        assert_eq!(links(&[("IDP_MFA_POLICY", "off")]).1, "");
        let elsewhere = ("ACCOUNT_SECURITY_URL", "https://login.example/security");
        assert_eq!(links(&[("IDP_MFA_POLICY", "off"), elsewhere]).1, "https://login.example/security");
    }
}
