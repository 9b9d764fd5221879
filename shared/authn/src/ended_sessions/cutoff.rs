//! Ends of everything that was issued before a time. Tokens do not name these ends: each has an identifier that is derived from what it
//! ends, under which it is stored and sent among the ended sessions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::{Builder, Uuid};

/// How long an end is remembered after its second: no access token is valid for longer than a day. The second is computed from the end
/// of this time, also by services of other versions.
pub const REMEMBERED: Duration = Duration::from_hours(25);

/// What was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cutoff<'a> {
    /// The tokens of all users and clients.
    Everyone,
    /// All tokens of a user.
    User(&'a str),
    /// The tokens of a client for a user.
    Consent {
        /// The user.
        user: &'a str,
        /// The client.
        client: &'a str,
    },
    /// Every grant of a session, also those with `offline_access`, which outlive the session itself. It has no second: no grant begins in
    /// a session that has ended.
    GrantsOfSession(Uuid),
}

impl Cutoff<'_> {
    /// The identifier of the end, which services of all versions derive alike.
    pub fn id(self) -> Uuid {
        match self {
            Self::Everyone => derive(&["everyone", "", ""]),
            Self::User(user) => derive(&["person", user, ""]),
            Self::Consent { user, client } => derive(&["consent", user, client]),
            Self::GrantsOfSession(session) => derive(&["grants of session", &session.to_string(), ""]),
        }
    }
}

fn derive(parts: &[&str; 3]) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&crypto::fingerprint_of_parts(parts)[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// The second before which everything was ended by an end that is remembered until this time, since the epoch.
pub fn second_of(until: SystemTime) -> u64 {
    until.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(REMEMBERED).as_secs()
}

/// For whom, to which client and when something was issued; times are seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issuance<'a> {
    /// The user; `None` where a client acts for itself.
    pub user: Option<&'a str>,
    /// The client.
    pub client: &'a str,
    /// The session in which the user has signed in.
    pub session: Option<Uuid>,
    /// When the user has signed in (`auth_time`).
    pub signed_in: Option<u64>,
    /// When it was issued (`iat`).
    pub issued: u64,
}

impl Issuance<'_> {
    /// Whether everything of its user, of its client and that user, or of everyone was ended after this was issued, or its session with
    /// its grants. `until` returns until when the end with an identifier is remembered.
    pub fn is_cut_off(&self, until: impl Fn(Uuid) -> Option<SystemTime>) -> bool {
        let second = |cutoff: Cutoff<'_>| until(cutoff.id()).map(second_of);
        let is_before = |at: u64, end: Option<u64>| end.is_some_and(|end| at < end);
        let everyone = second(Cutoff::Everyone);
        let Some(user) = self.user else { return is_before(self.issued, everyone) };
        let of_user = second(Cutoff::User(user)).max(everyone);
        // whatever was issued for such a sign-in since, by a request or a replica that did not know yet; in the second of the end itself
        // only the time of issue tells what came first
        if self.signed_in.is_some_and(|at| is_before(at.saturating_add(1), of_user)) {
            return true;
        }
        if self.session.is_some_and(|session| until(Cutoff::GrantsOfSession(session).id()).is_some()) {
            return true;
        }
        // a sign-in after the end counts as after it, also where the clock was corrected between both
        let issued = self.signed_in.map_or(self.issued, |at| at.max(self.issued));
        is_before(issued, of_user.max(second(Cutoff::Consent { user, client: self.client })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUED: u64 = 1_000_000;

    fn issuance() -> Issuance<'static> {
        let session = Some(Uuid::from_u128(1));
        Issuance { user: Some("curie"), client: "app", session, signed_in: Some(ISSUED - 500), issued: ISSUED }
    }

    /// Whether this is cut off by an end before this second.
    fn ends(issuance: &Issuance<'_>, cutoff: Cutoff<'_>, second: u64) -> bool {
        let until = UNIX_EPOCH + Duration::from_secs(second) + REMEMBERED;
        issuance.is_cut_off(|id| (id == cutoff.id()).then_some(until))
    }

    /// `docs/security-requirements.md#i24`
    #[test]
    fn end_counts_for_what_was_issued_before_it() {
        let consent = |user, client| Cutoff::Consent { user, client };
        let (of_it, issuance) = (consent("curie", "app"), issuance());
        assert!(!issuance.is_cut_off(|_| None));
        assert_eq!([ISSUED, ISSUED + 1].map(|second| ends(&issuance, of_it, second)), [false, true]);
        for other in [consent("curie", "other"), consent("bohr", "app"), Cutoff::User("bohr")] {
            assert!(!ends(&issuance, other, ISSUED + 9), "{other:?}");
        }
        for all in [Cutoff::Everyone, Cutoff::User("curie")] {
            let at = [ISSUED - 499, ISSUED - 498, ISSUED + 1].map(|second| ends(&issuance, all, second));
            assert_eq!(at, [false, true, true], "the sign-in counts: {all:?}");
        }
        let later = Issuance { signed_in: Some(ISSUED + 9), ..issuance };
        assert!(!ends(&later, of_it, ISSUED + 5), "the user has signed in again");
    }

    #[test]
    fn grants_of_a_session_end_with_it_if_they_were_ended() {
        let ended = |id| ends(&issuance(), Cutoff::GrantsOfSession(Uuid::from_u128(id)), 0);
        assert_eq!([1, 2].map(ended), [true, false]);
    }

    /// `docs/security-requirements.md#k3`
    #[test]
    fn client_that_acts_for_itself_is_cut_off_with_everyone_only() {
        let own = Issuance { user: None, session: None, signed_in: None, ..issuance() };
        assert_eq!([ISSUED, ISSUED + 1].map(|second| ends(&own, Cutoff::Everyone, second)), [false, true]);
        assert!(!ends(&own, Cutoff::User("app"), ISSUED + 1));
    }

    #[test]
    fn identifiers_do_not_change_between_versions() {
        let ends = [
            (Cutoff::Everyone, "f2b39ae8-34c6-892c-8aa3-15be0251c04f"),
            (Cutoff::User("curie"), "53a45549-fabb-8ead-ae63-b69a38d7e812"),
            (Cutoff::Consent { user: "curie", client: "app" }, "361709e0-68b9-8db0-b4a9-9d3d1f80e66c"),
            (Cutoff::GrantsOfSession(Uuid::from_u128(1)), "703d555b-0633-8550-b273-146d62af4f38"),
        ];
        for (end, id) in ends {
            assert_eq!(end.id().to_string(), id, "{end:?}");
        }
        assert_eq!(second_of(UNIX_EPOCH + Duration::from_secs(90_000 + 7)), 7);
        assert_eq!(second_of(UNIX_EPOCH), 0);
    }

    #[test]
    fn no_two_are_taken_for_one() {
        let consent = |user, client| Cutoff::Consent { user, client };
        let all = [
            consent("ab", "c"),
            consent("a", "bc"),
            consent("a", ""),
            Cutoff::GrantsOfSession(Uuid::from_u128(1)),
            Cutoff::User("a"),
            Cutoff::User("curie"),
            Cutoff::User(""),
            Cutoff::Everyone,
        ]
        .map(Cutoff::id);
        assert!(all.iter().enumerate().all(|(index, one)| !all[..index].contains(one)));
    }
}
