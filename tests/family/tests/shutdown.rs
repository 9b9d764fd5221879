//! How processes end: requests that were accepted are answered, and load balancers and service managers notice first.

mod balancer;
mod in_flight;
mod rolling;
mod service_manager;
