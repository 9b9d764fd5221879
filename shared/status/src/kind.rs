use http::StatusCode;
use proto::cs3::rpc::v1beta1::Code;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request cannot be understood; sent again it fails again.
    InvalidArgument,
    /// It is not known who calls, or the proof is not good.
    Unauthenticated,
    /// It is known who calls, and that one may not.
    PermissionDenied,
    /// What was asked for does not exist, or the caller may not know that it does.
    NotFound,
    /// What should be created exists already.
    AlreadyExists,
    /// A quota or rate is used up; later the same request can succeed.
    ResourceExhausted,
    /// The state does not allow it; something else has to be done first.
    FailedPrecondition,
    /// Another call came in between; the whole may be tried again.
    Aborted,
    /// It took too long; whether it took effect is unknown.
    DeadlineExceeded,
    /// Nobody here does such a thing.
    Unimplemented,
    /// A service that is needed cannot be reached; the same request may be tried again.
    Unavailable,
    /// A fault of ours, or of a peer.
    Internal,
}

/// What a kind is called in the three languages.
struct Row {
    cs3: Code,
    grpc: tonic::Code,
    http: StatusCode,
}

const fn row(cs3: Code, grpc: tonic::Code, http: StatusCode) -> Row {
    Row { cs3, grpc, http }
}

impl Kind {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Self; Self::Internal as usize + 1] = [
        Self::InvalidArgument,
        Self::Unauthenticated,
        Self::PermissionDenied,
        Self::NotFound,
        Self::AlreadyExists,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::DeadlineExceeded,
        Self::Unimplemented,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The table. Without a `_` arm, so that a new kind does not compile until it has its three codes.
    const fn row(self) -> Row {
        use tonic::Code as Grpc;
        match self {
            Self::InvalidArgument => row(Code::InvalidArgument, Grpc::InvalidArgument, StatusCode::BAD_REQUEST),
            Self::Unauthenticated => row(Code::Unauthenticated, Grpc::Unauthenticated, StatusCode::UNAUTHORIZED),
            Self::PermissionDenied => row(Code::PermissionDenied, Grpc::PermissionDenied, StatusCode::FORBIDDEN),
            Self::NotFound => row(Code::NotFound, Grpc::NotFound, StatusCode::NOT_FOUND),
            Self::AlreadyExists => row(Code::AlreadyExists, Grpc::AlreadyExists, StatusCode::CONFLICT),
            Self::ResourceExhausted => {
                row(Code::ResourceExhausted, Grpc::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS)
            }
            Self::FailedPrecondition => {
                row(Code::FailedPrecondition, Grpc::FailedPrecondition, StatusCode::PRECONDITION_FAILED)
            }
            Self::Aborted => row(Code::Aborted, Grpc::Aborted, StatusCode::CONFLICT),
            Self::DeadlineExceeded => row(Code::DeadlineExceeded, Grpc::DeadlineExceeded, StatusCode::GATEWAY_TIMEOUT),
            Self::Unimplemented => row(Code::Unimplemented, Grpc::Unimplemented, StatusCode::NOT_IMPLEMENTED),
            Self::Unavailable => row(Code::Unavailable, Grpc::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
            Self::Internal => row(Code::Internal, Grpc::Internal, StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// The CS3 code.
    pub const fn cs3(self) -> Code {
        self.row().cs3
    }

    /// The gRPC code.
    pub const fn grpc(self) -> tonic::Code {
        self.row().grpc
    }

    /// The HTTP status.
    pub const fn http(self) -> StatusCode {
        self.row().http
    }

    /// The kind behind a CS3 code as it came over the wire; `None` if the call succeeded, which only `CODE_OK` (1) says.
    /// Codes without a kind of their own, 0 (`CODE_INVALID`) and unknown numbers are [`Kind::Internal`].
    pub fn from_cs3(code: i32) -> Option<Self> {
        if code == i32::from(Code::Ok) {
            return None;
        }
        Some(Self::ALL.into_iter().find(|kind| i32::from(kind.cs3()) == code).unwrap_or(Self::Internal))
    }

    /// The kind behind the gRPC code of a failed call. Codes without a kind of their own are [`Kind::Internal`], and so is OK,
    /// which is no failure's code.
    pub fn from_grpc(code: tonic::Code) -> Self {
        Self::ALL.into_iter().find(|kind| kind.grpc() == code).unwrap_or(Self::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_three_codes() {
        let expected = [
            (Kind::InvalidArgument, 4, 3, 400),
            (Kind::Unauthenticated, 9, 16, 401),
            (Kind::PermissionDenied, 8, 7, 403),
            (Kind::NotFound, 6, 5, 404),
            (Kind::AlreadyExists, 7, 6, 409),
            (Kind::ResourceExhausted, 10, 8, 429),
            (Kind::FailedPrecondition, 11, 9, 412),
            (Kind::Aborted, 12, 10, 409),
            (Kind::DeadlineExceeded, 5, 4, 504),
            (Kind::Unimplemented, 14, 12, 501),
            (Kind::Unavailable, 16, 14, 503),
            (Kind::Internal, 15, 13, 500),
        ];
        let actual = Kind::ALL.map(|kind| (kind, i32::from(kind.cs3()), i32::from(kind.grpc()), kind.http().as_u16()));
        assert_eq!(actual, expected);
    }

    #[test]
    fn all_lists_each_kind_once() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "{kind:?}");
        }
    }

    #[test]
    fn reading_a_code_is_the_inverse_of_writing_it() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_cs3(kind.cs3().into()), Some(kind));
            assert_eq!(Kind::from_grpc(kind.grpc()), kind);
        }
    }

    #[test]
    fn only_one_cs3_number_is_success() {
        let successes: Vec<i32> = (-100..=100).filter(|code| Kind::from_cs3(*code).is_none()).collect();
        assert_eq!(successes, [1]);
    }

    #[test]
    fn an_invalid_or_unknown_code_is_a_fault() {
        for code in [0, 2, 3, 13, 17, 18, 19, 20, 21, 22, 99, -1, i32::MIN, i32::MAX] {
            assert_eq!(Kind::from_cs3(code), Some(Kind::Internal), "{code}");
        }
    }

    #[test]
    fn a_grpc_code_without_a_kind_is_a_fault() {
        use tonic::Code as Grpc;
        for code in [Grpc::Ok, Grpc::Cancelled, Grpc::Unknown, Grpc::OutOfRange, Grpc::DataLoss] {
            assert_eq!(Kind::from_grpc(code), Kind::Internal, "{code:?}");
        }
    }
}
