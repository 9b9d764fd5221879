//! The entries of the test server.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The suffix of the tree.
pub const BASE: &str = "dc=example,dc=org";
/// The DN that a service binds as.
pub const BIND_DN: &str = "cn=doorward,ou=services,dc=example,dc=org";
/// That one's password.
pub const BIND_PASSWORD: &str = "a-service-password-of-the-test-server";
/// The entry with the password policy, where there is one.
pub(super) const POLICY: &str = "cn=policy,ou=services,dc=example,dc=org";
/// The group of disabled people; Richard is in it.
pub const DISABLED_GROUP: &str = "cn=DisabledUsersGroup,ou=groups,dc=example,dc=org";
/// The identifier of the group of physicists: all users but Lise and the guest.
pub const PHYSICS: &str = "262982c1-2362-4afa-bfdf-8cbfef64a06e";
/// The identifier of the group with Marie alone.
pub const RADIUM: &str = "7b87fd49-286e-4a5f-bafd-c535d5dd997a";
/// The identifier of the `posixGroup` with Marie and the one of odd names.
pub const STAFF: &str = "91b1a7f5-0c53-4d57-8ff4-3a4b9e40d3a9";
/// A mail address that two people have.
pub const AMBIGUOUS_MAIL: &str = "office@example.org";

/// A person of the test server.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// The part of the DN that names the entry.
    pub rdn: &'static str,
    /// The organisational unit.
    pub unit: &'static str,
    /// The login.
    pub uid: &'static str,
    /// The password.
    pub password: &'static str,
    /// The identifier, as text.
    pub id: &'static str,
    /// The name to show.
    pub name: &'static str,
    /// The mail address.
    pub mail: &'static str,
    /// The POSIX number, in `uidNumber`.
    pub number: u32,
    /// `ownCloudUserEnabled`.
    pub enabled: bool,
    /// `ownCloudUserType`.
    pub kind: &'static str,
    /// The lines of the LDIF that make the profile.
    profile: &'static str,
}

const ORDINARY: Person = Person {
    rdn: "",
    unit: "ou=people",
    uid: "",
    password: "",
    id: "",
    name: "",
    mail: AMBIGUOUS_MAIL,
    number: 0,
    enabled: true,
    kind: "Member",
    profile: "",
};

/// Albert Einstein.
pub const EINSTEIN: Person = Person {
    rdn: "uid=einstein",
    uid: "einstein",
    password: "relativity",
    id: "4c510ada-c86b-4815-8820-42cdf82c3d51",
    name: "Albert Einstein",
    mail: "einstein@example.org",
    number: 20_000,
    profile: "givenName: Albert\ntelephoneNumber: +41 44 632 11 11\nlabeledURI: https://einstein.example.org Home page\n\
              preferredLanguage: de-CH, en;q=0.5\npostalAddress: Kramgasse 49$3011 Bern\nstreet: Kramgasse 49\nl: Bern\n\
              st: BE\npostalCode: 3011\n",
    ..ORDINARY
};
/// Marie Curie; her entry is one level deeper.
pub const MARIE: Person = Person {
    rdn: "uid=marie",
    unit: "ou=radium,ou=people",
    uid: "marie",
    password: "radioactivity",
    id: "f7fbf8c8-139b-4376-b307-cf0a8c2d0d9c",
    name: "Marie Skłodowska Curie",
    mail: "marie@example.org",
    number: 20_001,
    ..ORDINARY
};
/// Richard Feynman; a member of [`DISABLED_GROUP`], which matters only to the mechanism `group`.
pub const RICHARD: Person = Person {
    rdn: "uid=richard",
    uid: "richard",
    password: "superfluidity",
    id: "932b4540-8d16-481e-8ef4-588e4b6b151c",
    name: "Richard Phillips Feynman",
    mail: "richard@example.org",
    number: 20_002,
    ..ORDINARY
};
/// Lise Meitner; disabled by attribute.
pub const LISE: Person = Person {
    rdn: "uid=lise",
    uid: "lise",
    password: "protactinium",
    id: "0b2c1ef3-6f3c-4d53-9a5e-2f31f2a6d5b1",
    name: "Lise Meitner",
    number: 20_003,
    enabled: false,
    ..ORDINARY
};
/// Someone whose name and login are made of what has to be escaped.
pub const OHARA: Person = Person {
    rdn: r#"cn=O\, \"Hara\" \+ (Co\\*) \#1"#,
    uid: "o*hara(1)\\",
    password: "*)(uid=*",
    id: "6d3b8b5e-0f0e-4a39-8a43-93fca5bd0b11",
    name: r#"O, "Hara" + (Co\*) #1"#,
    mail: "ohara@example.org",
    number: 20_004,
    ..ORDINARY
};
/// A guest.
pub const GUEST: Person = Person {
    rdn: "uid=visitor",
    uid: "visitor",
    password: "hospitality",
    id: "d9c9a1b4-54a5-4d4a-a3ed-3c1f6a2a7d10",
    name: "A Visitor",
    number: 20_005,
    kind: "Guest",
    ..ORDINARY
};

const EVERYBODY: [Person; 6] = [EINSTEIN, MARIE, RICHARD, LISE, OHARA, GUEST];

impl Person {
    /// The DN.
    pub fn dn(&self) -> String {
        format!("{},{},{BASE}", self.rdn, self.unit)
    }

    /// What the person's `objectGUID` holds: the identifier as Active Directory stores it.
    fn object_guid(&self) -> [u8; 16] {
        uuid::Uuid::parse_str(self.id).expect("the tree's identifiers are UUIDs").to_bytes_le()
    }

    fn ldif(&self) -> String {
        let Self { uid, password, id, name, mail, number, kind, profile, .. } = self;
        let enabled = if self.enabled { "TRUE" } else { "FALSE" };
        let object_class =
            ["inetOrgPerson", "posixAccount", "ownCloud"].map(|class| format!("objectClass: {class}\n")).concat();
        format!(
            "dn: {}\n{object_class}uid: {uid}\ncn: {name}\nsn: {name}\ndisplayName:: {}\nmail: {mail}\nuserPassword: {password}\n\
             uidNumber: {number}\ngidNumber: 30000\nhomeDirectory: /\nownCloudUUID: {id}\nownCloudUserEnabled: {enabled}\n\
             ownCloudUserType: {kind}\n{profile}objectGUID:: {}\n\n",
            self.dn(),
            BASE64.encode(name),
            BASE64.encode(self.object_guid()),
        )
    }
}

/// The whole tree (RFC 2849), with so many more groups of Einstein alone, and a password policy with these lines.
pub(super) fn ldif(groups: u32, password_policy: &str) -> String {
    let mut text = format!("dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n");
    for unit in ["ou=services", "ou=people", "ou=radium,ou=people", "ou=groups"] {
        let name = unit.trim_start_matches("ou=").split(',').next().unwrap_or_default();
        let _ = write!(text, "dn: {unit},{BASE}\nobjectClass: organizationalUnit\nou: {name}\n\n");
    }
    let _ = write!(
        text,
        "dn: {BIND_DN}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: doorward\nuserPassword: {BIND_PASSWORD}\n\n"
    );
    if !password_policy.is_empty() {
        let _ = write!(
            text,
            "dn: {POLICY}\nobjectClass: organizationalRole\nobjectClass: pwdPolicy\ncn: policy\npwdAttribute: userPassword\n\
             {password_policy}\n\n"
        );
    }
    text.extend(EVERYBODY.iter().map(Person::ldif));
    let physicists = [EINSTEIN, MARIE, RICHARD, OHARA].map(|person| person.dn());
    text.push_str(&group(&format!("cn=physics-lovers,ou=groups,{BASE}"), PHYSICS, &physicists));
    let _ = writeln!(text, "description: in Berlin\n");
    // in addition to Marie a user whose entry was deleted, and a service, which is no user
    let named = [MARIE.dn(), format!("uid=left,ou=people,{BASE}"), BIND_DN.to_owned()];
    text.push_str(&group(&format!("cn=radium-lovers,ou=groups,{BASE}"), RADIUM, &named));
    text.push('\n');
    let _ = write!(
        text,
        "dn: cn=staff,ou=groups,{BASE}\nobjectClass: posixGroup\nobjectClass: ownCloud\ncn: staff\ngidNumber: 30000\n\
         ownCloudUUID: {STAFF}\nmemberUid: marie\nmemberUid: {}\nmemberUid: left\n\n",
        OHARA.uid
    );
    for number in 0..groups {
        let id = uuid::Uuid::from_u128(u128::from(number) + 1).to_string();
        text.push_str(&group(&format!("cn=group-{number},ou=groups,{BASE}"), &id, &[EINSTEIN.dn()]));
        text.push('\n');
    }
    text.push_str(&group(DISABLED_GROUP, "1c1ba4a0-2b3c-4a61-a0ac-64b4d0fd1d75", &[RICHARD.dn()]));
    text
}

fn group(dn: &str, id: &str, members: &[String]) -> String {
    let name = dn.trim_start_matches("cn=").split(',').next().unwrap_or_default();
    let mut text =
        format!("dn: {dn}\nobjectClass: groupOfNames\nobjectClass: ownCloud\ncn: {name}\nownCloudUUID: {id}\n");
    for member in members {
        let _ = writeln!(text, "member: {member}");
    }
    text
}

/// The schema that oCIS and Active Directory have in addition to the standard classes.
pub(super) const SCHEMA: &str = "\
attributetype ( 1.1.2.1.1 NAME 'ownCloudUUID' EQUALITY uuidMatch SYNTAX 1.3.6.1.1.16.1 SINGLE-VALUE )
attributetype ( 1.1.2.1.2 NAME 'ownCloudUserEnabled' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( 1.1.2.1.3 NAME 'ownCloudUserType' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
objectclass ( 1.1.2.2.1 NAME 'ownCloud' AUXILIARY MAY ( ownCloudUUID $ ownCloudUserEnabled $ ownCloudUserType $ objectGUID ) )
";
