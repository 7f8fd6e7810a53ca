"""Generators and coroutines around native calls, which cannot be written natively."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

Arguments = tuple[Any, ...]
Keywords = dict[str, Any] | None


def walk(page_of: Callable[..., Any], args: Arguments, keywords: Keywords) -> Iterator[Any]:
    """Every row of a list, page by page."""
    options: dict[str, Any] = {"limit": 1000, **(keywords or {})}
    while True:
        page = page_of(*args, **options)
        yield from page.items
        if page.next is None:
            return
        options["after"] = page.next


async def walk_aio(
    page_of: Callable[..., Awaitable[Any]], args: Arguments, keywords: Keywords
) -> AsyncIterator[Any]:
    """The same for asyncio."""
    options: dict[str, Any] = {"limit": 1000, **(keywords or {})}
    while True:
        page = await page_of(*args, **options)
        for row in page.items:
            yield row
        if page.next is None:
            return
        options["after"] = page.next


async def coroutine(start: Awaitable[Any]) -> Any:
    """A real coroutine, which `asyncio.create_task`, `gather` and task groups take."""
    return await start
