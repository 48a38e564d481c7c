"""The same as a script for the Azure CLI, or as requests to Microsoft Graph. Pure."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from camunda_entra_fastapi.cli.register.clouds import ORGANIZATIONS, Where, is_tenant_id
from camunda_entra_fastapi.cli.register.desired import OF_GRAPH, Wanted
from camunda_entra_fastapi.cli.register.plan import GRAPH_ID, Found, plan_of


def as_az(wanted: Wanted, tenant: str, where: Where, years: int) -> str:
    """A shell script that needs az, signed in at the tenant."""
    body = registration(wanted)
    own = _own_access(body)
    scopes = " ".join(OF_GRAPH)
    named = "" if tenant == ORGANIZATIONS else f" --tenant {shlex.quote(tenant)}"
    cloud = (
        "" if where.az == Where.__dataclass_fields__["az"].default else f"# az cloud set --name {where.az}\n"
    )
    tenant_id = tenant if is_tenant_id(tenant) else "$(az account show --query tenantId --output tsv)"
    base_url = f"echo CAMUNDA_ENTRA_BASE_URL={shlex.quote(wanted.base_url)}\n" if wanted.base_url else ""
    return f"""#!/usr/bin/env bash
set -euo pipefail
{cloud}# az login{named} --allow-no-subscriptions

# What is new is not known everywhere at once.
patiently() {{
  local pause
  for pause in 1 2 4 8 16; do
    "$@" && return
    sleep "$pause"
  done
  "$@"
}}

graph={shlex.quote(f"{where.graph}/v1.0")}
json=Content-Type=application/json
issuer={shlex.quote(where.authority)}/{tenant_id}/v2.0
client_id=$(az rest --method POST --uri "$graph/applications" --headers "$json" \\
  --body {shlex.quote(json.dumps(body))} --query appId --output tsv)
patiently az ad app update --id "$client_id" --identifier-uris "api://$client_id"
az rest --method PATCH --uri "$graph/applications(appId='$client_id')" --headers "$json" \\
  --body {_with_client_id(json.dumps(own))}
for name in {scopes}; do
  id=$(az ad sp show --id {GRAPH_ID} --query "oauth2PermissionScopes[?value=='$name'].id" --output tsv)
  az ad app permission add --id "$client_id" --api {GRAPH_ID} --api-permissions "$id=Scope" --output none
done
patiently az ad sp create --id "$client_id" --output none
patiently az ad app permission grant --id "$client_id" --api {GRAPH_ID} \\
  --scope {shlex.quote(scopes)} --output none
patiently az ad app permission grant --id "$client_id" --api "$client_id" \\
  --scope {shlex.quote(wanted.scope)} --output none
# Last, as it is told once; without --append it would take the place of all others.
client_secret=$(az ad app credential reset --id "$client_id" --append --display-name camunda-entra \\
  --years {years} --query password --output tsv)

echo CAMUNDA_IDENTITY_TYPE=AZUREAD
echo "CAMUNDA_IDENTITY_ISSUER=$issuer"
echo "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=$issuer"
echo "CAMUNDA_IDENTITY_CLIENT_ID=$client_id"
echo "CAMUNDA_IDENTITY_CLIENT_SECRET=$client_secret"
echo "CAMUNDA_IDENTITY_AUDIENCE=$client_id"
{base_url}"""


def as_graph(wanted: Wanted, _tenant: str, where: Where, years: int) -> str:
    """The requests in their order, as JSON; what is in angle brackets comes from the answers before."""
    body = registration(wanted)
    own = _own_access(body)["requiredResourceAccess"]
    of_graph = [{"id": f"<id of {name}>", "type": "Scope"} for name in OF_GRAPH]
    access = [{"resourceAppId": GRAPH_ID, "resourceAccess": of_graph}, *own]
    url = f"{where.graph}/v1.0"
    there = f"{url}/applications(appId='<appId>')"
    ends = f"<{years} year{'s' * (years > 1)} from now, as in 2030-01-31T00:00:00Z>"
    password = {"displayName": "camunda-entra", "endDateTime": ends}
    principal = "<id of the service principal>"
    requests: list[dict[str, Any]] = [
        {"method": "GET", "url": f"{url}/servicePrincipals?$filter=appId eq '{GRAPH_ID}'"},
        {"method": "POST", "url": f"{url}/applications", "body": body},
        {
            "method": "PATCH",
            "url": there,
            "body": {"identifierUris": ["api://<appId>"], "requiredResourceAccess": access},
        },
        {"method": "POST", "url": f"{url}/servicePrincipals", "body": {"appId": "<appId>"}},
        *(
            {
                "method": "POST",
                "url": f"{url}/oauth2PermissionGrants",
                "body": {
                    "clientId": principal,
                    "consentType": "AllPrincipals",
                    "resourceId": resource,
                    "scope": scope,
                },
            }
            for resource, scope in (
                ("<id of the service principal of Microsoft Graph>", " ".join(OF_GRAPH)),
                (principal, wanted.scope),
            )
        ),
        {"method": "POST", "url": f"{there}/addPassword", "body": {"passwordCredential": password}},
    ]
    return json.dumps(requests, indent=2) + "\n"


def registration(wanted: Wanted) -> dict[str, Any]:
    """The body of a new registration, without what needs its client ID or the IDs of Graph's permissions."""
    changes = plan_of(wanted, Found(), new_secret=True).changes
    return {name: value for name, value in changes.items() if name != "requiredResourceAccess"}


def _own_access(body: Mapping[str, Any]) -> dict[str, Any]:
    (scope,) = body["api"]["oauth2PermissionScopes"]
    access = [{"id": scope["id"], "type": "Scope"}]
    return {"requiredResourceAccess": [{"resourceAppId": "<appId>", "resourceAccess": access}]}


def _with_client_id(text: str) -> str:
    """The text for a shell, with the variable where the client ID belongs."""
    before, _, after = text.partition("<appId>")
    return f'{shlex.quote(before)}"$client_id"{shlex.quote(after)}'
