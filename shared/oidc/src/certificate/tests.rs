use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

use super::*;

const NAME: &str = "CN=client,OU=Sales\\, Europe,O=Example,C=DE";

fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "DE");
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.distinguished_name.push(DnType::OrganizationalUnitName, "Sales, Europe");
    params.distinguished_name.push(DnType::CommonName, "client");
    change(&mut params);
    params.self_signed(&KeyPair::generate().expect("a key")).expect("is made").der().to_vec()
}

fn parsed(change: impl FnOnce(&mut CertificateParams)) -> Certificate {
    Certificate::parse(&made(change)).expect("a certificate")
}

fn san(text: &str) -> rcgen::string::Ia5String {
    text.try_into().expect("ASCII")
}

#[test]
fn a_subject_is_compared_as_names_are() {
    let certificate = parsed(|_| ());
    let is_of = |text: &str| CertificateName::subject(text).expect(text).is_of(&certificate);
    assert!(is_of(NAME));
    assert!(is_of("cn=CLIENT,ou=sales\\,  europe,o=example,c=de"), "case and spaces make no difference");
    assert!(!is_of("C=DE,O=Example,OU=Sales\\, Europe,CN=client"), "the order does");
    assert!(!is_of("CN=client"), "a part is not the whole");
    assert!(!is_of("CN=client,OU=Sales,O=Example,C=DE"));
    let escaped = CertificateName::subject("CN=client\\,OU=Sales\\\\\\, Europe,O=Example,C=DE");
    assert!(!escaped.is_ok_and(|name| name.is_of(&certificate)), "what is escaped separates nothing");
}

#[test]
fn texts_that_are_no_names_are_refused() {
    for bad in ["", "client", "NOBODY=client", "=x"] {
        assert!(CertificateName::subject(bad).is_err(), "{bad}");
    }
    for bad in ["", "300.0.0.1", "client.example", "10.0.0.0/8"] {
        assert!(CertificateName::ip(bad).is_err(), "{bad}");
    }
}

#[test]
fn alternative_names_are_compared_by_their_kind() {
    let certificate = parsed(|params| {
        params.subject_alt_names = vec![
            SanType::DnsName(san("client.example")),
            SanType::DnsName(san("*.wild.example")),
            SanType::URI(san("spiffe://example/client")),
            SanType::IpAddress([192, 0, 2, 1].into()),
            SanType::IpAddress("2001:db8::1".parse().expect("an address")),
            SanType::Rfc822Name(san("Client@example.org")),
        ];
    });
    let dns = |name: &str| CertificateName::Dns(name.to_owned()).is_of(&certificate);
    assert!(dns("client.example") && dns("Client.Example"));
    assert!(!dns("a.wild.example") && !dns("example") && !dns("spiffe://example/client"));
    let uri = |name: &str| CertificateName::Uri(name.to_owned()).is_of(&certificate);
    assert!(uri("spiffe://example/client") && !uri("spiffe://example/Client") && !uri("client.example"));
    let ip = |name: &str| CertificateName::ip(name).expect(name).is_of(&certificate);
    assert!(ip("192.0.2.1") && ip("2001:db8:0::1") && !ip("192.0.2.2") && !ip("::ffff:192.0.2.1"));
    let email = |name: &str| CertificateName::Email(name.to_owned()).is_of(&certificate);
    assert!(email("Client@EXAMPLE.org") && !email("client@example.org") && !email("example.org"));
    let bare = parsed(|_| ());
    assert!(!CertificateName::Dns("client".to_owned()).is_of(&bare), "the subject's common name is no host");
}

#[test]
fn a_certificate_has_its_time() {
    let certificate = parsed(|params| {
        params.not_before = rcgen::date_time_ymd(2027, 1, 1);
        params.not_after = rcgen::date_time_ymd(2028, 1, 1);
    });
    let at = |days: u64| certificate.is_valid_at(UNIX_EPOCH + Duration::from_hours(24 * days));
    // days since 1970 of the ends of 2026, 2027 and 2028
    assert!(!at(20_818) && at(20_819) && at(21_184) && !at(21_185));
}

#[test]
fn a_key_set_knows_the_certificates_of_its_keys() {
    use base64::engine::general_purpose::STANDARD;
    let (own, above, other) = (made(|_| ()), made(|_| ()), made(|_| ()));
    // a kind of key that is of no use for signatures here
    let key = serde_json::json!({
        "kty": "EC", "crv": "P-384", "x": "x", "y": "y", "x5c": [STANDARD.encode(&own), STANDARD.encode(&above)],
    });
    let set = crate::jose::KeySet::parse(serde_json::json!({ "keys": [key] }).to_string().as_bytes()).expect("a set");
    assert!(!set.is_empty() && set.has_certificate(&thumbprint(&own)));
    assert!(!set.has_certificate(&thumbprint(&above)), "who has signed it is not who it is");
    assert!(!set.has_certificate(&thumbprint(&other)));
    let junk = serde_json::json!({ "keys": [{ "kty": "EC", "x5c": ["AAAA", 1] }, { "x5c": "x" }] });
    assert!(crate::jose::KeySet::parse(junk.to_string().as_bytes()).expect("a set").is_empty());
}

#[test]
fn the_thumbprint_is_that_of_the_whole_certificate() {
    // RFC 8705 has none with its certificate; this is `openssl x509 -outform der | sha256sum` of three bytes
    assert_eq!(thumbprint(b"abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    assert_eq!(thumbprint(&made(|_| ())).len(), 43);
}

proptest! {
    #[test]
    fn junk_is_no_certificate(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>()) {
        prop_assert!(Certificate::parse(&bytes).is_err());
        let mut changed = made(|_| ());
        let cut = at.index(changed.len());
        changed.truncate(cut);
        prop_assert!(Certificate::parse(&changed).is_err());
    }

    #[test]
    fn any_text_is_a_name_or_none(text in "[ -~]{0,60}") {
        if let Ok(name) = CertificateName::subject(&text) {
            prop_assert_eq!(CertificateName::subject(&text), Ok(name));
        }
    }
}
