"""Signing in with a browser: authorization code flow with PKCE (OpenID Connect Core 1.0, 3.1)."""
