"""The checks of an access token, in their order."""

from typing import Any

from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.validation.claims import check_audience, check_times, refuse_bound, text_of
from camunda_entra_fastapi.validation.compact import UnverifiedToken
from camunda_entra_fastapi.validation.entra import check_admission, check_issuer, check_kind, refuse_graph
from camunda_entra_fastapi.validation.keys import SigningKey
from camunda_entra_fastapi.validation.policy import Policy


def verify_access_token(
    token: UnverifiedToken, key: SigningKey, policy: Policy, now: float
) -> dict[str, Any]:
    """The claims of an access token that this API accepts. Size, shape and header were checked before.

    ``now`` is in seconds since 1970. The signature comes first, so that only tokens that Entra has signed
    get any other error.

    Raises:
        InvalidToken: This API does not accept the token.
        AccessDenied: The client, or a guest, is not allowed.
    """
    claims = token.verified_claims(key)
    try:
        text_of(claims, "sub")
        refuse_graph(claims, policy)
        check_issuer(claims, policy, key.issuer)
        check_audience(claims, policy)
        check_times(claims, policy, now)
        refuse_bound(claims)
        check_kind(claims, policy)
        check_admission(claims, policy)
    except EntraError as error:
        client_id = claims.get("azp", claims.get("appid"))
        error.client_id = client_id if isinstance(client_id, str) else None
        raise
    return claims
