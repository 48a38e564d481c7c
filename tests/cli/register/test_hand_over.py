"""What ``--print`` gives to do the same by other means."""

import json
import os
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import CONTOSO
from tests.cli.conftest import run_command

BASE = "https://operate.example.com"
NAME = "O'Per\"ate ${x} %{y} $(z)"


def printed(way: str, *more: str) -> str:
    """What is printed."""
    options = ("--tenant", CONTOSO, "--base-url", BASE, "--role", "Operate.Admin", "--print", way)
    ran = run_command("register", NAME, *options, *more)
    assert ran.code == 0, ran.error
    return ran.output


def test_the_requests_to_graph_make_an_application(emulator: EntraEmulator) -> None:
    """Sent one after the other, with the IDs filled in, to the local Graph."""
    scopes = ("Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All")
    token = emulator.token(application="https://graph.microsoft.com", user="Ada Admin", scopes=scopes)
    headers = {"Authorization": f"Bearer {token}"}
    known: dict[str, str] = {}
    with httpx.Client(base_url=f"{emulator.base_url}/v1.0", headers=headers, trust_env=False) as client:
        graph = "00000003-0000-0000-c000-000000000000"
        listed = client.get("/servicePrincipals", params={"$filter": f"appId eq '{graph}'"}).json()
        known[f"<id of the service principal with appId {graph}>"] = listed["value"][0]["id"]
        for each in json.loads(printed("graph")):
            text = json.dumps(each)
            for name, value in known.items():
                text = text.replace(name, value)
            request = json.loads(text)
            answer = client.request(request["method"], request["path"], json=request["body"])
            assert answer.is_success, answer.text
            if request["path"] == "/applications":
                known["<appId>"] = answer.json()["appId"]
            if request["path"] == "/servicePrincipals":
                known["<id of the service principal>"] = answer.json()["id"]
    made = emulator.tenant.application(known["<appId>"])
    assert made is not None
    assert (made.name, made.app_roles) == (NAME, ("Operate.Admin",))
    assert made.requested_access_token_version == 2


def test_the_script_for_az_runs(tmp_path: Path) -> None:
    """With an az that writes down what it is asked; nothing of a name is taken for shell."""
    script = tmp_path / "register.sh"
    script.write_text(printed("az"))
    az = tmp_path / "az"
    az.write_text(
        "#!/usr/bin/env python3\n"
        "import json, sys, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'asked')!r}).open('a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
        "print('an-answer')\n"
    )
    az.chmod(0o755)
    ended = subprocess.run(
        ["bash", str(script)],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    asked = [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]
    assert [" ".join(each[:4]) for each in asked] == [
        "rest --method POST --uri",
        "ad app update --id",
        "rest --method PATCH --uri",
        "ad sp create --id",
        "ad app credential reset",
        "ad app permission grant",
        "ad app permission grant",
    ]
    body = json.loads(asked[0][asked[0].index("--body") + 1])
    assert body["displayName"] == NAME
    patch = json.loads(asked[2][asked[2].index("--body") + 1])
    assert patch["requiredResourceAccess"][0]["resourceAppId"] == "an-answer"
    assert "--append" in asked[4]
    assert "CAMUNDA_IDENTITY_CLIENT_SECRET=an-answer" in ended.stdout
    assert f"CAMUNDA_IDENTITY_ISSUER=https://login.microsoftonline.com/{CONTOSO}/v2.0" in ended.stdout


def test_terraform_says_the_same() -> None:
    """Blocks are closed, strings hold no templates but ours, and each redirect URI is there."""
    text = printed("terraform", "--redirect-uri", "https://a.example/cb")
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    assert bare.count("{") == bare.count("}")
    assert re.findall(r"display_name +=( .*)", text)[0].strip() == json.dumps(NAME).replace(
        "${", "$${"
    ).replace("%{", "%%{")
    assert "requested_access_token_version = 2" in text
    assert 'additional_properties = ["include_user_token"]' in text
    for uri in (f"{BASE}/auth/login-callback", "https://a.example/cb"):
        assert f'"{uri}"' in text
    assert 'value                = "Operate.Admin"' in text
    without = run_command(
        "register", "X", "--tenant", CONTOSO, "--redirect-uri", BASE, "--print", "terraform"
    )
    assert "logout_url" not in without.output
    assert "app_role {" not in without.output


@pytest.mark.parametrize(
    ("cloud", "host"),
    [("usgov", "login.microsoftonline.us"), ("china", "login.partner.microsoftonline.cn")],
)
def test_national_clouds(cloud: str, host: str) -> None:
    """The issuer is the cloud's."""
    assert f"https://{host}/{CONTOSO}/v2.0" in printed("az", "--cloud", cloud)
