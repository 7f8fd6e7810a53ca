"""Generators and coroutines around native calls, which cannot be written natively."""


def walk(page_of, args, kwargs):
    """Every row of a list, page by page."""
    kwargs = {"limit": 1000, **(kwargs or {})}
    while True:
        page = page_of(*args, **kwargs)
        yield from page.items
        if page.next is None:
            return
        kwargs["after"] = page.next


async def walk_aio(page_of, args, kwargs):
    """The same for asyncio."""
    kwargs = {"limit": 1000, **(kwargs or {})}
    while True:
        page = await page_of(*args, **kwargs)
        for row in page.items:
            yield row
        if page.next is None:
            return
        kwargs["after"] = page.next


async def coroutine(start):
    """A real coroutine, which `asyncio.create_task`, `gather` and task groups take."""
    return await start
