"""The credential that the settings name: a secret, a federated token or a certificate."""

from collections.abc import Callable

from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.remote.certificates import CertificateFile
from camunda_entra_fastapi.remote.credentials import (
    ClientCertificate,
    ClientSecret,
    Credential,
    FederatedToken,
)
from camunda_entra_fastapi.settings import EntraSettings


def credential_of(
    settings: EntraSettings, clock: Callable[[], float], token_url: Callable[[], str]
) -> Credential | None:
    """The credential; None where the settings name none.

    Raises:
        SettingsError: The certificate is unusable.
    """
    if settings.client_secret is not None:
        return ClientSecret(settings.client_secret.get_secret_value())
    if settings.federated_token_file is not None:
        return FederatedToken(settings.federated_token_file)
    if settings.client_certificate is None:
        return None
    password = settings.client_certificate_password
    try:
        file = CertificateFile(
            settings.client_certificate,
            None if password is None else password.get_secret_value(),
            settings.client_assertion_algorithm,
        )
    except ValueError as error:
        raise SettingsError([f"CAMUNDA_ENTRA_CLIENT_CERTIFICATE {error}"]) from None
    return ClientCertificate(file, settings.client_id, token_url, clock)
