"""A small service that asks Camunda which processes are running, as itself.

It reads the six CAMUNDA_IDENTITY_* variables, CAMUNDA_REST_ADDRESS, where the cluster is, and CAMUNDA_SCOPE,
what to ask Entra for: the cluster's client ID with /.default at its end. Run it in the folder above with
``uvicorn call_camunda.main:app``.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from camunda_orchestration_sdk import CamundaAsyncClient
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel

from camunda_entra_fastapi import CamundaEntra

entra = CamundaEntra()

# The one line. As auth= of the SDK's HTTP client it also replaces a token that the cluster refuses;
# CamundaAsyncClient(auth_provider=…) takes it as well.
as_this_service = entra.client_credentials(os.environ["CAMUNDA_SCOPE"])


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Have a client as long as the service runs."""
    async with entra.lifespan(app), CamundaAsyncClient(httpx_args={"auth": as_this_service}) as camunda:
        app.state.camunda = camunda
        yield


app = FastAPI(title="What is running", lifespan=lifespan)


class Running(BaseModel):
    """A process instance."""

    key: str
    process: str


async def camunda(request: Request) -> CamundaAsyncClient:
    """The client, for routes."""
    client: CamundaAsyncClient = request.app.state.camunda
    return client


@app.get("/running")
async def running(camunda: Annotated[CamundaAsyncClient, Depends(camunda)]) -> list[Running]:
    """The process instances that this service may see; open to all, as this is about the call behind it."""
    found = await camunda.search_process_instances()
    return [
        Running(key=str(each.process_instance_key), process=str(each.process_definition_id))
        for each in found.items
    ]
