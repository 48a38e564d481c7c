#!/usr/bin/env bash
# schemathesis 4.32.5: the check ignored_auth looks at no operation whose security scheme is OAuth 2.0 or OpenID Connect.
#
# The check sends a request without its credentials, and with made-up ones, and fails where the answer is a success all the same. It
# knows what to take away for apiKey, and for http. For the types oauth2 and openIdConnect, which OpenAPI 3 has beside them
# (Security Scheme Object) and which FastAPI writes for OAuth2AuthorizationCodeBearer and OpenIdConnect, it takes nothing away and
# reports success. So a service that declares OAuth 2.0 and lets everybody in passes the check that is there to find this.
#
# Seen: a route that ignores its declared scheme fails the check where that is http or apiKey, and passes it where it is oauth2 or
# openIdConnect.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    schemathesis==4.32.5 fastapi==0.165.0 starlette==1.10.0 2>/dev/null
cat > "$folder/look.py" <<'PYTHON'
import logging
import warnings

warnings.simplefilter("ignore")
logging.disable()

import schemathesis
from fastapi import FastAPI, Security
from fastapi.security import APIKeyHeader, HTTPBearer, OAuth2AuthorizationCodeBearer, OpenIdConnect
from schemathesis.specs.openapi.checks import ignored_auth

ADDRESS = "https://login.example.com"
SCHEMES = {
    "http": HTTPBearer(auto_error=False),
    "apiKey": APIKeyHeader(name="X-Key", auto_error=False),
    "oauth2": OAuth2AuthorizationCodeBearer(f"{ADDRESS}/authorize", f"{ADDRESS}/token", auto_error=False),
    "openIdConnect": OpenIdConnect(openIdConnectUrl=f"{ADDRESS}/.well-known/openid-configuration", auto_error=False),
}
for name, scheme in SCHEMES.items():
    app = FastAPI()

    @app.get("/open", dependencies=[Security(scheme)])
    def open_to_all() -> str:
        return "anybody"

    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    header = {"X-Key": "a key"} if name == "apiKey" else {"Authorization": "Bearer a-token"}
    case = schema["/open"]["GET"].Case(headers=header)
    try:
        case.call_and_validate(checks=[ignored_auth])
        print(f"{name}: passed")
    except BaseExceptionGroup as group:
        print(f"{name}: failed ({', '.join(type(each).__name__ for each in group.exceptions)})")
    except AssertionError as error:
        print(f"{name}: failed ({type(error).__name__})")
PYTHON
"$folder/venv/bin/python" "$folder/look.py" | tee "$folder/seen"
cat > "$folder/expected" <<'TEXT'
http: failed (IgnoredAuth)
apiKey: failed (IgnoredAuth)
oauth2: passed
openIdConnect: passed
TEXT
diff "$folder/expected" "$folder/seen"
