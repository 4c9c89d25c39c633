"""Python's `websockets`: the twin of script.mjs, with what this client's own API adds."""

import asyncio
import http.client
import json
import os
import re
import sys
from contextlib import AsyncExitStack
from urllib.parse import quote, urlsplit

from websockets.asyncio.client import connect as dial
from websockets.exceptions import ConnectionClosed, InvalidStatus

ECHO, FIXTURE, BARE = (os.environ[name] for name in ("ECHO_URL", "FIXTURE_URL", "BARE_URL"))
NAME = "Python websockets"
# What the fixture says it can do; nothing said: everything.
CAPABILITIES = os.environ.get("CAPABILITIES")
DEADLINE = 15
UUID_V4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def equal(actual, expected, what="value"):
    if actual != expected:
        raise AssertionError(f"{what}: got {actual!r:.300}, expected {expected!r:.300}")


def can(capability):
    return CAPABILITIES is None or capability in CAPABILITIES.split()


def needs(*capabilities):
    """Skips a check, and says so, where the server cannot do these."""

    def mark(check):
        check.missing = [one for one in capabilities if not can(one)]
        return check

    return mark


async def get(url):
    """Status, content type and text of a plain GET."""

    def request():
        parts = urlsplit(url)
        http_connection = http.client.HTTPConnection(parts.netloc, timeout=DEADLINE)
        try:
            http_connection.request("GET", f"{parts.path}?{parts.query}")
            response = http_connection.getresponse()
            kind = response.getheader("content-type", "")
            return response.status, kind, response.read().decode()
        finally:
            http_connection.close()

    return await asyncio.to_thread(request)


async def peers():
    status, kind, text = await get(f"{FIXTURE}/peers")
    equal((status, kind.split(";")[0]), (200, "application/json"), "GET /peers")
    return json.loads(text)["peers"]


async def publish(server, topic, message):
    answer = await get(f"{server}/publish?topic={topic}&message={quote(message)}")
    equal((answer[0], answer[2]), (200, "published"), "GET /publish")


async def connect(scope, url, **options):
    """A connection that ends with the check's scope; no message of it may go unnoticed."""
    # `proxy`: a proxy of the environment has no business between two programs of one machine.
    socket = await dial(
        url.replace("http", "ws", 1), proxy=None, open_timeout=DEADLINE, **options
    )

    async def end(failure, *_):
        await socket.close()
        if failure is None:
            try:
                message = await socket.recv()
            except ConnectionClosed:
                return
            raise AssertionError(f"an unexpected message: {message!r:.300}")

    scope.push_async_exit(end)
    return socket


async def expect(socket, *messages):
    for message in messages:
        equal(await socket.recv(), message, "message")


async def join(scope, path="/", **options):
    """A connection to the fixture, welcomed."""
    socket = await connect(scope, FIXTURE + path, **options)
    welcome = await socket.recv()
    match = re.fullmatch(r"Welcome to the server (\S+)! \(namespace: (.*)\)", welcome)
    equal(match and match[2], path.split("?")[0], f"namespace in {welcome!r}")
    equal(bool(UUID_V4.fullmatch(match[1])), True, f"{match[1]} is a UUID v4")
    socket.peer_id = match[1]
    return socket


async def pair(scope):
    first = await join(scope)
    second = await join(scope)
    await expect(first, f"{second.peer_id} joined!")
    return first, second


async def settled(*sockets):
    """All that was sent to these peers before now has arrived: order is kept."""
    for socket in sockets:
        await socket.send("ping")
        await expect(socket, "pong")


# ---- the checks, in the order in which they run; the docstring is the printed name


async def texts(scope):
    """echo: text, empty and of many bytes a character"""
    socket = await connect(scope, ECHO)
    for text in ["hello", "", "żółć 日本語 🦀 👩‍👩‍👧 \0", "🦀é" * 16_384]:
        await socket.send(text)
        await expect(socket, text)


async def binary(scope):
    """echo: binary, empty, 64 KiB and 512 KiB"""
    socket = await connect(scope, ECHO)
    for size in [0, 1, 125, 126, 65_535, 65_536, 524_288]:
        data = bytes((at * 31 + (at >> 8)) & 255 for at in range(size))
        await socket.send(data)
        await expect(socket, data)


async def pipelined(scope):
    """echo: 2000 messages sent at once come back in order"""
    socket = await connect(scope, ECHO)
    messages = [f"message {at}".encode() if at % 2 else f"message {at}" for at in range(2000)]

    async def send():
        for message in messages:
            await socket.send(message)

    await asyncio.gather(send(), expect(socket, *messages))


async def fragments(scope):
    """echo: a message in fragments comes back whole"""
    socket = await connect(scope, ECHO)
    await socket.send(["żó", "", "łć", "🦀"])
    await expect(socket, "żółć🦀")
    await socket.send([b"\x00\xff", b"", b"\xfe" * 70_000])
    await expect(socket, b"\x00\xff" + b"\xfe" * 70_000)


async def pings(scope):
    """echo: pings are answered with their own data"""
    socket = await connect(scope, ECHO)
    for data in ["are you there?", "", "x" * 125]:
        await (await socket.ping(data))  # resolves with the pong of this very data


async def close(scope):
    """echo: code and reason of a close are answered"""
    socket = await connect(scope, ECHO)
    await socket.close(4321, "bye żółć")
    received = socket.protocol.close_rcvd
    equal((received.code, received.reason), (4321, "bye żółć"), "close frame")


async def refused(scope):
    """fixture: a refused upgrade shows the whole answer of the hook"""
    try:
        await connect(scope, f"{FIXTURE}/?unauthorized")
    except InvalidStatus as refusal:
        response = refusal.response
        status = (response.status_code, response.reason_phrase, response.body)
        equal(status, (401, "Unauthorized", b"unauthorized"), "answer")
        equal(response.headers["x-error"], "unauthorized", "x-error")
        equal(response.headers["www-authenticate"], 'Bearer realm="crossws"', "www-authenticate")
        equal(response.headers["content-type"].split(";")[0], "text/plain", "content-type")
    else:
        raise AssertionError("the upgrade was accepted")


async def headers(scope):
    """fixture: the 101 carries the headers of the upgrade hook"""
    socket = await join(scope)
    equal(socket.response.headers["x-powered-by"], "cross-ws", "x-powered-by")
    equal(socket.response.headers["set-cookie"], "cross-ws=1; SameSite=None; Secure", "set-cookie")


async def subprotocols(scope):
    """fixture: the subprotocol `supported` is selected, no other is"""
    for offer, selected in [("supported", "supported"), ("unsupported", None), ("crossws", None)]:
        socket = await join(scope, subprotocols=[offer])
        equal(socket.subprotocol, selected, f"answer to {offer}")
        await socket.send("debug")
        equal(json.loads(await socket.recv())["websocket"]["protocol"], offer, "debug")
        await socket.close()


async def answers(scope):
    """fixture: `ping`, `binary`, `waitForDrain` and anything else, as text or binary"""
    socket = await join(scope)
    reactions = {
        "ping": "pong",
        "binary": b"binary message works!",
        "waitForDrain": "drained",
        "żółć 🦀": "żółć 🦀",
        "": "",
    }
    for sent, reaction in reactions.items():
        await socket.send(sent)
        await socket.send(sent.encode())
        await expect(socket, reaction, reaction)


async def debug(scope):
    """fixture: `debug` shows the peer and its request"""
    socket = await join(scope, "/?foo=bar", additional_headers={"X-Test": "1"})
    await socket.send("debug")
    shown = json.loads(await socket.recv())
    equal(shown["id"], socket.peer_id, "id")
    if can("remote-addr"):
        equal(shown["remoteAddress"] in ("127.0.0.1", "::1"), True, "remoteAddress is local")
    equal(shown["bufferedAmount"] >= 0, True, "bufferedAmount is a number")
    equal(shown["context"], {"test": "1"}, "context")
    equal(shown["request"]["url"], f"{FIXTURE}/?foo=bar", "request.url")
    equal(shown["request"]["headers"]["host"], urlsplit(FIXTURE).netloc, "host")
    equal(shown["request"]["headers"]["connection"].lower(), "upgrade", "connection")
    equal(shown["request"]["headers"]["x-test"], "1", "x-test")
    websocket = shown["websocket"]
    equal((websocket["readyState"], websocket["protocol"]), (1, ""), "websocket")
    equal(websocket["url"], FIXTURE.replace("http", "ws", 1) + "/?foo=bar", "websocket.url")
    offer = "permessage-deflate; client_max_window_bits"
    equal(websocket["extensions"][: len(offer)], offer, "extensions")


@needs("pubsub")
async def chat(scope):
    """fixture: a message reaches the other peer of its namespace once, its sender once"""
    first, second = await pair(scope)
    other = await join(scope, "/ns1")
    for sender, text in [(first, "hello from the first"), (second, "żółć 🦀")]:
        await sender.send(text)
        await expect(first, text)
        await expect(second, text)
    await settled(first, second, other)


@needs("shared-hub")
async def lists(scope):
    """fixture: peers that ask for `peers` at once get equal lists"""
    sockets = await pair(scope)
    for socket in sockets:
        await socket.send("peers")
    one, two = [await socket.recv() for socket in sockets]
    equal(one, two, "lists")
    equal(sorted(json.loads(one)["peers"]), sorted(s.peer_id for s in sockets), "peers")


@needs("shared-hub")
async def gone(scope):
    """fixture: GET /peers lists all, and not one that has closed"""
    first, second = await pair(scope)
    equal(sorted(await peers()), sorted(f"/:{s.peer_id}" for s in (first, second)), "peers")
    await first.close()
    equal(await peers(), [f"/:{second.peer_id}"], "peers")
    await second.close()
    equal(await peers(), [], "peers")


@needs("pubsub")
async def published(scope):
    """fixture: GET /publish reaches every subscriber once"""
    sockets = [*await pair(scope), await join(scope, "/ns1")]
    await publish(FIXTURE, "chat", "żółć & 100% 🦀")
    for socket in sockets:
        await expect(socket, "żółć & 100% 🦀")
    await settled(*sockets)


async def listening(scope, *paths):
    """Bare peers, which get no welcome: publishing goes on until each has heard something."""
    sockets = [await connect(scope, BARE + path) for path in paths]
    for socket in sockets:
        hears = asyncio.ensure_future(socket.recv())
        while not hears.done():
            await publish(BARE, "chat", "anyone?")
            await asyncio.wait([hears], timeout=0.01)
        equal(hears.result(), "anyone?", "message")
    return sockets


async def then(socket):
    """The next message that is not of `listening`."""
    while (message := await socket.recv()) == "anyone?":
        pass
    return message


@needs("pubsub")
async def broadcast(scope):
    """bare: GET /publish reaches every namespace once"""
    sockets = await listening(scope, "/ns1", "/ns2")
    await publish(BARE, "chat", "broadcast")
    await publish(BARE, "room", "the next one")
    for socket in sockets:
        equal(await then(socket), "broadcast", "message")
        await expect(socket, "the next one")


@needs("pubsub")
async def objects(scope):
    """bare: a published object arrives as JSON text, for all alike"""
    sockets = await listening(scope, "/ns1", "/ns1", "/ns2")
    equal((await get(f"{BARE}/publish-object"))[0], 200, "status")
    await publish(BARE, "chat", "the next one")
    for socket in sockets:
        message = await then(socket)
        equal((type(message), json.loads(message)), (str, {"hello": "world"}), "message")
        await expect(socket, "the next one")


CHECKS = [
    texts, binary, pipelined, fragments, pings, close,
    refused, headers, subprotocols, answers, debug, chat, lists, gone, published,
    broadcast, objects,
]  # fmt: skip


async def main():
    failed = 0
    for check in CHECKS:
        if missing := getattr(check, "missing", []):
            reason = f"skipped: needs {', '.join(missing)}"
            print(f"--    {NAME}: {check.__doc__}: {reason}", flush=True)
            continue
        try:
            async with asyncio.timeout(DEADLINE):
                while can("shared-hub") and await peers():  # of the last check
                    await asyncio.sleep(0.01)
                async with AsyncExitStack() as scope:
                    await check(scope)
            print(f"ok    {NAME}: {check.__doc__}", flush=True)
        except Exception as error:
            failed += 1
            reason = str(error) or type(error).__name__
            print(f"FAIL  {NAME}: {check.__doc__}: {reason}", flush=True)
    return 1 if failed else 0


sys.exit(asyncio.run(main()))
