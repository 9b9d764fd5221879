use std::sync::Arc;

use crate::BoxError;

/// Makes the internal token of a service for one purpose, anew for each call.
pub type ServiceToken = Arc<dyn Fn() -> Result<String, BoxError> + Send + Sync>;
