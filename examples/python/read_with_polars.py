"""A chat as a data frame: rows are dictionaries, and polars makes columns of them.

pip install openwa-store polars && python read_with_polars.py ./data shop-1 12025550143@s.whatsapp.net
"""

import sys
from typing import Any

import polars as pl

import openwa_store

folder, name, chat = sys.argv[1:]
with openwa_store.open_store(folder) as store:
    session: Any = store.sessions.find(name)
    rows = (
        {"id": m.wa_message_id, "at": m.wa_timestamp, "from": m.from_number, "type": str(m.type), "body": m.body}
        for m in store.messages.iterate(session.id, chat=chat)
    )
    frame = pl.DataFrame(rows)  # pandas: pd.DataFrame(rows)
print(frame.group_by("from").agg(pl.len(), pl.col("at").max()))
