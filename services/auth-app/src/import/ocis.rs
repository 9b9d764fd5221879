//! oCIS: one file `appauth.json`, tokens by their bcrypt hash, those by their owner.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Deserialize;
use store::columns::time;

use super::{FormatError, Record};
use crate::model::Kind;

/// A token as Go's `encoding/json` writes it.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct AppPassword {
    password: String,
    token_scope: Option<BTreeMap<String, Scope>>,
    label: String,
    expiration: Option<Timestamp>,
    ctime: Option<Timestamp>,
    utime: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Scope {
    #[serde(default)]
    role: i32,
}

/// CS3 `ROLE_OWNER`.
const OWNER: i32 = 1;

#[derive(Deserialize, Clone, Copy)]
struct Timestamp {
    #[serde(default)]
    seconds: u32,
}

impl Timestamp {
    /// A time of zero is none, as in Go.
    fn moment(self) -> Option<SystemTime> {
        (self.seconds > 0).then(|| time(i64::from(self.seconds) * 1_000_000))
    }
}

impl AppPassword {
    /// `id` is what the file has it under, if that is an identifier.
    pub(super) fn record(self, id: &str, owner_id: &str) -> Record {
        // any other scope is kept as it is, and refused for that
        let word =
            |(key, scope): (String, Scope)| if scope.role == OWNER { key } else { format!("{key}:{}", scope.role) };
        Record {
            id: id.to_owned(),
            owner_id: owner_id.to_owned(),
            owner_username: String::new(),
            verifier: self.password,
            label: self.label,
            kind: Kind::App,
            scopes: self.token_scope.unwrap_or_default().into_iter().map(word).collect(),
            created: self.ctime.and_then(Timestamp::moment).unwrap_or(SystemTime::UNIX_EPOCH),
            expires: self.expiration.and_then(Timestamp::moment),
            window: None,
            last_used: self.utime.and_then(Timestamp::moment),
        }
    }
}

/// Reads `appauth.json`.
///
/// # Errors
/// When it is none, or names an owner that cannot be read.
pub fn ocis(file: &[u8]) -> Result<Vec<Record>, FormatError> {
    let owners: BTreeMap<String, BTreeMap<String, AppPassword>> = serde_json::from_slice(file)?;
    let mut records = Vec::new();
    for (owner, tokens) in owners {
        let id = opaque_id(&owner).ok_or_else(|| FormatError::Owner(owner.chars().take(128).collect()))?;
        for (hash, token) in tokens {
            let token = if token.password.is_empty() { AppPassword { password: hash, ..token } } else { token };
            records.push(token.record("", &id));
        }
    }
    Ok(records)
}

/// The owner's identifier in the debug text of its CS3 `UserId`. How much white space stands between the fields depends on
/// the program that wrote it.
pub(super) fn opaque_id(text: &str) -> Option<String> {
    let mut rest = text.trim_start();
    loop {
        let (name, after) = rest.split_once(':')?;
        let (value, after) = value(after.trim_start())?;
        if name.trim() == "opaque_id" {
            return Some(value).filter(|id| !id.is_empty());
        }
        rest = after.trim_start();
    }
}

/// A quoted text with its escapes resolved, or a word; and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let (mut bytes, mut chars) = (Vec::new(), quoted.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((String::from_utf8(bytes).ok()?, &quoted[at + 1..])),
            '\\' => bytes.push(escape(&mut chars)?),
            c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    None
}

/// One byte: `\n`, `\"`, `\303`.
fn escape(chars: &mut std::str::CharIndices<'_>) -> Option<u8> {
    match chars.next()?.1 {
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        quoted @ ('"' | '\'' | '\\') => u8::try_from(quoted).ok(),
        first => {
            let digits = [first, chars.next()?.1, chars.next()?.1];
            let number = digits.into_iter().try_fold(0, |sum, digit| Some(sum * 8 + digit.to_digit(8)?))?;
            u8::try_from(number).ok()
        }
    }
}
