//! A whole sign-in: what a browser and a client do together.

use authn::BoxError;
use hyper::{
    StatusCode,
    header::{LOCATION, SET_COOKIE},
};
use testkit::{authorization_query, code_redemption};

use super::{
    REDIRECT_URI,
    ours::{PASSWORD, login},
    work::{Endpoints, Side, basic},
};
use crate::http::{Ask, Connection, Reply};

/// Of how many requests it consists, on both servers.
pub(super) const REQUESTS: u32 = 4;
const CLIENT: &str = "bench-code";
/// Where idp's form is sent.
const LOGON: &str = "/signin/v1/identifier/_/logon";

/// Signs a user in, in a browser that has never been here, and redeems the code: the answer with the tokens.
pub(super) async fn sign_in(
    at: Endpoints,
    connection: &Connection,
    number: usize,
    scope: &str,
) -> Result<Reply, BoxError> {
    let mut browser = Browser { connection, cookies: Vec::new() };
    let username = login(number);
    let begun = browser.redirected(Ask::get(authorization(at, number, scope))).await?;
    let callback = match at.side {
        Side::Ours => {
            let page = browser.go(Ask::get(&*path(&begun))).await?;
            let page = String::from_utf8_lossy(&page.body);
            let form = [
                ("flow", field(&page, "flow")?),
                ("csrf", field(&page, "csrf")?),
                ("username", &username),
                ("password", PASSWORD),
            ];
            browser.redirected(Ask::post(LOGON, &form)).await?
        }
        Side::Peer => {
            let form = [("username", &*username), ("password", PASSWORD)];
            let resumed = browser.redirected(Ask::post(&*path(&begun), &form)).await?;
            browser.redirected(Ask::get(&*path(&resumed))).await?
        }
    };
    let code = code(&callback)?;
    let form = code_redemption(&code, REDIRECT_URI);
    let reply = connection.ask(Ask { authorization: Some(basic(CLIENT)), ..Ask::post(at.token, &form) }).await?;
    if reply.holds("\"id_token\"") { Ok(reply) } else { Err(format!("no ID token: {reply:?}").into()) }
}

fn authorization(at: Endpoints, number: usize, scope: &str) -> String {
    let number = number.to_string();
    let query = authorization_query(CLIENT, REDIRECT_URI, scope, &[("state", &number), ("nonce", &number)]);
    format!("{}?{query}", at.authorization)
}

/// A cookie, and for which paths it is.
struct Cookie {
    pair: String,
    path: String,
}

/// A browser, as far as these servers need one.
struct Browser<'a> {
    connection: &'a Connection,
    cookies: Vec<Cookie>,
}

impl Browser<'_> {
    async fn go(&mut self, ask: Ask) -> Result<Reply, BoxError> {
        let ours = self.cookies.iter().filter(|cookie| ask.path.starts_with(&cookie.path));
        let cookies = ours.map(|cookie| cookie.pair.as_str()).collect::<Vec<_>>().join("; ");
        let reply = self.connection.ask(Ask { cookies, ..ask }).await?;
        for line in reply.headers.get_all(SET_COOKIE) {
            self.keep(line.to_str()?);
        }
        Ok(reply)
    }

    /// Where it is sent on to.
    async fn redirected(&mut self, ask: Ask) -> Result<String, BoxError> {
        let reply = self.go(ask).await?;
        let location = reply.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        match location.filter(|_| reply.status == StatusCode::SEE_OTHER) {
            Some(location) => Ok(location.to_owned()),
            None => Err(format!("no redirect: {reply:?}").into()),
        }
    }

    fn keep(&mut self, line: &str) {
        let mut parts = line.split("; ");
        let pair = parts.next().unwrap_or_default().to_owned();
        let path = parts.find_map(|part| part.strip_prefix("path=").or_else(|| part.strip_prefix("Path=")));
        let path = path.unwrap_or("/").to_owned();
        let name = pair.split('=').next().unwrap_or_default().to_owned();
        self.cookies.retain(|cookie| cookie.pair.split('=').next() != Some(&*name));
        self.cookies.push(Cookie { pair, path });
    }
}

/// Path and query of an address.
fn path(address: &str) -> String {
    let rest = address.split_once("://").and_then(|(_, rest)| rest.find('/').map(|start| &rest[start..]));
    rest.unwrap_or(address).to_owned()
}

/// The value of a hidden field.
fn field<'a>(page: &'a str, name: &str) -> Result<&'a str, BoxError> {
    let field = format!("name=\"{name}\"");
    let value = page.split('<').find(|tag| tag.contains(&field)).and_then(|tag| tag.split_once("value=\""));
    let value = value.and_then(|(_, rest)| rest.split_once('"'));
    value.map(|(value, _)| value).ok_or_else(|| format!("the page has no field {name}: {page}").into())
}

fn code(callback: &str) -> Result<String, BoxError> {
    let query = callback.strip_prefix(REDIRECT_URI).and_then(|rest| rest.strip_prefix('?')).unwrap_or_default();
    let code = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "code");
    code.map(|(_, code)| code.into_owned()).ok_or_else(|| format!("no code: {callback}").into())
}
