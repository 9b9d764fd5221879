use config::{Invalid, Section};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::color::{Color, InvalidColor};

/// How pages look, and the links that all of them have. In YAML they are not a section of their own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PageSettings {
    /// The name of the installation that users see.
    #[serde(rename = "site_name")]
    #[schemars(extend("x-env" = ["OCIS_PAGES_NAME", "<P>_SITE_NAME"], "default" = "Doorward"))]
    pub name: String,
    /// The logo of the installation: an https URL, or a path of the same site like /logo.svg. If empty, pages show the
    /// initial of the name.
    #[serde(rename = "site_logo_url")]
    #[schemars(extend("x-env" = ["OCIS_PAGES_LOGO_URL", "<P>_SITE_LOGO_URL"]))]
    pub logo_url: String,
    /// The accent colour of pages, like #2f50c8. It is darkened or lightened as far as text needs it to be read.
    #[serde(rename = "site_accent_color")]
    #[schemars(extend("x-env" = ["OCIS_PAGES_ACCENT_COLOR", "<P>_SITE_ACCENT_COLOR"]))]
    pub accent_color: String,
    /// The https URL of the imprint. If it is set, every page links to it.
    #[serde(rename = "site_imprint_url")]
    #[schemars(extend("x-env" = ["OCIS_PAGES_IMPRINT_URL", "<P>_SITE_IMPRINT_URL"]))]
    pub imprint_url: String,
    /// The https URL of the privacy policy. If it is set, every page links to it.
    #[serde(rename = "site_privacy_url")]
    #[schemars(extend("x-env" = ["OCIS_PAGES_PRIVACY_URL", "<P>_SITE_PRIVACY_URL"]))]
    pub privacy_url: String,
    /// The https URL of help for users. If it is set, every page links to it.
    #[serde(rename = "site_help_url")]
    #[schemars(extend("x-env" = ["OCIS_PAGES_HELP_URL", "<P>_SITE_HELP_URL"]))]
    pub help_url: String,
}

config::impl_default!(PageSettings);

impl PageSettings {
    /// The accent colour, if one is set.
    pub fn accent(&self) -> Option<Color> {
        self.accent_color.parse().ok()
    }

    /// The URL of the logo, if there is one.
    pub fn logo(&self) -> Option<&str> {
        Some(&*self.logo_url).filter(|url| !url.is_empty())
    }
}

impl Section for PageSettings {
    /// Addresses that could run a script or be read on the way are refused (`docs/security-requirements.md#w1`).
    fn validate(&self) -> Result<(), Invalid> {
        Invalid::unless(!self.name.trim().is_empty(), "site_name", "must not be empty")?;
        let is_logo = self.logo_url.is_empty() || is_https(&self.logo_url) || is_path(&self.logo_url);
        let problem = "must be an https URL, or a path like /logo.svg";
        Invalid::unless(is_logo, "site_logo_url", problem)?;
        let is_color = self.accent_color.is_empty() || self.accent().is_some();
        Invalid::unless(is_color, "site_accent_color", &InvalidColor.to_string())?;
        let links = [
            ("site_imprint_url", &self.imprint_url),
            ("site_privacy_url", &self.privacy_url),
            ("site_help_url", &self.help_url),
        ];
        links.into_iter().try_for_each(|(key, url)| {
            Invalid::unless(url.is_empty() || is_https(url), key, "must be an https URL, like https://example.org/help")
        })
    }
}

/// Whether a text is a link that leads to a path of the same site, or by https.
pub fn is_link(text: &str) -> bool {
    is_path(text) || is_https(text)
}

/// Whether a text is an https URL with a host, and no user or password.
fn is_https(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else { return false };
    let is_plain = url.username().is_empty() && url.password().is_none();
    text.starts_with("https://") && is_visible(text) && url.has_host() && is_plain
}

/// Whether a text is a path of the same site: browsers take `//` and `/\` for the beginning of a host.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text[1..].starts_with(['/', '\\']) && is_visible(text)
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The setting that is refused.
    fn refused(change: impl FnOnce(&mut PageSettings)) -> Option<String> {
        let mut settings = PageSettings::default();
        change(&mut settings);
        let invalid = settings.validate().err()?;
        format!("{invalid:?}").split('"').nth(1).map(str::to_owned)
    }

    /// Row [W1](../../../../docs/security-requirements.md#w1).
    #[test]
    fn addresses_are_https_or_a_path_of_the_same_site() {
        assert_eq!(refused(|_| ()), None);
        for good in ["https://example.org", "https://example.org:8443/a?b=c#d"] {
            let set = |settings: &mut PageSettings| {
                for url in [&mut settings.logo_url, &mut settings.imprint_url, &mut settings.privacy_url] {
                    good.clone_into(url);
                }
                good.clone_into(&mut settings.help_url);
            };
            assert_eq!(refused(set), None, "{good}");
        }
        assert_eq!(refused(|settings| "/logo.svg".clone_into(&mut settings.logo_url)), None);
        for bad in [
            "http://example.org",
            "javascript:alert(1)",
            "data:image/svg+xml,<svg/>",
            "HTTPS://example.org",
            "https://",
            "https:example.org",
            "https://user:word@example.org/",
            "https://example.org/\"onerror=x",
            "https://example.org/ a",
            "//evil.example/logo.svg",
            "/\\evil.example/logo.svg",
            "logo.svg",
        ] {
            let logo = refused(|settings| bad.clone_into(&mut settings.logo_url));
            assert_eq!(logo.as_deref(), Some("site_logo_url"), "{bad}");
            let help = refused(|settings| bad.clone_into(&mut settings.help_url));
            assert_eq!(help.as_deref(), Some("site_help_url"), "{bad}");
        }
        let path = refused(|settings| "/imprint".clone_into(&mut settings.imprint_url));
        assert_eq!(path.as_deref(), Some("site_imprint_url"), "links leave the site");
    }

    #[test]
    fn accent_is_a_color_and_the_name_is_not_empty() {
        assert_eq!(refused(|settings| "#00AA55".clone_into(&mut settings.accent_color)), None);
        let accent = refused(|settings| "red}body{display:none".clone_into(&mut settings.accent_color));
        assert_eq!(accent.as_deref(), Some("site_accent_color"));
        assert_eq!(refused(|settings| " ".clone_into(&mut settings.name)).as_deref(), Some("site_name"));
    }
}
