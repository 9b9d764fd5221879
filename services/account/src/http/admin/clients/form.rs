//! The fields of a client that most applications need, and the metadata that they stand for (RFC 7591 2).

use serde_json::{Map, Value, json};
use web::form::Parameters;

/// The level of authentication with several factors.
const SEVERAL_FACTORS: &str = "mfa";
/// The consent policy of a client that belongs to the installation.
const TRUSTED: &str = "trusted";

/// What an application is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientKind {
    /// It has a server, which keeps a secret.
    Web,
    /// It runs in a browser.
    Page,
    /// It runs on a user's computer or phone.
    Native,
    /// It has no browser (RFC 8628).
    Device,
}

impl ClientKind {
    pub(super) const ALL: [Self; 4] = [Self::Web, Self::Page, Self::Native, Self::Device];

    /// Its name in forms.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Page => "page",
            Self::Native => "native",
            Self::Device => "device",
        }
    }

    fn metadata(self) -> Value {
        match self {
            Self::Web => json!({
                "application_type": "web",
                "token_endpoint_auth_method": "client_secret_basic",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
            }),
            Self::Page => json!({
                "application_type": "web",
                "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
            }),
            Self::Native => json!({
                "application_type": "native",
                "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
            }),
            Self::Device => json!({
                "application_type": "native",
                "token_endpoint_auth_method": "none",
                "grant_types": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
                "response_types": [],
            }),
        }
    }
}

/// What is in the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientFields {
    pub(super) name: String,
    /// A URI a line, as the next ones.
    pub(super) redirect_uris: String,
    pub(super) post_logout_redirect_uris: String,
    pub(super) is_trusted: bool,
    pub(super) needs_second_factor: bool,
}

impl ClientFields {
    pub(super) const EMPTY: Self = Self {
        name: String::new(),
        redirect_uris: String::new(),
        post_logout_redirect_uris: String::new(),
        is_trusted: false,
        needs_second_factor: false,
    };

    /// As they were sent.
    pub(super) fn of_form(form: &Parameters) -> Self {
        let text = |name: &str| form.text(name).trim().to_owned();
        Self {
            name: text("name"),
            redirect_uris: text("redirect_uris"),
            post_logout_redirect_uris: text("post_logout_redirect_uris"),
            is_trusted: !form.text("trusted").is_empty(),
            needs_second_factor: !form.text("second_factor").is_empty(),
        }
    }

    /// Those of a client with this metadata.
    pub(super) fn of_metadata(metadata: &Map<String, Value>) -> Self {
        let lines = |member: &str| {
            let uris = metadata.get(member).and_then(Value::as_array).into_iter().flatten();
            uris.filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        };
        Self {
            name: metadata.get("client_name").and_then(Value::as_str).unwrap_or_default().to_owned(),
            redirect_uris: lines("redirect_uris"),
            post_logout_redirect_uris: lines("post_logout_redirect_uris"),
            is_trusted: is_trusted(metadata),
            needs_second_factor: needs_second_factor(metadata),
        }
    }

    /// The metadata of a new client.
    pub(super) fn new_client(&self, kind: ClientKind) -> Map<String, Value> {
        let mut metadata = self.uris();
        metadata.extend(kind.metadata().as_object().cloned().unwrap_or_default());
        if self.is_trusted {
            metadata.insert("consent".to_owned(), TRUSTED.into());
        }
        if self.needs_second_factor {
            metadata.insert("default_acr_values".to_owned(), json!([SEVERAL_FACTORS]));
        }
        metadata
    }

    /// What changes of a client with this metadata. Other policies of consent and other levels than the boxes stand for stay as they
    /// are unless a box was changed.
    pub(super) fn changes(&self, metadata: &Map<String, Value>) -> Map<String, Value> {
        let mut changes = self.uris();
        if self.is_trusted != is_trusted(metadata) {
            let policy = if self.is_trusted { TRUSTED.into() } else { Value::Null };
            changes.insert("consent".to_owned(), policy);
        }
        if self.needs_second_factor != needs_second_factor(metadata) {
            let levels = if self.needs_second_factor { json!([SEVERAL_FACTORS]) } else { Value::Null };
            changes.insert("default_acr_values".to_owned(), levels);
        }
        changes
    }

    fn uris(&self) -> Map<String, Value> {
        let lines = |text: &str| -> Value { text.lines().map(str::trim).filter(|line| !line.is_empty()).collect() };
        let named = [
            ("client_name", self.name.clone().into()),
            ("redirect_uris", lines(&self.redirect_uris)),
            ("post_logout_redirect_uris", lines(&self.post_logout_redirect_uris)),
        ];
        named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn is_trusted(metadata: &Map<String, Value>) -> bool {
    metadata.get("consent").is_some_and(|policy| policy == TRUSTED)
}

fn needs_second_factor(metadata: &Map<String, Value>) -> bool {
    let levels = metadata.get("default_acr_values").and_then(Value::as_array);
    levels.is_some_and(|levels| levels.first().is_some_and(|level| level == SEVERAL_FACTORS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> ClientFields {
        ClientFields {
            name: "Files".to_owned(),
            redirect_uris: "https://files.example/a\r\n\r\n  https://files.example/b ".to_owned(),
            is_trusted: true,
            ..ClientFields::EMPTY
        }
    }

    #[test]
    fn fields_become_metadata_and_back() {
        let metadata = fields().new_client(ClientKind::Web);
        assert_eq!(metadata["redirect_uris"], json!(["https://files.example/a", "https://files.example/b"]));
        assert_eq!((&metadata["consent"], metadata.get("default_acr_values")), (&json!("trusted"), None));
        let read = ClientFields::of_metadata(&metadata);
        let expected = "https://files.example/a\nhttps://files.example/b".to_owned();
        assert_eq!(read, ClientFields { redirect_uris: expected, ..fields() });
        for kind in ClientKind::ALL {
            let has_secret = fields().new_client(kind)["token_endpoint_auth_method"] != "none";
            assert_eq!(has_secret, kind == ClientKind::Web, "{kind:?}");
        }
    }

    #[test]
    fn box_that_was_not_changed_changes_nothing() {
        let metadata = json!({ "consent": "always", "default_acr_values": ["phr"] });
        let metadata = metadata.as_object().expect("an object");
        let unchanged = ClientFields { is_trusted: false, ..fields() }.changes(metadata);
        assert!(!unchanged.contains_key("consent") && !unchanged.contains_key("default_acr_values"));
        let changed = ClientFields { needs_second_factor: true, ..fields() }.changes(metadata);
        assert_eq!((&changed["consent"], &changed["default_acr_values"]), (&json!("trusted"), &json!(["mfa"])));
        let reset = ClientFields::EMPTY.changes(&changed);
        assert_eq!((&reset["consent"], &reset["default_acr_values"]), (&Value::Null, &Value::Null));
    }
}
