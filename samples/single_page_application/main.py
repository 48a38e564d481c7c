"""An API that a single-page application of another origin calls.

It reads the six CAMUNDA_IDENTITY_* variables. Run it with ``uvicorn main:app``.
"""

from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from camunda_entra_fastapi import CamundaEntra, EntraUser

entra = CamundaEntra()
app = FastAPI(title="Orders", lifespan=entra.lifespan)
entra.install(app)

# After install, and after every other middleware: the last one added is the
# outermost, so that its headers are on every answer that a middleware gives.
app.add_middleware(
    CORSMiddleware,
    allow_origins=["https://app.example.com"],
    allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
    allow_headers=["Authorization", "Content-Type"],
    expose_headers=["WWW-Authenticate"],
    max_age=600,
)


CurrentUser = Annotated[EntraUser, Depends(entra.bearer)]


@app.get("/me")
async def me(user: CurrentUser) -> dict[str, str | None]:
    return {"name": user.name}


Strong = Annotated[EntraUser, Depends(entra.require(auth_context="c1"))]


@app.delete("/orders/{number}")
async def cancel(number: int, user: Strong) -> dict[str, int | str | None]:
    return {"cancelled": number, "by": user.name}
