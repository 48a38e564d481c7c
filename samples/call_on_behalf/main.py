"""An office: people sign in, and it asks the archive for their documents, in their name.

It reads the six CAMUNDA_IDENTITY_* variables, ARCHIVE_URL, where the archive is, and ARCHIVE_SCOPE, what to
ask Entra for. Run it in the folder above with ``uvicorn call_on_behalf.main:app``.
"""

import os
from typing import Annotated, Any

import httpx2
from fastapi import Depends, FastAPI, HTTPException

from camunda_entra_fastapi import CamundaEntra

entra = CamundaEntra()
app = FastAPI(title="Office", lifespan=entra.lifespan)
entra.install(app)

# Whoever is not signed in is refused first, and so is an application: there is nobody to act for.
InTheirName = Annotated[httpx2.Auth, Depends(entra.on_behalf_of(os.environ["ARCHIVE_SCOPE"]))]


@app.get("/documents", responses={502: {"description": "The archive does not answer as it should"}})
async def documents(auth: InTheirName) -> Any:
    """What the archive has for whoever asks."""
    async with httpx2.AsyncClient(base_url=os.environ["ARCHIVE_URL"], auth=auth) as archive:
        try:
            return (await archive.get("/documents")).raise_for_status().json()
        except httpx2.HTTPError:
            raise HTTPException(502, "The archive does not answer as it should; try again shortly.") from None
