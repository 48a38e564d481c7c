"""Directory files: they are parsed, or each mistake is reported with place, line and remedy."""

import json
import string
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camunda_entra_fastapi.testing.directory import (
    Application,
    ConditionalAccess,
    Consent,
    Directory,
    FederatedCredential,
    Group,
    OptionalClaims,
    Scope,
    Secret,
    Tenant,
    User,
)
from camunda_entra_fastapi.testing.directory.file import (
    MAX_BYTES,
    DirectoryError,
    dump_directory,
    load_directory,
)
from tests.testing.certificates import CERTIFICATE

ID = "11111111-0000-4000-8000-00000000000"
SAMPLE = Path(__file__).parents[3] / "samples" / "local_entra" / "directory.yaml"
SECRET = "hunter2hunter2"


def written(content: str | bytes, name: str = "directory.yaml") -> Path:
    """A file in the working directory, which is the test's own."""
    path = Path.cwd() / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def problems(content: str | bytes, name: str = "directory.yaml") -> list[str]:
    """The mistakes in a file; none has a secret in it."""
    path = written(content, name)
    with pytest.raises(DirectoryError) as refused:
        load_directory(path)
    assert str(refused.value).startswith(f"The directory file {path} cannot be used:\n  - ")
    assert SECRET not in str(refused.value)
    assert all(problem in str(refused.value) for problem in refused.value.problems[:50])
    return list(refused.value.problems)


def application(members: str) -> str:
    """A file with one application, from line 6 on."""
    return (
        f"tenants:\n- id: {ID}1\n  name: One\n  domain: one.example\n  applications:\n"
        f"  - client_id: {ID}2\n    name: API\n    {members}\n"
    )


def mistakes_in(members: str) -> list[str]:
    """The problems with an application's members, without what all places have in front."""
    start = "tenants[0].applications[0]"
    found = problems(application(members))
    assert all(problem.startswith(start) for problem in found)
    return [problem.removeprefix(start).removeprefix(".") for problem in found]


def test_the_sample_shows_every_member() -> None:
    """A user who starts from it can delete members, and has to look nothing up."""
    directory = load_directory(SAMPLE)
    assert dump_directory(directory)
    text = SAMPLE.read_text(encoding="utf-8")
    parts = (
        Directory,
        Tenant,
        User,
        Group,
        Application,
        Secret,
        Scope,
        FederatedCredential,
        OptionalClaims,
        Consent,
        ConditionalAccess,
    )
    for part in parts:
        for member in fields(part):
            assert f"{member.name}:" in text, f"{part.__name__}.{member.name} is not in the sample"
    billing = directory.tenants[0].application("b1111109-1111-4222-8333-444455556666")
    assert billing is not None
    assert billing.certificates[0].startswith("-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize("name", ["d.json", "d.JSON", "d.yaml", "d.YML"])
def test_the_ending_tells_yaml_from_json(name: str) -> None:
    """JSON's own escapes, too, which YAML has not."""
    value = {"tenants": [{"id": f"{ID}1", "name": "Sl/ash \U0001f600", "domain": "one.example"}]}
    text = json.dumps(value, indent="\t").replace("/", "\\/") if "j" in name.lower() else json.dumps(value)
    text = text if "j" in name.lower() else text.replace("\\ud83d\\ude00", "\U0001f600")
    (tenant,) = load_directory(written(text, name)).tenants
    assert tenant.name == "Sl/ash \U0001f600"


def test_words_of_old_yaml_are_texts() -> None:
    """Norway's country code, a time and a version are names here; true, null and whole numbers are not."""
    (tenant,) = load_directory(
        written(
            f"tenants: [{{id: {ID}1, name: no, domain: 12:30:45, user_consent: off, users: "
            "[{username: 1.5, enabled: false, home_tenant: ~}, {username: 2030-01-01, name: !!str 5}]}]"
        )
    ).tenants
    assert (tenant.name, tenant.domain, tenant.user_consent) == ("no", "12:30:45", False)
    assert [(user.username, user.name, user.enabled) for user in tenant.users] == [
        ("1.5", "1.5", False),
        ("2030-01-01", "5", True),
    ]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    """Some editors write one."""
    content = b"\xef\xbb\xbf" + application("enabled: false").encode()
    assert load_directory(written(content)).tenants[0].applications[0].enabled is False


def test_a_text_may_have_an_alias() -> None:
    """Client IDs are long, and stand in many places."""
    (tenant,) = load_directory(
        written(
            f"tenants: [{{id: {ID}1, name: One, domain: one.example, applications: [{{client_id: &api {ID}2, "
            "name: API, app_roles: [Reader]}], users: [{username: ada, roles: {*api : [Reader]}}]}]"
        )
    ).tenants
    assert tenant.users[0].roles == {f"{ID}2": ("Reader",)}


def test_certificates_are_pem_or_files_beside_the_directory(tmp_path: Path, monkeypatch: Any) -> None:
    """Seen from the file's folder, wherever the program was started."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "billing.pem").write_text(CERTIFICATE, encoding="ascii")
    pem = json.dumps(CERTIFICATE)
    path = written(application(f"certificates: [billing.pem, {pem}]"), "sub/directory.yaml")
    monkeypatch.chdir("/")
    assert load_directory(path).tenants[0].applications[0].certificates == (CERTIFICATE, CERTIFICATE)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ("naem: x", ["naem: is unknown; did you mean name? (line 8)"]),
        ("enabled: maybe", ["enabled: must be true or false (line 8)"]),
        ("identifier_uris: api://x", ["identifier_uris: must be a list (line 8)"]),
        ("granted_roles: [x]", ["granted_roles: must be a mapping (line 8)"]),
        ("permissions: x", ["permissions: must be a mapping or null (line 8)"]),
        ("app_roles:\n    - A\n    - 5", ["app_roles[1]: must be a text; put it in quotes (line 10)"]),
        ("app_roles: [[]]", ["app_roles[0]: must be a text (line 8)"]),
        ("app_roles: ['']", ["app_roles[0]: must have 1 to 256 characters (line 8)"]),
        (
            "requested_access_token_version: 3",
            ["requested_access_token_version: must be 1, 2 or null (line 8)"],
        ),
        (
            "redirect_uris:\n      http://localhost: wep\n      http://b.example: web",
            [
                "redirect_uris['http://localhost']: must be web, spa or public (line 9)",
                "redirect_uris['http://b.example']: must use https, because http is for localhost only (line "
                "10)",
            ],
        ),
        ("scopes: [{description: x}]", ["scopes[0].value: is missing; it must be a text (line 8)"]),
        ("scopes: [['']]", ["scopes[0]: must be a text or a mapping with value (line 8)"]),
        (
            "optional_claims: []",
            ["optional_claims: must be a mapping; it may have access_token and id_token"],
        ),
        (
            "optional_claims: {zzz: []}",
            ["optional_claims.zzz: is unknown; it may have access_token and id_token (line 8)"],
        ),
        (
            "federated_credentials: [5]",
            ["federated_credentials[0]: must be a mapping with issuer and subject (line 8)"],
        ),
        (
            "sign_in_audience: PersonalMicrosoftAccount\n    requested_access_token_version: 1",
            [": requested_access_token_version must be 2 where sign_in_audience has personal accounts"],
        ),
        (
            "app_roles: &a [*a]",
            ["app_roles[0]: is an alias (*name) of a list or mapping; write it out (line 8)"],
        ),
        (
            "app_roles: !!set [x]",
            ["app_roles: has a tag (!name), which means nothing here; leave the tag out (line 8)"],
        ),
        (
            "app_roles: [!!int abc, !mine x]",
            [
                "app_roles[0]: has a tag (!name), which means nothing here; leave the tag out (line 8)",
                "app_roles[1]: has a tag (!name), which means nothing here; leave the tag out (line 8)",
            ],
        ),
        ("? [a]\n    : 1", [": has a member whose name is a list or mapping; names are texts (line 6)"]),
        ("enabled: true\n    enabled: false", ["enabled: is written twice; once is enough (line 9)"]),
        ("name: Again", ["name: is written twice; once is enough (line 8)"]),
        (
            "certificates: [nope.pem]",
            [
                "certificates[0]: the file 'nope.pem' cannot be read: No such file or directory; "
                "give a certificate in PEM, or the name of its file (line 8)"
            ],
        ),
        (
            "certificates: [., directory.yaml, 5]",
            [
                "certificates[0]: the file '.' is not a file; give a certificate in PEM, or the name of",
                "certificates[1]: must be a certificate in PEM, from -----BEGIN CERTIFICATE----- to its end",
                "certificates[2]: must be a text; put it in quotes",
            ],
        ),
        ("'odd key': 1", ["['odd key']: is unknown; it may have client_id, name, secrets"]),
        (f"{'x' * 120}: 1", [f"['{'x' * 100}']: is unknown; it may have client_id"]),
    ],
)
def test_mistakes_are_reported_with_place_line_and_remedy(members: str, expected: list[str]) -> None:
    """One line for each."""
    found = mistakes_in(members)
    assert len(found) == len(expected)
    for line, expected_line in zip(found, expected, strict=True):
        assert line.startswith(expected_line)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (f"secrets: {SECRET}", ["secrets: must be a list (line 8)"]),
        (
            "secrets: [12345678]",
            ["secrets[0]: must be a text or a mapping with value; put it in quotes (line 8)"],
        ),
        (f"secrets: [[{SECRET}]]", ["secrets[0]: must be a text or a mapping with value (line 8)"]),
        (
            f"secrets: {{{SECRET}: 1, {SECRET}: 2}}",
            ["secrets: is written twice; once is enough (line 8)", "secrets: must be a list (line 8)"],
        ),
        (
            f"secrets: [{{valeu: {SECRET}}}]",
            [
                "secrets[0].value: is missing; it must be a text (line 8)",
                "secrets[0]: has an unknown member; it may have value and expires (line 8)",
            ],
        ),
        (
            f"secrets: [{{value: x, {SECRET}: 1}}]",
            ["secrets[0]: has an unknown member; it may have value and expires (line 8)"],
        ),
        (
            f"secrets: [{{value: {SECRET}, expires: 2030-01-01}}]",
            ["secrets[0].expires: must be a time with its zone, like 2030-12-31T23:59:00Z or null (line 8)"],
        ),
        (
            f"secrets: ['', {'x' * 257}]",
            [f"secrets[{n}]: must have 1 to 256 characters (line 8)" for n in (0, 1)],
        ),
        (f"secret: {SECRET}", ["secret: is unknown; did you mean secrets? (line 8)"]),
    ],
)
def test_secrets_are_in_no_message(members: str, expected: list[str]) -> None:
    """Not even one that stands where the name of a member belongs."""
    assert mistakes_in(members) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (
            f"secrets: [*{SECRET}]",
            "line 8, column 15: found undefined alias; a text that begins with *, & or ! needs quotes",
        ),
        (
            f"secrets: [&{SECRET} a, &{SECRET} b]",
            "line 8, column 34: found duplicate anchor; first occurrence, second occurrence; "
            "a text that begins with *, & or ! needs quotes",
        ),
        (
            f"secrets: [!{SECRET}!x a]",
            "line 8, column 15: while parsing a node, found undefined tag handle; "
            "a text that begins with *, & or ! needs quotes",
        ),
        (
            f"secrets: [{SECRET}",
            "line 9, column 1: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'",
        ),
        ("\tname: x", "line 8, column 5: "),
        ("a: b: c", "line 8, column 9: mapping values are not allowed here"),
        ("app_roles: ['\x07']", "line 8, column 18: a character that YAML does not allow"),
        ("app_roles: x\n---\na: b", "expected a single document in the stream, but found another document"),
    ],
)
def test_invalid_yaml_is_reported_with_line_and_column(members: str, expected: str) -> None:
    """The message is the parser's, without names from the file."""
    (problem,) = problems(application(members))
    assert expected in problem
    assert problem.startswith("line ")


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("", "d.yaml", "the top level must be a mapping with tenants"),
        ("- a", "d.yaml", "the top level must be a mapping with tenants"),
        ("[]", "d.json", "the top level must be a mapping with tenants"),
        ("{}", "d.yaml", "tenants: is missing; it must be a list (line 1)"),
        ("{}", "d.json", "tenants: is missing; it must be a list"),
        ("tenants: []", "d.yaml", "A directory needs at least one tenant."),
        ("tenants: null", "d.yaml", "tenants: must be a list (line 1)"),
        ('{"tenants": [1, {}', "d.json", "line 1, column 19: Expecting ',' delimiter"),
        ('{"tenants": 1, "tenants": 2}', "d.json", "tenants: is written twice; once is enough"),
        (
            f'{{"tenants": [{"9" * 5000}]}}',
            "d.json",
            "tenants[0]: must be a mapping with id, name and domain",
        ),
        ('{"tenants": [7]}', "d.json", "tenants[0]: must be a mapping with id, name and domain"),
        ("[" * 5000, "d.yaml", "mappings and lists are nested too deeply"),
        ("[" * 100_000, "d.json", "objects and arrays are nested too deeply"),
        (b"a: b\nc: \xff", "d.yaml", "line 2 is not UTF-8; save the file in that encoding"),
        ("a".encode("utf-16"), "d.json", "line 1 is not UTF-8; save the file in that encoding"),
        (b" " * (MAX_BYTES + 1), "d.yaml", "is larger than 5,000,000 bytes"),
        ("tenants: []", "d.txt", "its name must end in .yaml, .yml or .json"),
    ],
    ids=lambda value: None if isinstance(value, bytes) or len(value) > 100 else value,
)
def test_files_that_are_no_directory_are_reported_in_a_sentence(
    content: str | bytes, name: str, expected: str
) -> None:
    """Whatever the file is."""
    assert problems(content, name) == [expected]


def test_unreadable_files_are_reported_in_a_sentence(tmp_path: Path) -> None:
    """Missing ones, and what is no file."""
    (tmp_path / "folder.yaml").mkdir()
    for name, expected in (
        ("missing.yaml", "cannot be read: No such file or directory"),
        ("folder.yaml", "is not a file"),
    ):
        with pytest.raises(DirectoryError) as refused:
            load_directory(tmp_path / name)
        assert refused.value.problems == (expected,)
        assert refused.value.path == tmp_path / name


def test_references_are_reported_with_place_and_line() -> None:
    """All of them at once, as everything else; in the order of the file."""
    assert mistakes_in(
        "app_roles: [A]\n    assigned: [Nobody]\n    granted_roles:\n      " + f"{ID}2: [B, C]"
    ) == [
        "assigned: 'Nobody' is no user, group or application here. (line 9)",
        "granted_roles: API has no role 'B'; it has A. (line 10)",
        "granted_roles: API has no role 'C'; it has A. (line 10)",
    ]


def test_a_long_list_of_mistakes_is_cut_in_the_message_alone() -> None:
    """Fifty are enough to begin with."""
    found = problems(application("app_roles: [" + "5, " * 60 + "]"))
    assert len(found) == 60
    with pytest.raises(DirectoryError, match="and 10 more"):
        load_directory(Path.cwd() / "directory.yaml")


def test_what_is_dumped_is_short_and_in_order() -> None:
    """No defaults, no derived IDs, certificates as blocks; so that people can go on from it."""
    app = Application(
        f"{ID}2",
        "API",
        secrets=(Secret("1234", datetime(2030, 1, 1, tzinfo=UTC)), "true"),
        certificates=(CERTIFICATE,),
        requested_access_token_version=None,
    )
    tenant = Tenant(f"{ID}1", "No", "one.example", applications=(app,), users=(User("ada", enabled=False),))
    block = CERTIFICATE.strip().replace("\n", "\n            ")
    assert dump_directory(Directory((tenant,))) == (
        f"tenants:\n  - id: {ID}1\n    name: 'No'\n    domain: one.example\n"
        "    users:\n      - username: ada\n        enabled: false\n"
        f"    applications:\n      - client_id: {ID}2\n        name: API\n        secrets:\n"
        "          - value: '1234'\n            expires: '2030-01-01T00:00:00+00:00'\n          - 'true'\n"
        f"        requested_access_token_version: null\n"
        f"        certificates:\n          - |\n            {block}\n"
    )


names = st.one_of(
    st.sampled_from(
        ["no", "~", "1", "0x10", "1e3", "- a", "*a", "!a", "<<", "=", "a: b", "# a", "2030-01-01"]
    ),
    st.text(min_size=1, max_size=8),
    st.text(alphabet=string.printable, min_size=1, max_size=8),
).filter(lambda text: text.strip() == text and text.isascii() | text.isprintable())
guids = st.uuids().map(str)
groups = st.builds(Group, names, st.one_of(st.just(""), guids), security=st.booleans())
users = st.builds(
    User,
    names,
    name=st.one_of(st.just(""), names),
    id=st.one_of(st.just(""), guids),
    email=st.one_of(st.just(""), names),
    home_tenant=st.none() | guids,
    administrator=st.booleans(),
)
times = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(  # noqa: DTZ001 - made aware here
    lambda time: time.replace(tzinfo=timezone(timedelta(hours=time.hour - 12)))
)
applications = st.builds(
    Application,
    guids,
    names,
    secrets=st.lists(names | st.builds(Secret, names, st.none() | times), max_size=2).map(tuple),
    redirect_uris=st.dictionaries(
        st.sampled_from(["https://a.example/é", "app://b"]), st.sampled_from(["web", "spa", "public"])
    ),
    scopes=st.lists(names | st.builds(Scope, names, st.text(max_size=5)), max_size=2).map(tuple),
    requested_access_token_version=st.sampled_from([1, 2, None]),
    permissions=st.sampled_from([None, {}, {"00000003-0000-0000-c000-000000000000": ("openid",)}]),
    optional_claims=st.builds(OptionalClaims, id_token=st.sampled_from([(), ("sid",), ("sid", "acct")])),
    federated_credentials=st.lists(st.builds(FederatedCredential, names, names), max_size=1).map(tuple),
    admin_consent=st.booleans(),
)
tenants = st.builds(
    Tenant,
    guids,
    names,
    names,
    users=st.lists(users, max_size=2, unique_by=(lambda u: u.id, lambda u: u.username.lower())).map(tuple),
    applications=st.lists(applications, max_size=2, unique_by=lambda app: app.client_id).map(tuple),
    groups=st.lists(groups, max_size=1).map(tuple),
    policies=st.sampled_from([(), (ConditionalAccess("mfa", context="c1"),)]),
    user_consent=st.booleans(),
)


@settings(deadline=None)
@given(tenants)
def test_what_was_dumped_reads_back_as_it_was(tmp_path_factory: Any, tenant: Tenant) -> None:
    """Whatever words people use, among them those that mean something in YAML."""
    directory = Directory((tenant,))
    path = tmp_path_factory.mktemp("dumped") / "directory.yaml"
    path.write_text(dump_directory(directory), encoding="utf-8", newline="")
    assert load_directory(path) == directory


def test_the_default_directory_reads_back_as_it_was() -> None:
    """It is what people start from."""
    assert load_directory(written(dump_directory(Directory.default()))) == Directory.default()
