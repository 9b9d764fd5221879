//! What all doors share.

use std::sync::Arc;

use crate::answer::{Challenges, Refusal, is_navigation};
use crate::asked::Asked;
use crate::edge::Edge;
use crate::headers::RequestFilter;
use crate::path::Leniency;
use crate::verdict::{Refused, Verdict};

/// Who decides, and how refusals are put.
pub struct Door {
    /// Who decides.
    pub edge: Edge,
    /// What clients are told to prove who they are by.
    pub challenges: Challenges,
    /// Which paths are taken for ordinary.
    pub leniency: Leniency,
    /// Which of a client's headers no backend is sent.
    pub filter: Arc<RequestFilter>,
}

impl Door {
    /// How a verdict is put; `None` if it lets pass. A browser that goes to a page is sent to where somebody signs in (row E14),
    /// but not with a credential that was refused, or it would be sent in circles.
    pub fn refusal(&self, verdict: &Verdict, asked: &Asked<'_>) -> Option<Refusal> {
        if matches!(verdict, Verdict::Unauthenticated(Refused::Missing))
            && is_navigation(asked)
            && let Some(login) = self.edge.sessions.as_ref().and_then(|sessions| sessions.login_for(asked))
        {
            return Some(Refusal::redirect(&login));
        }
        Refusal::of(verdict, asked, self.challenges)
    }
}
