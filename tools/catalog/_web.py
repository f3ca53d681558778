"""Getting a page from the open internet, and from nowhere else.

The guard is not a filter of addresses as they are written but one question at the moment of connecting:
may this very IP and port be reached? Whatever a name, a redirect or a DNS server that changes its mind
comes to, it comes through that door, and what was asked about is what is connected to.
"""

import asyncio
import ipaddress
import socket
import ssl
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver

from conversations.contracts import ToolFailed

SECONDS_MAX = 20.0  # for the whole way, every redirect included: a server that drips is left
CONNECT_SECONDS = 5.0
REDIRECTS_MAX = 5
BODY_BYTES_MAX = 3_000_000  # unpacked; the longest article of Wikipedia has 1,000,000
URL_MAX = 2_000  # characters
PORTS = frozenset({80, 443})
CHUNK = 65_536
HEADERS = {
    "User-Agent": "Starling/1.0 (a person's assistant; fetches one page when asked)",
    "Accept": "text/html, application/xhtml+xml, text/plain, text/markdown, application/json;q=0.9, */*;q=0.1",
    "Accept-Encoding": "gzip, deflate",
}
NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))

AddressInfo = tuple[int, int, int, str, tuple[object, ...]]
MayReach = Callable[[str, int], bool]


@dataclass(frozen=True, slots=True)
class Page:
    """What came, from where it really came."""

    url: str
    mime: str
    charset: str
    content: bytes


class Forbidden(OSError):
    """An address that is not of the open internet; an OSError, as a failed connection is."""


def is_open(host: str, port: int) -> bool:
    """Is this IP address on the open internet, on a port of the web?"""
    address = ipaddress.ip_address(host.partition("%")[0])
    return port in PORTS and all(_is_public(each) for each in (address, *_inside(address)))


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or getattr(address, "is_site_local", False)
    )


def _inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 one leads to: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in NAT64):
        inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in inside if each is not None]


async def fetch(
    url: str,
    *,
    may_reach: MayReach = is_open,
    resolver: AbstractResolver | None = None,
    seconds: float = SECONDS_MAX,
) -> Page:
    """A page, following redirects, each through the same door. Raises ToolFailed in words for the model."""

    def door(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, place = info
        if not may_reach(str(place[0]), int(str(place[1]))):
            raise Forbidden(f"{place[0]} is no address of the open internet")
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(
        socket_factory=door, resolver=resolver or aiohttp.ThreadedResolver(), use_dns_cache=False, limit=1
    )
    limits = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
    try:
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession(
                connector=connector,
                timeout=limits,
                headers=HEADERS,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
        ):
            return await _follow(session, url)
    except TimeoutError as error:
        raise ToolFailed(
            f"The server of {url} took longer than {seconds:.0f} s. Try another source."
        ) from error
    except (aiohttp.ClientConnectorCertificateError, ssl.SSLError) as error:
        raise ToolFailed(f"The certificate of {url} is not valid, so the page is not read.") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        why = "its address is not on the open internet" if _is_forbidden(error) else "it cannot be reached"
        raise ToolFailed(f"{url} was not fetched: {why}.") from error


def _is_forbidden(error: BaseException | None) -> bool:
    """Was it the door that said no? Happy eyeballs wraps what it said."""
    while error is not None:
        if isinstance(error, Forbidden) or "no address of the open internet" in str(error):
            return True
        error = getattr(error, "os_error", None) or error.__cause__
    return False


async def _follow(session: aiohttp.ClientSession, url: str) -> Page:
    for _ in range(REDIRECTS_MAX + 1):
        url = checked(url)
        async with session.get(url, allow_redirects=False) as response:
            if response.status in (301, 302, 303, 307, 308) and "Location" in response.headers:
                url = urljoin(url, response.headers["Location"])
                continue
            if response.status != 200:
                raise ToolFailed(f"{url} answered {response.status}. Try another address.")
            content = await _body(response)
            return Page(url, response.content_type, response.charset or "", content)
    raise ToolFailed(f"{url} redirects more than {REDIRECTS_MAX} times. Try another address.")


def checked(url: str) -> str:
    """The address as it may be asked for. Raises ToolFailed for what is none of the web's."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ToolFailed(f"{url[:200]!r} is no address. Give one like https://example.com/page.") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ToolFailed(f"{url[:200]!r}: only addresses that begin with http:// or https:// can be fetched.")
    if parts.username is not None or parts.password is not None:
        raise ToolFailed("Addresses with a name or password in them are not fetched. Leave it out.")
    if len(url) > URL_MAX or any(ord(letter) < 33 for letter in url.strip()) or "\\" in url:
        raise ToolFailed(
            "The address is too long, or holds spaces or backslashes. Write it as a browser shows it."
        )
    assert port is None or port >= 0
    return url.strip()


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The body, unpacked as it comes and never further than the limit. Raises ToolFailed beyond it."""
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    unpack = None
    if encoding in ("gzip", "x-gzip", "deflate"):
        unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    elif encoding != "identity":
        raise ToolFailed(
            f"The page came packed as {encoding[:20]!r}, which was not asked for. Try another source."
        )
    body = bytearray()
    packed = 0
    try:
        async for chunk in response.content.iter_chunked(CHUNK):
            packed += len(chunk)
            body += unpack.decompress(chunk, BODY_BYTES_MAX + 1 - len(body)) if unpack else chunk
            if len(body) > BODY_BYTES_MAX or packed > BODY_BYTES_MAX:
                raise ToolFailed(f"The page is larger than {BODY_BYTES_MAX:,} bytes. Try a shorter one.")
    except zlib.error as error:
        raise ToolFailed("The page came damaged. Try another source.") from error
    return bytes(body)
