"""The first steps: open a store, save a message, read a chat.

python quickstart.py ./data
"""

import sys
from datetime import datetime, timezone

import openwa_store

CHAT = "12025550143@s.whatsapp.net"

with openwa_store.open_store(sys.argv[1] if len(sys.argv) > 1 else "./data") as store:
    session = store.sessions.find("shop-1") or store.sessions.create(name="shop-1")
    for _ in range(2):  # engines deliver messages twice
        saved = store.messages.save(
            session.id,
            wa_message_id="3EB0C431C26A1916E07A",
            chat_id=CHAT,
            from_number=CHAT,
            type="text",
            body="hello",
            wa_timestamp=datetime.now(timezone.utc),
        )
        print(saved.outcome)  # inserted, then unchanged
    for message in store.messages.iterate(session=session.id, chat=CHAT):
        print(message.wa_timestamp, message.body)
