use super::RequestError;
use super::parameters::Parameters;
use super::refusal::Defect;
use crate::redirect;

/// The longest `client_id`, in bytes.
const MAX_CLIENT_ID: usize = 512;

/// Who asks, and where the answer should go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// The client; not yet known to be one of ours.
    pub client_id: String,
    /// Where the answer should go; not yet known to be registered. Without it an OAuth client means the only one that it
    /// has registered ([`RedirectRules::sole`](redirect::RedirectRules::sole)).
    pub redirect_uri: Option<String>,
}

impl Addressee {
    /// Reads `client_id` and `redirect_uri`, and nothing else.
    ///
    /// # Errors
    /// [`RequestError`] that is never redirected: it is not known yet where to.
    pub fn read(parameters: &[(String, String)]) -> Result<Self, RequestError> {
        Self::checked(parameters).map_err(|defect| defect.never_redirected().answered_by_a_page())
    }

    fn checked(parameters: &[(String, String)]) -> Result<Self, Defect> {
        let parameters = Parameters::of(parameters)?;
        let client_id = parameters.text("client_id", MAX_CLIENT_ID)?;
        Ok(Self {
            client_id: client_id.ok_or_else(|| Defect::invalid("client_id is missing"))?,
            redirect_uri: parameters.text("redirect_uri", redirect::MAX_BYTES)?,
        })
    }
}
