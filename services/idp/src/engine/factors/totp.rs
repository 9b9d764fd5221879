//! Time-based one-time passwords (RFC 6238): six digits, SHA-1, 30 seconds, as every authenticator app knows them.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use qrcode::QrCode;
use qrcode::render::svg;
use totp_rs::{Builder, Secret, TotpError};

use crate::model::seconds;

/// The length of a secret, in bytes (RFC 4226 4 recommends 160 bits).
pub(crate) const SECRET_LEN: usize = 20;
/// How long a code is valid, in seconds.
#[cfg(test)]
pub(crate) const STEP: u64 = 30;
/// The width of the picture, in pixels.
const PICTURE: u32 = 200;

/// A factor cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    /// The address cannot be made.
    #[error("the address of the second factor cannot be made: {0}")]
    Address(#[from] TotpError),
    /// The address does not fit into a picture.
    #[error("the address of the second factor does not fit into a QR code: {0}")]
    Picture(#[from] qrcode::types::QrError),
}

/// The time step of a code, if it is that of now, the one before, or the one after.
pub(crate) fn matching_step(secret: &[u8; SECRET_LEN], code: &str, now: SystemTime) -> Option<u64> {
    let code: String = code.chars().filter(|sign| !sign.is_whitespace()).collect();
    let totp = Builder::new().with_secret(Secret::new_stack(*secret)).build().ok()?;
    totp.check(&code, seconds(now))
}

/// The secret as users type it.
pub(crate) fn secret_text(secret: &[u8; SECRET_LEN]) -> String {
    Secret::new_stack(*secret).to_base32()
}

/// The address by which an app reads the secret (`otpauth:`).
///
/// # Errors
/// [`PictureError`].
pub(crate) fn address(secret: &[u8; SECRET_LEN], site: &str, username: &str) -> Result<String, PictureError> {
    // a colon separates the two
    let [site, username] = [site, username].map(|text| text.replace(':', " "));
    let builder = Builder::new().with_secret(Secret::new_stack(*secret)).with_account_name(username);
    Ok(builder.with_issuer(Some(site).filter(|site| !site.is_empty())).build()?.to_url()?)
}

/// A picture of the address (QR code), as an address of its own (`data:`).
///
/// # Errors
/// [`PictureError`].
pub(crate) fn picture(address: &str) -> Result<String, PictureError> {
    let code = QrCode::new(address.as_bytes())?;
    let svg = code.render::<svg::Color<'_>>().min_dimensions(PICTURE, PICTURE).build();
    Ok(format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time_of;

    const SECRET: &[u8; SECRET_LEN] = b"12345678901234567890";

    /// The last six digits of RFC 6238 appendix B.
    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(matching_step(SECRET, code, time_of(second)), Some(second / STEP), "{second}");
        }
    }

    #[test]
    fn code_is_right_one_step_before_and_after_its_own() {
        let is_right = |second| matching_step(SECRET, "050471", time_of(second)).is_some();
        let begin = 1_111_111_111 / STEP * STEP;
        assert!(!is_right(begin - STEP - 1), "two steps before");
        assert!(is_right(begin - STEP) && is_right(begin) && is_right(begin + 2 * STEP - 1));
        assert!(!is_right(begin + 2 * STEP), "two steps after");
    }

    #[test]
    fn only_six_digits_are_a_code() {
        let now = time_of(1_111_111_111);
        assert!(matching_step(SECRET, " 050 471 ", now).is_some(), "spaces are not part of it");
        for wrong in ["", "50471", "0504711", "+50471", "05047x", "050472", "٠٥٠٤٧١"] {
            assert_eq!(matching_step(SECRET, wrong, now), None, "{wrong}");
        }
    }

    #[test]
    fn address_names_site_and_user_whatever_they_are_called() {
        let address = address(SECRET, "Cloud: one", "albert:einstein").expect("an address");
        assert!(address.starts_with("otpauth://totp/Cloud"), "{address}");
        assert!(address.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{address}");
        assert!(picture(&address).expect("a picture").starts_with("data:image/svg+xml;base64,"));
    }
}
