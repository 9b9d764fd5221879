"""The PyPI package aiosmtpd, a mail server on loopback that accepts mail only with STARTTLS and after AUTH. It writes each mail into a
folder, and ends when its standard input does."""

import hmac
import os
import ssl
import sys
import uuid

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

FOLDER, CERTIFICATE, KEY, LOGIN, PASSWORD = (
    os.environ[name] for name in ("FOLDER", "CERTIFICATE", "KEY", "LOGIN", "PASSWORD")
)


class Folder:
    """A folder with a file a mail, in which a reader never sees half of one."""

    async def handle_DATA(self, server, session, envelope):
        name = os.path.join(FOLDER, str(uuid.uuid4()))
        with open(f"{name}.part", "wb") as file:
            file.write(envelope.original_content)
        os.rename(f"{name}.part", f"{name}.eml")
        return "250 accepted"


def authenticate(server, session, envelope, mechanism, data):
    """Accepts one user."""
    is_user = isinstance(data, LoginPassword) and data.login == LOGIN.encode()
    return AuthResult(success=is_user and hmac.compare_digest(data.password, PASSWORD.encode()), handled=False)


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(CERTIFICATE, KEY)
controller = Controller(
    Folder(),
    hostname="127.0.0.1",
    port=int(os.environ["PORT"]),
    tls_context=context,
    require_starttls=True,
    auth_required=True,
    authenticator=authenticate,
)
controller.start()
print("ready", flush=True)
sys.stdin.read()
controller.stop()
