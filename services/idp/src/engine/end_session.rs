//! Decides about an end-session request, without side effects.

pub(crate) mod hint;

#[cfg(test)]
mod tests;

use oidc::redirect::RedirectRules;

use self::hint::Hint;
use crate::model::Session;

/// An end-session request (`OpenID` Connect RP-Initiated Logout 1.0, 2) as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) id_token_hint: Option<&'a str>,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) redirect_uri: Option<&'a str>,
    pub(crate) state: Option<&'a str>,
    pub(crate) ui_locales: Option<&'a str>,
}

impl Request<'_> {
    /// The languages of the pages, the preferred one first.
    pub(crate) fn languages(&self) -> Vec<String> {
        self.ui_locales.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect()
    }
}

/// The result of reading the parameter `id_token_hint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    /// It is missing.
    Nothing,
    /// It is not an ID token of this server.
    Forged,
    /// It is an ID token of this server.
    Hint(Hint),
}

impl Given {
    fn hint(&self) -> Option<&Hint> {
        match self {
            Self::Hint(hint) => Some(hint),
            Self::Nothing | Self::Forged => None,
        }
    }

    /// The client that makes the request, if the request names one.
    ///
    /// # Errors
    /// [`Refused::OtherClient`]: a hint of one client is no use to another.
    pub(crate) fn client<'a>(&'a self, request: &Request<'a>) -> Result<Option<&'a str>, Refused> {
        match (self.hint().map(|hint| hint.client.as_str()), request.client_id) {
            (Some(hinted), Some(named)) if hinted != named => Err(Refused::OtherClient),
            (Some(client), _) | (None, Some(client)) => Ok(Some(client)),
            (None, None) => Ok(None),
        }
    }
}

/// Why a request is answered with an error page, and no session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the ID token was issued to another application than the one that asks")]
    OtherClient,
    #[error("the application that asks is not known here")]
    UnknownClient,
    #[error("the application has not registered the address to go to afterwards")]
    Unregistered,
}

/// The decision. `target` is the URL to which the browser is finally redirected, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision<'a> {
    /// The user has to confirm.
    Ask { session: &'a Session, target: Option<String> },
    /// The session ends without confirmation: the hint shows that the request is about this session.
    End { session: &'a Session, target: Option<String> },
    /// There is no session.
    NoSession { target: Option<String> },
}

impl Decision<'_> {
    /// The URL to which the browser is finally redirected.
    pub(crate) fn target(&self) -> Option<&str> {
        match self {
            Self::Ask { target, .. } | Self::End { target, .. } | Self::NoSession { target } => target.as_deref(),
        }
    }
}

/// The session of the browser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedIn<'a, 'b> {
    pub(crate) session: &'a Session,
    /// The user's `sub` for the requesting client, if there is one.
    pub(crate) subject: Option<&'b str>,
}

/// Decides about a request. `registered` are the post-logout redirect URIs of the client that [`Given::client`] names, if it is
/// known.
///
/// - A session ends without confirmation only with an ID token of this server for it; anybody can forge the other parameters.
/// - The browser is redirected only to a registered URI (`docs/security-requirements.md#i4`); any other URI is an error.
///   Without a client the user has to confirm, and the browser is not redirected.
/// - With a hint that is not an ID token of this server the user can still sign out, and the browser is not redirected.
pub(crate) fn decide<'a>(
    request: &Request<'_>,
    given: &Given,
    registered: Option<&RedirectRules>,
    signed_in: Option<SignedIn<'a, '_>>,
) -> Result<Decision<'a>, Refused> {
    let target = target(request, given, registered)?;
    Ok(match (signed_in, given.hint()) {
        (None, Some(_)) => Decision::NoSession { target },
        (None, None) => Decision::NoSession { target: None },
        (Some(SignedIn { session, subject }), Some(hint)) if hint.fits(session, subject) => {
            Decision::End { session, target }
        }
        (Some(SignedIn { session, .. }), _) => Decision::Ask { session, target },
    })
}

fn target(request: &Request<'_>, given: &Given, registered: Option<&RedirectRules>) -> Result<Option<String>, Refused> {
    if *given == Given::Forged {
        return Ok(None);
    }
    if registered.is_none() && request.client_id.is_some() {
        return Err(Refused::UnknownClient);
    }
    let (Some(uri), Some(registered)) = (request.redirect_uri, registered) else { return Ok(None) };
    let redirect = registered.find(uri).ok_or(Refused::Unregistered)?;
    Ok(Some(redirect.in_query(request.state.map(|state| ("state", state)))))
}
