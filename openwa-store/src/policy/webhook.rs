//! Webhooks: which events there are, where deliveries may go, how they are signed and tried again.

use std::net::IpAddr;
use std::time::Duration;

use hmac::Mac;
use url::{Host, Url};

use super::{ip, mac, shape};
use crate::error::{Error, Result};
use crate::json::Json;
use crate::text::Text;
use crate::value::names;

names! {
    /// What a webhook can hear of.
    pub enum WebhookEvent {
        /// A message came in.
        MessageReceived = "message.received",
        /// A message went out.
        MessageSent = "message.sent",
        /// A message's delivery state rose.
        MessageAck = "message.ack",
        /// A message was deleted for everyone.
        MessageRevoked = "message.revoked",
        /// The session's status changed.
        SessionStatus = "session.status",
        /// A QR code waits to be scanned.
        SessionQr = "session.qr",
        /// The login succeeded.
        SessionAuthenticated = "session.authenticated",
        /// The connection was lost.
        SessionDisconnected = "session.disconnected",
        /// Somebody joined a group.
        GroupJoin = "group.join",
        /// Somebody left a group.
        GroupLeave = "group.leave",
        /// A group's name, picture or settings changed.
        GroupUpdate = "group.update",
        /// A message could not be sent.
        MessageFailed = "message.failed",
        /// Somebody reacted to a message.
        MessageReaction = "message.reaction",
        /// A message was edited.
        MessageEdited = "message.edited",
        /// Somebody posted a status.
        StatusReceived = "status.received",
        /// The session reconnects again and again.
        SessionReconnectLoop = "session.reconnect_loop",
        /// WhatsApp restricted the account.
        SessionRestriction = "session.restriction",
        /// Somebody came online, went away or types.
        PresenceUpdate = "presence.update",
        /// Somebody asks to join a group.
        GroupJoinRequest = "group.join_request",
        /// A call rings.
        CallReceived = "call.received",
        /// A call was taken.
        CallAccepted = "call.accepted",
        /// A call was declined.
        CallRejected = "call.rejected",
        /// A call was not taken.
        CallMissed = "call.missed",
        /// Every event there is, now and later.
        All = "*",
    }
}

/// Reads a JSON array of event names that is about to be written. Repeated names count once, order is kept.
///
/// # Errors
/// `InvalidArgument` naming the column `events` and the place when it is no array of names, or when a name is
/// not known; the message lists the names there are.
pub fn parse_events(events: &Json) -> Result<Vec<WebhookEvent>> {
    shape::names(events, "events")
}

/// Whether a webhook that was registered for `events` hears of `event`.
#[must_use]
pub fn hears(events: &[WebhookEvent], event: WebhookEvent) -> bool {
    events.iter().any(|e| *e == event || *e == WebhookEvent::All)
}

/// The most characters in a webhook's URL: the size of the column.
pub const MAX_URL_CHARS: usize = 2048;

/// Names under which a network finds its own machines: RFC 6761, 6762 and 8375, the ICANN reserved `internal`
/// (which also holds `metadata.google.internal`), and the suffix that resolvers give to this machine.
const LOCAL_DOMAINS: &[&str] = &["localhost", "local", "internal", "home.arpa", "localdomain"];

/// Where deliveries may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UrlPolicy {
    /// Also to this machine, its network and a cloud's metadata service. Off by default: whoever may register
    /// a webhook could otherwise make the gateway call what only the gateway can reach.
    pub allow_private: bool,
}

/// Checks a webhook's URL: http or https, at most [`MAX_URL_CHARS`] characters, no credentials inside, and,
/// unless the policy allows it, no host that is recognisably not public (see [`check_ip`]; also `localhost`,
/// `*.local`, `*.internal` and names without a dot). Notations such as `http://0x7f.1/` are understood as
/// HTTP clients do.
///
/// A public name may still *resolve* to a private address. Whoever delivers checks the resolved address with
/// [`check_ip`] and connects to that very address.
///
/// # Errors
/// `InvalidArgument` naming the column `url`; the message repeats no more of the URL than its host.
pub fn check_url(url: &str, policy: UrlPolicy) -> Result<()> {
    let refuse = |message: String| Err(Error::invalid("url", message));
    if url.chars().count() > MAX_URL_CHARS {
        return refuse(format!("the URL has more than {MAX_URL_CHARS} characters"));
    }
    // The URL standard drops these silently, so that what is stored would not be what is called.
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return refuse("the URL has white space or control characters".to_owned());
    }
    let url = match Url::parse(url) {
        Ok(url) => url,
        Err(e) => return refuse(format!("not a URL: {e}")),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return refuse("the URL must start with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("the URL holds credentials, which would be kept in clear; use headers".to_owned());
    }
    if policy.allow_private {
        return Ok(());
    }
    match url.host() {
        Some(Host::Ipv4(v4)) => check_ip(v4.into(), policy),
        Some(Host::Ipv6(v6)) => check_ip(v6.into(), policy),
        Some(Host::Domain(name)) if is_local_name(name) => {
            refuse(format!("{name} is a name of the local network; private addresses are not allowed here"))
        }
        Some(Host::Domain(_)) => Ok(()),
        None => refuse("the URL has no host".to_owned()),
    }
}

/// Checks the address that a webhook's host stands for.
///
/// # Errors
/// `InvalidArgument` naming the column `url` when it is a loopback, private, link-local, metadata or
/// otherwise not public address (see [`ip::special_use`]) and the policy does not allow that.
pub fn check_ip(address: IpAddr, policy: UrlPolicy) -> Result<()> {
    match ip::special_use(address) {
        Some(what) if !policy.allow_private => {
            Err(Error::invalid("url", format!("{address} is a {what} address, which is not allowed here")))
        }
        _ => Ok(()),
    }
}

/// `name` is in the form of the `url` crate: lower case, punycode.
fn is_local_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    // A name without a dot is only found on the own network (a container, a machine in the office).
    !name.contains('.')
        || LOCAL_DOMAINS
            .iter()
            .any(|d| name.strip_suffix(d).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// Checks the extra headers of a webhook: a JSON object of strings, with names as in RFC 9110 (5.6.2) and
/// values without control characters, so that nobody can smuggle a second header or request into a delivery.
///
/// # Errors
/// `InvalidArgument` naming the column `headers` and the header, never a value.
pub fn check_headers(headers: &Json) -> Result<()> {
    let value = shape::value(headers, "headers")?;
    let fields = shape::Fields::of("headers", &value)?;
    for (name, value) in fields.iter() {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(
                Error::invalid("headers", format!("{name:?} is not a header name")).with("path", name)
            );
        }
        let Some(text) = value.as_str() else {
            let message = format!("the value of {name} must be a string, not {}", shape::kind(value));
            return Err(Error::invalid("headers", message).with("path", name));
        };
        // A tab is the one control character that RFC 9110 (5.5) allows in a value.
        if Text::from_stored(text).decode().chars().any(|c| c.is_control() && c != '\t') {
            return Err(Error::invalid("headers", format!("the value of {name} has control characters"))
                .with("path", name));
        }
    }
    Ok(())
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// What a signature starts with: the name of the algorithm.
const SIGNATURE_MARK: &str = "sha256=";

/// The signature of a delivery's body: `sha256=` and the HMAC-SHA256 keyed by `secret`, in lower-case hex.
#[must_use]
pub fn sign(secret: &[u8], body: &[u8]) -> String {
    let tag = mac::hmac_sha256(secret).chain_update(body).finalize().into_bytes();
    format!("{SIGNATURE_MARK}{}", mac::to_hex(&tag))
}

/// Whether `signature` is the one that [`sign`] gives, compared in constant time. Hex in either case is
/// accepted.
#[must_use]
pub fn verify(secret: &[u8], body: &[u8], signature: &str) -> bool {
    signature
        .strip_prefix(SIGNATURE_MARK)
        .and_then(mac::from_hex)
        .is_some_and(|tag| mac::hmac_sha256(secret).chain_update(body).verify_slice(&tag).is_ok())
}

/// The most retries that a webhook may ask for.
pub const MAX_RETRIES: u32 = 20;

/// How deliveries are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a failed delivery is tried again; 0: never. Default 3.
    pub retry_count: u32,
    /// The longest wait before the first retry; it doubles with each. Default 5 seconds, in which a receiver
    /// that is only being restarted is back.
    pub base: Duration,
    /// The longest wait of all. Default 1 hour, which a receiver that is down for the night does not feel.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy { retry_count: 3, base: Duration::from_secs(5), cap: Duration::from_secs(3600) }
    }
}

/// How long to wait after attempt number `attempt` has failed (1: the first); `None`: there are no retries
/// left.
///
/// Exponential back-off with full jitter: `random` (a fresh random number from 0 to 1; anything else is
/// brought into that range) times `base` doubled with each attempt, at most `cap`, cut to milliseconds. Full
/// jitter spreads the retries of many deliveries that failed together over the whole wait, which is the least
/// work for both sides (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015).
#[must_use]
pub fn next_attempt(attempt: u32, policy: &RetryPolicy, random: f64) -> Option<Duration> {
    if attempt > policy.retry_count {
        return None;
    }
    let doubled =
        1_u32.checked_shl(attempt.saturating_sub(1)).and_then(|factor| policy.base.checked_mul(factor));
    let longest = doubled.unwrap_or(Duration::MAX).min(policy.cap);
    let random = if random.is_nan() { 0.0 } else { random.clamp(0.0, 1.0) };
    Some(Duration::from_millis((longest.as_millis() as f64 * random) as u64))
}
