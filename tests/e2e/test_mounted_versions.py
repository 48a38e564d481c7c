"""Versions of an API that are mounted in one service, in a real browser: their docs pages and their pages."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request
from playwright.sync_api import BrowserContext, Page, Response, Route, sync_playwright
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.directory import OPERATE, Fault
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e import npm
from tests.waiting import PATIENCE

ADA = "Ada Admin"
