"""A bot with neonize and asyncio: everything it hears is stored, and it answers `!count`.

pip install openwa-store neonize && python asyncio_bot.py
"""

import asyncio
from typing import Any

from neonize.aioze.client import NewAClient
from neonize.events import MessageEv

import openwa_store.aio
from openwa_store.neonize import bind


async def main() -> None:
    async with openwa_store.aio.open_store("./data") as store:
        session = await store.sessions.find("bot") or await store.sessions.create(name="bot")
        client: Any = NewAClient("bot")
        bind(client, store, session)

        @client.event(MessageEv)  # the message is on the disk when this is called
        async def on_message(client: Any, message: Any) -> None:
            if message.Message.conversation == "!count":
                saved = await store.messages.find(session.id, message.Info.ID)
                if saved:
                    count = await store.messages.count(session.id, chat=saved.chat_id)
                    await client.reply_message(f"{count} messages in this chat", message)

        await client.connect()
        await client.idle()


if __name__ == "__main__":
    asyncio.run(main())
