#!/usr/bin/env bash
# azure-identity 1.27.0 (asynchronous CertificateCredential) pads the three parts of its client assertion.
#
# RFC 7515, 2 says of base64url: "with all trailing '=' characters omitted". msal, by which the synchronous credential signs,
# keeps to it. The asynchronous credential writes header, claims and signature with their padding, and the thumbprint in the
# header, too, and signs over the padded text. Entra takes it. A token endpoint that reads JWS strictly, such as a test double or a
# proxy that checks assertions, refuses a credential that works everywhere else: PyJWT 2.15.1 reads the assertion, joserfc 1.8.0
# does not.
#
# Seen: two of three parts end with "=" (the claims' or header's length decides over the third), and so does the thumbprint; PyJWT
# reads it, joserfc raises DecodeError; of msal's assertion no part does.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    azure-identity==1.27.0 azure-core==1.41.0 msal==1.39.0 cryptography==50.0.2 PyJWT==2.15.1 joserfc==1.8.0 2>/dev/null
cat > "$folder/look.py" <<'PYTHON'
import asyncio
import base64
import contextlib
import datetime
import json
import logging
from urllib.parse import parse_qs

import joserfc
import joserfc.jws
import joserfc.jwk
import jwt
import msal
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.identity.aio import CertificateCredential as AsyncCertificateCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "someone")])
NOW = datetime.datetime.now(datetime.UTC)
CERTIFICATE = (
    x509.CertificateBuilder(NAME, NAME, KEY.public_key(), x509.random_serial_number())
    .not_valid_before(NOW)
    .not_valid_after(NOW + datetime.timedelta(days=1))
    .sign(KEY, hashes.SHA256())
)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
) + CERTIFICATE.public_bytes(serialization.Encoding.PEM)
TENANT, CLIENT = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


class Seen(Exception):
    """Enough was seen, and nothing is sent."""


def keep(request, kept):
    body = request.body if isinstance(request.body, dict) else parse_qs(request.body)
    if "client_assertion" in body:
        value = body["client_assertion"]
        kept.append(value[0] if isinstance(value, list) else value)
    raise Seen


class AsyncCapture(AsyncHttpTransport):
    def __init__(self):
        self.kept = []

    async def send(self, request, **_):
        keep(request, self.kept)

    async def open(self): ...
    async def close(self): ...
    async def __aenter__(self):
        return self

    async def __aexit__(self, *_): ...


def padded(assertion):
    return sum(part.endswith("=") for part in assertion.split("."))


async def asynchronous():
    transport = AsyncCapture()
    credential = AsyncCertificateCredential(
        TENANT, CLIENT, certificate_data=PEM, transport=transport, disable_instance_discovery=True
    )
    with contextlib.suppress(Seen):
        await credential.get_token("api://somewhere/.default")
    return transport.kept[0]


def synchronous():
    """The assertion of msal, by which the synchronous credential signs."""
    sent = []

    class Http:
        def get(self, url, **_):
            document = {f"{name}_endpoint": f"https://login.microsoftonline.com/{TENANT}/{name}" for name in ("authorization", "token")}
            return Answer(document | {"issuer": f"https://login.microsoftonline.com/{TENANT}/v2.0"})

        def post(self, url, data=None, **_):
            sent.append(data["client_assertion"])
            return Answer({"error": "invalid_client"}, 401)

        def close(self): ...

    class Answer:
        def __init__(self, document, status=200):
            self.text, self.status_code, self.headers = json.dumps(document), status, {}

        def raise_for_status(self): ...

    application = msal.ConfidentialClientApplication(
        CLIENT,
        client_credential={"private_key": PEM.decode(), "public_certificate": PEM.decode(), "thumbprint": CERTIFICATE.fingerprint(hashes.SHA1()).hex()},
        authority=f"https://login.microsoftonline.com/{TENANT}",
        http_client=Http(),
        instance_discovery=False,
    )
    application.acquire_token_for_client(["api://somewhere/.default"])
    found = sent[0]
    return found.decode() if isinstance(found, bytes) else found


logging.disable()
assertion = asyncio.run(asynchronous())
parts = assertion.split(".")
header = json.loads(base64.urlsafe_b64decode(parts[0] + "=="))
thumbprint = next(value for name, value in header.items() if name.startswith("x5t"))
public = KEY.public_key()
pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
try:
    jwt.decode(assertion, public, algorithms=["RS256", "PS256"], options={"verify_aud": False})
    pyjwt = "read"
except jwt.InvalidTokenError as error:
    pyjwt = f"refused ({type(error).__name__})"
try:
    joserfc.jws.deserialize_compact(assertion, joserfc.jwk.RSAKey.import_key(pem), algorithms=["RS256", "PS256"])
    strict = "read"
except Exception as error:
    strict = f"refused ({type(error).__name__})"
print("padded parts of 3:", padded(assertion))
print("thumbprint padded:", thumbprint.endswith("="))
print("PyJWT:", pyjwt)
print("joserfc:", strict)
print("msal, padded parts of 3:", padded(synchronous()))
PYTHON
"$folder/venv/bin/python" "$folder/look.py" | tee "$folder/seen"
cat > "$folder/expected" <<'TEXT'
padded parts of 3: 2
thumbprint padded: True
PyJWT: read
joserfc: refused (DecodeError)
msal, padded parts of 3: 0
TEXT
diff "$folder/expected" "$folder/seen"
