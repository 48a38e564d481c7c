"""An access token for one's own API: the local Entra's as it is wished, a tenant's as it is granted."""
