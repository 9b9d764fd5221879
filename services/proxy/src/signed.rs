//! Signed URLs: a link that somebody has made for one file and a short time, as the web clients of oCIS and ownCloud do for
//! downloads, where a browser sends no header.
//!
//! The signature is PBKDF2 with HMAC-SHA512 (10,000 rounds, 32 bytes, hexadecimal) of the URL without its signature, the parameters
//! in order, under a key that the person's client has been given at [`key::PATHS`].

pub mod key;

use std::time::{Duration, SystemTime};

use authn::{Caller, Credentials};
use aws_lc_rs::pbkdf2;
use http::Method;
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Semaphore;

use crate::asked::Asked;

use key::Keys;

const SIGNATURE: &str = "OC-Signature";
const ROUNDS: std::num::NonZeroU32 = std::num::NonZeroU32::new(10_000).expect("is not zero");
/// How many signatures are verified at a time; each takes milliseconds of a core, and anybody may present one.
const AT_ONCE: usize = 2;
/// The longest life of a signed URL.
const LONGEST: Duration = Duration::from_hours(24);
/// How far a client's clock may be ahead.
const AHEAD: Duration = Duration::from_mins(1);

/// Verifies signed URLs.
pub struct Signed {
    keys: Keys,
    machine_key: SecretString,
    permits: Semaphore,
}

/// What a signed URL says, before it is believed.
struct Claim<'a> {
    login: String,
    signature: Vec<u8>,
    /// What was signed; a second form, as some clients encode `$`.
    texts: [String; 2],
    asked: &'a Asked<'a>,
}

/// Why a signed URL does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It is not good.
    Invalid,
    /// Too many are verified.
    Busy,
}

impl Signed {
    /// Keys are made of the machine key, by which the gateway is asked for the person.
    pub fn new(machine_key: SecretString) -> Self {
        Self { keys: Keys::new(&machine_key), machine_key, permits: Semaphore::new(AT_ONCE) }
    }

    /// The keys that people's clients sign with.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Whether a request is by a signed URL.
    pub fn is_one(asked: &Asked<'_>) -> bool {
        parameters(asked).any(|(name, _)| name == SIGNATURE)
    }

    /// The credentials for who has signed, if the URL is good: of the kind [`MACHINE`](authn::kind::MACHINE).
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn verify(&self, asked: &Asked<'_>, now: SystemTime) -> Result<Credentials, Failure> {
        let claim = Claim::read(asked, now).ok_or(Failure::Invalid)?;
        let _permit = self.permits.try_acquire().map_err(|_| Failure::Busy)?;
        let (key, login, source) = (self.keys.of(&claim.login), claim.login, claim.asked.source);
        let (texts, signature) = (claim.texts, claim.signature);
        let is_good = tokio::task::spawn_blocking(move || {
            let verify = |text: &String| {
                pbkdf2::verify(
                    pbkdf2::PBKDF2_HMAC_SHA512,
                    ROUNDS,
                    key.expose_secret().as_bytes(),
                    text.as_bytes(),
                    &signature,
                )
            };
            texts.iter().any(|text| verify(text).is_ok())
        });
        if !is_good.await.unwrap_or(false) {
            return Err(Failure::Invalid);
        }
        let caller = Caller { source, ..Caller::default() };
        Ok(Credentials { client_id: login, secret: self.machine_key.clone(), caller })
    }
}

impl<'a> Claim<'a> {
    /// Reads what a URL says; `None` if it lacks something, is for something else, or has ended.
    fn read(asked: &'a Asked<'a>, now: SystemTime) -> Option<Self> {
        let one = |wanted: &str| {
            let mut values = parameters(asked).filter(|(name, _)| name == wanted).map(|(_, value)| value);
            values.next().filter(|_| values.next().is_none())
        };
        // what reads, and nothing else
        let is_read = *asked.method == Method::GET && one("OC-Verb")? == "GET";
        let date: SystemTime = OffsetDateTime::parse(&one("OC-Date")?, &Rfc3339).ok()?.into();
        let life = Duration::from_secs(one("OC-Expires")?.parse().ok()?);
        let is_current = date <= now + AHEAD && life <= LONGEST && date.checked_add(life)? > now;
        let login = one("OC-Credential")?.into_owned();
        let signature = hex(&one(SIGNATURE)?)?;
        if !is_read || !is_current || login.is_empty() {
            return None;
        }
        let mut rest: Vec<_> = parameters(asked).filter(|(name, _)| name != SIGNATURE).collect();
        rest.sort();
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish();
        let text = |path: &str| format!("https://{}{path}?{query}", asked.host);
        let path = asked.path.raw();
        Some(Self { login, signature, texts: [text(path), text(&path.replace('$', "%24"))], asked })
    }
}

fn parameters<'a>(
    asked: &'a Asked<'_>,
) -> impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)> {
    form_urlencoded::parse(asked.query.unwrap_or_default().as_bytes())
}

/// 32 bytes, in lower or upper case.
fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    if digits { (0..text.len()).step_by(2).map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests;
