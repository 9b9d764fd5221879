//! What the authorization endpoint answers with, and how the answer travels (OAuth 2.0 Multiple Response Type Encoding
//! Practices, Form Post Response Mode, JARM).

use std::fmt;
use std::str::FromStr;

use crate::error::ErrorCode;

#[cfg(test)]
mod tests;

/// What the authorization endpoint issues: a code, an ID token, an access token, or several of them; never nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResponseType {
    code: bool,
    id_token: bool,
    token: bool,
}

/// Why a response type or a response mode is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// There is no such response type.
    #[error("response_type is code, id_token, token, or several of them with one space between them")]
    UnknownType,
    /// There is no such response mode.
    #[error("response_mode is query, fragment, form_post, query.jwt, fragment.jwt, form_post.jwt or jwt")]
    UnknownMode,
    /// Tokens would stand in a query, which servers log and browsers send on.
    #[error("tokens are not returned in a query")]
    TokensInQuery,
}

impl ResponseError {
    /// The code that answers it.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::UnknownType => ErrorCode::UnsupportedResponseType,
            Self::UnknownMode | Self::TokensInQuery => ErrorCode::InvalidRequest,
        }
    }
}

impl ResponseType {
    /// `code`
    pub const CODE: Self = Self { code: true, id_token: false, token: false };
    /// `id_token`
    pub const ID_TOKEN: Self = Self { code: false, id_token: true, token: false };
    /// `token`
    pub const TOKEN: Self = Self { code: false, id_token: false, token: true };
    /// `id_token token`
    pub const ID_TOKEN_TOKEN: Self = Self { code: false, id_token: true, token: true };
    /// `code id_token`
    pub const CODE_ID_TOKEN: Self = Self { code: true, id_token: true, token: false };
    /// `code token`
    pub const CODE_TOKEN: Self = Self { code: true, id_token: false, token: true };
    /// `code id_token token`
    pub const CODE_ID_TOKEN_TOKEN: Self = Self { code: true, id_token: true, token: true };

    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::CODE,
        Self::ID_TOKEN,
        Self::TOKEN,
        Self::ID_TOKEN_TOKEN,
        Self::CODE_ID_TOKEN,
        Self::CODE_TOKEN,
        Self::CODE_ID_TOKEN_TOKEN,
    ];

    /// Whether a code is issued.
    pub const fn issues_code(self) -> bool {
        self.code
    }

    /// Whether an ID token is issued at the authorization endpoint. Such a request needs the scope `openid`, and a
    /// `nonce`, without which the token could be injected into another sign-in (OpenID Connect Core 3.2.2.1, 3.3.2.11).
    pub const fn issues_id_token(self) -> bool {
        self.id_token
    }

    /// Whether an access token is issued at the authorization endpoint.
    pub const fn issues_token(self) -> bool {
        self.token
    }

    /// How the answer travels if the request names this mode, or none.
    ///
    /// # Errors
    /// [`ResponseError::TokensInQuery`].
    pub fn delivery(self, mode: Option<ResponseMode>) -> Result<Delivery, ResponseError> {
        let delivery = match mode {
            None => Delivery { carrier: self.default_carrier(), signed: false },
            Some(mode) => Delivery { carrier: mode.carrier().unwrap_or(self.default_carrier()), signed: mode.signs() },
        };
        // JARM 2.3.1 would allow it for an encrypted answer; ours is signed only.
        let leaks = delivery.carrier == Carrier::Query && (self.id_token || self.token);
        if leaks { Err(ResponseError::TokensInQuery) } else { Ok(delivery) }
    }

    /// The query for a code alone, the fragment as soon as a token is in it.
    pub const fn default_carrier(self) -> Carrier {
        if self.id_token || self.token { Carrier::Fragment } else { Carrier::Query }
    }
}

impl fmt::Display for ResponseType {
    /// In the order in which the combinations are registered with IANA.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        for (issued, name) in [(self.code, "code"), (self.id_token, "id_token"), (self.token, "token")] {
            if issued {
                write!(f, "{gap}{name}")?;
                gap = " ";
            }
        }
        Ok(())
    }
}

impl FromStr for ResponseType {
    type Err = ResponseError;

    /// In any order (RFC 6749 3.1.1).
    fn from_str(text: &str) -> Result<Self, ResponseError> {
        let mut read = Self { code: false, id_token: false, token: false };
        for word in text.split(' ') {
            let part = match word {
                "code" => &mut read.code,
                "id_token" => &mut read.id_token,
                "token" => &mut read.token,
                _ => return Err(ResponseError::UnknownType),
            };
            if std::mem::replace(part, true) {
                return Err(ResponseError::UnknownType);
            }
        }
        Ok(read)
    }
}

/// How the client asks for the answer to travel: the parameter `response_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResponseMode {
    /// `query`
    Query,
    /// `fragment`
    Fragment,
    /// `form_post`
    FormPost,
    /// `query.jwt`
    QueryJwt,
    /// `fragment.jwt`
    FragmentJwt,
    /// `form_post.jwt`
    FormPostJwt,
    /// `jwt`: signed, and where the response type is by default.
    Jwt,
}

impl ResponseMode {
    /// All there are.
    pub const ALL: [Self; Self::Jwt as usize + 1] =
        [Self::Query, Self::Fragment, Self::FormPost, Self::QueryJwt, Self::FragmentJwt, Self::FormPostJwt, Self::Jwt];

    /// The mode as it stands in the parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
            Self::QueryJwt => "query.jwt",
            Self::FragmentJwt => "fragment.jwt",
            Self::FormPostJwt => "form_post.jwt",
            Self::Jwt => "jwt",
        }
    }

    /// Where the answer stands; `None` where the response type decides.
    pub const fn carrier(self) -> Option<Carrier> {
        match self {
            Self::Query | Self::QueryJwt => Some(Carrier::Query),
            Self::Fragment | Self::FragmentJwt => Some(Carrier::Fragment),
            Self::FormPost | Self::FormPostJwt => Some(Carrier::FormPost),
            Self::Jwt => None,
        }
    }

    /// Whether the answer is one signed JWT (JARM).
    pub const fn signs(self) -> bool {
        match self {
            Self::Query | Self::Fragment | Self::FormPost => false,
            Self::QueryJwt | Self::FragmentJwt | Self::FormPostJwt | Self::Jwt => true,
        }
    }
}

impl FromStr for ResponseMode {
    type Err = ResponseError;

    fn from_str(text: &str) -> Result<Self, ResponseError> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or(ResponseError::UnknownMode)
    }
}

/// Where the parameters of an answer stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// In the query of the redirect URI.
    Query,
    /// In its fragment, which no server sees.
    Fragment,
    /// In a form that the browser posts to it.
    FormPost,
}

/// How an answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Delivery {
    /// Where its parameters stand.
    pub carrier: Carrier,
    /// Whether they are one parameter, `response`, a signed JWT that holds the others (JARM 2.3).
    pub signed: bool,
}

impl Delivery {
    /// How an error is answered if the response type is not known: as the mode says, in the query if that says nothing.
    pub fn of_mode(mode: Option<ResponseMode>) -> Self {
        Self {
            carrier: mode.and_then(ResponseMode::carrier).unwrap_or(Carrier::Query),
            signed: mode.is_some_and(ResponseMode::signs),
        }
    }

    /// The mode that asks for it.
    pub const fn mode(self) -> ResponseMode {
        match (self.carrier, self.signed) {
            (Carrier::Query, false) => ResponseMode::Query,
            (Carrier::Fragment, false) => ResponseMode::Fragment,
            (Carrier::FormPost, false) => ResponseMode::FormPost,
            (Carrier::Query, true) => ResponseMode::QueryJwt,
            (Carrier::Fragment, true) => ResponseMode::FragmentJwt,
            (Carrier::FormPost, true) => ResponseMode::FormPostJwt,
        }
    }
}
