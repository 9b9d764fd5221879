//! A real `slapd` with a handful of people, for tests. Needs the Debian package `slapd`; where that is missing a test
//! fails and says so, unless `DOORWARD_TEST_REDUCED=1` is set: then [`Slapd::start`] returns `None` and the test has to
//! return too.

mod slapd;
mod tree;

pub use slapd::{Options, Slapd};
pub use tree::{
    AMBIGUOUS_MAIL, BASE, BIND_DN, BIND_PASSWORD, DISABLED_GROUP, EINSTEIN, GUEST, LISE, MARIE, OHARA, PHYSICS, Person,
    RADIUM, RICHARD, STAFF,
};
