//! What all doors share.

use crate::answer::Challenges;
use crate::edge::Edge;
use crate::path::Leniency;

/// Who decides, and how refusals are put.
pub struct Door {
    /// Who decides.
    pub edge: Edge,
    /// What clients are told to prove who they are by.
    pub challenges: Challenges,
    /// Which paths are taken for ordinary.
    pub leniency: Leniency,
}
