"""The part of Microsoft Graph that a sign-in and a registration need."""

from camunda_entra_fastapi.testing.endpoints.graph.routes import graph_routes

__all__ = ["graph_routes"]
