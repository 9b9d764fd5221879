//! The requests of the authorization code flow with PKCE (RFC 6749 4.1, RFC 7636).

/// The code verifier of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// The S256 code challenge of [`code_redemption`]'s verifier.
pub const CODE_CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The query of an authorization request, with further parameters.
pub fn authorization_query(client: &str, redirect_uri: &str, scope: &str, more: &[(&str, &str)]) -> String {
    let query = [
        ("client_id", client),
        ("response_type", "code"),
        ("redirect_uri", redirect_uri),
        ("scope", scope),
        ("code_challenge", CODE_CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    form_urlencoded::Serializer::new(String::new()).extend_pairs(query).extend_pairs(more).finish()
}

/// The form of a token request with this code. A public client adds its `client_id`.
pub fn code_redemption<'a>(code: &'a str, redirect_uri: &'a str) -> [(&'a str, &'a str); 4] {
    [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri), ("code_verifier", VERIFIER)]
}
