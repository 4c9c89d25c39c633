"""A client for the fuzzing server, on Python's `websockets`."""

import asyncio
import os

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

URL, AGENT = (os.environ[name] for name in ("AUTOBAHN_URL", "AUTOBAHN_AGENT"))

# No limit on size and no pings, as in the echo example's compliance profile.
OPTIONS = {"proxy": None, "max_size": None, "ping_interval": None}


async def main():
    async with connect(f"{URL}/getCaseCount", **OPTIONS) as socket:
        count = int(await socket.recv())
    for case in range(1, count + 1):
        try:
            async with connect(f"{URL}/runCase?case={case}&agent={AGENT}", **OPTIONS) as socket:
                async for message in socket:
                    await socket.send(message)
        except (ConnectionClosed, InvalidHandshake):
            pass  # the server's report says whether that is right
    async with connect(f"{URL}/updateReports?agent={AGENT}", **OPTIONS):
        pass


asyncio.run(main())
