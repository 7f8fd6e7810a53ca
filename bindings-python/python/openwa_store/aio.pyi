# Generated from the library's description of itself: BLESS=1 cargo test -p openwa-store-python

import builtins
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any
from uuid import UUID

from typing_extensions import Self

import openwa_store as _store
from openwa_store import _Handle

__all__ = [
    "ApiKeys",
    "Audit",
    "Auth",
    "Batches",
    "Contacts",
    "Messages",
    "Opening",
    "Sessions",
    "Store",
    "Webhooks",
    "open_store",
]

class ApiKeys(_Handle):
    """API keys, their whitelists and the log of their use."""

    async def create(
        self,
        *,
        name: str,
        permissions: Any = None,
        allowed_sessions: Any = None,
        allowed_chats: Any = None,
        expires_at: datetime | None = None,
    ) -> _store.CreatedKey:
        """Creates a key of 32 random bytes. The answer holds the only copy of it.

        Errors: `InvalidArgument` naming the column.
        """
    async def register(
        self,
        key: str,
        *,
        name: str,
        permissions: Any = None,
        allowed_sessions: Any = None,
        allowed_chats: Any = None,
        expires_at: datetime | None = None,
    ) -> _store.CreatedKey:
        """Registers a given string as a key, such as a bootstrap secret from the environment.

        Errors: `AlreadyExists` when it is registered, `InvalidArgument`.
        """
    async def authorize(
        self,
        key: str,
        *,
        permission: _store.Permission | str | None = None,
        ip: str | None = None,
        session: str | None = None,
        session_alias: str | None = None,
        chat: str | None = None,
    ) -> _store.Authorization:
        """Decides whether a request with a key may go on. The hottest call of a gateway: it writes
        nothing in its own path, and sees a revocation by any process at the next call.

        Errors: those of the database; deny then.
        """
    async def get(self, id: UUID | str) -> _store.ApiKey:
        """One key's record by id.

        Errors: `NotFound`.
        """
    async def find(self, key: str) -> _store.ApiKey | None:
        """A key's record by the key itself, without counting a use.

        Errors: those of the database.
        """
    async def list(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> _store.Page[_store.ApiKey]:
        """One page of keys, in the order of creation.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(self) -> AsyncIterator[_store.ApiKey]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    async def update(
        self,
        id: UUID | str,
        *,
        name: str | None = None,
        permissions: Any = None,
        allowed_sessions: Any = ...,
        allowed_chats: Any = ...,
        active: bool | None = None,
        expires_at: datetime | None = ...,
    ) -> _store.ApiKey:
        """Changes a key. The next call with it, in any process, sees that.

        Errors: `LastFullAccessKey` when it is the last one and would lose full access,
        `NotFound`, `InvalidArgument`.
        """
    async def revoke(self, id: UUID | str, force: bool | None = None) -> _store.ApiKey:
        """Switches a key off for good. `force` does so even for the last one with full access.

        Errors: `LastFullAccessKey`, `NotFound`.
        """
    async def delete(self, id: UUID | str, force: bool | None = None) -> bool:
        """Deletes a key's record; its log entries stay. False: there was none.

        Errors: `LastFullAccessKey`.
        """
    async def whitelist(self, key: UUID | str) -> builtins.list[_store.IpWhitelistEntry]:
        """The addresses from which a key may be used. None: from anywhere. Some, but none active:
        from nowhere.

        Errors: those of the database.
        """
    async def allow_address(
        self,
        key: UUID | str,
        *,
        ip_address: str,
        cidr_range: str | None = None,
        description: str | None = None,
        active: bool | None = None,
    ) -> _store.IpWhitelistEntry:
        """Adds an address or network to a key's whitelist.

        Errors: `InvalidArgument` for what is not strictly an address or network,
        `AlreadyExists`, `NotFound`.
        """
    async def set_address_active(self, entry: UUID | str, active: bool | None = None) -> bool:
        """Switches a whitelist entry on or off. False: there is none."""
    async def remove_address(self, entry: UUID | str) -> bool:
        """Removes a whitelist entry. False: there was none."""
    async def log(
        self,
        *,
        api_key_id: UUID | str | None = None,
        endpoint: str,
        method: str,
        ip_address: str | None = None,
        user_agent: str | None = None,
        status_code: int,
        response_time: int | None = None,
    ) -> _store.ApiKeyLog:
        """Logs a request that was made with a key."""
    async def log_later(
        self,
        *,
        api_key_id: UUID | str | None = None,
        endpoint: str,
        method: str,
        ip_address: str | None = None,
        user_agent: str | None = None,
        status_code: int,
        response_time: int | None = None,
    ) -> None:
        """Logs a request without waiting: the row is written within a second, together with
        others, and before the log is read or the store closed. While the database cannot be
        reached rows wait, up to 10,000 or 16 MB; beyond that the oldest are lost and counted,
        see `log_buffer`.

        Errors: `InvalidArgument` naming the column, `Closed`. None of the database.
        """
    async def logs(
        self,
        key: UUID | str | None = None,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> _store.Page[_store.ApiKeyLog]:
        """One page of the log of requests, newest first, of one key or of all.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate_logs(self, key: UUID | str | None = None) -> AsyncIterator[_store.ApiKeyLog]:
        """Everything that `logs` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """

class Audit(_Handle):
    """The audit trail."""

    async def log(
        self,
        *,
        action: str,
        severity: _store.Severity | str | None = None,
        api_key_id: UUID | str | None = None,
        api_key_name: str | None = None,
        session_id: UUID | str | None = None,
        session_name: str | None = None,
        ip_address: str | None = None,
        user_agent: str | None = None,
        method: str | None = None,
        path: str | None = None,
        status_code: int | None = None,
        metadata: Any = None,
        error_message: str | None = None,
    ) -> _store.AuditLog:
        """Writes one entry.

        Errors: `InvalidArgument` naming the column.
        """
    async def list(
        self,
        *,
        action: str | None = None,
        session_id: UUID | str | None = None,
        api_key_id: UUID | str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> _store.Page[_store.AuditLog]:
        """One page of the trail, newest first.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(
        self,
        *,
        action: str | None = None,
        session_id: UUID | str | None = None,
        api_key_id: UUID | str | None = None,
    ) -> AsyncIterator[_store.AuditLog]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """

class Auth(_Handle):
    """An engine's credentials."""

    async def set(
        self,
        session: UUID | str,
        entries: Iterable[_store.AuthEntry | Mapping[str, Any]],
    ) -> None:
        """Sets and deletes any number of keys in one commit: all of them or none.

        Errors: `NotFound` for the session, `InvalidArgument`, `StoreKeyMissing`,
        `WrongStoreKey`.
        """
    async def get(self, session: UUID | str, category: str, key_id: str) -> _store.AuthValue:
        """One key: found, missing, or unreadable.

        Errors: those of the database. An engine must not take an error for a missing key.
        """
    async def get_many(
        self,
        session: UUID | str,
        category: str,
        key_ids: Iterable[str],
    ) -> builtins.list[_store.AuthValue]:
        """Several keys of a category, in the order asked for.

        Errors: as `get`.
        """
    async def list(self, session: UUID | str, category: str) -> builtins.list[str]:
        """The ids of a category's keys, in order.

        Errors: those of the database.
        """
    async def all(self, session: UUID | str) -> builtins.list[_store.SessionAuth]:
        """Every key of a session.

        Errors: those of the database.
        """
    async def clear(self, session: UUID | str, category: str | None = None) -> int:
        """Deletes a session's keys, all or those of one category; says how many."""

class Batches(_Handle):
    """Bulk jobs."""

    async def create(
        self,
        session: UUID | str,
        *,
        batch_id: str,
        messages: Iterable[_store.NewBatchMessage | Mapping[str, Any]],
        options: Any = None,
    ) -> _store.BatchJob:
        """Creates a job with its messages, all or none.

        Errors: `AlreadyExists` for a batch id that the session has used, `InvalidArgument`,
        `NotFound`.
        """
    async def get(self, id: UUID | str) -> _store.BatchJob:
        """One job by its row id.

        Errors: `NotFound`.
        """
    async def find(self, session: UUID | str, batch_id: str) -> _store.BatchJob | None:
        """One job by the host's own id.

        Errors: those of the database.
        """
    async def list(
        self,
        session: UUID | str,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> _store.Page[_store.BatchJob]:
        """One page of a session's jobs, newest first.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(self, session: UUID | str) -> AsyncIterator[_store.BatchJob]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    async def messages(
        self,
        job: UUID | str,
        position: int | None = None,
    ) -> builtins.list[_store.BatchJobMessage]:
        """Up to a thousand messages of a job in sending order, from position `from` on.

        Errors: those of the database.
        """
    async def claim_next(self, job: UUID | str) -> _store.BatchJobMessage | None:
        """Hands out the next message of a job: in order, once, across threads and processes.
        `None`: there is none left, or the job has ended.
        """
    async def record(
        self,
        message: UUID | str,
        *,
        sent: bool | None = None,
        wa_message_id: str | None = None,
        error_code: str | None = None,
        error_message: str | None = None,
    ) -> _store.BatchJob:
        """Records how the sending of a message ended; counters and, with the last one, the job's
        end come with it.

        Errors: `Conflict` for a message that is not being sent, `NotFound`.
        """
    async def unknown(self, job: UUID | str) -> builtins.list[_store.BatchJobMessage]:
        """Messages that were handed out and have no result. After a crash nobody knows whether
        they went out: ask WhatsApp or the user, then `record` it.

        Errors: those of the database.
        """
    async def cancel(self, job: UUID | str) -> _store.BatchJob:
        """Withdraws what is pending and ends the job. What is being sent may still get its result.

        Errors: `Conflict` for a job that has ended, `NotFound`.
        """
    async def fail(self, job: UUID | str, error: str) -> _store.BatchJob:
        """Ends a job with a fatal error; what is pending is withdrawn.

        Errors: `Conflict` for a job that has ended, `NotFound`.
        """

class Contacts(_Handle):
    """Contacts and the two addresses of a person."""

    async def upsert(
        self,
        session: UUID | str,
        *,
        wa_contact_id: str,
        name: str | None = None,
        push_name: str | None = None,
        is_my_contact: bool | None = None,
        is_blocked: bool | None = None,
        profile_pic_url: str | None = None,
    ) -> _store.Contact:
        """Creates a contact, or adds what is known of it; what the change does not say stays.

        Errors: `InvalidArgument` naming the column, `NotFound` for the session.
        """
    async def get(self, session: UUID | str, address: str) -> _store.Contact | None:
        """One contact by any of its addresses.

        Errors: those of the database.
        """
    async def list(
        self,
        session: UUID | str,
        *,
        phone: str | None = None,
        blocked: bool | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> _store.Page[_store.Contact]:
        """One page of a session's contacts, by address.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(
        self,
        session: UUID | str,
        *,
        phone: str | None = None,
        blocked: bool | None = None,
    ) -> AsyncIterator[_store.Contact]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    async def delete(self, session: UUID | str, address: str) -> bool:
        """Deletes a contact. False: there was none."""
    async def learn_identity(self, session: UUID | str, lid: str, pn: str) -> bool:
        """Learns that a LID and a phone address are one person. What was stored under the LID
        moves to the phone address in the same commit. False: that was known, or it is the
        account's own number.
        """
    async def identities(self, session: UUID | str) -> builtins.list[_store.Identity]:
        """Every LID-phone pair that a session knows, by LID.

        Errors: those of the database.
        """
    async def canonical(self, session: UUID | str, address: str) -> str:
        """The address under which a person, group or newsletter is kept.

        Errors: those of the database.
        """

class Messages(_Handle):
    """Message history. Every verb accepts any address of a chat or person: phone or LID, with or
    without device.
    """

    async def save(
        self,
        session: UUID | str,
        *,
        wa_message_id: str | None = None,
        chat_id: str,
        from_number: str,
        to_number: str | None = None,
        type: str,
        body: str | None = None,
        media: Any = None,
        ack: int | None = None,
        from_me: bool | None = None,
        wa_timestamp: datetime | None = None,
        created_at: datetime | None = None,
        edited_at: datetime | None = None,
        revoked_at: datetime | None = None,
        raw: builtins.bytes | bytearray | memoryview | None = None,
    ) -> _store.Saved:
        """Stores a message, or merges it into the one with the same WhatsApp id, and says which.

        A repeated delivery never overwrites: it may fill what was empty, raise the ack, or give
        a placeholder its content.

        Errors: `InvalidArgument` naming the column, `NotFound` for the session.
        """
    async def save_many(
        self,
        session: UUID | str,
        messages: Iterable[_store.NewMessage | Mapping[str, Any]],
    ) -> builtins.list[_store.SaveResult]:
        """Stores many messages in one commit, each with its own result. One that is refused does
        not affect the others.
        """
    async def backfill(
        self,
        session: UUID | str,
        messages: Iterable[_store.NewMessage | Mapping[str, Any]],
    ) -> builtins.list[_store.SaveResult]:
        """Stores history: as `save_many`, but each row is made at its message's own time, and what
        retention has removed does not come back (`NotStored`).
        """
    async def ack(self, session: UUID | str, wa_message_id: str, ack: int) -> _store.Changed:
        """Raises the delivery state of a message: −1 error, 0 pending, 1 server, 2 delivered, 3
        read, 4 played. It never falls. A message that is not here yet gets it when it comes.
        """
    async def edit(
        self,
        session: UUID | str,
        wa_message_id: str,
        body: str | None = None,
        at: datetime | None = None,
    ) -> _store.Changed:
        """Gives a message a new body. The edit with the latest time wins; a revoked message stays
        empty.
        """
    async def revoke(
        self,
        session: UUID | str,
        wa_message_id: str,
        at: datetime | None = None,
    ) -> _store.Changed:
        """Deletes a message for everyone: body, media and raw are emptied for good, the row stays."""
    async def react(
        self,
        session: UUID | str,
        wa_message_id: str,
        sender: str,
        emoji: str,
        at: datetime | None = None,
    ) -> _store.Changed:
        """Sets the reaction of one person (`me` is the own account); an empty `emoji` withdraws
        it.
        """
    async def get(self, id: UUID | str) -> _store.Message | None:
        """One message by its row id.

        Errors: those of the database.
        """
    async def find(self, session: UUID | str, wa_message_id: str) -> _store.Message | None:
        """One message by WhatsApp's id.

        Errors: those of the database.
        """
    async def list(
        self,
        session: UUID | str,
        *,
        chat: str | None = None,
        from_: datetime | None = None,
        until: datetime | None = None,
        type: str | None = None,
        from_me: bool | None = None,
        text: str | None = None,
        order: _store.Order | str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> _store.Page[_store.Message]:
        """One page of a session's messages, filtered, newest first unless the filter says
        otherwise.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(
        self,
        session: UUID | str,
        *,
        chat: str | None = None,
        from_: datetime | None = None,
        until: datetime | None = None,
        type: str | None = None,
        from_me: bool | None = None,
        text: str | None = None,
        order: _store.Order | str | None = None,
    ) -> AsyncIterator[_store.Message]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    async def count(
        self,
        session: UUID | str,
        *,
        chat: str | None = None,
        from_: datetime | None = None,
        until: datetime | None = None,
        type: str | None = None,
        from_me: bool | None = None,
        text: str | None = None,
        order: _store.Order | str | None = None,
    ) -> int:
        """How many messages match.

        Errors: those of the database.
        """
    async def chats(
        self,
        session: UUID | str,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> _store.Page[_store.Chat]:
        """One page of a session's chats, the one with the newest message first.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate_chats(self, session: UUID | str) -> AsyncIterator[_store.Chat]:
        """Everything that `chats` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    async def reactions(
        self,
        session: UUID | str,
        wa_message_id: str,
    ) -> builtins.list[_store.MessageReaction]:
        """The reactions to one message, oldest first.

        Errors: those of the database.
        """
    async def waiting(self, session: UUID | str, kind: _store.PendingKind | str) -> int:
        """How many messages that are not here have changes of this kind waiting for them.

        Errors: those of the database.
        """

class Sessions(_Handle):
    """Sessions and their life."""

    async def create(
        self,
        *,
        id: UUID | str | None = None,
        name: str,
        phone: str | None = None,
        push_name: str | None = None,
        config: Any = None,
    ) -> _store.Session:
        """Creates a session in status `created`.

        Errors: `AlreadyExists` for a name that is taken, `InvalidArgument` naming the column.
        """
    async def get(self, id: UUID | str) -> _store.Session:
        """One session by id.

        Errors: `NotFound`.
        """
    async def find(self, name: str) -> _store.Session | None:
        """One session by name.

        Errors: those of the database.
        """
    async def list(
        self,
        *,
        status: _store.SessionStatus | str | None = None,
        phone: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> _store.Page[_store.Session]:
        """One page of sessions, in the order of creation.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(
        self,
        *,
        status: _store.SessionStatus | str | None = None,
        phone: str | None = None,
    ) -> AsyncIterator[_store.Session]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    async def update(
        self,
        id: UUID | str,
        *,
        name: str | None = None,
        phone: str | None = ...,
        push_name: str | None = ...,
        config: Any = None,
        auth_state: Any = ...,
    ) -> _store.Session:
        """Changes name, number, settings or the engine's state.

        Errors: `NotFound`, `AlreadyExists`, `InvalidArgument`.
        """
    async def transition(
        self,
        id: UUID | str,
        to: _store.SessionStatus | str,
        reason: str | None = None,
    ) -> _store.Transition:
        """Moves a session to a status and logs it in the same commit. The same status again
        changes nothing, except that a new QR code is logged.

        Errors: `InvalidTransition` naming both states and what is allowed, `Conflict` when
        another process was faster, `NotFound`.
        """
    async def restore(self) -> builtins.list[_store.Session]:
        """After a start: every session that should run again. Those in a state that only a live
        engine can hold are `disconnected` now.
        """
    async def recreate(self, id: UUID | str) -> _store.Session:
        """Takes a failed session back to `created`, with its credentials cleared.

        Errors: `InvalidTransition` for a session that is not failed, `NotFound`.
        """
    async def delete(self, id: UUID | str) -> bool:
        """Deletes a session and all that belongs to it: messages, contacts, webhooks, credentials,
        logs. False: there was none.
        """
    async def log(self, id: UUID | str, event: str, data: Any = None) -> _store.SessionLog:
        """Writes one line of a session's log."""
    async def logs(
        self,
        id: UUID | str,
        event: str | None = None,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> _store.Page[_store.SessionLog]:
        """One page of a session's log, newest first, all of it or one kind of event.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate_logs(
        self,
        id: UUID | str,
        event: str | None = None,
    ) -> AsyncIterator[_store.SessionLog]:
        """Everything that `logs` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """

class Webhooks(_Handle):
    """Webhooks, their delivery log, idempotency."""

    async def create(
        self,
        session: UUID | str,
        *,
        url: str,
        events: Any = None,
        secret: str | None = None,
        headers: Any = None,
        retry_count: int | None = None,
        active: bool | None = None,
        allow_private: bool | None = None,
    ) -> _store.Webhook:
        """Creates a webhook.

        Errors: `InvalidArgument` for URL, events, headers or retry count, `NotFound` for the
        session.
        """
    async def get(self, id: UUID | str) -> _store.Webhook:
        """One webhook by id.

        Errors: `NotFound`.
        """
    async def list(
        self,
        session: UUID | str,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> _store.Page[_store.Webhook]:
        """One page of a session's webhooks, in the order of creation.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate(self, session: UUID | str) -> AsyncIterator[_store.Webhook]:
        """Everything that `list` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    async def subscribed(
        self,
        session: UUID | str,
        event: _store.WebhookEvent | str,
    ) -> builtins.list[_store.Webhook]:
        """The active webhooks of a session that want to hear of an event.

        Errors: those of the database.
        """
    async def update(
        self,
        id: UUID | str,
        *,
        url: str | None = None,
        events: Any = None,
        secret: str | None = ...,
        headers: Any = None,
        retry_count: int | None = None,
        active: bool | None = None,
        allow_private: bool | None = None,
    ) -> _store.Webhook:
        """Changes a webhook.

        Errors: `NotFound`, `InvalidArgument`.
        """
    async def delete(self, id: UUID | str) -> bool:
        """Deletes a webhook with its log. False: there was none."""
    async def log(
        self,
        webhook: UUID | str,
        *,
        event: str,
        status_code: int | None = None,
        attempt: int | None = None,
        payload: Any,
        response: Any = None,
        error: str | None = None,
    ) -> _store.WebhookLog:
        """Logs one attempt to deliver.

        Errors: `NotFound` for the webhook, `InvalidArgument`.
        """
    async def log_later(
        self,
        webhook: UUID | str,
        *,
        event: str,
        status_code: int | None = None,
        attempt: int | None = None,
        payload: Any,
        response: Any = None,
        error: str | None = None,
    ) -> None:
        """Logs an attempt without waiting: the row is written within a second, together with
        others, and before the log is read or the store closed. While the database cannot be
        reached rows wait, up to 10,000 or 16 MB; beyond that the oldest are lost and counted,
        see `log_buffer`. A row whose webhook is deleted by then goes with it.

        Errors: `InvalidArgument` naming the column, `Closed`. None of the database.
        """
    async def logs(
        self,
        webhook: UUID | str,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> _store.Page[_store.WebhookLog]:
        """One page of a webhook's delivery log, newest first.

        Errors: `InvalidArgument` for a bad limit or cursor.
        """
    def iterate_logs(self, webhook: UUID | str) -> AsyncIterator[_store.WebhookLog]:
        """Everything that `logs` lists, page by page, in constant memory. Rows that come or go
        meanwhile neither shift nor repeat anything.
        """
    async def begin(self, webhook: UUID | str, key: str, event: str) -> _store.Begin:
        """Asks whether an event may be delivered to a webhook; of any number of processes exactly
        one hears `New`. Entries live 24 hours.
        """
    async def finish(
        self,
        webhook: UUID | str,
        key: str,
        status: int | None = None,
        data: Any = None,
    ) -> None:
        """Stores the answer of a delivery, for those that come as duplicates.

        Errors: `NotFound` when it was not begun.
        """
    async def forget(self, webhook: UUID | str, key: str) -> bool:
        """Takes a beginning back, so that a delivery that failed for good may be begun again.
        False: there was none.
        """

class Store(_Handle):
    """An open store for asyncio. `Store(store)` gives one for a store that is open already."""

    @property
    def api_keys(self) -> ApiKeys:
        """API keys, their whitelists and the log of their use."""
    @property
    def audit(self) -> Audit:
        """The audit trail."""
    @property
    def auth(self) -> Auth:
        """An engine's credentials."""
    @property
    def batches(self) -> Batches:
        """Bulk jobs."""
    @property
    def contacts(self) -> Contacts:
        """Contacts and the two addresses of a person."""
    @property
    def messages(self) -> Messages:
        """Message history. Every verb accepts any address of a chat or person: phone or LID, with
        or without device.
        """
    @property
    def sessions(self) -> Sessions:
        """Sessions and their life."""
    @property
    def webhooks(self) -> Webhooks:
        """Webhooks, their delivery log, idempotency."""
    @classmethod
    def from_env(cls, dir: str | os.PathLike[str] = "./data") -> Opening:
        """Opens the store that the gateway's environment names; see `openwa_store.Store.from_env`."""
    async def close(self) -> None:
        """Writes what is under way and closes the files. A second call does nothing."""
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    async def ingest(
        self,
        engine: _store.Engine | str,
        session: UUID | str,
        event: Any,
        at: datetime | None = None,
    ) -> _store.Ingested:
        """Takes what an engine emitted, as JSON, and applies all of it in one commit.

        `event` is one event (`{"event": "messages.upsert", "data": …}`), an array of them, or a
        Baileys event map (`{"messages.upsert": …, "chats.update": …}`). Unknown events and
        fields are counted, never an error; a message that is not acceptable is reported in
        `refused` and does not affect the rest.

        Errors: `InvalidArgument` for JSON that is no event, `NotFound` for the session.
        """
    async def status(self) -> _store.Status:
        """Sizes, schema versions and row counts. Counting reads the smallest index of every table
        once; of a large store `overview` tells nearly the same at once.

        Errors: those of the database.
        """
    async def overview(
        self,
        *,
        days: int | None = None,
        window_days: int | None = None,
    ) -> _store.Overview:
        """The store on one screen: what needs attention, sizes, sessions by state, messages per
        day, growth, deliveries to webhooks, keys that expire. Nothing large is counted, so that
        it takes milliseconds also with ten million messages; estimates are marked as such.

        Errors: those of the databases.
        """
    async def check(self) -> _store.CheckReport:
        """Checks both databases: pages and indexes (on SQLite), indexes that cannot be used, rows
        whose parent does not exist, counters of bulk jobs against a recount, ids of messages
        against messages, values that cannot be read, rows in the wrong place. It reads
        everything once, in constant memory, and holds nobody up; on a store that others write
        to, each question is answered of one moment.

        Errors: those of the database; what is wrong *in* it is in the report.
        """
    async def repair(
        self,
        *,
        dry_run: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> _store.RepairReport:
        """Checks, repairs what can be repaired without losing anything, and checks again. What is
        not certain, such as which of two rows is right, is reported and left. A file with
        damaged pages is not written to at all. With `dry_run` nothing is changed. The progress
        tells which table is being looked at, and rows where they are read one by one.

        Errors: `Cancelled` when the callback stops it (what is repaired stays), those of the
        database.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def vacuum(
        self,
        *,
        full: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> _store.VacuumReport:
        """Gives the space of deleted rows back. By default it keeps nobody from working: on SQLite
        free pages go back to the file system in transactions of a few milliseconds; on
        PostgreSQL every table gets a `VACUUM (ANALYZE)`, which makes room in it for new rows
        and gives back what is free at its end. With `full` everything is written anew, see
        `full`. A crash in the middle loses nothing. The progress counts pages on SQLite, tables
        on PostgreSQL; stopping keeps what was given back until then. Of several processes one
        runs, the others answer `already_running`.

        Errors: `DiskFull` when `full` on SQLite finds less room than it needs, before anything
        is begun; those of the databases.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def export_file(
        self,
        path: str | os.PathLike[str],
        *,
        main: bool | None = None,
        tables: Iterable[str] | None = None,
        redact: bool | None = None,
        compress: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> _store.ExportReport:
        """Like `export`, to a file that only its owner may read; compressed if its name ends in
        `.zst`. The file takes its place, and that of an older one, only when it is complete and
        durable.

        Errors: as `export`, with the path in the context.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def import_file(
        self,
        path: str | os.PathLike[str],
        *,
        mode: _store.Mode | str | None = None,
        missing: _store.Missing | str | None = None,
        dry_run: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> _store.ImportReport:
        """Like `import`, from a file.

        Errors: as `import`, with the path in the context.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def backup(
        self,
        *,
        repo: _store.BackupRepo | Mapping[str, Any] | None = None,
        name: str | None = None,
        prune: bool | None = None,
        keep: _store.KeepRules | Mapping[str, Any] | None = None,
        temp_dir: str | None = None,
        pg_dump: str | None = None,
        read_all: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> _store.BackupReport:
        """Writes a backup of the store while it is in use: Main and Data as of one moment each,
        one behind the other. The repository is made if it is missing. What is in it already is
        not written again, so a backup every hour costs about what changed. It counts only when
        everything new was read back from the repository.

        It needs room for a copy of the databases beside Main, or in `temp_dir`. Writers go on
        meanwhile.

        Errors: `PermissionDenied` for a wrong password or wrong credentials, `NotFound` for a
        missing bucket, `Unavailable` when the storage does not answer, `Busy` while another
        process makes a backup of this store or writes to this repository, `Corrupt` when a
        database or the repository is damaged, `DiskFull`, `SchemaTooNew` for a repository of a
        newer version, `Cancelled`, `Unsupported` in a build without the feature. Earlier
        backups stay as they are.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def backups(
        self,
        *,
        repo: str | None = None,
        password: str | None = None,
        password_file: str | None = None,
        password_command: str | None = None,
    ) -> builtins.list[_store.Backup]:
        """The backups in a repository, the oldest first; this store need not be one of them. What
        other programs put into it is left out.

        Errors: `NotFound` when there is no repository; those of `backup`.
        """
    async def verify_backups(
        self,
        *,
        repo: _store.BackupRepo | Mapping[str, Any] | None = None,
        backup: str | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> _store.BackupVerify:
        """Reads backups back whole and compares them with what was written: every byte of every
        file.

        Errors: `NotFound` when there is no such backup; those of `backup`. What is wrong *in*
        backups is in the report.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def prune_backups(
        self,
        *,
        repo: str | None = None,
        password: str | None = None,
        password_file: str | None = None,
        password_command: str | None = None,
        last: int | None = None,
        hourly: int | None = None,
        daily: int | None = None,
        weekly: int | None = None,
        monthly: int | None = None,
        yearly: int | None = None,
        name: str | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> _store.BackupPrune:
        """Forgets the backups that no rule keeps, and gives back the space that only they used: it
        is marked first, and removed by a prune at least 23 hours later, so that a backup which
        is being written meanwhile loses nothing.

        Errors: `Busy` while another process writes to the repository; those of `backup`.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def restore_backup(
        self,
        *,
        dir: str | None = None,
        main: str | None = None,
        data: str | None = None,
        from_env: bool | None = None,
        api_key_pepper: str | None = None,
        store_key: str | None = None,
        history: bool | None = None,
        durability: _store.Durability | str | None = None,
        queue: int | None = None,
        group: int | None = None,
        repo: _store.BackupRepo | Mapping[str, Any] | None = None,
        backup: str | None = None,
        name: str | None = None,
        replace: bool | None = None,
        allow_old_credentials: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> _store.RestoreReport:
        """Restores a backup to where `target` says, which no process may have open: files into a
        new place or, with `replace`, in place of those that are there, which are set aside
        under another name; PostgreSQL into a schema without tables. Everything is verified
        before it takes its place: checksums, integrity, references, row counts. This store has
        no part in it and may be any, also one in memory.

        Engines' credentials move on with every message. Those of a backup that were used since
        break the account, so newer ones are not replaced unless that is allowed.

        Errors: `Conflict` when there is a store already, when its credentials are newer, or
        when the schema has tables; `Busy` while a process has the store open; `Corrupt` for a
        damaged backup; `SchemaTooNew`; `DiskFull`; those of `backup`. The target is left as it
        was.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def secrets_status(self) -> _store.SecretsStatus:
        """How the secrets are kept, and whether this process can read them.

        Errors: those of the database.
        """
    async def seal_secrets(
        self,
        *,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> int:
        """Seals every secret that is in clear, and rids free space of what was: on SQLite the
        database is written anew, which takes about its size in disk space, and writers wait
        meanwhile; on PostgreSQL the tables with secrets are locked while they are. Opening with
        a key seals as well, but rids only small databases. Says how many rows were sealed. May
        be broken off and done again.

        Errors: `StoreKeyMissing` when the store was opened without a key, `WrongStoreKey`;
        `Unreadable` naming the first row that cannot be read, when all others are sealed;
        `Busy` while another process is at it; `Cancelled`; those of the database.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def unseal_secrets(
        self,
        *,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> int:
        """Opens every secret, so that they are in clear again: give the store no key then, or the
        next open seals them anew. Says how many rows were opened. May be broken off and done
        again.

        Errors: as `seal_secrets`.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def rotate_store_key(
        self,
        new_key: str,
        retire: bool | None = None,
        *,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> int:
        """Seals every secret with another key, while this and other processes go on: they learn of
        the new key by the old one. Says how many rows were sealed. A run that was broken off is
        finished by another one with the same key; until then the store opens with either.

        The old key goes on opening the store for 24 hours, so that gateways can be given the
        new one, and is then refused by the first open. With `retire` it is refused at once:
        processes that have not met the new key by then have to be opened anew. Calling it again
        with the same key and `retire` does that later.

        Errors: `Conflict` for a store that is not sealed; as `seal_secrets`.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def forget_secrets(
        self,
        *,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> int:
        """For a store whose key is lost: drops every secret that this process cannot open.
        Sessions lose their credentials and go back to `created`, to be paired anew; webhooks
        lose secret and headers and are switched off; what a takeover kept of sessions and
        webhooks is gone. Messages, contacts and everything else stay. Says how many rows lost
        something. Open the store without a key for it; afterwards it may be opened with a new
        one.

        Errors: `Conflict` when this process has the key; `Busy`, `Cancelled`, those of the
        database.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def indexes(self) -> builtins.list[_store.IndexInfo]:
        """Every index of both databases, the largest first.

        Errors: those of the databases.
        """
    async def partitions(self) -> builtins.list[_store.PartitionInfo]:
        """The monthly tables of messages, oldest first; none where `messages` is one table.

        Errors: those of the database.
        """
    async def make_partitions(self) -> int:
        """Makes the monthly tables of this month and the next three, and moves rows that wait in
        the default partition to where they belong. Opening does it, and so does every run of
        retention; a gateway that runs for months without either calls this once a month. Says
        how many were made.

        Errors: `Busy` when a lock cannot be had for long; those of the database.
        """
    async def reindex(
        self,
        table: str | None = None,
        *,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> int:
        """Rebuilds the indexes of both databases, or those of one table, one by one, which gives
        space back and mends an index that is not valid. Says how many. On PostgreSQL others go
        on reading and writing meanwhile; on SQLite a writer waits for the index that is being
        rebuilt. The progress counts indexes.

        Errors: `InvalidArgument` for an unknown table, `Cancelled` when the callback stops it
        (what is rebuilt stays), those of the databases.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def migrate_to(
        self,
        data: str,
        *,
        main: bool | None = None,
        replace: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> _store.MigrateReport:
        """Copies this store's rows into another one, whatever the engines of the two, as a stream:
        memory does not grow with the data. Before anything is kept, each table is read back and
        compared by number and checksum of its rows; any failure leaves the target as it was.
        This store may be used meanwhile; what changes after the beginning is not copied, so
        stop the gateway first when it shall move.

        Errors: `Conflict` for a target that has rows, unless they shall be replaced; those of
        `export` and `import`, with the store that they are about in the context.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def takeover(
        self,
        sources: Iterable[str],
        *,
        plan: bool | None = None,
        skip_bad_rows: bool | None = None,
        session: str | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> _store.TakeoverReport:
        """Takes over what another gateway has: each source is a path or a `postgres://` URL, and
        is recognised by what it is:

        - OpenWA's databases as SQLite files (`main.sqlite`, `openwa.sqlite`), also with a
        journal beside; they are never changed;
        - OpenWA's database on a PostgreSQL server:
        `postgres://user:password@host/database?schema=public`;
        - OpenWA's export, plain or compressed with gzip or zstd;
        - an auth folder of Baileys; a session archive of whatsapp-web.js' `RemoteAuth`.

        All of it or nothing; see `import`. Rows that are there already stay as they are, so a
        second run changes nothing. What has no column here is kept in `openwa_extra`. Memory
        does not grow with the sources; a temporary file of about their size does.

        Errors: `InvalidData` saying what a source looks like, or naming table, row and column
        of the first bad row; `ForeignDatabase` for another program's database; `Busy` when a
        source is being written to; `Cancelled`; those of the databases.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def export_openwa_file(
        self,
        path: str | os.PathLike[str],
        *,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> _store.OpenwaExportReport:
        """Like `export_openwa`, to a file that only its owner may read; compressed if its name
        ends in `.zst`. It takes its place only when it is complete and durable.

        Errors: as `export`, with the path in the context.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def retention_preview(
        self,
        *,
        windows: _store.RetentionWindows | Mapping[str, Any] | None = None,
        now: datetime | None = None,
        force: bool | None = None,
    ) -> _store.RetentionReport:
        """Counts what `run_retention` would delete, and deletes nothing.

        Errors: `InvalidArgument` for a session whose settings have a window that makes no
        sense, and those of the database.
        """
    async def run_retention(
        self,
        *,
        windows: _store.RetentionWindows | Mapping[str, Any] | None = None,
        now: datetime | None = None,
        force: bool | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> _store.RetentionReport:
        """Deletes what is older than its window, in transactions of a few milliseconds, and gives
        the space back. Of several processes one runs, the others answer `already_running`.

        Errors: `ClockJump` when the clock seems to have jumped and `force` is not set,
        `InvalidArgument` for settings that make no sense, and those of the database.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def retention_status(
        self,
        *,
        windows: _store.RetentionWindows | Mapping[str, Any] | None = None,
        now: datetime | None = None,
        force: bool | None = None,
    ) -> _store.RetentionStatus:
        """What retention is about to do: how many rows are older than their window, and whether
        messages wait for a yes.

        Errors: as `retention_preview`.
        """
    async def accept_retention(self) -> builtins.list[_store.MovedIn]:
        """Says yes to retention: messages that moved in go with the next run if they are older
        than their window, and the clock is right as it stands, however far it has jumped.
        Answers what had moved in.

        Errors: those of the database.
        """
    async def start_maintenance(
        self,
        *,
        retention: str | None = None,
        idempotency: str | None = None,
        partitions: str | None = None,
        usage: str | None = None,
        optimize: str | None = None,
        backup: str | None = None,
        backups: _store.BackupOptions | Mapping[str, Any] | None = None,
        timezone: str | None = None,
        windows: _store.RetentionWindows | Mapping[str, Any] | None = None,
    ) -> None:
        """Starts maintenance in a thread of this store: retention, months ahead, uses of API keys,
        statistics, each by its schedule. It ends with `stop_maintenance` or with the store.

        Any number of processes may run it on the same databases: one of them runs a slot. What
        was missed while nobody ran is made up for once; but what deletes has its first run in
        the next slot, so that it can be seen before (`retention_status`). A job that fails is
        tried again within its slot if that may help, and never keeps another one from running.

        Errors: `InvalidArgument` naming the job for what is no schedule or time zone,
        `Conflict` when it runs already.
        """
    async def stop_maintenance(self) -> None:
        """Stops maintenance: a job that runs ends after its next step, and goes on when
        maintenance is started again. Does nothing when it does not run.

        Errors: `Forked`, `Closed`.
        """
    async def run_maintenance(
        self,
        job: _store.Job | str | None = None,
        *,
        retention: str | None = None,
        idempotency: str | None = None,
        partitions: str | None = None,
        usage: str | None = None,
        optimize: str | None = None,
        backup: str | None = None,
        backups: _store.BackupOptions | Mapping[str, Any] | None = None,
        timezone: str | None = None,
        windows: _store.RetentionWindows | Mapping[str, Any] | None = None,
        progress: Callable[[str, int, int | None], object] | None = None,
    ) -> builtins.list[_store.MaintenanceRun]:
        """Runs what is due now and returns: maintenance for a host that has its own scheduler,
        such as cron. With `job`, runs that one, due or not. The answer has one entry for each
        job that was run at a place, and says how it ended and how many rows it deleted; a
        failure of one keeps no other from running. One that deletes and never ran is
        `scheduled`. The progress counts each job's steps, with its name for a table; of one
        that deletes, it first tells of how many rows.

        Errors: `InvalidArgument` as `start_maintenance`, and for a job that has no schedule;
        `Closed`.

        `progress` is called with the table, its rows that are done, and all its rows where that
        is known. It stops the call by returning `False` or by raising.
        """
    async def maintenance(self) -> builtins.list[_store.MaintenanceJob]:
        """The jobs of maintenance: when each ran last, how that ended, when it runs next. Jobs of
        all processes that share the databases are among them, whether or not this one runs any.

        Errors: `Closed`. A database that cannot be asked shows in the errors of its jobs.
        """
    async def flush_logs(self) -> None:
        """Writes what the verbs `log_later` of webhooks and API keys have left in memory. The
        store does so by itself within a second, before a log is read, and when it is closed.

        Errors: those of the databases; what could not be written waits on.
        """
    async def log_buffer(self) -> _store.LogBuffer:
        """How many rows wait in memory to be written to the logs of requests and deliveries, and
        how many were lost.

        Errors: `Closed`.
        """

class Opening:
    """A store that is about to be opened: await it, or use it with `async with`."""

    def __init__(self, open: Callable[[], _store.Store]) -> None: ...
    def __await__(self) -> Generator[Any, Any, Store]: ...
    async def __aenter__(self) -> Store: ...
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

def open_store(
    dir: str | os.PathLike[str] = "./data",
    *,
    main: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    from_env: bool | None = None,
    api_key_pepper: str | None = None,
    store_key: str | None = None,
    history: bool | None = None,
    durability: _store.Durability | str | None = None,
    queue: int | None = None,
    group: int | None = None,
) -> Opening:
    """Opens the store in the folder `dir`; see `openwa_store.open_store` for the options."""
