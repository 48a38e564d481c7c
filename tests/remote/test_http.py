"""``EntraHttp`` against real servers that answer badly, too much, too slowly, or not at all."""

import asyncio
import gc
import gzip
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import pytest

from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.remote.http import MAX_BODY_BYTES, EntraHttp
from tests.remote.servers import LOOPBACK, Answer, Authority, answering, served
from tests.waiting import PATIENCE

DOCUMENT: Final = {"issuer": "https://login.example/tenant/v2.0"}
GOOD: Final = answering(json.dumps(DOCUMENT).encode(), "Content-Type: application/json")
MEBIBYTE: Final = 1024 * 1024


async def refusal(url: str, http: EntraHttp | None = None) -> str:
    """The message of the error that fetching gives; it always names the address."""
    with pytest.raises(FetchFailed) as caught:
        await (http or EntraHttp()).get_json(url)
    assert caught.value.code == "fetch_failed"
    assert url in caught.value.message
    return caught.value.message


async def refusal_of(answer: Answer) -> str:
    """The same for a server that answers so."""
    async with served(answer) as server:
        return await refusal(f"{server.url}/document")


def injected(handler: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    """A client whose requests are answered by the function."""
    return httpx.AsyncClient(transport=httpx.MockTransport(handler))


async def test_gives_the_json_object_at_the_url() -> None:
    """One request, for exactly that address."""
    async with served(GOOD) as server:
        assert await EntraHttp().get_json(f"{server.url}/a/document?appid=x") == DOCUMENT
    assert server.request_lines == ["GET /a/document?appid=x HTTP/1.1"]


async def test_asks_for_json_without_compression() -> None:
    """A compressed body could unfold beyond any cap, so none is asked for."""
    async with served(GOOD) as server:
        await EntraHttp().get_json(server.url)
    (head,) = (head.lower() for head in server.heads)
    assert "accept: application/json\r\n" in head
    assert "accept-encoding: identity\r\n" in head


async def test_no_connection_is_kept() -> None:
    """After the exchange the connection is closed: a kept one would belong to one event loop."""
    closed = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await GOOD(reader, writer)
        assert await reader.read() == b""
        closed.set()

    async with served(answer) as server:
        await EntraHttp().get_json(server.url)
        async with asyncio.timeout(PATIENCE):
            await closed.wait()


@pytest.mark.parametrize(
    "status",
    ["201 Created", "204 No Content", "400 Bad Request", "404 Not Found", "429 X", "500 Y", "503 Z"],
)
async def test_other_statuses_than_200_are_failures(status: str) -> None:
    """Whatever the body says: nothing but 200 is a document."""
    body = b"" if status.startswith("204") else json.dumps(DOCUMENT).encode()
    assert f"with status {status[:3]} instead of 200" in await refusal_of(answering(body, status=status))


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"])
async def test_redirects_are_not_followed(status: str) -> None:
    """A redirect is told, and the address it names is never asked."""
    async with served(GOOD) as elsewhere:
        answer = answering(b"", f"Location: {elsewhere.url}/document", status=status)
        assert "with a redirect, which is not followed" in await refusal_of(answer)
    assert elsewhere.heads == []


async def test_redirects_are_not_followed_by_an_injected_client_either() -> None:
    """A client that would follow them by its own settings does not get to."""
    requested: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        requested.append(request.url.path)
        return httpx.Response(302, headers={"Location": "/elsewhere"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(redirect), follow_redirects=True) as client:
        assert "redirect" in await refusal("https://login.example/x", EntraHttp(client=client))
    assert requested == ["/x"]


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><title>Sign in to the network</title>",
        json.dumps(DOCUMENT).encode()[:-5],
        b"",
        b"\xff\xfe\x00garbage",
        b'{"a": "\xff"}',
        b"[" * 200_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
    ids=["html", "truncated", "empty", "binary", "not UTF-8", "nested deeply", "huge number"],
)
async def test_what_is_not_json_is_told_without_being_repeated(body: bytes) -> None:
    """A captive portal's page, half a document and worse are failures, and nothing of them is quoted."""
    message = await refusal_of(answering(body, "Content-Type: application/json"))
    assert message.endswith("answered with something that is not JSON.")


@pytest.mark.parametrize("body", [b"[]", b'[{"keys": []}]', b'"text"', b"null", b"1"])
async def test_json_that_is_no_object_is_a_failure(body: bytes) -> None:
    """Discovery documents and key sets are objects."""
    assert "JSON that is not an object" in await refusal_of(answering(body))


async def test_a_body_shorter_than_announced_is_a_failure() -> None:
    """A connection that breaks off is no document, even if what came is JSON."""
    assert "cannot be reached: RemoteProtocolError" in await refusal_of(answering(b"{}", length=100))


async def test_an_answer_that_is_no_http_is_a_failure() -> None:
    """A server of another kind listens on that port."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        await writer.drain()

    assert "cannot be reached: RemoteProtocolError" in await refusal_of(answer)


@pytest.mark.parametrize("framing", ["Content-Length: 104857600", "Transfer-Encoding: chunked"])
async def test_a_huge_body_is_given_up_after_a_mebibyte(framing: str) -> None:
    """A response of 100 MB is read up to little more than the limit."""
    sent = 0

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        writer.write(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        piece = b" " * 65_536
        chunk = b"10000\r\n" + piece + b"\r\n" if "chunked" in framing else piece
        while sent < 100 * MEBIBYTE:
            writer.write(chunk)
            await writer.drain()
            sent += len(piece)

    assert f"with more than {MAX_BODY_BYTES} bytes" in await refusal_of(answer)
    assert MAX_BODY_BYTES == MEBIBYTE
    assert sent < 20 * MEBIBYTE  # what the kernel's buffers swallow is not ours to say


async def test_the_cap_is_exact() -> None:
    """A body of exactly the cap is read, one byte more is not."""
    shell = len(json.dumps({"pad": ""}))
    largest = json.dumps({"pad": "x" * (MAX_BODY_BYTES - shell)}).encode()
    async with served(answering(largest)) as server:
        assert len((await EntraHttp().get_json(server.url))["pad"]) == MAX_BODY_BYTES - shell
    assert "more than" in await refusal_of(answering(largest + b" "))


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
async def test_a_compressed_body_is_refused_unread(encoding: str) -> None:
    """It was not asked for, and a small one may unfold to gigabytes."""
    bomb = gzip.compress(b" " * 10 * MEBIBYTE)
    assert "compressed body" in await refusal_of(answering(bomb, f"Content-Encoding: {encoding}"))


async def test_an_identity_encoding_is_no_compression() -> None:
    """Saying that nothing was done to the body is allowed."""
    async with served(answering(b"{}", "Content-Encoding: identity")) as server:
        assert await EntraHttp().get_json(server.url) == {}


async def test_a_slow_drip_ends_at_the_deadline() -> None:
    """Bytes that keep coming do not extend the time that the whole exchange may take."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with served(answer) as server, asyncio.timeout(PATIENCE):  # the drip itself takes much longer
        message = await refusal(server.url, EntraHttp(timeout=0.3))
    assert message.endswith("did not answer completely within 0.3 seconds.")


async def test_a_server_that_hangs_ends_at_the_deadline() -> None:
    """No answer at all is told as that."""

    async def answer(*_: object) -> None:
        await asyncio.Event().wait()

    async with served(answer) as server:
        message = await refusal(server.url, EntraHttp(timeout=0.2))
    assert message.endswith("did not answer completely within 0.2 seconds.")


async def test_a_tls_handshake_that_hangs_ends_at_the_deadline() -> None:
    """A plain server waits for a request that a TLS client never sends; the socket is not left over."""

    async def answer(*_: object) -> None:
        raise AssertionError("there was a request")

    async with served(answer) as server:
        url = server.url.replace("http:", "https:")
        assert "did not answer completely" in await refusal(url, EntraHttp(timeout=1))
        gc.collect()  # a socket that was left over makes a warning, hence an error
    assert server.heads == []


async def test_an_injected_clients_own_timeout_is_told_the_same_way() -> None:
    """The log line is the same, whichever deadline came first."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    async with injected(handler) as client:
        assert "did not answer completely" in await refusal("https://login.example", EntraHttp(client=client))


async def test_a_refused_connection_is_a_failure() -> None:
    """Nobody listens there."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
    assert "cannot be reached: ConnectError" in await refusal(f"http://{LOOPBACK}:{port}/document")


@pytest.mark.parametrize("url", ["http://[::1", "ftp://login.example/x", "https://login.example:99999/"])
async def test_an_impossible_address_is_a_failure(url: str) -> None:
    """Whatever the settings let through, there is one kind of error."""
    assert "cannot be reached" in await refusal(url)


async def test_an_operating_systems_error_is_a_failure() -> None:
    """Errors that httpx does not know, such as running out of file handles, are no crash."""

    def handler(_: httpx.Request) -> httpx.Response:
        raise OSError(24, "Too many open files")

    async with injected(handler) as client:
        message = await refusal("https://login.example", EntraHttp(client=client))
    assert "Too many open files" in message


async def test_a_private_authority_is_trusted_by_its_bundle(tmp_path: Path) -> None:
    """``CAMUNDA_ENTRA_CA_BUNDLE`` for companies with an authority of their own; read once."""
    authority = Authority.create()
    bundle = authority.bundle(tmp_path)
    http = EntraHttp(ca_bundle=bundle)
    async with served(GOOD, authority.server_context(tmp_path, LOOPBACK)) as server:
        assert await http.get_json(f"{server.url}/x") == DOCUMENT
        bundle.unlink()
        assert await http.get_json(f"{server.url}/y") == DOCUMENT
    assert server.request_lines == ["GET /x HTTP/1.1", "GET /y HTTP/1.1"]


async def test_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    """Without the bundle no request is sent."""
    async with served(GOOD, Authority.create().server_context(tmp_path, LOOPBACK)) as server:
        assert "CERTIFICATE_VERIFY_FAILED" in await refusal(server.url)
    assert server.heads == []


async def test_the_bundle_replaces_the_public_authorities(tmp_path: Path) -> None:
    """A server of another private authority is refused, too."""
    folder = tmp_path / "other"
    folder.mkdir()
    bundle = Authority.create().bundle(folder)
    async with served(GOOD, Authority.create().server_context(tmp_path, LOOPBACK)) as server:
        assert "CERTIFICATE_VERIFY_FAILED" in await refusal(server.url, EntraHttp(ca_bundle=bundle))


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    """A known authority is not enough."""
    authority = Authority.create()
    async with served(GOOD, authority.server_context(tmp_path, "login.entra.example")) as server:
        http = EntraHttp(ca_bundle=authority.bundle(tmp_path))
        assert "CERTIFICATE_VERIFY_FAILED" in await refusal(server.url, http)
    assert server.heads == []


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["missing", "empty", "text"])
async def test_a_bundle_that_cannot_be_read_is_a_failure(content: bytes | None, tmp_path: Path) -> None:
    """It may have been good when the service started."""
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_bytes(content)
    assert "cannot be reached" in await refusal("https://login.example", EntraHttp(ca_bundle=path))


async def test_the_proxy_is_asked_for_plain_addresses() -> None:
    """The address is handed to the proxy whole; the host is never looked up here."""
    async with served(GOOD) as proxy:
        http = EntraHttp(proxy=proxy.url)
        assert await http.get_json("http://login.entra.example/document") == DOCUMENT
    assert proxy.request_lines == ["GET http://login.entra.example/document HTTP/1.1"]


async def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a setting, the usual variables count."""
    async with served(GOOD) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert await EntraHttp().get_json("http://login.entra.example/document") == DOCUMENT
    assert proxy.request_lines == ["GET http://login.entra.example/document HTTP/1.1"]


async def test_tls_goes_through_the_proxy_to_the_server(tmp_path: Path) -> None:
    """The proxy sees the host's name and ciphertext; the certificate is the server's."""
    authority = Authority.create()
    host = "login.entra.example"

    async with served(GOOD, authority.server_context(tmp_path, host)) as server:

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, server.port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            try:
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
            finally:
                far_writer.transport.abort()

        async with served(tunnel) as proxy:
            http = EntraHttp(proxy=proxy.url, ca_bundle=authority.bundle(tmp_path))
            assert await http.get_json(f"https://{host}/document") == DOCUMENT
    assert proxy.request_lines == [f"CONNECT {host}:443 HTTP/1.1"]
    assert server.request_lines == ["GET /document HTTP/1.1"]


async def test_a_proxy_that_refuses_is_a_failure_that_hides_its_password() -> None:
    """Its URL, which may have a password in it, is not part of the message."""
    refuse = answering(b"", status="407 Proxy Authentication Required")
    async with served(refuse) as proxy:
        http = EntraHttp(proxy=proxy.url.replace("//", "//user:secret@"))
        message = await refusal("https://login.entra.example/document", http)
    assert "407" in message
    assert "secret" not in message


async def test_an_injected_client_is_used_and_left_open() -> None:
    """An injected client is not closed."""
    requested: list[httpx.URL] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requested.append(request.url)
        return httpx.Response(200, json=DOCUMENT)

    async with injected(handler) as client:
        http = EntraHttp(client=client)
        assert [await http.get_json("https://login.example/x") for _ in range(2)] == [DOCUMENT] * 2
        assert not client.is_closed
    assert requested == ["https://login.example/x"] * 2


async def test_the_deadline_holds_for_an_injected_client() -> None:
    """A client without timeouts of its own cannot hang us."""

    async def handler(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler), timeout=None) as client:
        message = await refusal("https://login.example", EntraHttp(client=client, timeout=0.05))
    assert "within 0.05 seconds" in message


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


# Forms


@pytest.mark.parametrize("status", [200, 400, 401, 403])
async def test_a_form_is_answered_whether_it_is_taken_or_refused(status: int) -> None:
    """A refusal is an answer, whose document says why."""
    http = EntraHttp(client=injected(lambda _: httpx.Response(status, json={"error": "x"})))
    assert await http.post_form("https://entra.example/token", {"a": "1"}) == (status, {"error": "x"})


@pytest.mark.parametrize("status", [201, 204, 302, 404, 405, 500, 502, 503])
async def test_other_answers_to_a_form_are_failures(status: int) -> None:
    """They come from somebody who has not looked at it."""
    headers = {"Location": "https://evil.example"} if status == 302 else {}
    http = EntraHttp(client=injected(lambda _: httpx.Response(status, json={}, headers=headers)))
    with pytest.raises(FetchFailed) as caught:
        await http.post_form("https://entra.example/token", {"secret": "s3cr3t"})
    assert (caught.value.fault, caught.value.retry_after) == ("failed", None)
    assert "s3cr3t" not in caught.value.message


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("60", 60.0), ("0", 0.0), ("", None), ("soon", None), ("-5", None), ("1e9", None), ("9" * 20, None)],
)
async def test_who_is_asked_to_come_back_later_knows_when(retry_after: str, seconds: float | None) -> None:
    """429 is a fault of its own; a date, which Entra does not send, counts as no hint."""
    headers = {"Retry-After": retry_after}
    http = EntraHttp(
        client=injected(lambda _: httpx.Response(429, text="Too Many Requests", headers=headers))
    )
    with pytest.raises(FetchFailed) as caught:
        await http.post_form("https://entra.example/token", {})
    assert (caught.value.fault, caught.value.retry_after) == ("throttled", seconds)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(200, content=b"<html>"), "something that is not JSON"),
        (httpx.Response(400, content=b"<html>"), "something that is not JSON"),
        (httpx.Response(200, json=["a"]), "JSON that is not an object"),
        (httpx.Response(200, content=b'{"a":' + b"[" * 100_000), "something that is not JSON"),
        (httpx.Response(200, content=b" " * (MAX_BODY_BYTES + 1)), "more than"),
        (httpx.Response(200, json={}, headers={"Content-Encoding": "br"}), "a compressed body"),
        (httpx.Response(307, headers={"Location": "https://evil.example"}), "a redirect"),
    ],
)
async def test_answers_to_forms_are_bounded_like_others(answer: httpx.Response, words: str) -> None:
    """The same rules hold, so that a form with a secret goes to one address alone."""
    requested: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requested.append(str(request.url))
        return answer

    with pytest.raises(FetchFailed, match=words) as caught:
        await EntraHttp(client=injected(handler)).post_form("https://entra.example/token", {"a": "1"})
    assert caught.value.fault == "failed"
    assert requested == ["https://entra.example/token"]


async def test_faults_are_told_apart() -> None:
    """Nobody there, and nobody answering in time."""
    with socket.create_server((LOOPBACK, 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(FetchFailed) as caught:
        await EntraHttp().post_form(f"http://{LOOPBACK}:{port}/token", {})
    assert caught.value.fault == "unreachable"

    async def hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with served(hang) as server:
        with pytest.raises(FetchFailed) as caught:
            await EntraHttp(timeout=1).post_form(f"{server.url}/token", {})
    assert caught.value.fault == "timeout"
