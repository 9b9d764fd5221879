"""Verifies transaction tokens. Each line of the input stands for a request: the values of its header Txn-Token."""

import json
import sys
import threading
import time
import urllib.request

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey

MAX_TOKEN, MAX_KEY_SET = 16 * 1024, 64 * 1024
# seconds: the keys are fetched again, are usable while their address is away, and the pause between two requests for them
FRESH, USABLE, PAUSE = 600, 86400, 10
LEEWAY, MAX_LIFE = 5, 300


class Refused(Exception):
    """Why a token is not accepted: answer 401."""


class KeysUnknown(Exception):
    """No keys could be fetched: answer 503."""


class Keys:
    """The keys of the trust domain, by their identifiers."""

    def __init__(self, url: str) -> None:
        self.url, self.lock = url, threading.Lock()
        self.known: dict[str, ECKey | OKPKey] = {}
        self.tried = self.fetched = float("-inf")

    def find(self, token) -> ECKey | OKPKey:
        """The key of a token. All are fetched again if they are old, or if it is unknown: it changes every day."""
        kid = token.headers().get("kid")
        with self.lock:
            age = time.monotonic() - self.tried
            if age >= FRESH or (kid not in self.known and age >= PAUSE):
                self.tried = time.monotonic()
                self.fetch()
            if time.monotonic() - self.fetched > USABLE:
                raise KeysUnknown
            if kid not in self.known:
                raise Refused("unknown key")
            return self.known[kid]

    def fetch(self) -> None:
        """Fetches the keys; the former ones stay if that fails."""
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                keys = KeySet.import_key_set(json.loads(answer.read(MAX_KEY_SET)))
        except (OSError, JoseError, LookupError, ValueError) as error:
            print("the keys cannot be fetched:", error, file=sys.stderr)
            return
        self.known = {key.kid: key for key in keys if isinstance(key, (ECKey, OKPKey))}
        self.fetched = time.monotonic()


def verify(values: list[str], keys: Keys, domain: str, scope: str) -> dict:
    """The claims, if there is exactly one value, which is a valid token for this scope in the trust domain."""
    if len(values) != 1 or len(values[0]) > MAX_TOKEN:
        raise Refused("not one token")
    try:
        # the key has to be for the algorithm of the header
        token = jwt.decode(values[0], keys.find, algorithms=["ES256", "EdDSA"])
    except (JoseError, RecursionError, TypeError, ValueError) as error:
        raise Refused(error) from error
    if token.header.get("typ") != "txntoken+jwt":
        raise Refused("not a transaction token")
    claims, now = token.claims, time.time()
    issued, expires = claims.get("iat"), claims.get("exp")
    # equal texts, never a list of audiences
    if claims.get("aud") != domain or claims.get("iss") != domain:
        raise Refused("another trust domain")
    if type(issued) is not int or type(expires) is not int or expires - issued > MAX_LIFE:
        raise Refused("no lifetime, or too long")
    if expires + LEEWAY <= now or issued - LEEWAY > now:
        raise Refused("expired, or not yet valid")
    for name in ("txn", "sub", "scope", "req_wl"):
        if not isinstance(claims.get(name), str) or not claims[name]:
            raise Refused("a claim is missing")
    if scope not in claims["scope"].split(" "):
        raise Refused("another scope")
    return claims


def main() -> None:
    keys, (domain, scope) = Keys(sys.argv[1]), sys.argv[2:4]
    for line in sys.stdin:
        try:
            # in Flask the values are request.headers.getlist("Txn-Token")
            claims = verify(line.split(), keys, domain, scope)
        except (Refused, KeysUnknown) as error:
            print("refused:", str(error) or "the keys are not known", flush=True)
        else:
            print(claims["sub"], claims["scope"], claims["req_wl"], flush=True)


if __name__ == "__main__":
    main()
