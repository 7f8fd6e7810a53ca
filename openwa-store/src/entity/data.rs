//! The tables of the Data database.

use uuid::Uuid;

use super::entity;
use crate::json::Json;
use crate::text::Text;
use crate::time::Timestamp;
use crate::value::names;

names! {
    /// Where a session stands in its life; see [`crate::policy::session`] for the allowed steps.
    pub enum SessionStatus {
        /// Created, never started.
        Created = "created",
        /// The engine is starting.
        Initializing = "initializing",
        /// A QR code waits to be scanned.
        QrReady = "qr_ready",
        /// The code was scanned, the login is under way.
        Authenticating = "authenticating",
        /// Connected.
        Ready = "ready",
        /// The connection is lost and may come back.
        Disconnected = "disconnected",
        /// Broken for good: recreate or delete it.
        Failed = "failed",
    }
}

names! {
    /// Where a bulk job stands.
    pub enum BatchStatus {
        /// Nothing sent yet.
        Pending = "pending",
        /// Some messages were handed out.
        Processing = "processing",
        /// Every message has its result.
        Completed = "completed",
        /// Stopped on request.
        Cancelled = "cancelled",
        /// Stopped by a fatal error.
        Failed = "failed",
    }
}

names! {
    /// Where one message of a bulk job stands.
    pub enum BatchMessageStatus {
        /// Waits to be handed out.
        Pending = "pending",
        /// Handed out, no result yet. After a crash: unknown, and never sent again silently.
        Sending = "sending",
        /// Sent.
        Sent = "sent",
        /// Could not be sent.
        Failed = "failed",
        /// Withdrawn before it was handed out.
        Cancelled = "cancelled",
    }
}

names! {
    /// What kind of change waits for its message.
    pub enum PendingKind {
        /// A delivery state.
        Ack = "ack",
        /// A new body.
        Edit = "edit",
        /// A deletion for everyone.
        Revoke = "revoke",
        /// A reaction of one person.
        Reaction = "reaction",
        /// No change: the message itself was seen while history was off, so that it counts as new only once.
        Seen = "seen",
    }
}

entity! {
    /// A WhatsApp account that a gateway drives.
    Session("sessions" in Data, key ["id"], references []) {
        /// UUID of the session.
        id: Uuid;
        /// What people call it; unique.
        name: Text => 100;
        /// Where it stands in its life.
        status: SessionStatus;
        /// The account's own number, digits only.
        phone: Option<Text> => 20;
        /// The name the account shows.
        push_name: Option<Text> => 100;
        /// Settings of the host; known keys are checked, unknown ones kept.
        config: Json, sealed_inside;
        /// Opaque to the library: an encrypted blob, or where the engine keeps it.
        auth_state: Option<Json>, sealed_shown;
        /// When it last became ready.
        connected_at: Option<Timestamp>;
        /// Messages created before this were removed by retention; history sync does not bring them back.
        retained_from: Option<Timestamp>;
        /// When it was made.
        created_at: Timestamp;
        /// When it last changed.
        updated_at: Timestamp;
    }
}

entity! {
    /// An address that wants to hear of a session's events.
    Webhook("webhooks" in Data, key ["id"], references [("session_id", "sessions")]) {
        /// UUID of the webhook.
        id: Uuid;
        /// The session it listens to.
        session_id: Uuid;
        /// Where deliveries go, http or https.
        url: Text => 2048;
        /// A JSON array of event names; `*` means all.
        events: Json;
        /// Signs deliveries.
        secret: Option<Text> => 255, sealed;
        /// A JSON object of extra request headers.
        headers: Json, sealed;
        /// Whether it gets deliveries.
        active: bool;
        /// How often a failed delivery is tried again, 0 to 20.
        retry_count: i64;
        /// When it last got a delivery.
        last_triggered_at: Option<Timestamp>;
        /// When it was made.
        created_at: Timestamp;
        /// When it last changed.
        updated_at: Timestamp;
    }
}

entity! {
    /// A message. There is one row per session and WhatsApp message id.
    Message("messages" in Data, key ["id"], references [("session_id", "sessions")]) {
        /// UUID of the row.
        id: Uuid;
        /// The session that sent or received it.
        session_id: Uuid;
        /// WhatsApp's id; null while a send is queued or when it failed.
        wa_message_id: Option<Text> => 255;
        /// Address of the chat: a person, a group, a newsletter.
        chat_id: Text => 255;
        /// Address of the sender.
        from_number: Text => 255;
        /// Address of the recipient.
        to_number: Option<Text> => 255;
        /// `text`, `image`, `ciphertext` …; an open list.
        r#type: Text => 50;
        /// Text or caption.
        body: Option<Text>;
        /// A JSON object about the attached file.
        media: Option<Json>;
        /// −1 error, 0 pending, 1 server, 2 delivered, 3 read, 4 played, 5 reserved; null: none yet.
        ack: Option<i64>;
        /// Whether the session's own account wrote it.
        from_me: bool;
        /// Whether the chat is a group.
        is_group: bool;
        /// WhatsApp's time of the message.
        wa_timestamp: Timestamp;
        /// When the row was made; for history, the message's own time.
        created_at: Timestamp;
        /// When it was last edited.
        edited_at: Option<Timestamp>;
        /// When it was deleted for everyone.
        revoked_at: Option<Timestamp>;
        /// The engine's own encoded message, kept only on request.
        raw: Option<Vec<u8>>;
    }
}

entity! {
    /// A person that a session knows.
    Contact("contacts" in Data, key ["id"], references [("session_id", "sessions")]) {
        /// UUID of the row.
        id: Uuid;
        /// The session that knows the person.
        session_id: Uuid;
        /// The person's address; unique within the session.
        wa_contact_id: Text => 255;
        /// The name in the phone's address book.
        name: Option<Text> => 255;
        /// The name the person chose.
        push_name: Option<Text> => 255;
        /// The number, digits only; never the digits of a LID.
        phone: Option<Text> => 20;
        /// Whether the person is in the phone's address book.
        is_my_contact: bool;
        /// Whether the account blocks the person.
        is_blocked: bool;
        /// Where the picture is.
        profile_pic_url: Option<Text>;
        /// When the row was made.
        created_at: Timestamp;
        /// When it last changed.
        updated_at: Timestamp;
    }
}

entity! {
    /// One step in the life of a session.
    SessionLog("session_logs" in Data, key ["id"], references [("session_id", "sessions")]) {
        /// UUID of the entry.
        id: Uuid;
        /// The session.
        session_id: Uuid;
        /// What happened, for instance `status` or `identity.merged`.
        event: Text => 100;
        /// The status after it.
        status: Option<Text> => 50;
        /// Anything else.
        data: Option<Json>;
        /// When it was.
        created_at: Timestamp;
    }
}

entity! {
    /// One attempt to deliver an event to a webhook.
    WebhookLog("webhook_logs" in Data, key ["id"], references [("webhook_id", "webhooks")]) {
        /// UUID of the entry.
        id: Uuid;
        /// The webhook.
        webhook_id: Uuid;
        /// The event's name.
        event: Text => 100;
        /// HTTP status of the answer; null: none came.
        status_code: Option<i64>;
        /// 1 for the first try.
        attempt: i64;
        /// What was sent.
        payload: Json;
        /// What came back.
        response: Option<Json>;
        /// Why it failed.
        error: Option<Text>;
        /// When it was.
        created_at: Timestamp;
    }
}

entity! {
    /// A bulk job.
    BatchJob("batch_jobs" in Data, key ["id"], references [("session_id", "sessions")]) {
        /// UUID of the row.
        id: Uuid;
        /// The host's own id of the job; unique within the session.
        batch_id: Text => 100;
        /// The session that sends.
        session_id: Uuid;
        /// Where the job stands.
        status: BatchStatus;
        /// How many messages it has.
        total_messages: i64;
        /// How many were sent.
        sent_count: i64;
        /// How many failed.
        failed_count: i64;
        /// How many were withdrawn.
        cancelled_count: i64;
        /// Settings of the host.
        options: Json;
        /// The fatal error, if one ended the job.
        error: Option<Text>;
        /// When the first message was handed out.
        started_at: Option<Timestamp>;
        /// When it ended.
        completed_at: Option<Timestamp>;
        /// When it was made.
        created_at: Timestamp;
        /// When it last changed.
        updated_at: Timestamp;
    }
}

entity! {
    /// One message of a bulk job.
    BatchJobMessage("batch_job_messages" in Data, key ["id"], references [("batch_job_id", "batch_jobs")]) {
        /// UUID of the row.
        id: Uuid;
        /// The job.
        batch_job_id: Uuid;
        /// Place in the sending order, from 0.
        position: i64;
        /// Address of the chat.
        chat_id: Text => 255;
        /// `text`, `image` …
        message_type: Text => 50;
        /// What to send.
        content: Json;
        /// Values for a template.
        variables: Option<Json>;
        /// Where the message stands.
        status: BatchMessageStatus;
        /// WhatsApp's id once it is sent.
        wa_message_id: Option<Text> => 255;
        /// A short reason of a failure.
        error_code: Option<Text> => 100;
        /// A long reason of a failure.
        error_message: Option<Text>;
        /// When it was sent.
        sent_at: Option<Timestamp>;
        /// When the row was made.
        created_at: Timestamp;
    }
}

entity! {
    /// One event that a webhook has been given, so that it is given once.
    WebhookIdempotency("webhook_idempotency" in Data, key ["webhook_id", "idempotency_key"], references [("webhook_id", "webhooks")]) {
        /// The webhook.
        webhook_id: Uuid;
        /// What makes the event unique.
        idempotency_key: Text => 255;
        /// The event's name.
        event_type: Text => 100;
        /// When it was taken up.
        processed_at: Timestamp;
        /// HTTP status of the stored answer.
        response_status: Option<i64>;
        /// The stored answer.
        response_data: Option<Json>;
    }
}

entity! {
    /// One piece of a session's credentials: engines keep thousands of Signal keys.
    SessionAuth("session_auth" in Data, key ["session_id", "category", "key_id"], references [("session_id", "sessions")]) {
        /// The session.
        session_id: Uuid;
        /// `creds`, `pre-key`, `session` …
        category: Text => 64;
        /// The key's id within its category.
        key_id: Text => 512;
        /// Opaque bytes.
        value: Vec<u8>, sealed;
        /// When it last changed.
        updated_at: Timestamp;
    }
}

entity! {
    /// The two addresses of one person: a LID and, once known, a phone address.
    Identity("identities" in Data, key ["session_id", "lid"], references [("session_id", "sessions")]) {
        /// The session that knows the person.
        session_id: Uuid;
        /// The LID address, `…@lid`.
        lid: Text => 255;
        /// The phone address, `…@s.whatsapp.net`.
        pn: Option<Text> => 255;
        /// When it last changed.
        updated_at: Timestamp;
    }
}

entity! {
    /// The reaction of one person to one message.
    MessageReaction("message_reactions" in Data, key ["session_id", "wa_message_id", "sender"], references [("session_id", "sessions")]) {
        /// The session.
        session_id: Uuid;
        /// The message reacted to.
        wa_message_id: Text => 255;
        /// Address of the person, or `me`.
        sender: Text => 255;
        /// The reaction; empty: withdrawn.
        emoji: Text => 50;
        /// When it was.
        reacted_at: Timestamp;
    }
}

entity! {
    /// A change that came before its message.
    PendingChange("pending_changes" in Data, key ["id"], references [("session_id", "sessions")]) {
        /// UUID of the row; its time order is the order of arrival.
        id: Uuid;
        /// The session.
        session_id: Uuid;
        /// The message it waits for.
        wa_message_id: Text => 255;
        /// What kind of change.
        kind: PendingKind;
        /// The change.
        payload: Json;
        /// When it came.
        created_at: Timestamp;
    }
}

entity! {
    /// What a takeover found and no other table has a column for; an export in the other gateway's format brings
    /// it back.
    OpenwaExtra("openwa_extra" in Data, key ["table_name", "row_id"], references [("session_id", "sessions")]) {
        /// The table of the source, by its name there.
        table_name: Text => 100;
        /// The row of that table.
        row_id: Text => 512;
        /// The session it goes away with; null: none.
        session_id: Option<Uuid>;
        /// A JSON object: columns of the source and their values there.
        data: Json, sealed;
    }
}
