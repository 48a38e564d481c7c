"""A small service for processes of its own: ``uvicorn tests.e2e.web_app:app``, set up by the environment."""

from typing import Annotated

from fastapi import Depends, FastAPI

from camunda_entra_fastapi import CamundaEntra, EntraUser

entra = CamundaEntra()
app = FastAPI(lifespan=entra.lifespan)
entra.install(app)


@app.get("/me")
async def me(user: Annotated[EntraUser, Depends(entra.current_user)]) -> dict[str, object]:
    """Who is asking."""
    return {"name": user.name, "expires_at": user.expires_at.timestamp()}
