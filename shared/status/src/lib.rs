#![doc = include_str!("../README.md")]

mod kind;

pub use kind::Kind;
use proto::cs3::rpc::v1beta1::{Code, Status};

/// The CS3 status of a call that did what was asked.
pub fn ok() -> Status {
    Status { code: Code::Ok.into(), ..Status::default() }
}

/// The CS3 status of a call that failed; `trace` is the trace id (hex) or request id of the call, empty if there is none.
pub fn failure(kind: Kind, message: impl Into<String>, trace: impl Into<String>) -> Status {
    Status { code: kind.cs3().into(), message: message.into(), trace: trace.into(), ..Status::default() }
}

/// The gRPC status of a call that failed: the only place where one is made.
pub fn grpc(kind: Kind, message: impl Into<String>) -> tonic::Status {
    tonic::Status::new(kind.grpc(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_is_explicit() {
        assert_eq!(ok().code, 1);
        assert_eq!(Kind::from_cs3(ok().code), None);
    }

    #[test]
    fn a_failure_says_what_why_and_where() {
        let status = failure(Kind::NotFound, "user not found", "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(status.code, 6);
        assert_eq!(status.message, "user not found");
        assert_eq!(status.trace, "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn a_refused_call_is_a_grpc_status() {
        let status = grpc(Kind::Unauthenticated, "core access token not found");
        assert_eq!((status.code(), status.message()), (tonic::Code::Unauthenticated, "core access token not found"));
    }
}
