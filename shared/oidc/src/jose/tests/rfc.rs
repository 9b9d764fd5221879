//! The examples of the standards.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

use super::*;

/// The claims of RFC 7515 A.1 to A.5.
const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RSA_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn example_rsa_pair() -> SigningKey {
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: decoded(RSA_N), e: decoded("AQAB") },
        d: decoded(
            "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
        ),
        p: decoded(
            "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
        ),
        q: decoded(
            "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
        ),
        dP: decoded(
            "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
        ),
        dQ: decoded(
            "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
        ),
        qInv: decoded(
            "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U",
        ),
    };
    let pkcs8 = KeyPair::from_components(&components).and_then(|pair| Ok(pair.as_der()?)).expect("a key pair");
    SigningKey::from_pkcs8(Algorithm::Rs256, "rsa", pkcs8.as_ref()).expect("is read")
}

fn key(jwk: Value) -> VerifyingKey {
    VerifyingKey::from_jwk(&object(jwk)).expect("a key")
}

#[test]
fn rfc_7515_a1_hs256_is_verified() {
    let secret = decoded("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
    let jwt = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let jwt = UnverifiedJwt::parse(&jwt).expect("well formed");
    assert_eq!(jwt.algorithm(), Some(Algorithm::Hs256));
    assert_eq!(jwt.verify_hs256(&secret), Ok(()));
    assert_eq!(jwt.verify_hs256(&secret[1..]), Err(JwtError::Signature));
    assert_eq!(jwt.claims()["iss"], "joe");
}

#[test]
fn rfc_7515_a2_rs256_is_made_and_verified() {
    let message = format!("eyJhbGciOiJSUzI1NiJ9.{CLAIMS}");
    let pair = example_rsa_pair();
    assert_eq!(URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())), RSA_SIGNATURE);
    assert_eq!(pair.jwk()["n"], RSA_N);
    assert_eq!(pair.jwk()["e"], "AQAB");
    let jwt = format!("{message}.{RSA_SIGNATURE}");
    let jwt = UnverifiedJwt::parse(&jwt).expect("well formed");
    assert_eq!(jwt.verify(&key(json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"}))), Ok(()));
    assert_eq!(
        jwt.verify(&key(json!({"kty": "RSA", "n": RSA_N, "e": "AQAB", "alg": "PS256"}))),
        Err(JwtError::Algorithm)
    );
}

#[test]
fn rfc_7515_a3_es256_is_verified() {
    let jwt = format!(
        "eyJhbGciOiJFUzI1NiJ9.{CLAIMS}.\
         DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let jwt = UnverifiedJwt::parse(&jwt).expect("well formed");
    assert_eq!(jwt.verify(&key(json!({"kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y}))), Ok(()));
    let pair = EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &decoded("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"),
        &[&[4], decoded(P256_X).as_slice(), decoded(P256_Y).as_slice()].concat(),
    );
    let pkcs8 = pair.expect("a key pair").to_pkcs8v1().expect("is written");
    let pair = SigningKey::from_pkcs8(Algorithm::Es256, "ec", pkcs8.as_ref()).expect("is read");
    assert_eq!((&pair.jwk()["x"], &pair.jwk()["y"]), (&json!(P256_X), &json!(P256_Y)));
}

#[test]
fn rfc_7515_a3_es256_key_is_made_of_its_scalar() {
    let scalar: [u8; 32] = decoded("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI").try_into().expect("32 bytes");
    let pair = SigningKey::from_seed(Algorithm::Es256, "ec", &scalar).expect("a key pair");
    assert_eq!((&pair.jwk()["x"], &pair.jwk()["y"]), (&json!(P256_X), &json!(P256_Y)));
    let public = key(json!({"kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y}));
    assert!(public.verify(Algorithm::Es256, b"message", &pair.sign(b"message")));
}

#[test]
fn rfc_7515_a4_es512_is_not_supported() {
    let jwt = raw(&json!({"alg": "ES512"}), &json!({"iss": "joe"}), &[1; 132]);
    let jwt = UnverifiedJwt::parse(&jwt).expect("well formed");
    assert_eq!(jwt.algorithm(), None);
    assert_eq!(
        jwt.verify(&key(json!({"kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y}))),
        Err(JwtError::Algorithm)
    );
    let p521 = object(json!({"kty": "EC", "crv": "P-521", "x": P256_X, "y": P256_Y}));
    assert_eq!(VerifyingKey::from_jwk(&p521).err(), Some(KeyError::UnknownType));
}

#[test]
fn rfc_7515_a5_an_unsecured_jwt_is_seen_as_one() {
    let jwt = format!("eyJhbGciOiJub25lIn0.{CLAIMS}.");
    let jwt = UnverifiedJwt::parse(&jwt).expect("well formed");
    assert!(jwt.is_unsigned());
    assert_eq!(jwt.algorithm(), None);
}

#[test]
fn rfc_7638_the_thumbprint_is_of_the_key_alone() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let key = key(json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}));
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[test]
fn rfc_8037_a_ed25519_is_made_and_verified() {
    // RFC 8410 7: the form of such a key around its 32 bytes
    const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let pkcs8 = [PKCS8.as_slice(), &decoded("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")].concat();
    let seed: [u8; 32] = decoded("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").try_into().expect("32 bytes");
    for pair in [
        SigningKey::from_pkcs8(Algorithm::EdDsa, "ed", &pkcs8).expect("is read"),
        SigningKey::from_seed(Algorithm::EdDsa, "ed", &seed).expect("is made"),
    ] {
        assert_eq!(URL_SAFE_NO_PAD.encode(pair.sign(message)), signature);
        assert_eq!(pair.jwk()["x"], ED25519_X);
    }
    let key = key(json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519_X}));
    assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert!(key.verify(Algorithm::EdDsa, message, &decoded(signature)));
    assert!(!key.verify(Algorithm::EdDsa, &message[1..], &decoded(signature)));
}

#[test]
fn the_hashes_are_those_of_openid_connect_core() {
    let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    let code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk";
    assert_eq!(half_hash(Algorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    assert_eq!(half_hash(Algorithm::Es256, code), "LDktKdoQak3Pk0cnXxCltA");
    assert_eq!(decoded(&half_hash(Algorithm::EdDsa, code)).len(), 32, "half of SHA-512");
}
