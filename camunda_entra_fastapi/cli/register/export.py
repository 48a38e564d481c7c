"""Exporting the desired registration: as a script for the Azure CLI, or as requests to Graph. Pure."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from camunda_entra_fastapi.cli.register.clouds import ORGANIZATIONS, CloudEndpoints
from camunda_entra_fastapi.cli.register.current import GRAPH_ID, CurrentRegistration
from camunda_entra_fastapi.cli.register.desired import GRAPH_PERMISSIONS, DesiredRegistration
from camunda_entra_fastapi.cli.register.plan import make_plan, tenant_wide_grant
from camunda_entra_fastapi.validation.entra import is_tenant_id


def to_az_script(desired: DesiredRegistration, tenant: str, endpoints: CloudEndpoints, years: int) -> str:
    """Export as a shell script; it needs az, signed in at the tenant."""
    body = registration_body(desired)
    own_access = _own_scope_access(body)
    scopes = " ".join(GRAPH_PERMISSIONS)
    tenant_option = "" if tenant == ORGANIZATIONS else f" --tenant {shlex.quote(tenant)}"
    cloud = (
        ""
        if endpoints.az == CloudEndpoints.__dataclass_fields__["az"].default
        else f"# az cloud set --name {endpoints.az}\n"
    )
    tenant_id = tenant if is_tenant_id(tenant) else "$(az account show --query tenantId --output tsv)"
    base_url = f"echo CAMUNDA_ENTRA_BASE_URL={shlex.quote(desired.base_url)}\n" if desired.base_url else ""
    return f"""#!/usr/bin/env bash
set -euo pipefail
{cloud}# az login{tenant_option} --allow-no-subscriptions

# What is new is not known everywhere at once.
patiently() {{
  local pause
  for pause in 1 2 4 8 16; do
    "$@" && return
    sleep "$pause"
  done
  "$@"
}}

graph={shlex.quote(f"{endpoints.graph}/v1.0")}
json=Content-Type=application/json
issuer={shlex.quote(endpoints.authority)}/{tenant_id}/v2.0
client_id=$(az rest --method POST --uri "$graph/applications" --headers "$json" \\
  --body {shlex.quote(json.dumps(body))} --query appId --output tsv)
patiently az ad app update --id "$client_id" --identifier-uris "api://$client_id"
az rest --method PATCH --uri "$graph/applications(appId='$client_id')" --headers "$json" \\
  --body {_with_client_id(json.dumps(own_access))}
for name in {scopes}; do
  id=$(az ad sp show --id {GRAPH_ID} --query "oauth2PermissionScopes[?value=='$name'].id" --output tsv)
  az ad app permission add --id "$client_id" --api {GRAPH_ID} --api-permissions "$id=Scope" --output none
done
patiently az ad sp create --id "$client_id" --output none
patiently az ad app permission grant --id "$client_id" --api {GRAPH_ID} \\
  --scope {shlex.quote(scopes)} --output none
patiently az ad app permission grant --id "$client_id" --api "$client_id" \\
  --scope {shlex.quote(desired.scope)} --output none
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


def to_graph_requests(
    desired: DesiredRegistration, _tenant: str, endpoints: CloudEndpoints, years: int
) -> str:
    """Export as requests in JSON; what is in angle brackets comes from earlier responses."""
    body = registration_body(desired)
    own_access = _own_scope_access(body)["requiredResourceAccess"]
    graph_access = [{"id": f"<id of {name}>", "type": "Scope"} for name in GRAPH_PERMISSIONS]
    access = [{"resourceAppId": GRAPH_ID, "resourceAccess": graph_access}, *own_access]
    url = f"{endpoints.graph}/v1.0"
    application_url = f"{url}/applications(appId='<appId>')"
    expiry = f"<{years} year{'s' * (years > 1)} from now, as in 2030-01-31T00:00:00Z>"
    password = {"displayName": "camunda-entra", "endDateTime": expiry}
    principal = "<id of the service principal>"
    requests: list[dict[str, Any]] = [
        {"method": "GET", "url": f"{url}/servicePrincipals?$filter=appId eq '{GRAPH_ID}'"},
        {"method": "POST", "url": f"{url}/applications", "body": body},
        {
            "method": "PATCH",
            "url": application_url,
            "body": {"identifierUris": ["api://<appId>"], "requiredResourceAccess": access},
        },
        {"method": "POST", "url": f"{url}/servicePrincipals", "body": {"appId": "<appId>"}},
        *(
            {
                "method": "POST",
                "url": f"{url}/oauth2PermissionGrants",
                "body": tenant_wide_grant(principal, resource, scope),
            }
            for resource, scope in (
                ("<id of the service principal of Microsoft Graph>", " ".join(GRAPH_PERMISSIONS)),
                (principal, desired.scope),
            )
        ),
        {"method": "POST", "url": f"{application_url}/addPassword", "body": {"passwordCredential": password}},
    ]
    return json.dumps(requests, indent=2) + "\n"


def registration_body(desired: DesiredRegistration) -> dict[str, Any]:
    """The body that creates the application, without what needs its client ID or Graph's permission IDs."""
    return make_plan(desired, CurrentRegistration(), new_secret=True).creation_body


def _own_scope_access(body: Mapping[str, Any]) -> dict[str, Any]:
    (scope,) = body["api"]["oauth2PermissionScopes"]
    access = [{"id": scope["id"], "type": "Scope"}]
    return {"requiredResourceAccess": [{"resourceAppId": "<appId>", "resourceAccess": access}]}


def _with_client_id(text: str) -> str:
    """Quote the text for a shell, with the variable in place of the client ID."""
    before, _, after = text.partition("<appId>")
    return f'{shlex.quote(before)}"$client_id"{shlex.quote(after)}'
