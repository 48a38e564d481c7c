"""What follows from the settings without asking anybody."""

from typing import TYPE_CHECKING

from camunda_entra_fastapi.settings import issuers, urls


class DerivedSettings:
    """The values that follow from those of ``EntraSettings``, whose base class it is."""

    if TYPE_CHECKING:
        issuer: str
        issuer_backend_url: str
        login_prefix: str
        callback_path: str
        post_logout_path: str

    def login_paths(self, prefix: str | None, callback_path: str | None) -> tuple[str, str, str]:
        """Prefix, callback path and post-logout path, by code or else by the environment.

        Raises:
            ValueError: An argument is not a path.
        """
        callback = self.callback_path
        if prefix is not None and callback == f"{self.login_prefix}/login-callback":
            callback = f"{prefix}/login-callback"
        callback = urls.read_path(callback if callback_path is None else callback_path)
        is_callback = self.post_logout_path == self.callback_path
        return (
            self.login_prefix if prefix is None else urls.read_path(prefix),
            callback,
            callback if is_callback else self.post_logout_path,
        )

    @property
    def is_multi_tenant(self) -> bool:
        """Whether the issuer stands for several tenants."""
        return issuers.is_multi_tenant(self.issuer)

    @property
    def tenant(self) -> str | None:
        """The issuer's tenant, a GUID or a domain in lower case; None for several tenants."""
        return issuers.tenant_of(self.issuer)

    @property
    def issuer_template(self) -> str:
        """The issuer of tokens, with ``{tenantid}`` where it stands for several tenants."""
        return issuers.template_of(self.issuer)

    @property
    def authorization_url(self) -> str:
        """The authorization endpoint, derived from the issuer without network."""
        return issuers.endpoint_of(self.issuer, self.issuer_backend_url, "authorize")

    @property
    def end_session_url(self) -> str:
        """The end session endpoint, derived from the issuer without network."""
        return issuers.endpoint_of(self.issuer, self.issuer_backend_url, "logout")

    @property
    def admin_consent_url(self) -> str:
        """The admin consent endpoint, derived from the issuer without network."""
        return issuers.admin_consent_url_of(self.authorization_url)

    @property
    def token_url(self) -> str:
        """The token endpoint for browsers, derived from the issuer without network."""
        return issuers.endpoint_of(self.issuer, self.issuer_backend_url, "token")
