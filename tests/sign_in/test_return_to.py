"""Where people may be sent after signing in: pages of this service, and of hosts that share the sign-in."""

import re
from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from camunda_entra_fastapi.sign_in.protocol import Attempt
from camunda_entra_fastapi.sign_in.return_to import (
    MAX_RETURN_TO,
    MAX_RETURN_TO_BYTES,
    ReturnHosts,
    find_return_to,
    percent_encoded,
    readable,
    safe_return_to,
)

SITE = "https://site.example"
HOSTS = ReturnHosts("https://login.apps.example.com", "apps.example.com", frozenset({"shop.example.net"}))
WITH_PORT = ReturnHosts("https://login.apps.example.com:8443", "apps.example.com")
LOCAL = ReturnHosts("http://login.apps.localhost:8000", "apps.localhost", frozenset({"shop.example.net"}))
PLAIN = ReturnHosts("http://login.apps.test", "apps.test")
WITHOUT_BASE_URL = ReturnHosts(None, "apps.example.com")
PUNYCODE = ReturnHosts("https://login.xn--bcher-kva.example", "xn--bcher-kva.example")

ELSEWHERE = [
    "",
    "x",
    "page",
    "evil.example",
    ".",
    "..",
    "?next=/",
    "#top",
    "https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "http://site.example@evil.example/",
    "https://site.example.evil.example/",
    "https://site.example",
    "HTTPS://EVIL.EXAMPLE",
    "ftp://evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "\x01javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "blob:https://site.example/1",
    "mailto:ada@evil.example",
    "view-source:https://evil.example",
    "//evil.example",
    "//evil.example/%2f..",
    "//evil.example\\@site.example",
    "//site.example@evil.example",
    "//evil%E3%80%82example",
    "///evil.example",
    "////evil.example",
    "//",
    "///",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "\\evil.example",
    "/\\/evil.example",
    "/\\\\evil.example",
    "/page\\..\\..\\evil.example",
    "/page?next=\\evil",
    "/%5cevil.example",
    "/%5C%5Cevil.example",
    "/%2fevil.example",
    "/%2F%2Fevil.example",
    "/page//evil.example",
    "/page/%2f%2fevil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/./evil.example",
    "/../evil.example",
    "/page/..//evil.example",
    "/page/../../evil.example",
    "/%2e%2e//evil.example",
    "/%2e%2e/evil.example",
    "/%2e/evil.example",
    "/.%2e/evil.example",
    "/page/%2e%2e%2f%2fevil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "/\r\n/evil.example",
    "/\x00/evil.example",
    "\t//evil.example",
    " //evil.example",
    "\n/evil.example",
    "/%09/evil.example",
    "/%0a/evil.example",
    "/%0d%0aLocation:%20https://evil.example",
    "/page\r\nSet-Cookie: entra_session=x",
    "/page\nX: y",
    "/%00/evil.example",
    "/%7f",
    "/page%E2%80%A8x",
    "/auth",
    "/auth/",
    "/auth/login",
    "/auth/logout",
    "/auth/login-callback?code=1&state=2",
    "/auth?x",
    "/auth#x",
    "/auth/login?return_to=//evil.example",
    "/%61uth/logout",
    "/a%75th%2flogout",
    "/" + "a" * MAX_RETURN_TO,
    "/" + "п" * (MAX_RETURN_TO_BYTES // 2),
    "/" + "%D0%BF" * (MAX_RETURN_TO_BYTES // 2),
    "/" + "%d0%bf" * (MAX_RETURN_TO // 6 + 1),
    "/" + "日" * (MAX_RETURN_TO_BYTES // 3),
    "/" + "a" * 1_000_000,
    "/" + "\ud800" * MAX_RETURN_TO_BYTES,
]

HERE = [
    "/",
    "/page",
    "/page/",
    "/incidents/7?tab=history",
    "/incidents/7?tab=history#log",
    "/search?q=a%20b&sort=-date&page=2",
    "/search?q=https://evil.example/",
    "/search?q=//evil.example",
    "/search?next=../x",
    "/page#//evil.example",
    "/files/report%20of%20may.pdf",
    "/a/b.c/d_e-f~g",
    "/matrix;v=1,2/(x)!*'",
    "/people/ada@contoso.example",
    "/time/12:30",
    "/list?ids[]=1&ids[]=2&f={a|b}^c",
    "/...",
    "/..page",
    "/.well-known/thing",
    "/authors",
    "/authentic/login",
    "/page?%00=%0d%0a",
    "/$metadata",
    "/" + "a" * (MAX_RETURN_TO - 1),
    "/" + "%D0%BF" * (MAX_RETURN_TO_BYTES // 2 - 1),
    "/search?q=" + "%E6%97%A5" * (MAX_RETURN_TO_BYTES // 3 - 4),
    "/%C3%BC%c3%bc%FF%D0%BF%20",
]


@pytest.mark.parametrize("value", ELSEWHERE)
def test_what_might_lead_elsewhere_leads_home(value: str) -> None:
    """Other sites, ambiguous paths and the login pages themselves are replaced by the root."""
    assert safe_return_to(value, "/auth") == "/"


@pytest.mark.parametrize("value", HERE)
def test_paths_of_this_site_are_returned_to_as_they_are(value: str) -> None:
    """Query, fragment and escapes come back to the letter."""
    assert safe_return_to(value, "/auth") == value


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("/übersicht?q=grün", "/%C3%BCbersicht?q=gr%C3%BCn"),
        ("/a b", "/a%20b"),
        ('/a"b<c>`', "/a%22b%3Cc%3E%60"),
        ("/日本", "/%E6%97%A5%E6%9C%AC"),
        ("/page<script>", "/page%3Cscript%3E"),
        ("/a\ud800", "/a%ED%A0%80"),
    ],
)
def test_what_no_address_may_hold_is_percent_encoded(value: str, encoded: str) -> None:
    """People's links have letters of all languages; headers have ASCII."""
    assert safe_return_to(value, "/auth") == encoded


def as_a_browser_reads(value: str) -> str:
    """WHATWG URL, 4.4: blanks at the ends go, tabs and line ends go anywhere, backslashes are slashes."""
    trimmed = re.sub(r"^[\x00-\x20]+|[\x00-\x20]+$", "", value)
    return re.sub(r"[\t\n\r]", "", trimmed).replace("\\", "/")


TRICKY = st.text(st.sampled_from("/\\.:@?#%2fF5cCeE09aAdD\t\r\n\x00 evil;é"), max_size=40)


@given(st.one_of(TRICKY, TRICKY.map("/".__add__), st.text(max_size=60), st.sampled_from(ELSEWHERE)))
@example("/page/%2f/evil.example")
def test_whatever_is_asked_for_stays_on_this_site(value: str) -> None:
    """Read by Python or by a browser, escaped or unescaped by one who should not, it leads nowhere else."""
    target = safe_return_to(value, "/auth")
    assert re.fullmatch(r"/[!-~]*", target)
    assert "\\" not in target
    for read in (target, as_a_browser_reads(target)):
        there = urlsplit(urljoin(f"{SITE}/auth/login-callback", read))
        assert f"{there.scheme}://{there.netloc}" == SITE
        assert not there.path.startswith("//")
        assert not there.path.startswith("/auth/")
    assert safe_return_to(target, "/auth") == target


WHOLE = [
    (HOSTS, "https://orders.apps.example.com/reports?month=5#top"),
    (HOSTS, "https://orders.apps.example.com/"),
    (HOSTS, "https://a.b.apps.example.com/x"),
    (HOSTS, "https://apps.example.com/x"),
    (HOSTS, "https://login.apps.example.com/x"),
    (HOSTS, "https://orders.apps.example.com:443/x"),
    (HOSTS, "https://my_team-1.apps.example.com/x"),
    (HOSTS, "https://orders.apps.example.com/%D0%BE%D1%82%D1%87%D1%91%D1%82"),
    (HOSTS, "https://orders.apps.example.com/search?q=https://evil.example/"),
    (HOSTS, "https://shop.example.net/x"),
    (HOSTS, "https://shop.example.net:443/"),
    (HOSTS, "https://orders.apps.example.com/" + "a" * (MAX_RETURN_TO - 32)),
    (WITH_PORT, "https://orders.apps.example.com:8443/x"),
    (WITH_PORT, "https://orders.apps.example.com/x"),
    (WITH_PORT, "https://orders.apps.example.com:443/x"),
    (LOCAL, "http://orders.apps.localhost:8000/x"),
    (LOCAL, "http://orders.apps.localhost/x"),
    (LOCAL, "http://orders.apps.localhost:80/x"),
    (LOCAL, "https://orders.apps.localhost/x"),
    (LOCAL, "https://shop.example.net/x"),
    (PLAIN, "https://orders.apps.test/x"),
    (WITHOUT_BASE_URL, "https://orders.apps.example.com/x"),
    (PUNYCODE, "https://orders.xn--bcher-kva.example/x"),
    (PUNYCODE, "https://xn--bcher-kva.example/x"),
]
"""Whole addresses that are returned to, by the hosts that are allowed."""

FOREIGN = [
    # other hosts, and what only looks like one of ours
    "https://evil.example/",
    "https://example.com/",
    "https://evilapps.example.com/",
    "https://apps.example.com.evil.example/",
    "https://orders.apps.example.com.evil.example/",
    "https://evil.example/apps.example.com/",
    "https://evil.example/?.apps.example.com",
    "https://evil.example#.apps.example.com",
    "https://evil.example?.apps.example.com/",
    "https://a.shop.example.net/",
    "https://shop.example.net.evil.example/",
    "https://evilshop.example.net/",
    # user names and passwords
    "https://orders.apps.example.com@evil.example/",
    "https://evil.example@orders.apps.example.com/",
    "https://user:password@orders.apps.example.com/",
    "https://@orders.apps.example.com/",
    "https://orders.apps.example.com:@evil.example/",
    "https://orders.apps.example.com:443@evil.example/",
    "https://orders.apps.example.com%40evil.example/",
    # ports
    "https://orders.apps.example.com:/",
    "https://orders.apps.example.com:80/",
    "https://orders.apps.example.com:8443/",
    "https://orders.apps.example.com:0443/",
    "https://orders.apps.example.com:0/",
    "https://orders.apps.example.com:65979/",
    "https://orders.apps.example.com:443443/",
    "https://orders.apps.example.com:443:443/",
    "https://orders.apps.example.com:+443/",
    "https://orders.apps.example.com:\u0664\u0664\u0663/",
    # schemes
    "http://orders.apps.example.com/",
    "http://shop.example.net/",
    "HTTPS://orders.apps.example.com/",
    "httpss://orders.apps.example.com/",
    "ftp://orders.apps.example.com/",
    "wss://orders.apps.example.com/",
    "javascript://orders.apps.example.com/%0aalert(1)",
    "javascript:alert(1)",
    "data:text/html,x",
    "blob:https://orders.apps.example.com/x",
    "view-source:https://orders.apps.example.com/",
    "://orders.apps.example.com/",
    # slashes
    "//orders.apps.example.com/",
    "///orders.apps.example.com/",
    "https:orders.apps.example.com/",
    "https:/orders.apps.example.com/",
    "https:///orders.apps.example.com/",
    "https:////orders.apps.example.com/",
    "https:\\\\orders.apps.example.com\\",
    "https:\\orders.apps.example.com/",
    "https:/\\orders.apps.example.com/",
    "https://orders.apps.example.com\\@evil.example/",
    "https://evil.example\\.apps.example.com/",
    "https://evil.example\\@orders.apps.example.com/",
    "https://orders.apps.example.com\\x",
    # what browsers mend
    "https://ORDERS.apps.example.com/",
    "https://orders.apps.example.COM/",
    "https://orders.apps.example.com./",
    "https://orders..apps.example.com/",
    "https://.apps.example.com/",
    "https://-orders.apps.example.com/",
    "https://orders-.apps.example.com/",
    "https://%6frders.apps.example.com/",
    "https://orders%2eapps.example.com/",
    "https://evil.example%2f.apps.example.com/",
    "https://evil.example%252f.apps.example.com/",
    "https://evil.example%5c.apps.example.com/",
    "https://evil.example%23.apps.example.com/",
    "https://evil.example%00.apps.example.com/",
    "https%3A//orders.apps.example.com/",
    "https%3A%2F%2Forders.apps.example.com%2F",
    "https%253A%252F%252Forders.apps.example.com",
    " https://orders.apps.example.com/",
    "\thttps://orders.apps.example.com/",
    "ht\ttps://orders.apps.example.com/",
    "https://orders.apps.example.com/\n",
    "https://orders.apps.example.com\n",
    "https://orders\t.apps.example.com/",
    "https://orders .apps.example.com/",
    "https://evil.example\x00.apps.example.com/",
    "https://evil.example\t/.apps.example.com/",
    # alphabets
    "https://xn--bcher-kva.apps.example.com/",
    "https://a.xn--80ak6aa92e.apps.example.com/",
    "https://b\u00fccher.apps.example.com/",
    "https://\u043erders.apps.example.com/",
    "https://orders.apps.example\u3002com/",
    "https://orders.apps\uff0eexample.com/",
    "https://\uff4frders.apps.example.com/",
    "https://evil.example\u2044.apps.example.com/",
    "https://evil.example\uff0f.apps.example.com/",
    "https://orders.apps.example.com\u200b/",
    # addresses
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[orders.apps.example.com]/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    # labels that are too long, nothing at all
    "https://" + "a" * 64 + ".apps.example.com/",
    "https://" + "a." * 130 + "apps.example.com/",
    "https://",
    "https:///",
    "https://?",
    # a path that may lead elsewhere, or nowhere
    "https://orders.apps.example.com?x=1",
    "https://orders.apps.example.com#x",
    "https://orders.apps.example.com//evil.example",
    "https://orders.apps.example.com/%2f/evil.example",
    "https://orders.apps.example.com/a/../auth/login",
    "https://orders.apps.example.com/%2e%2e/x",
    "https://orders.apps.example.com/\\evil.example",
    "https://orders.apps.example.com/a\r\nSet-Cookie: x=y",
    # the login pages, at any host
    "https://login.apps.example.com/auth",
    "https://login.apps.example.com/auth/login",
    "https://login.apps.example.com:443/auth/logout",
    "https://login.apps.example.com/%61uth/logout",
    "https://orders.apps.example.com/auth/logout?x",
    "https://shop.example.net/auth/login-callback?code=1&state=2",
    # too long
    "https://orders.apps.example.com/" + "a" * MAX_RETURN_TO,
]
"""Whole addresses that nobody is sent to, although whole addresses are allowed."""


@pytest.mark.parametrize(("hosts", "value"), WHOLE)
def test_allowed_hosts_are_returned_to_by_whole_addresses(hosts: ReturnHosts, value: str) -> None:
    """Those of the cookie's domain and of the list, to the letter."""
    assert safe_return_to(value, "/auth", hosts) == value


def test_a_host_alone_is_its_root() -> None:
    """Browsers read it so, too."""
    found = safe_return_to("https://orders.apps.example.com", "/auth", HOSTS)
    assert found == "https://orders.apps.example.com/"


@pytest.mark.parametrize("value", [*FOREIGN, *ELSEWHERE])
def test_no_other_whole_address_is_returned_to(value: str) -> None:
    """Whatever is allowed besides, and however it is spelled."""
    assert safe_return_to(value, "/auth", HOSTS) == "/"


@pytest.mark.parametrize("value", [value for _, value in WHOLE])
def test_without_a_domain_and_a_list_there_are_paths_alone(value: str) -> None:
    """Also where the address is this service's own."""
    assert safe_return_to(value, "/auth") == "/"
    assert safe_return_to(value, "/auth", ReturnHosts("https://login.apps.example.com")) == "/"


@pytest.mark.parametrize(
    ("hosts", "value"),
    [
        (LOCAL, "http://shop.example.net/x"),
        (LOCAL, "http://orders.apps.localhost:9000/x"),
        (LOCAL, "https://orders.apps.localhost:8000/x"),
        (PLAIN, "http://orders.apps.test/x"),
        (WITHOUT_BASE_URL, "http://orders.apps.example.com/x"),
        (WITHOUT_BASE_URL, "https://orders.apps.example.com:8443/x"),
        (WITH_PORT, "https://orders.apps.example.com:8444/x"),
        (WITH_PORT, "http://orders.apps.example.com:8443/x"),
        (PUNYCODE, "https://xn--e1afmkfd.xn--bcher-kva.example/x"),
    ],
)
def test_plain_http_and_other_ports_are_for_this_machine(hosts: ReturnHosts, value: str) -> None:
    """The base URL's own port is good, and http where it is http on this machine."""
    assert safe_return_to(value, "/auth", hosts) == "/"


ADDRESSES = st.one_of(
    st.sampled_from(FOREIGN),
    st.sampled_from([value for _, value in WHOLE]),
    st.text(st.sampled_from("/\\.:@?#%2f0443[]\t\r\n\x00 a-_X\u3002\uff0f"), max_size=12).flatmap(
        lambda odd: st.sampled_from(
            [
                f"https://orders{odd}.apps.example.com/x",
                f"https://orders.apps.example.com{odd}/x",
                f"https://evil.example{odd}.apps.example.com/",
                f"https{odd}orders.apps.example.com/x",
                f"https://{odd}apps.example.com/{odd}",
                f"{odd}https://orders.apps.example.com/",
            ]
        )
    ),
)


@given(ADDRESSES)
def test_a_browser_finds_an_allowed_host_in_whatever_is_returned_to(value: str) -> None:
    """Read by Python or as browsers read it, it is a host of ours, by https, at the usual port."""
    target = safe_return_to(value, "/auth", HOSTS)
    assert re.fullmatch(r"(https:/)?/[!-~]*", target)
    for read in (target, as_a_browser_reads(target)):
        there = urlsplit(urljoin("https://login.apps.example.com/auth/login-callback", read))
        assert there.scheme == "https"
        assert there.netloc.removesuffix(":443") == there.hostname
        assert there.hostname == "shop.example.net" or f".{there.hostname}".endswith(".apps.example.com")
        assert not there.path.startswith(("//", "/auth/"))
    assert safe_return_to(target, "/auth", HOSTS) == target


@given(st.one_of(st.text(max_size=40).map(quote), st.text(st.sampled_from("%dD0bBfF/aп"), max_size=30)))
def test_what_is_packed_as_letters_comes_out_to_the_letter(value: str) -> None:
    """Whatever its escapes are, valid or not, in upper case or lower."""
    address = safe_return_to(f"/{value}", "/auth")
    assert percent_encoded(readable(address)) == address


@pytest.mark.parametrize("letter", ["a", "п", "%D0%BF", "日", "%E6%97%A5", "%d0%bf", "\U0001f642"])
def test_the_longest_address_fits_into_the_cookie_of_its_attempt(letter: str) -> None:
    """With a domain of 40 characters: browsers keep 4,096 bytes of a cookie, name and flags included."""
    most = range(MAX_RETURN_TO, 0, -1)
    longest = next(found for n in most if (found := safe_return_to(f"/{letter * n}", "/auth")) != "/")
    redirect_uri = f"https://{'a' * 87}.example.com/auth/login-callback"
    attempt = Attempt.begin("login", redirect_uri, longest, 1_795_000_000.123456, "d" * 43)
    sealed = 42 + -(-len(attempt.pack()) * 4 // 3)
    flags = f"; Max-Age=600; Path=/; Domain={'d' * 40}; Secure; HttpOnly; SameSite=None; Partitioned"
    assert sealed + len("__Secure-entra_session_12345678_attempt_0123456789abcdef=") + len(flags) < 4096
    assert Attempt.unpack(attempt.pack()) == attempt


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("/reports/2026?q=" + "secret" * 400, "begins with '/reports/2026'"),
        ("/reports#" + "secret" * 400, "begins with '/reports'"),
        ("https://ada:secret@orders.apps.example.com/x?" + "q" * 9000, "//orders.apps.example.com/x'"),
        ("/" + "x" * 9000, "'/" + "x" * 99 + "...'"),
        ("https://evil.example/secret", "return to 'https://evil.example'"),
        ("https://orders.apps.example.com:8443/secret", "return to 'https://orders.apps.example.com:8443'"),
    ],
)
def test_the_log_says_why_people_come_to_the_root(
    value: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In one line that a setting or a shorter link helps against, without what is private in the address."""
    caplog.set_level("INFO", "camunda_entra_fastapi")
    assert find_return_to(value, "/auth", HOSTS) == "/"
    (line,) = caplog.messages
    assert says in line
    assert "secret" not in line


@pytest.mark.parametrize(
    "value", ["/", "/page", "/auth/login", "//evil.example", "javascript:x", WHOLE[0][1]]
)
def test_the_log_is_silent_about_other_addresses(value: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was lost, or nothing that a setting would mend."""
    caplog.set_level("INFO", "camunda_entra_fastapi")
    find_return_to(value, "/auth", HOSTS)
    assert caplog.messages == []
