"""The PyPI package authlib, a relying party, with the provider: each of its ways of proving who it is."""

import os
import re
import time
import urllib.parse

import httpx
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

SITE, SECRET, LOGIN, PASSWORD = (os.environ[name] for name in ("SITE", "SECRET", "LOGIN", "PASSWORD"))
CALLBACK = "http://127.0.0.1:9/callback"
METADATA = httpx.get(f"{SITE}/.well-known/openid-configuration").json()
VERIFIER = "a-verifier-of-more-than-forty-three-characters-in-all"
NONCE = "n-0S6_WzA2Mj"


class ShortLived(PrivateKeyJWT):
    """authlib's assertions last an hour, longer than any that the provider takes."""

    def sign(self, auth: object, token_endpoint: str) -> str:
        self.claims = {"exp": int(time.time()) + 60}
        return super().sign(auth, token_endpoint)


def fields(page: str) -> dict[str, list[str]]:
    """The fields of the page's first form that have a value already."""
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", page.partition("</form>")[0]):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and value:
            found.setdefault(name[1], []).append(value[1])
    return found


def sign_in(url: str) -> str:
    """Fills in the provider's forms; the address that the browser is sent to in the end."""
    with httpx.Client(headers={"Origin": SITE}) as browser:
        answer = browser.get(url)
        for _ in range(8):
            location = answer.headers.get("location")
            if location and location.startswith(CALLBACK):
                return location
            if location:
                answer = browser.get(urllib.parse.urljoin(SITE, location))
                continue
            form = fields(answer.text)
            if 'name="password"' in answer.text:
                form |= {"username": [LOGIN], "password": [PASSWORD]}
            else:
                form |= {"decision": ["allow"]}
            action = re.search(r'<form method="post" action="([^"]*)"', answer.text)
            assert action, answer.text
            answer = browser.post(urllib.parse.urljoin(SITE, action[1]), data=form)
    raise AssertionError(f"the sign-in does not end: {answer.url}")


def walk(client_id: str, method: str, secret: str | ECKey) -> None:
    """A sign-in with code and PKCE, its ID token, userinfo, a refresh, a revocation."""
    client = OAuth2Client(
        client_id,
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        scope="openid profile email offline_access",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
    )
    if method == "private_key_jwt":
        client.register_client_auth_method(ShortLived(METADATA["issuer"], headers={"kid": "rp"}, alg="ES256"))
    url, state = client.create_authorization_url(
        METADATA["authorization_endpoint"], nonce=NONCE, code_verifier=VERIFIER
    )
    tokens = client.fetch_token(
        METADATA["token_endpoint"], authorization_response=sign_in(url), code_verifier=VERIFIER, state=state
    )
    keys = KeySet.import_key_set(httpx.get(METADATA["jwks_uri"]).json())
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    expected = {"iss": METADATA["issuer"], "aud": client_id, "nonce": NONCE}
    jwt.JWTClaimsRegistry(**{name: {"essential": True, "value": value} for name, value in expected.items()}).validate(claims)
    told = client.get(METADATA["userinfo_endpoint"]).json()
    assert (told["sub"], told["preferred_username"]) == (claims["sub"], LOGIN), told
    renewed = client.refresh_token(METADATA["token_endpoint"], refresh_token=tokens["refresh_token"])
    assert renewed["access_token"] != tokens["access_token"] and renewed["refresh_token"] != tokens["refresh_token"]
    assert client.introspect_token(METADATA["introspection_endpoint"], token=renewed["access_token"]).json()["active"]
    assert client.revoke_token(METADATA["revocation_endpoint"], token=renewed["refresh_token"]).status_code == 200
    assert not client.introspect_token(METADATA["introspection_endpoint"], token=renewed["access_token"]).json()["active"]
    print(method)


with open(os.environ["KEY"], encoding="utf-8") as key:
    PRIVATE = ECKey.import_key(key.read())
walk("rp-basic", "client_secret_basic", SECRET)
walk("rp-post", "client_secret_post", SECRET)
walk("rp-key", "private_key_jwt", PRIVATE)
