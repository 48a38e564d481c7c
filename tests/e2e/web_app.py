"""A small service for processes of its own: ``uvicorn tests.e2e.web_app:app``, set up by the environment."""

import os
import time
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI

from camunda_entra_fastapi import CamundaEntra, EntraUser


class Clock:
    """Real time, which a file can put forward by the seconds that it says."""

    ahead = Path(os.environ["CLOCK_AHEAD"])

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time() + float(self.ahead.read_text())

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic() + float(self.ahead.read_text())


entra = CamundaEntra(clock=Clock())
app = FastAPI(lifespan=entra.lifespan)
entra.install(app)


@app.get("/me")
async def me(user: Annotated[EntraUser, Depends(entra.current_user)]) -> dict[str, object]:
    """Who is asking."""
    return {"name": user.name, "expires_at": user.expires_at.timestamp()}
