//! The search for app tokens, as the pages and the API do it.

use proto::doorward::apptokens::v1::app_tokens_api_client::AppTokensApiClient;
use proto::doorward::apptokens::v1::{SearchTokensRequest, Token};
use tonic::Status;

use crate::transport::{OnBehalfOf, Transport};

/// How many searches one page makes at most to find its first tokens: each looks through a limited number.
const SEARCHES: usize = 5;

/// Searches until there are tokens, and returns where the search goes on; that is empty if it is at its end.
pub(crate) async fn search(
    api: &AppTokensApiClient<Transport>,
    by: &OnBehalfOf<'_>,
    mut request: SearchTokensRequest,
) -> Result<(Vec<Token>, String), Status> {
    let mut searches = 0;
    loop {
        let found = api.clone().search_tokens(by.call(request.clone())).await?.into_inner();
        searches += 1;
        if !found.tokens.is_empty() || found.next_page_token.is_empty() || searches == SEARCHES {
            return Ok((found.tokens, found.next_page_token));
        }
        request.page_token = found.next_page_token;
    }
}
