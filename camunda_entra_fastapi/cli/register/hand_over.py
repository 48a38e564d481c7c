"""The same as a script for the Azure CLI, as Terraform, or as requests to Microsoft Graph. Pure."""

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final

from camunda_entra_fastapi.cli.register.plan import Found, plan_of
from camunda_entra_fastapi.cli.register.wanted import OF_GRAPH, Wanted

_IDS: Final = "data.azuread_service_principal.graph.oauth2_permission_scope_ids"
_GRAPH: Final = "00000003-0000-0000-c000-000000000000"


def as_az(wanted: Wanted, tenant: str, authority: str) -> str:
    """A shell script that needs az, signed in at the tenant."""
    body = _registration(wanted)
    own = _own_access(body)
    scopes = " ".join(OF_GRAPH)
    quoted_scope = shlex.quote(wanted.scope)
    return f"""#!/usr/bin/env bash
set -euo pipefail
# az login --tenant {shlex.quote(tenant)} --allow-no-subscriptions

graph=https://graph.microsoft.com/v1.0
json=Content-Type=application/json
client_id=$(az rest --method POST --uri "$graph/applications" --headers "$json" \\
  --body {shlex.quote(json.dumps(body))} --query appId --output tsv)
az ad app update --id "$client_id" --identifier-uris "api://$client_id"
az rest --method PATCH --uri "$graph/applications(appId='$client_id')" --headers "$json" \\
  --body {_with_client_id(json.dumps(own))}
az ad sp create --id "$client_id" --output none
client_secret=$(az ad app credential reset --id "$client_id" --append --display-name camunda-entra \\
  --years 1 --query password --output tsv)
az ad app permission grant --id "$client_id" --api {_GRAPH} --scope {shlex.quote(scopes)} --output none
az ad app permission grant --id "$client_id" --api "$client_id" --scope {quoted_scope} --output none

echo CAMUNDA_IDENTITY_TYPE=AZUREAD
echo CAMUNDA_IDENTITY_ISSUER={shlex.quote(f"{authority}/{tenant}/v2.0")}
echo CAMUNDA_IDENTITY_ISSUER_BACKEND_URL={shlex.quote(f"{authority}/{tenant}/v2.0")}
echo "CAMUNDA_IDENTITY_CLIENT_ID=$client_id"
echo "CAMUNDA_IDENTITY_CLIENT_SECRET=$client_secret"
echo "CAMUNDA_IDENTITY_AUDIENCE=$client_id"
"""


def as_graph(wanted: Wanted) -> str:
    """The requests in their order, as JSON; what is in angle brackets comes from the answers before."""
    body = _registration(wanted)
    there = "/applications(appId='<appId>')"
    requests: list[dict[str, Any]] = [
        {"method": "POST", "path": "/applications", "body": body},
        {
            "method": "PATCH",
            "path": there,
            "body": {"identifierUris": ["api://<appId>"], **_own_access(body)},
        },
        {"method": "POST", "path": "/servicePrincipals", "body": {"appId": "<appId>"}},
        {
            "method": "POST",
            "path": f"{there}/addPassword",
            "body": {"passwordCredential": {"displayName": "camunda-entra"}},
        },
        *(
            {
                "method": "POST",
                "path": "/oauth2PermissionGrants",
                "body": {
                    "clientId": "<id of the service principal>",
                    "consentType": "AllPrincipals",
                    "resourceId": resource,
                    "scope": scope,
                },
            }
            for resource, scope in (
                (f"<id of the service principal with appId {_GRAPH}>", " ".join(OF_GRAPH)),
                ("<id of the service principal>", wanted.scope),
            )
        ),
    ]
    return json.dumps(requests, indent=2) + "\n"


def as_terraform(wanted: Wanted, tenant: str, authority: str) -> str:
    """Resources of the provider hashicorp/azuread, version 3."""
    body = _registration(wanted)
    (scope,) = body["api"]["oauth2PermissionScopes"]
    roles = "\n".join(
        f"""
  app_role {{
    id                   = {_hcl(role["id"])}
    value                = {_hcl(role["value"])}
    display_name         = {_hcl(role["displayName"])}
    description          = {_hcl(role["description"])}
    allowed_member_types = ["User", "Application"]
  }}"""
        for role in body.get("appRoles", ())
    )
    claims = "\n".join(
        f"""    {name} {{
      name = {_hcl(claim["name"])}{_properties(claim)}
    }}"""
        for name, member in (("access_token", "accessToken"), ("id_token", "idToken"))
        for claim in body["optionalClaims"][member]
    )
    logout = f"    logout_url    = {_hcl(wanted.logout_url)}\n" if wanted.logout_url else ""
    uris = ", ".join(map(_hcl, wanted.redirect_uris))
    graph_scopes = ", ".join(map(_hcl, OF_GRAPH))
    access = "\n".join(
        f"""    resource_access {{
      id   = {_IDS}[{_hcl(name)}]
      type = "Scope"
    }}"""
        for name in OF_GRAPH
    )
    issuer = _hcl(f"{authority}/{tenant}/v2.0")
    return f"""terraform {{
  required_providers {{
    azuread = {{ source = "hashicorp/azuread", version = "~> 3.0" }}
  }}
}}

provider "azuread" {{
  tenant_id = {_hcl(tenant)}
}}

data "azuread_service_principal" "graph" {{
  client_id = {_hcl(_GRAPH)}
}}

resource "azuread_application" "service" {{
  display_name     = {_hcl(wanted.name)}
  sign_in_audience = "AzureADMyOrg"

  api {{
    requested_access_token_version = 2
    oauth2_permission_scope {{
      id                         = {_hcl(scope["id"])}
      value                      = {_hcl(scope["value"])}
      type                       = "User"
      admin_consent_display_name = {_hcl(scope["adminConsentDisplayName"])}
      admin_consent_description  = {_hcl(scope["adminConsentDescription"])}
    }}
  }}
{roles}

  optional_claims {{
{claims}
  }}

  required_resource_access {{
    resource_app_id = {_hcl(_GRAPH)}
{access}
  }}

  web {{
    redirect_uris = [{uris}]
{logout}  }}

  lifecycle {{
    ignore_changes = [identifier_uris] # set below, as it has the client ID in it
  }}
}}

resource "azuread_application_identifier_uri" "service" {{
  application_id = azuread_application.service.id
  identifier_uri = "api://${{azuread_application.service.client_id}}"
}}

resource "azuread_service_principal" "service" {{
  client_id = azuread_application.service.client_id
}}

resource "azuread_application_password" "service" {{
  application_id = azuread_application.service.id
}}

resource "azuread_service_principal_delegated_permission_grant" "graph" {{
  service_principal_object_id          = azuread_service_principal.service.object_id
  resource_service_principal_object_id = data.azuread_service_principal.graph.object_id
  claim_values                         = [{graph_scopes}]
}}

resource "azuread_service_principal_delegated_permission_grant" "itself" {{
  service_principal_object_id          = azuread_service_principal.service.object_id
  resource_service_principal_object_id = azuread_service_principal.service.object_id
  claim_values                         = [{_hcl(wanted.scope)}]
}}

output "variables" {{
  sensitive = true
  value = {{
    CAMUNDA_IDENTITY_TYPE               = "AZUREAD"
    CAMUNDA_IDENTITY_ISSUER             = {issuer}
    CAMUNDA_IDENTITY_ISSUER_BACKEND_URL = {issuer}
    CAMUNDA_IDENTITY_CLIENT_ID          = azuread_application.service.client_id
    CAMUNDA_IDENTITY_CLIENT_SECRET      = azuread_application_password.service.value
    CAMUNDA_IDENTITY_AUDIENCE           = azuread_application.service.client_id
  }}
}}
"""


WAYS: Final[Mapping[str, Callable[[Wanted, str, str], str]]] = {
    "az": as_az,
    "terraform": as_terraform,
    "graph": lambda wanted, _tenant, _authority: as_graph(wanted),
}
"""What ``--print`` takes."""


def _registration(wanted: Wanted) -> dict[str, Any]:
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


def _properties(claim: Mapping[str, Any]) -> str:
    values = ", ".join(map(_hcl, claim.get("additionalProperties", ())))
    return f"\n      additional_properties = [{values}]" if values else ""


def _hcl(text: str) -> str:
    """A string of HCL, in which nothing is a template (Terraform: strings and templates)."""
    return json.dumps(text).replace("${", "$${").replace("%{", "%%{")
