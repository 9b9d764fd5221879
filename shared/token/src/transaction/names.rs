//! The names of draft-ietf-oauth-transaction-tokens-10, by the text of its repository as of 2026-07-06 (commit dbdf43e): they change from
//! draft to draft, so each is here and nowhere else.
//! `docs/transaction-tokens.md` lists each of them, as a test makes sure.

/// The JOSE header `typ` (section 9.1).
pub const TYP: &str = "txntoken+jwt";
/// The HTTP header, and the key of gRPC metadata (section 12.1).
pub const HEADER: &str = "txn-token";
/// The type of the token in a token exchange: `requested_token_type`, `issued_token_type`, and `subject_token_type` of a
/// replacement (section 11.1).
pub const TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:txn_token";
/// The type of a subject token that the requesting workload has signed itself (section 11.2).
pub const SELF_SIGNED_TYPE: &str = "urn:ietf:params:oauth:token-type:self_signed";
/// The type of a subject that is not signed (section 11.2). It is never accepted.
pub const UNSIGNED_JSON_TYPE: &str = "urn:ietf:params:oauth:token-type:unsigned_json";
/// The parameter with the environment of the request, a JSON object (section 11.1).
pub const REQUEST_CONTEXT: &str = "request_context";
/// The parameter with the details of the transaction, a JSON object (section 11.1).
pub const REQUEST_DETAILS: &str = "request_details";
/// The `token_type` of the response: it is no access token (section 11.4).
pub const RESPONSE_TOKEN_TYPE: &str = "N_A";
/// The path at which a service of the family publishes the keys of transaction tokens; the draft names none.
pub const KEY_SET_PATH: &str = "/.well-known/txn-token-keys.json";
/// `Cache-Control` of the key set: not for as long as verifiers use it ([`FRESH_FOR`](super::FRESH_FOR)), since one that fetches it again
/// because of a token with an unknown key has to get the new one.
pub const KEY_SET_CACHE_CONTROL: &str = "public, max-age=30";

/// The transaction (section 9.2).
pub(super) const TRANSACTION: &str = "txn";
/// What the token is for (section 9.2).
pub(super) const SCOPE: &str = "scope";
/// The details of the transaction, which do not change (section 9.2).
pub(super) const DETAILS: &str = "tctx";
/// The environment of the request (section 9.2).
pub(super) const CONTEXT: &str = "rctx";
/// The workloads that have requested the token and those that it replaces (section 9.2).
pub(super) const REQUESTERS: &str = "req_wl";
/// Who acts for the subject (RFC 8693 4.1); not in the draft.
pub(super) const ACTOR: &str = "act";
/// Our member of the details that says what the subject is: a client may have the identifier of a user.
pub(super) const SUBJECT_TYPE: &str = "sub_type";
