//! Revokes everything that was issued before a time, including stateless tokens, which are stored nowhere.

use authn::ended_sessions::{Cutoff, Issuance, REMEMBERED, second_of};
use uuid::Uuid;

use super::{Revocation, Revocations};
use crate::model::{Grant, Seconds, time_of};

/// The tokens to revoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of<'a> {
    /// The tokens of all users and clients.
    Everyone,
    /// All tokens of a user.
    Person(&'a str),
    /// The tokens of a client for a user.
    Consent {
        /// The user.
        person: &'a str,
        /// The client.
        client: &'a str,
    },
}

impl Of<'_> {
    /// The key under which it is stored among the other revocations.
    fn id(self) -> Uuid {
        let cutoff = match self {
            Self::Everyone => Cutoff::Everyone,
            Self::Person(user) => Cutoff::User(user),
            Self::Consent { person: user, client } => Cutoff::Consent { user, client },
        };
        cutoff.id()
    }
}

/// The key under which it is stored that every grant of a session was ended, also those with `offline_access`, which outlive the session
/// itself. It has no time: nothing is granted in a session that has ended.
pub(crate) fn grants_of_session(session: Uuid) -> Uuid {
    Cutoff::GrantsOfSession(session).id()
}

/// The revocation of everything that was issued before this second. A later one of the same tokens replaces it.
pub fn before(of: Of<'_>, second: Seconds) -> Revocation {
    Revocation { id: of.id(), until: time_of(second) + REMEMBERED }
}

/// The keys under which it is stored that everything was ended, or everything of a grant's user, of its client and that user, or of its
/// session.
pub(crate) fn cutoff_ids(grant: &Grant) -> Vec<Uuid> {
    let Grant { person: Some(person), client, sign_in, .. } = grant else { return vec![Of::Everyone.id()] };
    let session = sign_in.as_ref().and_then(|sign_in| sign_in.session);
    let of_user = [Of::Everyone, Of::Person(person), Of::Consent { person, client }].map(Of::id);
    of_user.into_iter().chain(session.map(grants_of_session)).collect()
}

impl Revocations {
    /// Before which second everything was ended by [`before`], of these tokens or of everyone's.
    pub fn cutoff(&self, of: Of<'_>) -> Option<Seconds> {
        let cutoff = |of: Of<'_>| self.until(of.id()).map(second_of);
        cutoff(of).max(cutoff(Of::Everyone))
    }

    /// Whether everything of a grant's user, or of its client and that user, was ended after this was issued, or its session with its grants. Checked
    /// at every redemption: codes, device codes, refresh tokens, access tokens, exchanged ID tokens.
    pub fn cuts_off_grant(&self, grant: &Grant, issued: Seconds) -> bool {
        self.cuts_off_token(&Issuance {
            user: grant.person.as_deref(),
            client: &grant.client,
            session: grant.sign_in.as_ref().and_then(|sign_in| sign_in.session),
            signed_in: grant.sign_in.as_ref().map(|sign_in| sign_in.at),
            issued,
        })
    }

    /// The same, of something that says itself for whom and when it was issued.
    pub fn cuts_off_token(&self, token: &Issuance<'_>) -> bool {
        !self.is_empty() && token.is_cut_off(|id| self.until(id))
    }

    /// Whether everything of a user was ended after a sign-in. In the second of the end itself only the time of issue tells
    /// what came first.
    pub fn ends_sign_in(&self, person: &str, at: Seconds) -> bool {
        self.cuts_off(Of::Person(person), at.saturating_add(1))
    }

    /// Before which second everything of a user ends that is ended now: what was issued in this very second too. Where a clock that
    /// was ahead has noted an end in the future, sign-ins since count as done in the second after it, and this end follows them.
    pub fn next_end(&self, person: &str, now: Seconds) -> Seconds {
        let ended = self.cutoff(Of::Person(person)).filter(|ended| *ended > now + 1);
        ended.map_or(now + 1, |ended| ended + 2)
    }

    /// Whether what was issued in this second was ended by [`before`].
    pub fn cuts_off(&self, of: Of<'_>, issued: Seconds) -> bool {
        !self.is_empty() && self.cutoff(of).is_some_and(|cutoff| issued < cutoff)
    }
}

#[cfg(test)]
mod tests {
    use oidc::scope::Scopes;

    use super::*;
    use crate::endpoints::EndpointProfile;
    use crate::model::SignIn;

    const CURIE: Of<'_> = Of::Person("curie");

    #[test]
    fn i38_what_was_issued_before_the_second_is_cut_off_and_nothing_else() {
        let revocations = Revocations::alone();
        assert!(!revocations.cuts_off(CURIE, 0));
        revocations.add([before(CURIE, 1_000_000)]);
        assert!(revocations.cuts_off(CURIE, 999_999) && !revocations.cuts_off(CURIE, 1_000_000));
        assert!(!revocations.cuts_off(Of::Person("bohr"), 0));
        revocations.add([before(CURIE, 500_000)]);
        assert!(revocations.cuts_off(CURIE, 999_999), "an earlier one takes nothing back");
        revocations.prune(time_of(1_000_000) + REMEMBERED);
        assert!(!revocations.cuts_off(CURIE, 0), "by then everything is over");
    }

    #[test]
    fn what_is_issued_for_a_sign_in_of_before_is_cut_off_however_late() {
        let revocations = Revocations::alone();
        revocations.add([before(CURIE, 1_000_000)]);
        let is_cut_off = |at: Option<Seconds>, issued| {
            let sign_in = at.map(|at| SignIn { session: None, at, amr: Vec::new(), acr: String::new() });
            let grant = Grant {
                id: Uuid::from_u128(1),
                layout: EndpointProfile::OpenCloud,
                client: "app".to_owned(),
                person: Some("curie".to_owned()),
                sign_in,
                scope: Scopes::default(),
                claims: None,
                resources: Vec::new(),
                actor: None,
                limited: false,
            };
            revocations.cuts_off_grant(&grant, issued)
        };
        assert!(is_cut_off(Some(999_000), 1_000_500) && is_cut_off(Some(999_998), 1_000_000));
        assert!(is_cut_off(Some(999_999), 999_999) && !is_cut_off(Some(999_999), 1_000_000), "in the same second");
        assert!(!is_cut_off(Some(1_000_000), 999_999), "the clock was corrected");
        assert!(is_cut_off(None, 999_999) && !is_cut_off(None, 1_000_000));
    }

    /// `docs/security-requirements.md#k3`
    #[test]
    fn end_of_everything_cuts_off_every_user_and_client() {
        let grant = |person: Option<&str>| Grant {
            id: Uuid::from_u128(1),
            layout: EndpointProfile::OpenCloud,
            client: "app".to_owned(),
            person: person.map(str::to_owned),
            sign_in: None,
            scope: Scopes::default(),
            claims: None,
            resources: Vec::new(),
            actor: None,
            limited: false,
        };
        let revocations = Revocations::alone();
        let cut_off = |issued| [None, Some("curie")].map(|person| revocations.cuts_off_grant(&grant(person), issued));
        assert_eq!(cut_off(999_999), [false, false]);
        let everything = before(Of::Everyone, 1_000_000);
        revocations.add([everything]);
        assert_eq!((cut_off(999_999), cut_off(1_000_000)), ([true, true], [false, false]));
        assert!(revocations.ends_sign_in("bohr", 999_998) && !revocations.ends_sign_in("bohr", 999_999));
        revocations.add([before(CURIE, 500_000)]);
        assert_eq!(revocations.cutoff(CURIE), Some(1_000_000), "the later end counts");
        assert!([None, Some("curie")].iter().all(|person| cutoff_ids(&grant(*person)).contains(&everything.id)));
    }

    #[test]
    fn an_end_follows_the_one_that_a_clock_which_was_ahead_has_noted() {
        let revocations = Revocations::alone();
        assert_eq!(revocations.next_end("curie", 10), 11);
        revocations.add([before(CURIE, 7201)]);
        assert_eq!((revocations.next_end("curie", 10), revocations.next_end("curie", 8000)), (7203, 8001));
        let since = 7202;
        assert!(!revocations.cuts_off(CURIE, since));
        revocations.add([before(CURIE, revocations.next_end("curie", 10))]);
        assert!(revocations.cuts_off(CURIE, since));
    }

    #[test]
    fn no_two_are_taken_for_one() {
        let consent = |person, client| Of::Consent { person, client }.id();
        let session = grants_of_session(Uuid::from_u128(1));
        let users = [Of::Person("a").id(), CURIE.id(), Of::Person("").id(), Of::Everyone.id()];
        let all = [&[consent("ab", "c"), consent("a", "bc"), consent("a", ""), session][..], &users].concat();
        assert!(all.iter().enumerate().all(|(index, one)| !all[..index].contains(one)));
    }
}
