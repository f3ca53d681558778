"""web_fetch reaches the open internet and nothing else, and no server can hold or fill it."""

import asyncio
import gzip
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from conversations.contracts import ToolFailed
from tools import apart
from tools.catalog import _web

# Every way to write or reach an address that is nobody's business (S8). PORT is the attacker's.
PRIVATE = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://[::1]:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://017700000001:{port}/",
    "http://127.1:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://①②⑦.0.0.1:{port}/",
    "http://127。0。0。1:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@example.com/",
    "http://example.com#@127.0.0.1:{port}/",
    "http://example.com\\@127.0.0.1:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://100.100.100.200/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "http://172.16.0.1/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://224.0.0.1/",
    "http://[ff02::1]/",
    "http://255.255.255.255/",
    "http://redis:6379/",
    "http://postgres:5432/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_INFO",
    "ftp://127.0.0.1:{port}/",
    "javascript:alert(1)",
    "//127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http://",
]


class Attacker:
    """A server on loopback that counts who connects to it, and a DNS server whose names lead there."""

    def __init__(self) -> None:
        self.connections = self.questions = 0
        self.port = self.dns_port = 0
        self.answers: list[list[str]] = []  # of the DNS server, one after the other; the last one stays
        self.pages: dict[str, Any] = {}


class _Dns(asyncio.DatagramProtocol):
    def __init__(self, attacker: Attacker) -> None:
        self.attacker = attacker

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, question: bytes, address: Any) -> None:
        self.attacker.questions += 1
        answers = self.attacker.answers
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        end = question.index(b"\0", 12) + 5
        head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, len(found), 0, 0)
        records = [
            struct.pack(">HHHIH", 0xC00C, 1, 1, 0, 4) + socket.inet_aton(each) for each in found
        ]  # time to live 0: asked again each time
        self.transport.sendto(head + question[12:end] + b"".join(records), address)


class TestResolver(AbstractResolver):
    """Asks the test's own DNS server, over UDP, and nobody else."""

    __test__ = False

    def __init__(self, port: int) -> None:
        self.port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setblocking(False)
            await loop.sock_connect(asking, ("127.0.0.1", self.port))
            name = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
            await loop.sock_sendall(asking, b"\x07\x07\1\0\0\1\0\0\0\0\0\0" + name + b"\0\0\1\0\1")
            answer = await loop.sock_recv(asking, 4096)
        count = struct.unpack(">H", answer[6:8])[0]
        found = [socket.inet_ntoa(answer[len(answer) - 16 * n + 12 :][:4]) for n in range(count, 0, -1)]
        return [
            ResolveResult(hostname=host, host=each, port=port, family=socket.AF_INET, proto=0, flags=0)
            for each in found
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def attacking() -> AsyncIterator[Attacker]:
    attacker = Attacker()

    async def answer(request: web.Request) -> web.StreamResponse:
        return await attacker.pages[request.path](request)

    class Counting(web.Server):
        def __call__(self) -> Any:
            attacker.connections += 1
            return super().__call__()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Counting(answer), "127.0.0.1", 0)
    attacker.port = server.sockets[0].getsockname()[1]
    dns, _ = await loop.create_datagram_endpoint(lambda: _Dns(attacker), local_addr=("127.0.0.1", 0))
    attacker.dns_port = dns.get_extra_info("sockname")[1]
    try:
        yield attacker
    finally:
        dns.close()
        server.close()


@pytest.fixture
async def attacker() -> AsyncIterator[Attacker]:
    async with attacking() as attacker:
        yield attacker


def anywhere(_host: str, _port: int) -> bool:
    return True


@pytest.mark.parametrize("address", PRIVATE)
async def test_no_way_of_writing_it_leads_to_a_private_address(attacker: Attacker, address: str):
    attacker.answers = [["127.0.0.1"]]  # for those that a resolver would take for a name
    with pytest.raises(ToolFailed):
        await _web.fetch(
            address.format(port=attacker.port), resolver=TestResolver(attacker.dns_port), may_reach=_any_port
        )
    assert attacker.connections == 0


def _any_port(host: str, _port: int) -> bool:
    """The door, with the attacker's port taken for the web's: what stops it must be the address."""
    return _web.is_open(host, 80)


async def test_the_attackers_server_can_be_reached_where_the_door_is_open(attacker: Attacker):
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<p>in</p>", content_type="text/html")

    attacker.pages["/"] = page
    attacker.answers = [["127.0.0.1"]]
    found = await _web.fetch(
        f"http://evil.test:{attacker.port}/", may_reach=anywhere, resolver=TestResolver(attacker.dns_port)
    )
    assert found.content == b"<p>in</p>"
    assert attacker.connections == attacker.questions == 1


async def test_a_name_that_changes_its_mind_between_two_answers_gets_no_connection(attacker: Attacker):
    attacker.answers = [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.1", "127.0.0.1"], ["127.0.0.1"]]
    for _ in range(4):
        with pytest.raises(ToolFailed, match="open internet"):
            await _web.fetch(
                f"http://rebind.test:{attacker.port}/",
                resolver=TestResolver(attacker.dns_port),
                may_reach=_any_port,
            )
    assert attacker.questions >= 4
    assert attacker.connections == 0


async def test_the_address_asked_about_is_the_address_connected_to(attacker: Attacker):
    """One question to the DNS server for one connection: there is no second answer to fall for."""
    asked: list[str] = []

    def door(host: str, _port: int) -> bool:
        asked.append(host)
        return host == "127.0.0.1"

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="in")

    attacker.pages["/"] = page
    attacker.answers = [["127.0.0.1"], ["127.0.0.2"]]
    await _web.fetch(
        f"http://rebind.test:{attacker.port}/", may_reach=door, resolver=TestResolver(attacker.dns_port)
    )
    assert (asked, attacker.questions) == (["127.0.0.1"], 1)


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2:{port}/in", "http://[::ffff:127.0.0.2]:{port}/in", "file:///etc/passwd"]
)
async def test_every_hop_of_a_redirect_goes_through_the_door(attacker: Attacker, target: str):
    async def away(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": target.format(port=attacker.port)})

    attacker.pages["/"] = away
    with pytest.raises(ToolFailed):
        await _web.fetch(f"http://127.0.0.1:{attacker.port}/", may_reach=lambda host, _: host == "127.0.0.1")
    assert attacker.connections == 1


async def test_a_loop_of_redirects_ends(attacker: Attacker):
    async def again(_request: web.Request) -> web.Response:
        return web.Response(status=301, headers={"Location": "/"})

    attacker.pages["/"] = again
    with pytest.raises(ToolFailed, match="redirects more than 5 times"):
        await _web.fetch(f"http://127.0.0.1:{attacker.port}/", may_reach=anywhere)


@pytest.mark.parametrize("packed", [False, True])
async def test_a_body_without_end_is_left_at_the_limit(attacker: Attacker, packed: bool):
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Encoding": "gzip"} if packed else {})
        await response.prepare(request)
        chunk = gzip.compress(bytes(50_000_000)) if packed else bytes(1_000_000)
        while True:
            sent += len(chunk)
            await response.write(chunk)

    attacker.pages["/"] = endless
    with pytest.raises(ToolFailed, match="larger than"):
        await _web.fetch(f"http://127.0.0.1:{attacker.port}/", may_reach=anywhere)
    assert sent < 30_000_000


async def test_a_server_that_drips_is_left_in_time(attacker: Attacker):
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.05)

    attacker.pages["/"] = drip
    with pytest.raises(ToolFailed, match="took longer"):
        await _web.fetch(f"http://127.0.0.1:{attacker.port}/", may_reach=anywhere, seconds=0.5)


@pytest.mark.parametrize("port", [22, 25, 5432, 6379, 8080])
def test_only_the_ports_of_the_web_are_open(port: int):
    assert not _web.is_open("93.184.216.34", port)
    assert _web.is_open("93.184.216.34", 443)
    assert _web.is_open("2606:4700::1111", 80)


async def test_a_page_becomes_markdown_without_its_machinery():
    page = b"""<title>T</title><nav>menu</nav><main><h1>Birds</h1><p>A <b>wren</b>, <a href="/x">here</a>,
    <a href="javascript:evil()">there</a>.</p><script>alert(1)</script><img src=x alt="a wren"></main>"""
    text = await apart.read("web_pages", page, url="https://a.test/b", charset="", max_chars=1000)
    assert text.startswith("# Birds")
    assert "A **wren**, [here](https://a.test/x)" in text
    assert not [word for word in ("alert", "javascript", "menu") if word in text]


async def test_a_page_that_is_a_bomb_is_given_up_in_words():
    with pytest.raises(ToolFailed):
        await apart.read("web_pages", b"<div>" * 20_000, url="https://a.test/", charset="", max_chars=1000)
