//! What a request for a new token may contain.

use std::time::{Duration, SystemTime};

use authn::{Grant, Grants};
use config::duration;

use crate::model::{Kind, Life};

/// The longest label, in characters.
pub const MAX_LABEL: usize = 128;
/// The longest reason for an impersonation, in characters.
pub const MAX_REASON: usize = 256;
/// The shortest window of a sliding token.
pub const SHORTEST_WINDOW: Duration = Duration::from_mins(1);
/// The longest window of a sliding token.
pub const LONGEST_WINDOW: Duration = Duration::from_hours(30 * 24);
/// The longest life that a configuration may allow a sliding token.
pub const LONGEST_SLIDING: Duration = Duration::from_hours(365 * 24);
const DAY: Duration = Duration::from_hours(24);

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The label is too long, or holds what would break a line.
    #[error("a label has at most {MAX_LABEL} characters and no control characters")]
    Label,
    /// The reason is too long, or holds what would break a line.
    #[error("a reason has at most {MAX_REASON} characters and no control characters")]
    Reason,
    /// The end is not in the future.
    #[error("the expiration must be in the future")]
    Past,
    /// The end is further away than is allowed.
    #[error("the expiration is too far away; at most {} hours are allowed", .0.as_secs() / 3600)]
    TooLong(Duration),
    /// A token has to end.
    #[error("a token without an end is not allowed")]
    Never,
    /// The window is out of bounds.
    #[error("a window has between 60 seconds and 30 days")]
    Window,
    /// The longest life of a sliding token is shorter than its window, or longer than is allowed.
    #[error("a sliding token may live as long as its window at least, and {} hours at most", .0.as_secs() / 3600)]
    Lifetime(Duration),
    /// The operator does not give out such scopes.
    #[error("the scope {0} is not given out here")]
    Scope(String),
    /// It is not a duration.
    #[error("{0:?} is not a duration; it is written like 72h, 30m, 10s, 7d or 1h30m")]
    Duration(String),
}

/// The requested end of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifetimeRequest {
    /// As is usual here.
    Usual,
    /// As late as is allowed; never, if that is.
    Longest,
    /// Never.
    Never,
    /// After so long.
    For(Duration),
    /// At this moment.
    Until(SystemTime),
    /// When it was not used for the length of a window.
    Sliding {
        /// The window.
        window: Duration,
        /// After how long it ends however much it is used; as is usual here if nothing is said.
        max_lifetime: Option<Duration>,
    },
}

/// What the operator allows.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How long a token lives when nothing is said.
    pub usual: Duration,
    /// The longest that a token may live.
    pub longest: Duration,
    /// Whether a token may live for ever.
    pub never: bool,
    /// How long a sliding token may live however much it is used; also what it gets when nothing is said.
    pub longest_sliding: Duration,
    /// The longest lifetime of a token that an administrator makes for another user.
    pub longest_impersonated: Duration,
    /// How many live tokens a user may have; 0 is no limit.
    pub most: u64,
    /// Which kinds of scopes are given out, see [`kind_of`].
    pub scopes: Vec<String>,
}

impl Policy {
    /// How a new token ends.
    ///
    /// # Errors
    /// When that is not allowed.
    pub fn life(&self, now: SystemTime, request: LifetimeRequest, kind: Kind) -> Result<Life, PolicyError> {
        let is_impersonated = kind == Kind::Impersonated;
        let longest = if is_impersonated { self.longest_impersonated.min(self.longest) } else { self.longest };
        let latest = now.checked_add(longest).ok_or(PolicyError::TooLong(longest))?;
        let until = |end: SystemTime| match end {
            end if end <= now => Err(PolicyError::Past),
            end if end > latest => Err(PolicyError::TooLong(longest)),
            end => Ok(Life::Fixed(Some(end))),
        };
        let never = self.never && !is_impersonated;
        match request {
            LifetimeRequest::Usual => until(now + self.usual.min(longest)),
            LifetimeRequest::Longest | LifetimeRequest::Never if never => Ok(Life::Fixed(None)),
            LifetimeRequest::Longest => until(latest),
            LifetimeRequest::Never => Err(PolicyError::Never),
            LifetimeRequest::For(lifetime) => until(now.checked_add(lifetime).ok_or(PolicyError::TooLong(longest))?),
            LifetimeRequest::Until(end) => until(end),
            LifetimeRequest::Sliding { window, max_lifetime } => {
                let longest = if is_impersonated { self.longest_sliding.min(longest) } else { self.longest_sliding };
                sliding(now, window, max_lifetime.unwrap_or(longest), longest)
            }
        }
    }

    /// Whether these scopes are given out.
    ///
    /// # Errors
    /// For the first that is not.
    pub fn check_scopes(&self, grants: &Grants) -> Result<(), PolicyError> {
        let refused = grants.iter().find(|grant| !self.scopes.iter().any(|kind| kind == kind_of(grant)));
        refused.map_or(Ok(()), |grant| Err(PolicyError::Scope(grant.to_string())))
    }
}

fn sliding(now: SystemTime, window: Duration, lifetime: Duration, longest: Duration) -> Result<Life, PolicyError> {
    if !(SHORTEST_WINDOW..=LONGEST_WINDOW).contains(&window) {
        return Err(PolicyError::Window);
    }
    if !(window..=longest).contains(&lifetime) {
        return Err(PolicyError::Lifetime(longest));
    }
    let latest = now.checked_add(lifetime).ok_or(PolicyError::Lifetime(longest))?;
    Ok(Life::Sliding { window, latest })
}

/// The kinds of scopes, as the configuration names them.
pub const SCOPE_KINDS: [&str; 5] = ["user", "node", "path", "tokens", "profile"];

/// What the configuration calls scopes of this kind.
pub fn kind_of(grant: &Grant) -> &'static str {
    match grant {
        Grant::User => "user",
        Grant::Node { .. } => "node",
        Grant::Path { .. } => "path",
        Grant::Tokens(_) => "tokens",
        Grant::Profile => "profile",
    }
}

/// Checks a label.
///
/// # Errors
/// [`PolicyError::Label`].
pub fn label(text: &str) -> Result<&str, PolicyError> {
    if is_line(text, MAX_LABEL) { Ok(text) } else { Err(PolicyError::Label) }
}

/// Checks a reason.
///
/// # Errors
/// [`PolicyError::Reason`].
pub fn reason(text: &str) -> Result<&str, PolicyError> {
    if is_line(text, MAX_REASON) { Ok(text) } else { Err(PolicyError::Reason) }
}

fn is_line(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.chars().any(char::is_control)
}

/// Reads how long a token shall live: numbers with the units d, h, m and s, as in `7d`, `72h` or `1h30m`. At least a
/// second.
///
/// # Errors
/// [`PolicyError::Duration`].
pub fn duration(text: &str) -> Result<Duration, PolicyError> {
    let wrong = || PolicyError::Duration(text.chars().take(32).collect());
    let (days, rest) = match text.split_once('d') {
        Some((days, rest)) if !days.is_empty() && days.bytes().all(|digit| digit.is_ascii_digit()) => {
            let days: u32 = days.parse().map_err(|_| wrong())?;
            (DAY.checked_mul(days).ok_or_else(wrong)?, rest)
        }
        _ => (Duration::ZERO, text),
    };
    // a bare number says no unit; milliseconds and less are nothing that a token is made for
    let known = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'h' | 'm' | 's');
    let has_units = rest.ends_with(['h', 'm', 's']) && rest.chars().all(known) && !rest.contains("ms");
    let time = match rest {
        "" if !days.is_zero() => Some(Duration::ZERO),
        rest if has_units => duration::parse(rest),
        _ => None,
    };
    let total = time.and_then(|time| time.checked_add(days));
    total.filter(|total| *total >= Duration::from_secs(1)).ok_or_else(wrong)
}

/// The same, where a bare number is seconds, as Cells has it.
///
/// # Errors
/// [`PolicyError::Duration`].
pub fn duration_or_seconds(text: &str) -> Result<Duration, PolicyError> {
    let is_bare = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    if is_bare { duration(&format!("{text}s")) } else { duration(text) }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const YEAR: Duration = Duration::from_hours(8760);

    fn policy() -> Policy {
        Policy {
            usual: 72 * HOUR,
            longest: YEAR,
            never: false,
            longest_sliding: 30 * DAY,
            longest_impersonated: DAY,
            most: 100,
            scopes: vec!["user".to_owned(), "node".to_owned()],
        }
    }

    #[test]
    fn a5_durations_are_read_or_refused() {
        let good = [("72h", 259_200), ("1h", 3600), ("1m", 60), ("1s", 1), ("1h30m", 5400), ("7d", 604_800)];
        for (text, seconds) in good.into_iter().chain([("1d12h", 129_600), ("1.5h", 5400)]) {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
            assert_eq!(duration_or_seconds(text), duration(text));
        }
        assert_eq!(duration_or_seconds("600"), Ok(Duration::from_mins(10)));
        let wrong = ["", "-1h", "0s", "0", "72", "1e9h", "NaN", "inf", "99999999999999999999", "99999999999999999999h"];
        for text in wrong.into_iter().chain([
            "1x",
            "h",
            "d",
            "1h-1m",
            " 1h",
            "1h ",
            "1ns",
            "0.1s",
            "١h",
            "0d",
            "1h1d",
            "1d1",
            "1500ms",
            "99999999999d",
        ]) {
            assert!(duration(text).is_err(), "{text:?}");
        }
        for text in ["", "0", "-1", "99999999999999999999"] {
            assert!(duration_or_seconds(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a5_an_end_is_in_the_future_and_not_too_far() {
        let (policy, now) = (policy(), UNIX_EPOCH + YEAR);
        let life = |request| policy.life(now, request, Kind::App);
        assert_eq!(life(LifetimeRequest::Usual), Ok(Life::Fixed(Some(now + 72 * HOUR))));
        assert_eq!(life(LifetimeRequest::Longest), Ok(Life::Fixed(Some(now + YEAR))));
        assert_eq!(life(LifetimeRequest::For(HOUR)), Ok(Life::Fixed(Some(now + HOUR))));
        assert_eq!(life(LifetimeRequest::Until(now + YEAR)), Ok(Life::Fixed(Some(now + YEAR))));
        assert_eq!(life(LifetimeRequest::Until(now)), Err(PolicyError::Past));
        assert_eq!(life(LifetimeRequest::Until(UNIX_EPOCH)), Err(PolicyError::Past));
        let beyond = now + YEAR + Duration::from_nanos(1);
        assert_eq!(life(LifetimeRequest::Until(beyond)), Err(PolicyError::TooLong(YEAR)));
        assert_eq!(life(LifetimeRequest::For(Duration::MAX)), Err(PolicyError::TooLong(YEAR)));
        assert_eq!(life(LifetimeRequest::Never), Err(PolicyError::Never));
        let endless = Policy { never: true, ..policy.clone() };
        assert_eq!(endless.life(now, LifetimeRequest::Never, Kind::App), Ok(Life::Fixed(None)));
        assert_eq!(endless.life(now, LifetimeRequest::Longest, Kind::App), Ok(Life::Fixed(None)));
        assert_eq!(endless.life(now, LifetimeRequest::Never, Kind::Impersonated), Err(PolicyError::Never));
    }

    #[test]
    fn a6_a_window_is_bounded_and_has_an_absolute_end() {
        let (policy, now) = (policy(), UNIX_EPOCH + YEAR);
        let life =
            |window, max_lifetime| policy.life(now, LifetimeRequest::Sliding { window, max_lifetime }, Kind::Personal);
        assert_eq!(life(HOUR, None), Ok(Life::Sliding { window: HOUR, latest: now + 30 * DAY }));
        assert_eq!(life(HOUR, Some(DAY)), Ok(Life::Sliding { window: HOUR, latest: now + DAY }));
        assert_eq!(life(Duration::from_secs(59), None), Err(PolicyError::Window));
        assert_eq!(life(LONGEST_WINDOW + HOUR, None), Err(PolicyError::Window));
        assert_eq!(life(HOUR, Some(HOUR / 2)), Err(PolicyError::Lifetime(30 * DAY)));
        assert_eq!(life(HOUR, Some(31 * DAY)), Err(PolicyError::Lifetime(30 * DAY)));
        assert_eq!(life(HOUR, Some(Duration::MAX)), Err(PolicyError::Lifetime(30 * DAY)));
    }

    #[test]
    fn a11_an_impersonated_token_is_short() {
        let (policy, now) = (policy(), UNIX_EPOCH + YEAR);
        let life = |request| policy.life(now, request, Kind::Impersonated);
        assert_eq!(life(LifetimeRequest::Usual), Ok(Life::Fixed(Some(now + DAY))));
        assert_eq!(life(LifetimeRequest::For(72 * HOUR)), Err(PolicyError::TooLong(DAY)));
        let sliding = LifetimeRequest::Sliding { window: HOUR, max_lifetime: None };
        assert_eq!(life(sliding), Ok(Life::Sliding { window: HOUR, latest: now + DAY }));
    }

    #[test]
    fn only_scopes_that_the_operator_gives_out_are() {
        let check = |word| policy().check_scopes(&Grants::parse([word]).expect("a scope"));
        assert_eq!(check("user"), Ok(()));
        assert_eq!(check("tokens:write"), Err(PolicyError::Scope("tokens:write".to_owned())));
    }

    /// Row A12.
    #[test]
    fn label_is_one_short_line() {
        assert_eq!(label("Phone <script>"), Ok("Phone <script>"));
        assert_eq!(label(&"ä".repeat(128)).map(str::len), Ok(256));
        for wrong in ["a".repeat(129), "a\nb".into(), "a\u{7}".into(), "x".repeat(1024 * 1024)] {
            assert_eq!(label(&wrong), Err(PolicyError::Label));
            assert_eq!(reason(&wrong.repeat(2)), Err(PolicyError::Reason));
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in ".{0,40}") {
            if let Ok(read) = duration(&text) {
                prop_assert!(read >= Duration::from_secs(1));
            }
            let _ = duration_or_seconds(&text);
        }

        #[test]
        fn what_is_written_is_read(days in 0_u32..1000, hours in 0_u32..1000, minutes in 0_u32..1000, seconds in 1_u32..1000) {
            let text = format!("{days}d{hours}h{minutes}m{seconds}s");
            let wanted = u64::from(days) * 86_400 + u64::from(hours) * 3600 + u64::from(minutes) * 60 + u64::from(seconds);
            prop_assert_eq!(duration(&text), Ok(Duration::from_secs(wanted)));
        }

        #[test]
        fn no_life_is_longer_than_is_allowed(window in 0_u64..5_000_000, lifetime in prop::option::of(0_u64..50_000_000), impersonated: bool) {
            let (policy, now) = (policy(), UNIX_EPOCH + YEAR);
            let kind = if impersonated { Kind::Impersonated } else { Kind::App };
            let request = LifetimeRequest::Sliding { window: Duration::from_secs(window), max_lifetime: lifetime.map(Duration::from_secs) };
            if let Ok(life) = policy.life(now, request, kind) {
                let longest = if impersonated { policy.longest_impersonated } else { policy.longest_sliding };
                prop_assert!(life.latest().is_some_and(|end| end <= now + longest));
            }
        }
    }
}
