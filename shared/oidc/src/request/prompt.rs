use std::fmt;
use std::str::FromStr;

/// The interaction that a request requires (`prompt`, OpenID Connect Core 3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prompt {
    /// `none`: no interaction; where one would be necessary, that is an error.
    Nothing,
    /// The necessary interaction, and these in any case.
    AtLeast {
        /// `login`: to sign in, also if that was done.
        login: bool,
        /// `consent`: to agree, also if that was done.
        consent: bool,
        /// `select_account`: to choose an account, also if there is only one.
        select_account: bool,
    },
}

impl Default for Prompt {
    /// What is necessary.
    fn default() -> Self {
        Self::AtLeast { login: false, consent: false, select_account: false }
    }
}

/// Why a prompt is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// `none` and something else.
    #[error("prompt none excludes every other prompt")]
    NotAlone,
    /// `create`: whoever wants an account to be made must not get a sign-in instead (Initiating User Registration 4.1).
    #[error("prompt create is not supported")]
    Create,
}

impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::AtLeast { login, consent, select_account } = *self else { return f.write_str("none") };
        let mut gap = "";
        for (asked, name) in [(login, "login"), (consent, "consent"), (select_account, "select_account")] {
            if asked {
                write!(f, "{gap}{name}")?;
                gap = " ";
            }
        }
        Ok(())
    }
}

impl FromStr for Prompt {
    type Err = PromptError;

    /// Reads words with spaces between them. One that is not known is ignored, as the standard advises and lico does.
    fn from_str(text: &str) -> Result<Self, PromptError> {
        let words = || text.split(' ').filter(|word| !word.is_empty());
        let has = |wanted| words().any(|word| word == wanted);
        if has("create") {
            return Err(PromptError::Create);
        }
        if has("none") {
            return if words().all(|word| word == "none") { Ok(Self::Nothing) } else { Err(PromptError::NotAlone) };
        }
        Ok(Self::AtLeast { login: has("login"), consent: has("consent"), select_account: has("select_account") })
    }
}
