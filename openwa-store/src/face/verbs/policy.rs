use std::net::IpAddr;
use std::time::Duration;

use super::verbs;
use crate::entity::SessionStatus;
use crate::error::Error;
use crate::face::inputs::{Ask, KeyRules, RetryPolicy};
use crate::json::Json;
use crate::policy::authorize::Decision;
use crate::policy::ip::{self, Network};
use crate::policy::permissions::{self, Permission, PermissionSet};
use crate::policy::schedule::Schedule;
use crate::policy::session::Step;
use crate::policy::webhook::{self, UrlPolicy, WebhookEvent};
use crate::policy::{address, authorize, batch, config, keys, message, retention, session};
use crate::text::Text;
use crate::time::Timestamp;

verbs! { "policy"(store, progress);
    /// Reads a time as people and programs write it: `Z` or any numeric offset, 0 to 9 fraction digits (cut to
    /// milliseconds), `T` or a space, a date alone (midnight UTC), and a zoneless time, which means UTC.
    ///
    /// Errors: `InvalidArgument` for anything else.
    pure parse_time("The text." text: String) -> Timestamp { Timestamp::parse(&text) }

    /// The text of a time, exactly as JavaScript's `toISOString` writes it: `2026-01-05T08:01:23.000Z`.
    pure format_time("The time." time: Timestamp) -> String { Ok(time.to_string()) }

    /// The form in which a WhatsApp address is kept: without device and agent, with `s.whatsapp.net` for `c.us`. A
    /// bare telephone number is taken for a phone address; what is no person's address stays as it is.
    pure normalize_address("An address in any form." address: String) -> String {
        Ok(address::normalize(&address).into_owned())
    }

    /// Whether a WhatsApp address is a group's.
    pure is_group("The address." address: String) -> bool { Ok(address::is_group(&address)) }

    /// Whether a WhatsApp address is a channel's.
    pure is_newsletter("The address." address: String) -> bool { Ok(address::is_newsletter(&address)) }

    /// Whether a WhatsApp address is a person's LID, in any form.
    pure is_lid("The address." address: String) -> bool { Ok(address::is_lid(&address)) }

    /// Whether a WhatsApp address is a person's phone address, in any form.
    pure is_phone("The address." address: String) -> bool { Ok(address::is_phone(&address)) }

    /// Whether a WhatsApp address is a person's, phone or LID, in any form.
    pure is_person("The address." address: String) -> bool { Ok(address::is_person(&address)) }

    /// The telephone number of a phone address, digits only. Nothing for everything else, LIDs above all: their
    /// digits look like a number and are none.
    pure phone_digits("An address in any form." address: String) -> Option<String> {
        Ok(address::phone_digits(&address))
    }

    /// Whether a session may go from one status to another: `move`, or `same` when that changes nothing.
    ///
    /// Errors: `InvalidTransition` with the context `from`, `to` and `allowed`.
    pure check_transition("The status now." status: SessionStatus, "The status wanted." to: SessionStatus) -> Step {
        session::check(status, to)
    }

    /// Every status to which a session in this one may move.
    pure allowed_transitions("The status now." status: SessionStatus) -> Vec<SessionStatus> {
        Ok(session::allowed_from(status).to_vec())
    }

    /// Whether a session may be recreated: only a failed one.
    ///
    /// Errors: `InvalidTransition` with the context `from`, `to` and `allowed`.
    pure check_recreate("The status now." status: SessionStatus) -> () { session::check_recreate(status) }

    /// Whether only a running engine can hold a session in this status.
    pure needs_engine("The status." status: SessionStatus) -> bool { Ok(session::needs_engine(status)) }

    /// Whether a session in this status should run again after a start of the gateway.
    pure should_restore("The status." status: SessionStatus) -> bool { Ok(session::should_restore(status)) }

    /// The delivery state that is further up. One never falls: none < 0 < -1 < 1 < 2 < 3 < 4 < 5.
    pure raise_ack("The state now." current: Option<i64>, "The state reported." reported: Option<i64>) -> Option<i64> {
        Ok(message::raise_ack(current, reported))
    }

    /// Makes a new API key from the system's random numbers. Nothing is stored.
    pure generate_key() -> String { keys::generate().map(keys::GeneratedKey::into_string) }

    /// A key that the host brings along, without the white space around it.
    ///
    /// Errors: `InvalidArgument` when nothing is left.
    pure check_key("The key." key: String) -> String { keys::check(&key).map(str::to_owned) }

    /// The hash of an API key as it is stored: SHA-256 of the trimmed key, or HMAC-SHA256 of it keyed by the pepper, in
    /// 64 lower-case hex digits.
    pure hash_key("The key." key: String, "The pepper, if there is one." pepper: Option<Vec<u8>>) -> String {
        Ok(keys::hash(&key, pepper.as_deref()))
    }

    /// Whether two stored hashes are equal, in a time that does not depend on where they differ.
    ///
    /// Errors: `InvalidArgument` for what is not 64 hex digits.
    pure same_hash("One hash." one: String, "The other." other: String) -> bool {
        let parse = |hash: &str, field| {
            keys::parse_hash(hash).ok_or_else(|| Error::invalid(field, format!("{field} is not 64 hex digits")))
        };
        Ok(keys::equal(&parse(&one, "one")?, &parse(&other, "other")?))
    }

    /// The first 12 characters of the trimmed key, by which people tell keys apart.
    pure key_prefix("The key." key: String) -> String { Ok(keys::prefix(&key).to_owned()) }

    /// Reads a JSON array of permission names. Repeated names count once, order is kept.
    ///
    /// Errors: `InvalidArgument` naming the place for an unknown name.
    pure parse_permissions("The names." permissions: Json) -> Vec<Permission> { permissions::parse(&permissions) }

    /// Whether a key with these permissions has one. Unknown names grant nothing, `["*"]` grants everything.
    ///
    /// Errors: `InvalidArgument` for what is no JSON array of names.
    pure permits("A JSON array of names." permissions: Json, "The one asked for." permission: Permission) -> bool {
        Ok(PermissionSet::from_stored(&permissions)?.allows(permission))
    }

    /// Checks a JSON array of names to which a key is confined.
    ///
    /// Errors: `InvalidArgument` naming the place.
    pure check_scope("A JSON array of names." names: Json) -> () { authorize::check_scope(&names, "names") }

    /// Whether a key may do what a request asks, without any store.
    ///
    /// Errors: `Unreadable` naming the column for rules that make no sense; deny then.
    pure decide(
        "The present." now: Timestamp,
        "What the key may do." rules: KeyRules,
        "What the request asks for." ask: Ask,
    ) -> Decision {
        rules.decide(&ask, now)
    }

    /// Reads an IP address strictly and gives its one form: `::ffff:a.b.c.d` is `a.b.c.d`.
    ///
    /// Errors: `InvalidArgument`.
    pure parse_ip("The address." address: String) -> IpAddr { ip::parse_address(&address) }

    /// Reads a network in CIDR notation strictly and gives its one form, with the bits behind the prefix masked off.
    ///
    /// Errors: `InvalidArgument`.
    pure parse_network("The network." network: String) -> String {
        Network::parse(&network).map(|network| network.to_string())
    }

    /// Whether an IP address lies in a network.
    ///
    /// Errors: `InvalidArgument`.
    pure network_contains("The network." network: String, "The address." address: IpAddr) -> bool {
        Network::parse(&network).map(|network| network.contains(address))
    }

    /// The address of the client behind trusted proxies: the `X-Forwarded-For` header is read from the right, and only
    /// past hops that are trusted.
    ///
    /// Errors: `InvalidArgument`.
    pure client_ip(
        "The other end of the connection." peer: IpAddr,
        "The header, if there is one." x_forwarded_for: Option<String>,
        "The networks of trusted proxies." trusted: Option<Vec<String>>,
    ) -> IpAddr {
        let trusted: Vec<_> =
            trusted.unwrap_or_default().iter().map(|n| Network::parse(n)).collect::<Result<_, _>>()?;
        Ok(ip::client_ip(peer, x_forwarded_for.as_deref(), &trusted))
    }

    /// What makes an IP address unfit for a request to a stranger's server: `loopback`, `private`, `metadata` …;
    /// nothing for a public address.
    pure ip_special_use("The address." address: IpAddr) -> Option<&'static str> { Ok(ip::special_use(address)) }

    /// Reads a JSON array of webhook event names. Repeated names count once, order is kept.
    ///
    /// Errors: `InvalidArgument` naming the place for an unknown name.
    pure parse_webhook_events("The names." events: Json) -> Vec<WebhookEvent> { webhook::parse_events(&events) }

    /// Whether a webhook that was registered for some events hears of one.
    ///
    /// Errors: `InvalidArgument` for what is no JSON array of event names.
    pure webhook_hears("A JSON array of names." events: Json, "The event." event: WebhookEvent) -> bool {
        webhook::parse_events(&events).map(|events| webhook::hears(&events, event))
    }

    /// Checks a webhook's URL: http or https, at most 2,048 characters, no credentials, and no address that is
    /// recognisably not public unless that is allowed. A public name may still resolve to a private address: check
    /// that with `check_webhook_ip`, and connect to that very address.
    ///
    /// Errors: `InvalidArgument` naming the column `url`.
    pure check_webhook_url("The URL." url: String, "Allows private addresses." allow_private: bool) -> () {
        webhook::check_url(&url, UrlPolicy { allow_private })
    }

    /// Checks the address that a webhook's host stands for.
    ///
    /// Errors: `InvalidArgument` for a loopback, private, link-local or metadata address.
    pure check_webhook_ip("The address." address: IpAddr, "Allows private addresses." allow_private: bool) -> () {
        webhook::check_ip(address, UrlPolicy { allow_private })
    }

    /// Checks the extra headers of a webhook: a JSON object of strings, with names and values that cannot smuggle
    /// another header in.
    ///
    /// Errors: `InvalidArgument` naming the header.
    pure check_webhook_headers("A JSON object." headers: Json) -> () { webhook::check_headers(&headers) }

    /// The signature of a delivery's body: `sha256=` and the HMAC-SHA256 keyed by the secret, in lower-case hex.
    pure sign_webhook("The webhook's secret." secret: String, "The body." body: Vec<u8>) -> String {
        Ok(webhook::sign(secret.as_bytes(), &body))
    }

    /// Whether a signature is the one of this body, compared in constant time.
    pure verify_webhook(
        "The webhook's secret." secret: String,
        "The body." body: Vec<u8>,
        "The signature." signature: String,
    ) -> bool {
        Ok(webhook::verify(secret.as_bytes(), &body, &signature))
    }

    /// How long to wait after an attempt has failed: exponential back-off with full jitter. Nothing: no retries left.
    pure next_attempt(
        "The number of the attempt that failed, from 1." attempt: u32,
        "A fresh random number from 0 to 1." random: f64,
        "How deliveries are tried again." policy: RetryPolicy,
    ) -> Option<Duration> {
        Ok(webhook::next_attempt(attempt, &policy.into(), random))
    }

    /// Checks a session's settings: known keys must have the right type, unknown ones are kept.
    ///
    /// Errors: `InvalidArgument` naming the path.
    pure check_session_config("A JSON object." config: Json) -> () { config::check_session_config(&config) }

    /// Whether a session with these settings keeps its messages.
    ///
    /// Errors: `Unreadable` for what is no JSON.
    pure history_enabled("A JSON object." config: Json) -> bool {
        Ok(config::history_enabled(&config.value()?))
    }

    /// How long a session with these settings keeps its messages; nothing: for ever.
    ///
    /// Errors: `InvalidArgument` naming the path.
    pure message_window(
        "A JSON object." config: Json,
        "The store's own window, for a session that has none; not given: for ever." fallback: Option<Duration>,
    ) -> Option<Duration> {
        retention::message_window(&config).map(|window| window.or(fallback))
    }

    /// Refuses a run of retention under a clock that seems to have jumped.
    ///
    /// Errors: `ClockJump` with the context `now`, `known` and `window_seconds`.
    pure check_retention_clock(
        "The present." now: Timestamp,
        "How long rows are kept." window: Duration,
        "The last run that finished." last_run: Option<Timestamp>,
        "The newest row that the run would delete." newest_row: Option<Timestamp>,
    ) -> () {
        retention::guard(now, last_run, newest_row, window)
    }

    /// Checks what a message says about its file.
    ///
    /// Errors: `InvalidArgument` naming the path.
    pure check_media("A JSON object." media: Json) -> () { config::check_media(&media) }

    /// Checks the options of a bulk job.
    ///
    /// Errors: `InvalidArgument` naming the path.
    pure check_batch_options("A JSON object." options: Json) -> () { batch::check_options(&options) }

    /// The size of a text as limits count it: in code points.
    pure text_length("The text." text: Text) -> u64 { Ok(text.chars() as u64) }

    /// When a cron expression of five fields (`minute hour day month weekday`) is due next after an instant. A local time
    /// that daylight saving time skips or repeats counts once.
    ///
    /// Errors: `InvalidArgument` naming `schedule` or `timezone`.
    pure next_slot(
        "The expression." schedule: String,
        "After this instant." after: Timestamp,
        "The IANA name of the expression's time zone; default UTC." timezone: Option<String>,
    ) -> Option<Timestamp> {
        Ok(Schedule::parse(&schedule, timezone.as_deref().unwrap_or("UTC"))?.next(after))
    }
}
