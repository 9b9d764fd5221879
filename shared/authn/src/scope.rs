use std::collections::BTreeMap;

/// A value and the name of its format (CS3 `OpaqueEntry`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpaqueEntry {
    /// How to read `value`: `json`, `plain`, `toml`.
    pub decoder: String,
    /// The bytes.
    pub value: Vec<u8>,
}

impl OpaqueEntry {
    /// An entry of JSON text.
    pub fn json(text: impl Into<Vec<u8>>) -> Self {
        Self { decoder: "json".to_owned(), value: text.into() }
    }
}

/// What may be done with a scope's resource (CS3 `Role`, same numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(i32)]
pub enum Role {
    /// Nothing: an unstated role refuses.
    #[default]
    Invalid = 0,
    /// Everything.
    Owner = 1,
    /// What the earliest interface granted.
    Legacy = 2,
    /// Read.
    Viewer = 3,
    /// Read and write.
    Editor = 4,
    /// Read and write one file.
    FileEditor = 5,
    /// Everything, in addition to the owner.
    CoOwner = 6,
    /// Write, without reading.
    Uploader = 7,
}

impl Role {
    /// The role with this CS3 number; an unknown one is [`Role::Invalid`], which grants nothing.
    pub fn from_number(number: i32) -> Self {
        match number {
            1 => Self::Owner,
            2 => Self::Legacy,
            3 => Self::Viewer,
            4 => Self::Editor,
            5 => Self::FileEditor,
            6 => Self::CoOwner,
            7 => Self::Uploader,
            _ => Self::Invalid,
        }
    }
}

/// A resource and what may be done with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// The resource, as the scope's kind encodes it.
    pub resource: OpaqueEntry,
    /// What may be done with it.
    pub role: Role,
}

/// What the key of a marker begins with; no scope of CS3 does. See [`Scopes::with_amr`].
const AMR_PREFIX: &str = "amr:";

/// What a credential may do: scopes by their key (`user`, `publicshare:<id>`, ...). Empty means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(pub BTreeMap<String, Scope>);

impl Scopes {
    /// Everything that the user may: key `user`, resource `{"path":"/"}`, role owner.
    pub fn full_user() -> Self {
        let scope = Scope { resource: OpaqueEntry::json(r#"{"path":"/"}"#), role: Role::Owner };
        Self(BTreeMap::from([("user".to_owned(), scope)]))
    }

    /// Whether these scopes grant everything that the user may.
    pub fn is_full_user(&self) -> bool {
        self.0.get("user").is_some_and(|scope| scope.role == Role::Owner)
    }

    /// These scopes with a marker that says how the user was authenticated. A gateway of the Go family copies scopes into the internal
    /// token and drops everything else that an authenticator answers. The marker grants nothing: neither here, since it is no
    /// [`Grant`](crate::Grant), nor in reva, which goes by the beginning of the key.
    #[must_use]
    pub fn with_amr(mut self, amr: &str) -> Self {
        let marker = Scope { resource: OpaqueEntry::json("{}"), role: Role::Invalid };
        self.0.insert(format!("{AMR_PREFIX}{amr}"), marker);
        self
    }

    /// How the user was authenticated, as markers among the scopes say; see [`with_amr`](Self::with_amr).
    pub fn amr(&self) -> impl Iterator<Item = &str> {
        self.keys().filter_map(|key| key.strip_prefix(AMR_PREFIX))
    }

    /// Whether a key is that of a marker, and no scope.
    pub fn is_marker(key: &str) -> bool {
        key.starts_with(AMR_PREFIX)
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
