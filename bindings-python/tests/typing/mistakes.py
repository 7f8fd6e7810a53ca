"""What a type checker must refuse: each line that is ignored has an error, or the ignore itself is one."""

import openwa_store


def mistakes(store: openwa_store.Store, message: openwa_store.Message) -> None:
    store.sessions.create()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    store.sessions.create(nme="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    store.sessions.get(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    message.body = "x"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    store.messages.revoke(message.session_id, "A", "now")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    time: int = message.wa_timestamp  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    del time
