"""Failure test of `dendrix serve`: overload, disconnecting clients, prompts that are too long, and a kill."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .load import Reply, ask, ask_at_once
from .serving import Load, requests, saved, served

_FLOOD, _SMOKE_FLOOD = Load("1M", 600, 32, 32), Load("1M", 30, 8, 8)
_TOO_LONG = 10_000
"""Tokens of a prompt that is refused; the default limit of a server is 8,192."""


def measured(threads: int, smoke: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Test one server, and return counts and times.

    Args:
        threads: number of threads of the server.
        smoke: few and short streams.
        say: receives a line before the test.
    Raises:
        RuntimeError: an accepted stream was lost, or its answer differs from that to its prompt alone. No figures are returned then.
    """
    load = _SMOKE_FLOOD if smoke else _FLOOD
    room = load.streams // 6
    """Number of answers that may run, and number of those that may wait."""
    say(f"serve: {load} on a server with room for {2 * room}; half of the clients disconnect; prompts of {_TOO_LONG} tokens; a kill")
    bodies = requests(load)
    wanted = [bodies[i % len(bodies)] for i in range(load.streams)]
    with tempfile.TemporaryDirectory() as base:
        folder = saved(load.model, Path(base))
        with served(folder, threads, running=room, waiting=room) as server:
            alone = {str(body): ask_at_once(server.address, [body])[0].text for body in bodies}

            def expect_answers(replies: list[Reply], asked: list[dict[str, Any]]) -> None:
                """Every accepted answer is complete and equals that to its prompt alone."""
                pairs = zip(replies, asked, strict=True)
                wrong = [reply for reply, body in pairs if reply.status != 429 and not (reply.complete and reply.text == alone[str(body)])]
                if wrong:
                    raise RuntimeError(
                        f"serve: {len(wrong)} answers were lost or differ from those alone, such as {wrong[0]}. This is a bug."
                    )

            began = time.perf_counter()
            flood = ask_at_once(server.address, wanted)
            flood_s = time.perf_counter() - began
            expect_answers(flood, wanted)

            async def leaving() -> list[Reply]:
                """One of every two streams disconnects after its second part."""
                return await asyncio.gather(*[ask(server.address, body, (None, 2)[i % 2]) for i, body in enumerate(wanted[: 2 * room])])

            expect_answers(asyncio.run(leaving())[::2], wanted[: 2 * room : 2])
            after = ask_at_once(server.address, wanted[: 2 * room])  # fills the server completely, so all places must be free again
            expect_answers(after, wanted[: 2 * room])

            long = [body | {"prompt": [97] * _TOO_LONG} for body in wanted[:room]]
            oversized = ask_at_once(server.address, long)
            server.kill()
            port, killed = server.address[1], time.perf_counter()
        with served(folder, threads, port=port, running=room, waiting=room) as server:
            [first] = ask_at_once(server.address, wanted[:1])
            restart_s = time.perf_counter() - killed
            expect_answers([first], wanted[:1])
    answered = [reply for reply in flood if reply.complete]
    return {
        "streams": load.streams,
        "room": 2 * room,
        "answered": len(answered),
        "refused": sum(reply.status == 429 for reply in flood),
        "flood_s": flood_s,
        "left": room,
        "answered_after_they_left": sum(reply.complete for reply in after),
        "oversized": room,
        "oversized_refused": sum(reply.status == 413 for reply in oversized),
        "restart_s": restart_s,
    }


def table(found: dict[str, Any]) -> str:
    """Section of the report."""
    return (
        "## Serving: overload and failures\n\n"
        f"{found['streams']} streams at the same time on a server with room for {found['room']}: {found['answered']} were answered and "
        f"{found['refused']} refused (429), in {found['flood_s']:.1f} s. {found['left']} of {2 * found['left']} clients disconnected after "
        f"two parts; the others were answered, and so were {found['answered_after_they_left']} of the next {found['room']} streams. Every "
        f"answer equals that to its prompt alone. Of {found['oversized']} prompts of {_TOO_LONG:,} tokens, {found['oversized_refused']} "
        f"were refused (413). After a kill and a new start on the same port, the server answered after {found['restart_s']:.1f} s.\n"
    )
