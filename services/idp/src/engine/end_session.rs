//! What an end-session request leads to. Nothing here has an effect.

pub(crate) mod hint;

#[cfg(test)]
mod tests;

use oidc::redirect::{MAX_BYTES as MAX_REDIRECT, RedirectRules};
use oidc::request::{MAX_ID_TOKEN_HINT, MAX_LIST, MAX_LOGIN_HINT, MAX_STATE};

use self::hint::Hint;
use super::parameters::{BadParameters, Parameters};
use crate::model::Session;

/// The longest `client_id`, in bytes: one that a client was given when it registered itself, or the address of its
/// metadata.
const MAX_CLIENT_ID: usize = 2048;

/// An end-session request (`OpenID` Connect RP-Initiated Logout 1.0, 2) as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) id_token_hint: Option<&'a str>,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) redirect_uri: Option<&'a str>,
    pub(crate) state: Option<&'a str>,
    pub(crate) ui_locales: Option<&'a str>,
}

impl<'a> Request<'a> {
    pub(crate) fn read(parameters: &'a Parameters) -> Result<Self, BadParameters> {
        // it is the signed-in user who signs out, whoever the hint names
        parameters.one("logout_hint", MAX_LOGIN_HINT)?;
        Ok(Self {
            id_token_hint: parameters.one("id_token_hint", MAX_ID_TOKEN_HINT)?,
            client_id: parameters.one("client_id", MAX_CLIENT_ID)?,
            redirect_uri: parameters.one("post_logout_redirect_uri", MAX_REDIRECT)?,
            state: parameters.one("state", MAX_STATE)?,
            ui_locales: parameters.one("ui_locales", MAX_LIST)?,
        })
    }

    /// The languages of the pages, the preferred one first.
    pub(crate) fn languages(&self) -> Vec<String> {
        self.ui_locales.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect()
    }
}

/// What was made of the parameter `id_token_hint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    /// It was left out.
    Nothing,
    /// It is no ID token of ours.
    Forged,
    /// It is one.
    Hint(Hint),
}

impl Given {
    fn hint(&self) -> Option<&Hint> {
        match self {
            Self::Hint(hint) => Some(hint),
            Self::Nothing | Self::Forged => None,
        }
    }

    /// Which client the request is made by, as far as it says.
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

/// What happens. `target` is where the browser goes in the end, if it is to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision<'a> {
    /// The user is asked first.
    Ask { session: &'a Session, target: Option<String> },
    /// The session ends without a question: the hint shows that the request is about this session.
    End { session: &'a Session, target: Option<String> },
    /// There is no session.
    Nobody { target: Option<String> },
}

impl Decision<'_> {
    /// Where the browser goes in the end.
    pub(crate) fn target(&self) -> Option<&str> {
        match self {
            Self::Ask { target, .. } | Self::End { target, .. } | Self::Nobody { target } => target.as_deref(),
        }
    }
}

/// The session of the browser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedIn<'a, 'b> {
    pub(crate) session: &'a Session,
    /// How the person is called towards the client that asks, if one does.
    pub(crate) subject: Option<&'b str>,
}

/// Decides about a request. `registered` are the addresses of the client that [`Given::client`] names, if it is known.
///
/// - A session ends without a question only by an ID token of ours that is about it; anybody can write the rest.
/// - The browser is sent only to an address that the client has registered (row I4); an address that it has not
///   registered is an error. Who names an address and no client is asked, and sent nowhere.
/// - With a hint that is not ours the person can still sign out, and is sent nowhere.
pub(crate) fn decide<'a>(
    request: &Request<'_>,
    given: &Given,
    registered: Option<&RedirectRules>,
    signed_in: Option<SignedIn<'a, '_>>,
) -> Result<Decision<'a>, Refused> {
    let target = target(request, given, registered)?;
    Ok(match (signed_in, given.hint()) {
        (None, Some(_)) => Decision::Nobody { target },
        (None, None) => Decision::Nobody { target: None },
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
