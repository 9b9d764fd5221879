//! The headers that browsers need for the web client of an oCIS or OpenCloud: its Content Security Policy, as a file or the default of
//! the product describes it, and those that go with it. Its proxy sets them, and its services rely on that.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use config::read_yaml_file;
use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use runtime::{Context, FileSetting, FileValue, Misconfigured, Reading, Service};
use serde::Deserialize;
use url::Url;

use crate::config::{Config, Product};

/// The settings that name the files.
const FILES: &str = "PROXY_CSP_CONFIG_FILE_LOCATION";
const OVERRIDE: &str = "PROXY_CSP_CONFIG_FILE_OVERRIDE_LOCATION";

/// What browsers may call.
const CONNECT: &str = "connect-src";
/// What applies where a directive is absent.
const DEFAULT: &str = "default-src";
/// Variables that stand for nothing where they are not set: they add a port to the name of a host.
const PORTS: [&str; 2] = ["TRAEFIK_EXTERNAL_PORT", "TRAEFIK_PORT_HTTPS"];
/// Nothing, as the only value of a directive.
const NONE: &str = "'none'";

/// The directives of both products.
const DIRECTIVES: [(&str, &[&str]); 11] = [
    ("child-src", &["'self'"]),
    (DEFAULT, &[NONE]),
    ("font-src", &["'self'"]),
    ("frame-ancestors", &["'self'"]),
    ("frame-src", &["'self'", "blob:", "https://embed.diagrams.net/"]),
    ("manifest-src", &["'self'"]),
    ("media-src", &["'self'"]),
    ("object-src", &["'self'", "blob:"]),
    ("script-src", &["'self'", "'unsafe-inline'"]),
    ("style-src", &["'self'", "'unsafe-inline'"]),
    (CONNECT, &["'self'"]),
];
/// What oCIS adds.
const OCIS: [(&str, &[&str]); 1] = [("img-src", &["'self'", "data:", "blob:"])];
/// What OpenCloud adds.
const OPENCLOUD: [(&str, &[&str]); 2] =
    [("img-src", &["*"]), (CONNECT, &["blob:", "https://raw.githubusercontent.com/opencloud-eu/awesome/"])];

/// A file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{setting} names {}: {problem}", file.display())]
struct FileError {
    setting: &'static str,
    file: PathBuf,
    problem: String,
}

/// The contents of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    directives: BTreeMap<String, Vec<String>>,
}

/// Directives and their values.
type Directives = BTreeMap<String, Vec<String>>;

/// The headers.
#[derive(Debug)]
pub(crate) struct SecurityHeaders {
    policy: HeaderValue,
    is_https: bool,
}

/// Where the policy is from.
struct Source {
    setting: &'static str,
    files: Vec<PathBuf>,
    /// Whether the files replace the default.
    is_override: bool,
    product: Product,
    /// What may be named in a file. The other variables of the environment, secrets among them, may not.
    variables: Vec<(&'static str, String)>,
    /// The origin of an issuer on another host, which the web client calls.
    issuer: Option<String>,
    is_https: bool,
}

impl SecurityHeaders {
    /// Those of the configuration and its files, which are read again when they change and at SIGHUP; `None` if none are configured.
    ///
    /// # Errors
    /// If a file cannot be used.
    pub(crate) fn follow(config: &Config, context: &Context) -> Result<Option<Arc<FileValue<Self>>>, Misconfigured> {
        let Some(source) = Source::of(config) else { return Ok(None) };
        if source.files.is_empty() {
            return Ok(Some(FileValue::fixed(source.read()?)));
        }
        let (name, files) = (source.setting, source.files.clone());
        let setting = FileSetting { service: crate::Proxy::IDENTITY.name, name, files: files.clone() };
        let read = move |_: Option<&Self>| {
            let value = source.read()?;
            Ok::<_, Misconfigured>(Reading { value, files: files.clone() })
        };
        let changes = |_: &Self, after: &Self| format!("the policy has {} bytes", after.policy.len());
        FileValue::open(setting, read, changes, context).map(Some)
    }

    /// Sets those that the response of a backend lacks.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        const FIXED: [(HeaderName, &str); 5] = [
            (X_FRAME_OPTIONS, "SAMEORIGIN"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "strict-origin-when-cross-origin"),
            (HeaderName::from_static("x-robots-tag"), "none"),
            (HeaderName::from_static("x-permitted-cross-domain-policies"), "none"),
        ];
        headers.entry(CONTENT_SECURITY_POLICY).or_insert_with(|| self.policy.clone());
        for (name, value) in FIXED {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        if self.is_https {
            // two years, which the preload lists of browsers require
            headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static("max-age=63072000"));
        }
    }
}

/// Reads the files of a configuration without using them.
///
/// # Errors
/// If one is invalid.
pub(crate) fn check(config: &Config) -> Result<(), Misconfigured> {
    Source::of(config).map_or(Ok(()), |source| source.read().map(drop))
}

impl Source {
    fn of(config: &Config) -> Option<Self> {
        let settings = &config.csp;
        let files = settings.paths();
        if files.is_empty() && config.proxy_yaml.file.is_none() {
            return None;
        }
        let is_override = !settings.override_files.is_empty();
        let origin = |url: &str| Url::parse(url).ok().map(|url| url.origin().ascii_serialization());
        let issuer = origin(&config.issuer).filter(|issuer| Some(issuer) != origin(&config.url).as_ref());
        let variables = [
            ("OCIS_URL", &config.url),
            ("OC_URL", &config.url),
            ("OCIS_OIDC_ISSUER", &config.issuer),
            ("OC_OIDC_ISSUER", &config.issuer),
            ("COMPANION_DOMAIN", &settings.companion_domain),
            ("ONLYOFFICE_DOMAIN", &settings.onlyoffice_domain),
            ("COLLABORA_DOMAIN", &settings.collabora_domain),
            ("KEYCLOAK_DOMAIN", &settings.idp_domain),
            ("IDP_DOMAIN", &settings.idp_domain),
        ];
        let port = settings.external_port();
        let variables = variables.into_iter().chain(PORTS.map(|name| (name, &port)));
        Some(Self {
            setting: if is_override { OVERRIDE } else { FILES },
            files,
            is_override,
            product: config.proxy_yaml.product(),
            variables: variables.map(|(name, value)| (name, value.clone())).collect(),
            issuer,
            is_https: config.is_https(),
        })
    }

    fn read(&self) -> Result<SecurityHeaders, Misconfigured> {
        let mut directives = if self.is_override { Directives::new() } else { default_directives(self.product) };
        for file in &self.files {
            let error = |problem| Misconfigured::new(FileError { setting: self.setting, file: file.clone(), problem });
            for (name, values) in read(file).map_err(error)? {
                let values = values.iter().map(|text| self.value(&name, text)).collect::<Result<Vec<_>, _>>();
                add(&mut directives, &name, values.map_err(error)?);
            }
        }
        if let Some(issuer) = &self.issuer {
            let fallback = directives.get(DEFAULT).cloned().unwrap_or_default();
            directives.entry(CONNECT.to_owned()).or_insert(fallback);
            add(&mut directives, CONNECT, vec![issuer.clone()]);
        }
        Ok(SecurityHeaders { policy: header(&directives), is_https: self.is_https })
    }

    /// A value of a directive, with what its variables stand for. It must not end the directive, or begin another policy
    /// (`docs/security-requirements.md#e48`).
    fn value(&self, directive: &str, text: &str) -> Result<String, String> {
        let value = self.expanded(text).map_err(|problem| format!("{directive}: {problem}"))?;
        let is_plain = value.bytes().all(|byte| byte.is_ascii_graphic() && !b";,".contains(&byte));
        if is_plain && !value.is_empty() {
            Ok(value)
        } else {
            Err(format!("{directive}: {text:?} is not one value of a directive, without blanks, ; and ,"))
        }
    }

    /// A text with the values of the variables that it names: `${NAME}`, or `${NAME|default}`.
    fn expanded(&self, text: &str) -> Result<String, String> {
        let (mut rest, mut expanded) = (text, String::new());
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or_else(|| format!("{text:?} has no }} after ${{"))?;
            let (name, default) = name.split_once('|').map_or((name, None), |(name, default)| (name, Some(default)));
            let known = self.variables.iter().find(|(known, _)| *known == name.trim());
            let (known, value) = known.ok_or_else(|| format!("the variable {name} cannot be used there"))?;
            let default = default.map(str::trim).or(PORTS.contains(known).then_some(""));
            let value = Some(value.as_str()).filter(|value| !value.is_empty()).or(default);
            expanded.push_str(before);
            expanded.push_str(value.ok_or_else(|| format!("the variable {name} is not set"))?);
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

fn read(file: &FilePath) -> Result<Directives, String> {
    let text = read_yaml_file(file).map_err(|problem| format!("it cannot be read: {problem}"))?;
    let Document { directives } = serde_yaml_ng::from_str(&text).map_err(|problem| problem.to_string())?;
    let is_name = |name: &String| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    match directives.keys().find(|name| !is_name(name)) {
        Some(name) => Err(format!("{name:?} is not a directive")),
        None => Ok(directives),
    }
}

fn default_directives(product: Product) -> Directives {
    let more: &[(&str, &[&str])] = match product {
        Product::Ocis => &OCIS,
        Product::OpenCloud => &OPENCLOUD,
    };
    let mut directives = Directives::new();
    for (name, values) in DIRECTIVES.iter().chain(more) {
        add(&mut directives, name, values.iter().map(|value| (*value).to_owned()).collect());
    }
    directives
}

/// Adds values to a directive. Where something is permitted, nothing else than `'none'` would be invalid.
fn add(directives: &mut Directives, name: &str, values: Vec<String>) {
    let present = directives.entry(name.to_owned()).or_default();
    for value in values {
        if !present.contains(&value) {
            present.push(value);
        }
    }
    if present.len() > 1 {
        present.retain(|value| value != NONE);
    }
}

/// The policy as a header.
fn header(directives: &Directives) -> HeaderValue {
    let directive = |(name, values): (&String, &Vec<String>)| {
        if values.is_empty() { name.clone() } else { format!("{name} {}", values.join(" ")) }
    };
    let policy = directives.iter().map(directive).collect::<Vec<_>>().join("; ");
    // names and values are visible ASCII, so that it is always one
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

#[cfg(test)]
mod tests;
