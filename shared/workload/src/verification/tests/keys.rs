//! Keys for all algorithms of JWT-SVIDs.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oidc::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

/// A key for one algorithm.
pub(super) struct Key {
    pub(super) algorithm: &'static str,
    /// The public key.
    pub(super) jwk: Value,
    pair: Pair,
}

enum Pair {
    Rsa(Arc<RsaKeyPair>, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
}

impl Key {
    /// A JWT that says that it is signed with `algorithm`. It is signed with the algorithm of the key.
    pub(super) fn sign(&self, claims: &Value, algorithm: &str) -> String {
        let header = json!({ "alg": algorithm, "kid": self.algorithm, "typ": "JWT" });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(claims));
        let signature = match &self.pair {
            Pair::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &SystemRandom::new(), message.as_bytes(), &mut signature).expect("signs");
                signature
            }
            Pair::Ec(pair) => pair.sign(&SystemRandom::new(), message.as_bytes()).expect("signs").as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A key for each algorithm, which is its name.
pub(super) fn all() -> Vec<Key> {
    let paddings: [(&str, &'static dyn RsaEncoding); 6] = [
        ("RS256", &RSA_PKCS1_SHA256),
        ("RS384", &RSA_PKCS1_SHA384),
        ("RS512", &RSA_PKCS1_SHA512),
        ("PS256", &RSA_PSS_SHA256),
        ("PS384", &RSA_PSS_SHA384),
        ("PS512", &RSA_PSS_SHA512),
    ];
    let rsa = SigningKey::generate(Algorithm::Rs256, "rsa").expect("makes a key");
    let pair = Arc::new(RsaKeyPair::from_pkcs8(&rsa.to_pkcs8().expect("is written")).expect("is a key"));
    let of_rsa = paddings.map(|(algorithm, padding)| {
        let mut jwk = rsa.jwk().clone();
        jwk.remove("alg");
        jwk.insert("kid".to_owned(), algorithm.into());
        Key { algorithm, jwk: jwk.into(), pair: Pair::Rsa(Arc::clone(&pair), padding) }
    });
    let curves =
        [("ES256", "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING), ("ES384", "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING)];
    let of_curves = curves.map(|(algorithm, curve, signing)| {
        let pair = EcdsaKeyPair::generate(signing).expect("makes a key");
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let [x, y] = [x, y].map(|part| URL_SAFE_NO_PAD.encode(part));
        let jwk = json!({ "kty": "EC", "kid": algorithm, "crv": curve, "x": x, "y": y });
        Key { algorithm, jwk, pair: Pair::Ec(pair) }
    });
    of_rsa.into_iter().chain(of_curves).collect()
}
