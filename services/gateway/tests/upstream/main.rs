//! What this gateway does not answer itself reaches the one behind it, and comes back, as it was.

mod instances;
mod links;
mod methods;
mod tenants;
mod world;
