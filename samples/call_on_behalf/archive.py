"""The other service: it verifies the token by itself, and knows who it is that the office asks for.

It reads the six CAMUNDA_IDENTITY_* variables, those of its own registration. Run it in the folder above with
``uvicorn call_on_behalf.archive:app --port 8081``.
"""

from typing import Annotated

from fastapi import FastAPI, Security

from camunda_entra_fastapi import CamundaEntra, EntraUser

entra = CamundaEntra()
app = FastAPI(title="Archive", lifespan=entra.lifespan)

Reader = Annotated[EntraUser, Security(entra.current_user, scopes=["access_as_user"])]


@app.get("/documents")
async def documents(user: Reader) -> dict[str, str | None]:
    """One document, and by which application it was asked for."""
    return {"for": user.name, "by": user.client_id, "document": "Delivery note 4711"}
