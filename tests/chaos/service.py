"""The service under load: ``uvicorn tests.chaos.service:app``, set up by the environment."""

from typing import Annotated

from fastapi import Depends, FastAPI

from camunda_entra_fastapi import CamundaEntra, EntraUser

entra = CamundaEntra()
app = FastAPI(lifespan=entra.lifespan)
entra.install(app)


@app.get("/orders")
async def orders(user: Annotated[EntraUser, Depends(entra.current_user)]) -> dict[str, str | None]:
    """What somebody who is signed in sees."""
    return {"of": user.name}
