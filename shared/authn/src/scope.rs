use std::collections::BTreeMap;

/// A value whose meaning is named beside it (CS3 `OpaqueEntry`).
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
    /// Everything, beside the owner.
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

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
