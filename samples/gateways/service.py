"""The service beside a gateway: it signs people in, and tells the gateway who may pass.

It reads the six CAMUNDA_IDENTITY_* variables and CAMUNDA_ENTRA_BASE_URL, the address that browsers know.
Run it in this folder with ``uvicorn service:app --port 8000``.
"""

from fastapi import FastAPI

from camunda_entra_fastapi import CamundaEntra

entra = CamundaEntra()
app = FastAPI(lifespan=entra.lifespan, docs_url=None, redoc_url=None, openapi_url=None)
entra.install(app)

# Browsers are sent to sign in, and whoever passes has an access token that Operate accepts. The gateway's
# configuration may demand roles, scopes and groups besides.
app.include_router(entra.forward_auth_router(redirect=True, authorization=True))
