"""The same with SQLAlchemy's ORM: a session and a commit per message."""

import uuid
from datetime import datetime, timezone
from pathlib import Path

from by_hand import SCHEMA, Sample
from sqlalchemy import DateTime, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Message(Base):
    __tablename__ = "messages"
    id: Mapped[str] = mapped_column(primary_key=True)
    session_id: Mapped[str]
    wa_message_id: Mapped[str]
    chat_id: Mapped[str]
    from_number: Mapped[str]
    to_number: Mapped[str | None]
    type: Mapped[str]
    body: Mapped[str | None]
    media: Mapped[str | None]
    ack: Mapped[int | None]
    from_me: Mapped[bool]
    is_group: Mapped[bool]
    wa_timestamp: Mapped[datetime] = mapped_column(DateTime)
    created_at: Mapped[datetime] = mapped_column(DateTime)


class Orm:
    def __init__(self, folder: Path) -> None:
        self.engine = create_engine(f"sqlite:///{folder}/orm.sqlite", connect_args={"timeout": 60})

        @event.listens_for(self.engine, "connect")
        def pragmas(connection, _) -> None:  # type: ignore[no-untyped-def]
            connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON")

        self.session = str(uuid.uuid4())
        with self.engine.begin() as connection:
            for statement in filter(str.strip, SCHEMA.split(";")):
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql("INSERT INTO sessions (id, name) VALUES (?, 'bench')", (self.session,))

    def save(self, m: Sample) -> None:
        with Session(self.engine) as session:
            session.add(
                Message(
                    id=str(uuid.uuid4()),
                    session_id=self.session,
                    wa_message_id=m.wa_message_id,
                    chat_id=m.chat_id,
                    from_number=m.chat_id,
                    type="text",
                    body=m.body,
                    from_me=False,
                    is_group=False,
                    wa_timestamp=m.wa_timestamp,
                    created_at=datetime.now(timezone.utc),
                )
            )
            session.commit()

    def page(self, chat: str) -> list[Message]:
        query = select(Message).where(Message.session_id == self.session, Message.chat_id == chat)
        with Session(self.engine) as session:
            return list(session.scalars(query.order_by(Message.wa_timestamp.desc()).limit(50)))
