use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::TransactionError;

/// The most workloads that request one after the other, with tokens that replace one another.
pub const MAX_REQUESTERS: usize = 8;
/// The longest name of a workload, in bytes: that of the longest SPIFFE ID.
const MAX_NAME: usize = 2048;

/// The workloads that have requested a transaction token and those that it replaces: the claim `req_wl`. The draft has one
/// text there and does not say how a chain is written; here the names are joined by commas, the first requester first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requesters(Vec<String>);

impl Requesters {
    /// The workload that requests the first token of a transaction.
    ///
    /// # Errors
    /// [`TransactionError::Malformed`] for a text that is no name of a workload.
    pub fn first(workload: &str) -> Result<Self, TransactionError> {
        check(workload)?;
        Ok(Self(vec![workload.to_owned()]))
    }

    /// The same chain with one more workload.
    ///
    /// # Errors
    /// [`TransactionError::Malformed`] for a text that is no name of a workload, [`TransactionError::TooManyRequesters`].
    pub fn then(&self, workload: &str) -> Result<Self, TransactionError> {
        check(workload)?;
        if self.0.len() >= MAX_REQUESTERS {
            return Err(TransactionError::TooManyRequesters);
        }
        let names = self.iter().chain([workload]);
        Ok(Self(names.map(str::to_owned).collect()))
    }

    /// The names, the first requester first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Who has requested this very token.
    pub fn last(&self) -> &str {
        self.0.last().map(String::as_str).unwrap_or_default()
    }
}

/// A comma in a name would look like another workload.
fn check(workload: &str) -> Result<(), TransactionError> {
    let is_plain = workload.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    if is_plain && (1..=MAX_NAME).contains(&workload.len()) {
        Ok(())
    } else {
        Err(TransactionError::Malformed("the name of a workload has visible ASCII characters and no comma"))
    }
}

impl fmt::Display for Requesters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl FromStr for Requesters {
    type Err = TransactionError;

    fn from_str(text: &str) -> Result<Self, TransactionError> {
        let mut names = text.split(',');
        let first = Self::first(names.next().unwrap_or_default())?;
        names.try_fold(first, |chain, name| chain.then(name))
    }
}

impl Serialize for Requesters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
