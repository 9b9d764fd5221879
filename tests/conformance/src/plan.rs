//! The plans of the certification: which profile, which response type, which way back, which client.

/// What an authorization request asks for (OpenID Connect Core 3, OAuth 2.0 Multiple Response Types 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResponseType {
    /// `code`
    Code,
    /// `id_token`
    IdToken,
    /// `id_token token`
    IdTokenToken,
    /// `code id_token`
    CodeIdToken,
    /// `code token`
    CodeToken,
    /// `code id_token token`
    CodeIdTokenToken,
}

impl ResponseType {
    /// All six.
    pub const ALL: [Self; 6] =
        [Self::Code, Self::IdToken, Self::IdTokenToken, Self::CodeIdToken, Self::CodeToken, Self::CodeIdTokenToken];

    /// The value of the parameter `response_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::IdToken => "id_token",
            Self::IdTokenToken => "id_token token",
            Self::CodeIdToken => "code id_token",
            Self::CodeToken => "code token",
            Self::CodeIdTokenToken => "code id_token token",
        }
    }

    fn has(self, word: &str) -> bool {
        self.as_str().split(' ').any(|one| one == word)
    }

    pub(crate) fn has_code(self) -> bool {
        self.has("code")
    }

    /// Whether the authorization endpoint itself answers with an ID token.
    pub(crate) fn has_id_token(self) -> bool {
        self.has("id_token")
    }

    /// Whether the authorization endpoint itself answers with an access token.
    pub(crate) fn has_token(self) -> bool {
        self.has("token")
    }

    /// Whether the whole flow gives an access token.
    pub(crate) fn gives_access(self) -> bool {
        self.has_code() || self.has_token()
    }

    /// The grant types that a client of this response type registers (Dynamic Client Registration 2).
    pub(crate) fn grant_types(self) -> Vec<&'static str> {
        let mut grants = Vec::new();
        if self.has_code() {
            grants.extend(["authorization_code", "refresh_token"]);
        }
        if self.has_id_token() || self.has_token() {
            grants.push("implicit");
        }
        grants
    }
}

/// A profile that a provider is certified for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// Basic OP: the code flow.
    Basic,
    /// Implicit OP.
    Implicit,
    /// Hybrid OP.
    Hybrid,
    /// Config OP: the discovery document.
    Config,
    /// Dynamic OP: registration, keys, request objects.
    Dynamic,
    /// RP-Initiated Logout OP.
    RpLogout,
    /// Back-Channel OP.
    BackChannel,
    /// Front-Channel OP.
    FrontChannel,
    /// Session OP.
    Session,
    /// 3rd Party-Init OP.
    ThirdParty,
    /// FAPI 2.0 Security Profile Final, with `private_key_jwt` and `DPoP`.
    Fapi2Security,
    /// The same with FAPI 2.0 Message Signing Final: signed requests and responses.
    Fapi2MessageSigning,
}

impl Profile {
    /// All twelve.
    pub const ALL: [Self; 12] = {
        let [basic, implicit, hybrid, config, dynamic, rp_logout, back, front, session, third] = Self::OPENID;
        let [security, signing] = Self::FAPI;
        [basic, implicit, hybrid, config, dynamic, rp_logout, back, front, session, third, security, signing]
    };

    /// Those of FAPI 2.0.
    pub const FAPI: [Self; 2] = [Self::Fapi2Security, Self::Fapi2MessageSigning];

    /// Those of `OpenID` Connect.
    pub const OPENID: [Self; 10] = [
        Self::Basic,
        Self::Implicit,
        Self::Hybrid,
        Self::Config,
        Self::Dynamic,
        Self::RpLogout,
        Self::BackChannel,
        Self::FrontChannel,
        Self::Session,
        Self::ThirdParty,
    ];

    /// Its name, as the command line and the table have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Implicit => "implicit",
            Self::Hybrid => "hybrid",
            Self::Config => "config",
            Self::Dynamic => "dynamic",
            Self::RpLogout => "rp-logout",
            Self::BackChannel => "back-channel",
            Self::FrontChannel => "front-channel",
            Self::Session => "session",
            Self::ThirdParty => "third-party",
            Self::Fapi2Security => "fapi2-security",
            Self::Fapi2MessageSigning => "fapi2-message-signing",
        }
    }

    fn response_types(self) -> &'static [ResponseType] {
        match self {
            Self::Basic
            | Self::Config
            | Self::Dynamic
            | Self::ThirdParty
            | Self::Fapi2Security
            | Self::Fapi2MessageSigning => &[ResponseType::Code],
            Self::Implicit => &[ResponseType::IdToken, ResponseType::IdTokenToken],
            Self::Hybrid => &[ResponseType::CodeIdToken, ResponseType::CodeToken, ResponseType::CodeIdTokenToken],
            Self::RpLogout | Self::BackChannel | Self::FrontChannel | Self::Session => &ResponseType::ALL,
        }
    }

    /// Form Post OP is certified for each of the core profiles.
    fn has_form_post(self) -> bool {
        matches!(self, Self::Basic | Self::Implicit | Self::Hybrid)
    }

    /// Whether clients of the provider's own configuration walk it too. Logout by a channel cannot be: the address at which
    /// this crate listens is not known before it runs.
    fn has_static_client(self) -> bool {
        self.has_form_post() || self == Self::RpLogout
    }
}

/// One walk: every check that applies to it runs once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Plan {
    /// The profile.
    pub profile: Profile,
    /// What is asked for.
    pub response_type: ResponseType,
    /// Whether a client of the provider's configuration walks it, instead of one registered dynamically for each check.
    pub static_client: bool,
    /// Whether the answer comes back as `response_mode=form_post`.
    pub form_post: bool,
}

impl Plan {
    /// Every plan of `OpenID` Connect. A provider whose clients keep to FAPI 2.0 is walked by [`Plan::fapi`].
    pub fn all() -> Vec<Self> {
        Profile::OPENID.into_iter().flat_map(Self::of).collect()
    }

    /// Every plan of FAPI 2.0.
    pub fn fapi() -> Vec<Self> {
        Profile::FAPI.into_iter().flat_map(Self::of).collect()
    }

    /// Every plan of a profile.
    pub fn of(profile: Profile) -> Vec<Self> {
        let clients: &[bool] = if profile.has_static_client() { &[false, true] } else { &[false] };
        let modes: &[bool] = if profile.has_form_post() { &[false, true] } else { &[false] };
        let mut plans = Vec::new();
        for static_client in clients.iter().copied() {
            for form_post in modes.iter().copied() {
                let each = profile.response_types().iter().copied();
                plans.extend(each.map(|response_type| Self { profile, response_type, static_client, form_post }));
            }
        }
        plans
    }

    /// What tells it from the others of its profile.
    pub fn name(&self) -> String {
        let mut name = self.response_type.as_str().to_owned();
        for (holds, word) in [(self.form_post, ", form_post"), (self.static_client, ", static")] {
            if holds {
                name.push_str(word);
            }
        }
        name
    }
}
