//! The calls that most tests make.

use std::sync::Arc;

use authn::Channel;
use doorward::ServiceId;
use proto::cs3::{
    auth::applications::v1beta1::GenerateAppPasswordRequest,
    gateway::v1beta1::{
        AuthenticateRequest, AuthenticateResponse, WhoAmIRequest, gateway_api_client::GatewayApiClient,
    },
    identity::user::v1beta1::User,
    rpc::v1beta1::Status,
};
use runtime::Clock;
use status::Kind;
use token::{Claims, KeyRing, Verifier};
use tonic::{Request, metadata::MetadataValue};

use crate::{TestFamily, note_secret};

/// What the gateway answered: who it is and the token, or the kind of failure and its text.
pub type Answer = Result<(User, String), (Kind, String)>;

/// Whether a CS3 status says OK.
pub fn is_ok(status: Option<&Status>) -> bool {
    status.is_some_and(|status| Kind::from_cs3(status.code).is_none())
}

impl TestFamily {
    /// A client of the gateway.
    pub fn gateway(&self) -> GatewayApiClient<Channel> {
        GatewayApiClient::new(self.channel(ServiceId::Gateway))
    }

    /// `GatewayAPI/Authenticate`. A failure of the call itself counts by its gRPC code.
    pub async fn authenticate(&self, kind: &str, client_id: &str, secret: &str) -> Answer {
        let request = AuthenticateRequest {
            r#type: kind.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: secret.to_owned(),
            ..AuthenticateRequest::default()
        };
        match self.gateway().authenticate(request).await {
            Ok(answer) => verdict(answer.into_inner()),
            Err(status) => Err((Kind::from_grpc(status.code()), status.message().to_owned())),
        }
    }

    /// The user of a token.
    pub async fn who_am_i(&self, token: &str) -> Result<User, Kind> {
        let request = WhoAmIRequest { token: token.to_owned(), ..WhoAmIRequest::default() };
        let answer =
            self.gateway().who_am_i(request).await.map_err(|status| Kind::from_grpc(status.code()))?.into_inner();
        match Kind::from_cs3(answer.status.unwrap_or_default().code) {
            None => Ok(answer.user.unwrap_or_default()),
            Some(kind) => Err(kind),
        }
    }

    /// What an internal token says.
    ///
    /// # Panics
    /// When it is none of this family, or not valid now.
    pub fn claims_of(&self, token: &str) -> Claims {
        note_secret(token);
        let keys = KeyRing::new(&self.layout.jwt_secret.as_str().into(), None).expect("the secret is long enough");
        Verifier::new(Arc::new(keys)).verify(Clock::system().now(), token).expect("the token is valid")
    }

    /// An internal token of a user, by the machine key.
    ///
    /// # Panics
    /// When the machine key does not open.
    pub async fn token_of(&self, login: &str) -> String {
        let answer = self.authenticate("machine", &format!("username:{login}"), &self.layout.machine_key).await;
        answer.expect("the machine key opens").1
    }

    /// An app token of a user.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn app_token(&self, login: &str) -> String {
        let mut request = Request::new(GenerateAppPasswordRequest {
            label: "test".to_owned(),
            token_scope: (&authn::Scopes::full_user()).into(),
            ..GenerateAppPasswordRequest::default()
        });
        let token = MetadataValue::try_from(self.token_of(login).await).expect("a token is ASCII");
        request.metadata_mut().insert(token::METADATA_KEY, token);
        let answer = self.gateway().generate_app_password(request).await.expect("auth-app answers").into_inner();
        assert!(is_ok(answer.status.as_ref()), "no app token: {:?}", answer.status);
        let made = answer.app_password.expect("an app token is made").password;
        note_secret(&made);
        made
    }
}

fn verdict(answer: AuthenticateResponse) -> Answer {
    let status = answer.status.unwrap_or_default();
    match Kind::from_cs3(status.code) {
        None => {
            note_secret(&answer.token);
            Ok((answer.user.unwrap_or_default(), answer.token))
        }
        Some(kind) => Err((kind, status.message)),
    }
}
