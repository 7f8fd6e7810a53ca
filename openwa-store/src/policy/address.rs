//! WhatsApp addresses: `user@server`, and the one form in which the library keeps them.
//!
//! A person has a phone address (`…@s.whatsapp.net`) and may have a LID (`…@lid`). That both belong to one
//! person is something only the store's `identities` know; this module looks at one address at a time.

use std::borrow::Cow;

/// Stands for the session's own account where an event does not say which of its addresses it means. The store
/// writes the account's address in its place once it knows it.
pub const ME: &str = "me";

/// The address that status posts come from.
pub const STATUS_BROADCAST: &str = "status@broadcast";

const PHONE: &str = "s.whatsapp.net";
const LID: &str = "lid";
/// Telephone numbers have at most 15 digits (E.164); longer runs of digits are ids of something else.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 5..=15;

/// The form in which an address is kept: without device (`:n`) and agent (`_n`), with `s.whatsapp.net` for
/// `c.us` and `hosted`, and with `lid` for `hosted.lid`.
///
/// A bare telephone number (`+` and 5 to 15 digits, the `+` may be left out) is taken for a phone address;
/// LIDs must always name their server. Anything else, groups and channels among them, stays as it is.
#[must_use]
pub fn normalize(address: &str) -> Cow<'_, str> {
    let Some((user, server)) = address.split_once('@') else {
        return match bare_number(address) {
            Some(digits) => Cow::Owned(format!("{digits}@{PHONE}")),
            None => Cow::Borrowed(address),
        };
    };
    let kept_server = match server {
        "c.us" | "hosted" | PHONE => PHONE,
        "hosted.lid" | LID => LID,
        _ => return Cow::Borrowed(address),
    };
    let kept_user = user.split([':', '_']).next().unwrap_or(user);
    if kept_user.len() == user.len() && kept_server.len() == server.len() {
        return Cow::Borrowed(address);
    }
    Cow::Owned(format!("{kept_user}@{kept_server}"))
}

fn bare_number(s: &str) -> Option<&str> {
    let digits = s.strip_prefix('+').unwrap_or(s);
    (PHONE_DIGITS.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

fn server(address: &str) -> &str {
    address.split_once('@').map_or("", |(_, server)| server)
}

/// Whether the address is a group's.
#[must_use]
pub fn is_group(address: &str) -> bool {
    server(address) == "g.us"
}

/// Whether the address is a channel's.
#[must_use]
pub fn is_newsletter(address: &str) -> bool {
    server(address) == "newsletter"
}

/// Whether the address is a person's LID, in any form.
#[must_use]
pub fn is_lid(address: &str) -> bool {
    server(&normalize(address)) == LID
}

/// Whether the address is a person's phone address, in any form.
#[must_use]
pub fn is_phone(address: &str) -> bool {
    server(&normalize(address)) == PHONE
}

/// Whether the address is a person's, phone or LID, in any form.
#[must_use]
pub fn is_person(address: &str) -> bool {
    matches!(server(&normalize(address)), PHONE | LID)
}

/// The telephone number of a phone address, digits only. `None` for everything else, LIDs above all: their
/// digits look like a number and are none.
#[must_use]
pub fn phone_digits(address: &str) -> Option<String> {
    let address = normalize(address);
    let (user, server) = address.split_once('@')?;
    (server == PHONE && !user.is_empty() && user.bytes().all(|b| b.is_ascii_digit())).then(|| user.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_every_spelling() {
        for (given, kept) in [
            ("12025550100@s.whatsapp.net", "12025550100@s.whatsapp.net"),
            ("12025550100@c.us", "12025550100@s.whatsapp.net"),
            ("12025550100@hosted", "12025550100@s.whatsapp.net"),
            ("12025550100:7@s.whatsapp.net", "12025550100@s.whatsapp.net"),
            ("12025550100_1:7@c.us", "12025550100@s.whatsapp.net"),
            ("12025550100_1@s.whatsapp.net", "12025550100@s.whatsapp.net"),
            ("20000000000100:7@lid", "20000000000100@lid"),
            ("20000000000100:99@hosted.lid", "20000000000100@lid"),
            ("12025550100", "12025550100@s.whatsapp.net"),
            ("+12025550100", "12025550100@s.whatsapp.net"),
            ("120363400000000000", "120363400000000000"),
            ("120363400000000000@g.us", "120363400000000000@g.us"),
            ("12025550100-1500000000@g.us", "12025550100-1500000000@g.us"),
            ("120363500000000000@newsletter", "120363500000000000@newsletter"),
            (STATUS_BROADCAST, STATUS_BROADCAST),
            ("a_b:c@else.where", "a_b:c@else.where"),
            (ME, ME),
            ("", ""),
            ("@", "@"),
            ("@lid", "@lid"),
        ] {
            assert_eq!(normalize(given), kept, "{given}");
            assert_eq!(normalize(kept), kept, "{kept} again");
        }
    }

    #[test]
    fn kinds_of_address() {
        assert!(is_group("120363400000000000@g.us") && !is_person("120363400000000000@g.us"));
        assert!(is_newsletter("120363500000000000@newsletter"));
        assert!(is_lid("1:2@hosted.lid") && is_person("1:2@hosted.lid") && !is_phone("1@lid"));
        assert!(is_phone("12025550100:3@c.us") && is_person("12025550100"));
        assert!(!is_person(ME) && !is_person(STATUS_BROADCAST));
    }

    #[test]
    fn the_digits_of_a_lid_are_no_number() {
        assert_eq!(phone_digits("12025550100:7@c.us").as_deref(), Some("12025550100"));
        assert_eq!(phone_digits("+12025550100").as_deref(), Some("12025550100"));
        for none in ["20000000000100@lid", "120363400000000000@g.us", "x@c.us", "@c.us", ME] {
            assert_eq!(phone_digits(none), None, "{none}");
        }
    }
}
