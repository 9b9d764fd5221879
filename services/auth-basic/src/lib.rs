//! auth-basic
