//! auth-bearer
