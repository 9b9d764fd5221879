use std::sync::Arc;
use std::time::Duration;

use authn::Caller;
use authn::gateway::{TransactionKeySet, TransactionWanted};
use proto::doorward::gateway::v1::{
    GetKeySetRequest, GetKeySetResponse, MintRequest, MintResponse, transaction_tokens_server::TransactionTokens,
};
use status::Kind;
use token::transaction::{FRESH_FOR, Minted};
use tonic::{Request, Response, Status};

use super::{Refusal, Transactions};

/// The gRPC service of transaction tokens; without [`Transactions`] every call is not implemented.
pub(crate) struct TransactionService(pub(crate) Option<Arc<Transactions>>);

impl TransactionService {
    fn transactions(&self) -> Result<&Transactions, Status> {
        let missing = || status::grpc(Kind::Unimplemented, "OCIS_TRANSACTION_SECRET is not set at the gateway");
        self.0.as_deref().ok_or_else(missing)
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        status::grpc(refusal.kind(), refusal.to_string())
    }
}

#[tonic::async_trait]
impl TransactionTokens for TransactionService {
    async fn mint(&self, request: Request<MintRequest>) -> Result<Response<MintResponse>, Status> {
        let transactions = self.transactions()?;
        let caller = Caller::of(request.metadata(), request.extensions());
        let MintRequest {
            internal_token,
            transaction_token,
            scope,
            request_context,
            request_details,
            lifetime_seconds,
        } = request.into_inner();
        let wanted = TransactionWanted { scope, context: request_context, details: request_details };
        let minted = match (lifetime(lifetime_seconds), internal_token.is_empty(), transaction_token.is_empty()) {
            (Ok(lifetime), false, true) => transactions.mint(&caller, &internal_token, &wanted, lifetime),
            (Ok(lifetime), true, false) => transactions.replace(&caller, &transaction_token, &wanted, lifetime),
            (Err(problem), ..) => transactions.refuse(&caller, &wanted, problem),
            _ => {
                let problem = "exactly one of internal_token and transaction_token must be set";
                transactions.refuse(&caller, &wanted, problem)
            }
        };
        let Minted { token, claims } = minted?;
        Ok(Response::new(MintResponse {
            transaction_token: token,
            expires: i64::try_from(claims.expires_seconds()).unwrap_or(i64::MAX),
            scope: claims.scope.to_string(),
            txn: claims.transaction,
        }))
    }

    async fn get_key_set(&self, _: Request<GetKeySetRequest>) -> Result<Response<GetKeySetResponse>, Status> {
        let TransactionKeySet { jwks, trust_domain } = self.transactions()?.key_set_of_domain();
        let fresh_seconds = i64::try_from(FRESH_FOR.as_secs()).unwrap_or(i64::MAX);
        Ok(Response::new(GetKeySetResponse { jwks, fresh_seconds, trust_domain }))
    }
}

/// The lifetime that is requested, if one is.
fn lifetime(seconds: i64) -> Result<Option<Duration>, &'static str> {
    match u64::try_from(seconds) {
        Ok(0) => Ok(None),
        Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
        Err(_) => Err("lifetime_seconds must not be negative"),
    }
}
