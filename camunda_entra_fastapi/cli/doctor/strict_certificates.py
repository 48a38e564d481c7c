"""Certificates that are trusted, and break RFC 5280 in a way that Python refuses by default since 3.13."""

import ssl
from typing import Final

from camunda_entra_fastapi.cli.doctor.connection_errors import Unreachable
from camunda_entra_fastapi.cli.findings import printable

_RULES: Final = {
    79: "a certificate that signs others lacks the extension Basic Constraints (section 4.2.1.9)",
    80: "the extension Basic Constraints limits the path of a certificate that signs no others "
    "(section 4.2.1.9)",
    82: "the extension Key Usage lets a certificate sign others that is no authority's (section 4.2.1.3)",
    83: "the name of the issuer is empty (section 4.1.2.4)",
    85: "the extension Authority Key Identifier is missing, in the server's certificate or in one between it "
    "and the root (section 4.2.1.1)",
    86: "the extension Subject Key Identifier is missing in an authority's certificate (section 4.2.1.2)",
    88: "the subject is empty, and the extension Subject Alternative Name is not marked critical "
    "(section 4.1.2.6)",
    89: "the extension Basic Constraints of an authority's certificate is not marked critical "
    "(section 4.2.1.9)",
    92: "the extension Key Usage is missing in an authority's certificate (section 4.2.1.3)",
}
"""By OpenSSL's number, ``X509_V_ERR_…``. What is not here is told in OpenSSL's words."""


def nonconforming(host: str, refusal: ssl.SSLCertVerificationError) -> Unreachable:
    """A certificate that would be accepted, were it not for ``VERIFY_X509_STRICT``.

    Args:
        host: Who showed it.
        refusal: The refusal with the flag.
    """
    rule = _RULES.get(refusal.verify_code) or printable(refusal.verify_message, 100)
    return Unreachable(
        "certificate_nonconforming",
        f"The certificate of {host} is of a trusted authority, but breaks RFC 5280, to which Python holds "
        f"certificates since 3.13: {rule}.",
        "Have whoever runs the proxy of the company that reads TLS, or else the server, mend that in its "
        "certificates. Until then set CAMUNDA_ENTRA_ALLOW_LAX_CERTIFICATES=true: it drops this check alone "
        "(VERIFY_X509_STRICT), while authority, name and dates are verified as before.",
    )
