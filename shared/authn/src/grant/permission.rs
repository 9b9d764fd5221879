use std::fmt;
use std::str::FromStr;

use crate::Role;

/// Reading, writing, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// `r`
    Read,
    /// `w`: adding and changing, without seeing.
    Write,
    /// `rw`
    ReadWrite,
}

impl Permission {
    /// What a request with this HTTP method needs (RFC 9110, RFC 4918, RFC 3253). A method that is not known writes.
    pub fn of_method(method: &str) -> Self {
        match method {
            "GET" | "HEAD" | "OPTIONS" | "PROPFIND" | "REPORT" => Self::Read,
            _ => Self::Write,
        }
    }

    /// Whether it holds reading.
    pub const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    /// Whether it holds writing.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        match (self.reads() || other.reads(), self.writes() || other.writes()) {
            (true, false) => Self::Read,
            (false, _) => Self::Write,
            (true, true) => Self::ReadWrite,
        }
    }

    /// Whether it holds all of the other.
    pub const fn covers(self, other: Self) -> bool {
        (self.reads() || !other.reads()) && (self.writes() || !other.writes())
    }

    /// The CS3 role for a resource.
    pub(super) const fn role(self) -> Role {
        match self {
            Self::Read => Role::Viewer,
            Self::Write => Role::Uploader,
            Self::ReadWrite => Role::Editor,
        }
    }

    /// What a CS3 role permits for a resource; nothing for a role that is none of ours.
    pub(super) const fn of_role(role: Role) -> Option<Self> {
        match role {
            Role::Viewer => Some(Self::Read),
            Role::Uploader => Some(Self::Write),
            Role::Editor => Some(Self::ReadWrite),
            Role::Invalid | Role::Owner | Role::Legacy | Role::FileEditor | Role::CoOwner => None,
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "r",
            Self::Write => "w",
            Self::ReadWrite => "rw",
        })
    }
}

/// A text that is neither `r`, `w` nor `rw`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPermission;

impl FromStr for Permission {
    type Err = NoPermission;

    /// The documents say "either r or w or both": in any order.
    fn from_str(text: &str) -> Result<Self, NoPermission> {
        match text {
            "r" => Ok(Self::Read),
            "w" => Ok(Self::Write),
            "rw" | "wr" => Ok(Self::ReadWrite),
            _ => Err(NoPermission),
        }
    }
}
