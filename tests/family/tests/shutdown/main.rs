//! How processes end: requests that were accepted are answered, and load balancers notice first.

mod balancer;
mod in_flight;
mod rolling;
