//! Laws that hold for every value: of times, networks and texts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use openwa_store::policy::ip::{self, Network};
use openwa_store::{Json, Text, Timestamp, json};
use proptest::prelude::*;

fn timestamps() -> impl Strategy<Value = Timestamp> {
    let any = Timestamp::MIN.millis()..=Timestamp::MAX.millis();
    // Close neighbours as well: their order shows in the last digits only.
    prop_oneof![any, -2000_i64..2000].prop_map(|ms| Timestamp::from_millis(ms).expect("in the calendar"))
}

/// UTF-16 as JavaScript may have it, rich in what needs the escape: NUL, U+241B, surrogates, hex digits
/// behind them.
fn utf16() -> impl Strategy<Value = Vec<u16>> {
    let strange = prop::sample::select(vec![0, 0x241B, 0xD800, 0xD83D, 0xDBFF, 0xDC00, 0xDE00, 0xDFFF]);
    let hex = prop::sample::select("0123456789ABCDEFabcdef\\u\"{".encode_utf16().collect::<Vec<_>>());
    prop::collection::vec(prop_oneof![any::<u16>(), strange, hex], 0..40)
}

/// JSON as JavaScript's `JSON.stringify` writes a string: lone surrogates and control characters escaped.
fn json_string(units: &[u16]) -> String {
    let mut out = String::from("\"");
    for item in char::decode_utf16(units.iter().copied()) {
        match item {
            Ok(c @ ('"' | '\\')) => out.extend(['\\', c]),
            Ok(c) if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            Ok(c) => out.push(c),
            Err(lone) => out.push_str(&format!("\\u{:04x}", lone.unpaired_surrogate())),
        }
    }
    out.push('"');
    out
}

/// The first `prefix` of `width` bits.
fn masked(bits: u128, prefix: u8, width: u8) -> u128 {
    bits.checked_shr(u32::from(width - prefix)).unwrap_or(0)
}

proptest! {
    #[test]
    fn a_time_survives_its_text(t in timestamps()) {
        prop_assert_eq!(Timestamp::parse(t.iso().as_str()).expect("iso"), t);
        prop_assert_eq!(Timestamp::parse(t.datetime().as_str()).expect("datetime"), t);
        prop_assert_eq!((t.iso().as_str().len(), t.datetime().as_str().len()), (24, 23));
    }

    #[test]
    fn the_order_of_texts_is_the_order_of_times(a in timestamps(), b in timestamps()) {
        prop_assert_eq!(a.iso().as_str().cmp(b.iso().as_str()), a.cmp(&b));
        prop_assert_eq!(a.datetime().as_str().cmp(b.datetime().as_str()), a.cmp(&b));
    }

    #[test]
    fn an_offset_moves_a_time_by_itself(t in timestamps(), minutes in -1439_i64..=1439) {
        let text = t.iso().as_str().replace('Z', "");
        let sign = if minutes < 0 { '-' } else { '+' };
        let offset = format!("{text}{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
        let moved = Timestamp::from_millis(t.millis() - minutes * 60_000);
        prop_assert_eq!(Timestamp::parse(&offset).ok(), moved);
    }

    #[test]
    fn no_text_makes_the_time_codec_panic(s in "\\PC{0,40}", t in "[-0-9T :.Z+]{0,30}") {
        for text in [s, t] {
            if let Ok(time) = Timestamp::parse(&text) {
                prop_assert_eq!(Timestamp::parse(time.iso().as_str()).expect("iso"), time);
            }
        }
    }

    #[test]
    fn an_ipv4_network_contains_what_shares_its_prefix(
        net in any::<u32>(), prefix in 0_u8..=32, flip in 0_u32..32, other in any::<u32>(),
    ) {
        let network = Network::parse(&format!("{}/{prefix}", Ipv4Addr::from(net))).expect("a network");
        // A random address is rarely near the edge; one that differs in a single bit is.
        for address in [other, net, net ^ (1 << flip)] {
            let same = masked(net.into(), prefix, 32) == masked(address.into(), prefix, 32);
            let v4 = Ipv4Addr::from(address);
            prop_assert_eq!(network.contains(v4.into()), same);
            prop_assert_eq!(network.contains(v4.to_ipv6_mapped().into()), same);
        }
    }

    #[test]
    fn an_ipv6_network_contains_what_shares_its_prefix(
        net in any::<u128>(), prefix in 0_u8..=128, flip in 0_u32..128, other in any::<u128>(),
    ) {
        let unmapped = |bits: u128| Ipv6Addr::from(bits).to_ipv4_mapped().is_none();
        let network = Network::parse(&format!("{}/{prefix}", Ipv6Addr::from(net))).expect("a network");
        for address in [other, net, net ^ (1 << flip)].into_iter().filter(|a| unmapped(*a)) {
            let same = masked(net, prefix, 128) == masked(address, prefix, 128);
            prop_assert_eq!(network.contains(Ipv6Addr::from(address).into()), same);
        }
    }

    #[test]
    fn a_network_survives_its_text(net in any::<IpAddr>(), prefix in 0_u8..=32) {
        let network = Network::parse(&format!("{net}/{prefix}")).expect("a network");
        prop_assert_eq!(Network::parse(&network.to_string()).expect("a network"), network);
        prop_assert_eq!((network.prefix(), network.contains(network.address())), (prefix, true));
    }

    #[test]
    fn a_forged_header_never_moves_an_untrusted_peer(header in "[0-9a-f.:, \\[\\]]{0,60}", peer in any::<IpAddr>()) {
        prop_assert_eq!(ip::client_ip(peer, Some(&header), &[]), peer.to_canonical());
    }

    #[test]
    fn any_utf16_survives_text_and_json(units in utf16()) {
        let text = Text::from_utf16(&units);
        prop_assert!(!text.as_stored().contains('\0'));
        prop_assert_eq!(text.to_utf16(), units.clone());
        prop_assert_eq!(Text::from_stored(text.as_stored()), text.clone());
        prop_assert_eq!(text.decode(), String::from_utf16_lossy(&units));

        let written = json_string(&units);
        let document = Json::parse(&written).expect("JSON");
        prop_assert!(!document.as_stored().contains('\0'));
        let value = json::parse(&written).expect("JSON");
        prop_assert_eq!(value.as_str(), Some(text.as_stored()), "the text in JSON and the text alone are stored alike");
        prop_assert_eq!(document.value().expect("JSON"), value);
        prop_assert_eq!(document.to_json(), written);
    }

    #[test]
    fn any_rust_string_survives_text(s in any::<String>()) {
        let text = Text::from(s.as_str());
        prop_assert_eq!(text.decode(), s.as_str());
        prop_assert_eq!(text.chars(), s.chars().count());
        prop_assert_eq!(Text::from_utf16(&s.encode_utf16().collect::<Vec<_>>()), text);
    }
}
