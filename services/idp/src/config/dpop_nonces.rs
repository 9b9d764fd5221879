use std::str::FromStr;

/// Whose `DPoP` proofs need a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DpopNonces {
    /// No client's.
    Off,
    /// Those of clients that follow FAPI 2.0.
    Fapi2,
    /// Those of all clients.
    All,
}

impl FromStr for DpopNonces {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "fapi2" => Ok(Self::Fapi2),
            "all" => Ok(Self::All),
            _ => Err("must be off, fapi2 or all"),
        }
    }
}
