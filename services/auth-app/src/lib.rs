//! auth-app
