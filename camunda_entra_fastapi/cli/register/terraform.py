"""Exporting the desired registration as a configuration for Terraform. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final

from camunda_entra_fastapi.cli.register.clouds import ORGANIZATIONS, CloudEndpoints
from camunda_entra_fastapi.cli.register.current import GRAPH_ID
from camunda_entra_fastapi.cli.register.desired import GRAPH_PERMISSIONS, DesiredRegistration
from camunda_entra_fastapi.cli.register.export import registration_body

_SCOPE_IDS: Final = "data.azuread_service_principal.graph.oauth2_permission_scope_ids"


def to_terraform(desired: DesiredRegistration, tenant: str, endpoints: CloudEndpoints, years: int) -> str:
    """Export as resources of the provider hashicorp/azuread, version 3."""
    body = registration_body(desired)
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
{_claim_lines(claim)}
    }}"""
        for name, member in (("access_token", "accessToken"), ("id_token", "idToken"))
        for claim in body["optionalClaims"][member]
    )
    logout_line = f"    logout_url    = {_hcl(desired.logout_url)}\n" if desired.logout_url else ""
    redirect_uris = ", ".join(map(_hcl, desired.redirect_uris))
    graph_scopes = ", ".join(map(_hcl, GRAPH_PERMISSIONS))
    access_blocks = "\n".join(
        f"""    resource_access {{
      id   = {_SCOPE_IDS}[{_hcl(name)}]
      type = "Scope"
    }}"""
        for name in GRAPH_PERMISSIONS
    )
    spa_uris = ", ".join(map(_hcl, desired.spa_uris))
    spa_block = (
        f"\n  single_page_application {{\n    redirect_uris = [{spa_uris}]\n  }}\n" if spa_uris else ""
    )
    tenant_line = "" if tenant == ORGANIZATIONS else f"  tenant_id   = {_hcl(tenant)}\n"
    issuer = f"{endpoints.authority}/${{data.azuread_client_config.current.tenant_id}}/v2.0"
    base_url_line = (
        f"\n    CAMUNDA_ENTRA_BASE_URL              = {_hcl(desired.base_url)}" if desired.base_url else ""
    )
    return f"""terraform {{
  required_providers {{
    azuread = {{ source = "hashicorp/azuread", version = "~> 3.0" }}
    time    = {{ source = "hashicorp/time", version = "~> 0.9" }}
  }}
}}

provider "azuread" {{
  environment = {_hcl(endpoints.terraform)}
{tenant_line}}}

data "azuread_client_config" "current" {{}}

data "azuread_service_principal" "graph" {{
  client_id = {_hcl(GRAPH_ID)}
}}

resource "azuread_application" "service" {{
  display_name     = {_hcl(desired.name)}
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
    resource_app_id = {_hcl(GRAPH_ID)}
{access_blocks}
  }}

  web {{
    redirect_uris = [{redirect_uris}]
{logout_line}  }}
{spa_block}
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

resource "time_static" "made" {{}}

resource "azuread_application_password" "service" {{
  application_id = azuread_application.service.id
  end_date       = timeadd(time_static.made.rfc3339, "{years * 8760}h")
}}

resource "azuread_service_principal_delegated_permission_grant" "graph" {{
  service_principal_object_id          = azuread_service_principal.service.object_id
  resource_service_principal_object_id = data.azuread_service_principal.graph.object_id
  claim_values                         = [{graph_scopes}]
}}

resource "azuread_service_principal_delegated_permission_grant" "itself" {{
  service_principal_object_id          = azuread_service_principal.service.object_id
  resource_service_principal_object_id = azuread_service_principal.service.object_id
  claim_values                         = [{_hcl(desired.scope)}]
}}

output "variables" {{
  sensitive = true
  value = {{
    CAMUNDA_IDENTITY_TYPE               = "AZUREAD"
    CAMUNDA_IDENTITY_ISSUER             = "{issuer}"
    CAMUNDA_IDENTITY_ISSUER_BACKEND_URL = "{issuer}"
    CAMUNDA_IDENTITY_CLIENT_ID          = azuread_application.service.client_id
    CAMUNDA_IDENTITY_CLIENT_SECRET      = azuread_application_password.service.value
    CAMUNDA_IDENTITY_AUDIENCE           = azuread_application.service.client_id{base_url_line}
  }}
}}
"""


def _claim_lines(claim: Mapping[str, Any]) -> str:
    """The lines of a claim, in columns as ``terraform fmt`` has them."""
    name, values = _hcl(claim["name"]), ", ".join(map(_hcl, claim.get("additionalProperties", ())))
    if not values:
        return f"      name = {name}"
    return f"      name                  = {name}\n      additional_properties = [{values}]"


def _hcl(text: str) -> str:
    """A string of HCL, in which nothing is a template (Terraform: strings and templates)."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
