//! IP addresses and networks, read strictly, and the address of a client behind proxies.
//!
//! One address has one form here: `::ffff:a.b.c.d`, which is how a dual-stack socket reports an IPv4 client,
//! *is* the IPv4 address. Every function takes either form. So `::/0` holds every IPv6 address and no IPv4
//! one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::{Error, Kind, Result};
use crate::record::{Described, FromValue, IntoValue, Type, Value};

/// Bits in front of the IPv4 address in `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// Reads an address: four decimal numbers without leading zeros, or IPv6 as in RFC 4291. White space, a port,
/// a zone (`fe80::1%eth0`) and a prefix length are errors.
///
/// # Errors
/// `InvalidArgument` for anything else.
pub fn parse_address(s: &str) -> Result<IpAddr> {
    let address: IpAddr =
        s.parse().map_err(|_| bad(s, "an IP address such as 203.0.113.50 or 2001:db8::1"))?;
    Ok(address.to_canonical())
}

fn bad(s: &str, expected: &str) -> Error {
    // The longest address or network has 49 characters; more of a wrong one helps nobody.
    let shown: String = s.chars().take(60).collect();
    Error::new(Kind::InvalidArgument, format!("not {expected}: {shown:?}"))
}

/// An address range in CIDR notation. The bits behind the prefix are masked off.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// Reads `address/prefix`, or an address alone, which is the network of that one address. The prefix is a
    /// decimal number without sign and leading zeros. `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else, for instance `10.0.0.0/`, `/0x10`, `010.0.0.1` and `/33`.
    pub fn parse(s: &str) -> Result<Self> {
        Self::read(s).ok_or_else(|| bad(s, "a network such as 10.0.0.0/8 or 2001:db8::/32"))
    }

    fn read(s: &str) -> Option<Self> {
        let (address, prefix) = match s.split_once('/') {
            Some((address, prefix)) => (address, Some(read_prefix(prefix)?)),
            None => (s, None),
        };
        let net = match address.parse().ok()? {
            IpAddr::V4(v4) => IpNet::V4(Ipv4Net::new(v4, prefix.unwrap_or(32)).ok()?),
            IpAddr::V6(v6) => {
                let net = Ipv6Net::new(v6, prefix.unwrap_or(128)).ok()?;
                match (v6.to_ipv4_mapped(), net.prefix_len().checked_sub(MAPPED_BITS)) {
                    (Some(v4), Some(prefix)) => IpNet::V4(Ipv4Net::new(v4, prefix).ok()?),
                    _ => IpNet::V6(net),
                }
            }
        };
        Some(Network(net.trunc()))
    }

    /// Whether `address` lies in this network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.0, address.to_canonical()) {
            (IpNet::V4(net), IpAddr::V4(a)) => net.contains(&a),
            (IpNet::V6(net), IpAddr::V6(a)) => net.contains(&a),
            _ => false,
        }
    }

    /// The first address of the network.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.0.addr()
    }

    /// How many leading bits every address of the network shares.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.0.prefix_len()
    }
}

fn read_prefix(s: &str) -> Option<u8> {
    let plain = s.bytes().all(|b| b.is_ascii_digit()) && (s == "0" || !s.starts_with('0'));
    if plain { s.parse().ok() } else { None }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Network(address.to_canonical().into())
    }
}

impl FromStr for Network {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        Network::parse(s)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The address of the client behind trusted proxies.
///
/// `peer` is the other end of the connection, `x_forwarded_for` the header (several are joined with commas,
/// as HTTP says). Every proxy appends the address it was called from, so the header is read from the right,
/// and only past hops that lie in `trusted`: what an untrusted hop claims is worth nothing. A hop that is no
/// address ends the walk, and the last good address counts. A hop may carry a port (`1.2.3.4:5678`,
/// `[2001:db8::1]:80`) or brackets. When every hop is trusted, the leftmost is the client.
#[must_use]
pub fn client_ip(peer: IpAddr, x_forwarded_for: Option<&str>, trusted: &[Network]) -> IpAddr {
    let mut client = peer.to_canonical();
    for hop in x_forwarded_for.unwrap_or_default().rsplit(',') {
        if !trusted.iter().any(|net| net.contains(client)) {
            break;
        }
        match read_hop(hop.trim_matches([' ', '\t'])) {
            Some(address) => client = address.to_canonical(),
            None => break,
        }
    }
    client
}

fn read_hop(hop: &str) -> Option<IpAddr> {
    if let Some(bracketed) = hop.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        if !rest.is_empty() {
            read_port(rest.strip_prefix(':')?)?;
        }
        return Some(address.parse::<Ipv6Addr>().ok()?.into());
    }
    hop.parse().ok().or_else(|| {
        let (address, port) = hop.split_once(':')?;
        read_port(port)?;
        Some(address.parse::<Ipv4Addr>().ok()?.into())
    })
}

fn read_port(port: &str) -> Option<u16> {
    port.bytes().all(|b| b.is_ascii_digit()).then(|| port.parse().ok())?
}

/// Special-purpose IPv4 networks and what they are for (IANA registry of RFC 6890, and cloud metadata
/// services).
const SPECIAL_V4: &[(Ipv4Addr, u8, &str)] = &[
    (Ipv4Addr::new(169, 254, 169, 254), 32, "metadata"), // AWS, Google, Azure and most others
    (Ipv4Addr::new(100, 100, 100, 200), 32, "metadata"), // Alibaba Cloud
    (Ipv4Addr::new(168, 63, 129, 16), 32, "metadata"),   // Azure's host agent, a public address
    (Ipv4Addr::new(0, 0, 0, 0), 8, "unspecified"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared"), // carrier-grade NAT, RFC 6598
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved"), // IETF protocol assignments
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "reserved"), // benchmarks, RFC 2544
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"), // includes the broadcast address
];

/// The same for IPv6.
const SPECIAL_V6: &[(Ipv6Addr, u8, &str)] = &[
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128, "metadata"), // AWS
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "private"), // local NAT64, RFC 8215
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "private"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "private"), // site-local, deprecated by RFC 3879
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

/// What makes an address unfit for a request to a stranger's server: `loopback`, `private`, `shared`,
/// `link-local`, `metadata`, `unspecified`, `multicast` or `reserved`; `None` for a public address. An IPv6
/// address that carries an IPv4 one (mapped, compatible, NAT64, 6to4) is judged by that.
#[must_use]
pub fn special_use(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6).or_else(|| embedded_v4(v6).and_then(special_v4)),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = u32::from(address);
    let inside = |net: Ipv4Addr, prefix: u8| (bits ^ u32::from(net)) >> (32 - u32::from(prefix)) == 0;
    SPECIAL_V4.iter().find(|(net, prefix, _)| inside(*net, *prefix)).map(|(.., name)| *name)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = u128::from(address);
    let inside = |net: Ipv6Addr, prefix: u8| (bits ^ u128::from(net)) >> (128 - u32::from(prefix)) == 0;
    SPECIAL_V6.iter().find(|(net, prefix, _)| inside(*net, *prefix)).map(|(.., name)| *name)
}

fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let from_pair = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => from_pair(high, low),
        [0x2002, high, low, ..] => from_pair(high, low),
        _ => None,
    }
}

impl Described for IpAddr {
    const TYPE: Type = Type::Text;
}

impl IntoValue for IpAddr {
    fn into_value(self) -> Value {
        Value::Text(self.to_string().into())
    }
}

impl FromValue for IpAddr {
    fn given(value: Value, field: &'static str) -> Result<Self> {
        parse_address(&String::given(value, field)?).map_err(|e| e.with("column", field))
    }
}
