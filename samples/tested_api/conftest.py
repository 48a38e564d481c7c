"""Lets the application be imported: ``CamundaEntra()`` reads the environment then."""

import os

from camunda_entra_fastapi.testing import EntraEmulator

os.environ.update(EntraEmulator().environment())
