#![doc = include_str!("../README.md")]

mod kind;

pub use kind::Kind;
use proto::cs3::rpc::v1beta1::{Code, Status};
use proto::cs3::types::v1beta1::OpaqueEntry;

/// The metadata of a failed call that has done what it was asked to.
const PARTLY_DONE: &str = "x-doorward-partly-done";

/// The CS3 status of a call that did what was asked.
pub fn ok() -> Status {
    Status { code: Code::Ok.into(), ..Status::default() }
}

/// The CS3 status of a call that failed; `trace` is the trace id (hex) or request id of the call, empty if there is none.
pub fn failure(kind: Kind, message: impl Into<String>, trace: impl Into<String>) -> Status {
    Status { code: kind.cs3().into(), message: message.into(), trace: trace.into(), ..Status::default() }
}

/// The same status with its cause for clients (`InnerError`), in the encoding that `decoder` names.
pub fn explained(failure: Status, decoder: impl Into<String>, value: impl Into<Vec<u8>>) -> Status {
    Status { inner_error: Some(OpaqueEntry { decoder: decoder.into(), value: value.into() }), ..failure }
}

/// The gRPC status of a call that failed: the only place where one is made.
pub fn grpc(kind: Kind, message: impl Into<String>) -> tonic::Status {
    tonic::Status::new(kind.grpc(), message)
}

/// Marks the status of a call that has done what it was asked to, and failed afterwards: the caller is to repeat it, which does no harm.
pub fn partly_done(mut status: tonic::Status) -> tonic::Status {
    status.metadata_mut().insert(PARTLY_DONE, tonic::metadata::MetadataValue::from_static("1"));
    status
}

/// Whether a status is marked as [`partly_done`].
pub fn is_partly_done(status: &tonic::Status) -> bool {
    status.metadata().contains_key(PARTLY_DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partly_done_is_told_from_not_done() {
        let status = grpc(Kind::Unavailable, "the directory does not answer");
        assert!(!is_partly_done(&status));
        let status = partly_done(status);
        assert!(is_partly_done(&status) && status.code() == tonic::Code::Unavailable);
    }

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
    fn cause_does_not_change_the_status() {
        let plain = failure(Kind::Unauthenticated, "invalid credentials", "req-1");
        let status = explained(plain.clone(), "json", *b"{}");
        assert_eq!(
            status.inner_error.as_ref().map(|entry| (entry.decoder.as_str(), &*entry.value)),
            Some(("json", &b"{}"[..]))
        );
        assert_eq!(Status { inner_error: None, ..status }, plain);
    }

    #[test]
    fn a_refused_call_is_a_grpc_status() {
        let status = grpc(Kind::Unauthenticated, "core access token not found");
        assert_eq!((status.code(), status.message()), (tonic::Code::Unauthenticated, "core access token not found"));
    }
}
