//! Who sends a request: the API key it shows, and the address behind the proxies that may be believed.
//!
//! A forwarded address is written by whoever is in front; only a trusted peer's word counts, and only that part of
//! it that our own proxies wrote, counted from the right.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use actix_web::{
    dev::ServiceRequest,
    http::header::{self, HeaderMap, HeaderName},
};
use ipnet::IpNet;

use super::{App, request_id};
use crate::{access::Admission, audit::Asker};

static API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Who sent a request.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// Address, as far as it can be known; IPv4 is never dressed as IPv6.
    pub(super) address: IpAddr,
    /// What the key it shows, or none, lets it do.
    pub(super) admission: Admission,
}

impl Client {
    /// Finds out who sent the request, once; later calls give the same.
    pub(super) fn of(request: &ServiceRequest, app: &App) -> Self {
        let current = request_id::request();
        current.client.get_or_init(|| Self::found(request, app)).clone()
    }

    /// Who sent the request that is being answered, if that was found out.
    pub(super) fn known() -> Option<Self> {
        request_id::request().client.get().cloned()
    }

    fn found(request: &ServiceRequest, app: &App) -> Self {
        let settings = &app.settings;
        let peer = request.peer_addr().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
        let proxies =
            Proxies { trusted: &settings.trusted_proxies, hops: settings.trusted_proxy_hops };
        Self {
            address: proxies.client_address(peer, request.headers()),
            admission: app.access.now().admit(shown_key(request.headers())),
        }
    }
}

impl Client {
    /// The name of the API key, if it shows one that is known.
    pub(super) fn key(&self) -> Option<&Arc<str>> {
        match &self.admission {
            Admission::Granted(grant) => grant.key.as_ref(),
            _ => None,
        }
    }

    /// Who is asking, for the audit stream.
    pub(super) fn asker(&self) -> Asker {
        Asker {
            request_id: request_id::current(),
            client_address: Some(self.address),
            client_key: self.key().cloned(),
        }
    }
}

/// The API key that a request shows: `X-API-Key`, or `Authorization: Bearer`. Never one of its path or query, which
/// are logged by everybody on the way.
fn shown_key(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get(&API_KEY) {
        return Some(key.as_bytes().trim_ascii());
    }
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

/// Who may speak for others.
struct Proxies<'a> {
    trusted: &'a [IpNet],
    hops: usize,
}

impl Proxies<'_> {
    fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusted.iter().any(|net| net.contains(&peer)) {
            return peer;
        }
        // A client may send bytes that are no text; what our own proxies write behind them still counts.
        let entries: Vec<&[u8]> = headers
            .get_all(FORWARDED_FOR)
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .collect();
        // With fewer entries than proxies the leftmost one was still written by one of ours.
        let at = entries.len().saturating_sub(self.hops);
        let entry = entries.get(at).and_then(|entry| std::str::from_utf8(entry).ok());
        entry.and_then(address).map_or(peer, |found| found.to_canonical())
    }
}

/// An address, also with a port or in brackets.
fn address(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| entry.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn client(hops: usize, peer: &str, forwarded: &[&str]) -> String {
        let mut request = TestRequest::default();
        for value in forwarded {
            request = request.append_header((FORWARDED_FOR, *value));
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let proxies = Proxies { trusted: &trusted, hops };
        let request = request.to_srv_request();
        proxies.client_address(peer.parse().unwrap(), request.headers()).to_string()
    }

    #[test]
    fn a_key_is_shown_in_a_header() {
        for (name, value, want) in [
            ("X-API-Key", "sr_1", Some("sr_1")),
            ("x-api-key", " sr_1 ", Some("sr_1")),
            ("Authorization", "Bearer sr_1", Some("sr_1")),
            ("Authorization", "bearer  sr_1", Some("sr_1")),
            ("Authorization", "Basic sr_1", None),
            ("Authorization", "Bearer", None),
            ("Cookie", "api_key=sr_1", None),
        ] {
            let request = TestRequest::default().insert_header((name, value)).to_srv_request();
            assert_eq!(shown_key(request.headers()), want.map(str::as_bytes), "{name}: {value}");
        }
    }

    #[test]
    fn only_a_trusted_proxys_own_entry_is_believed() {
        for (name, hops, peer, forwarded, want) in [
            ("no proxy", 1, "198.51.100.1", &[][..], "198.51.100.1"),
            (
                "a client who claims to be another",
                1,
                "198.51.100.1",
                &["203.0.113.9"],
                "198.51.100.1",
            ),
            ("one proxy", 1, "10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            (
                "a client's own entry before it",
                1,
                "10.0.0.1",
                &["1.1.1.1, 203.0.113.9"],
                "203.0.113.9",
            ),
            ("two headers", 1, "10.0.0.1", &["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
            ("two proxies", 2, "10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.7"], "203.0.113.9"),
            ("two proxies, one entry", 2, "10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("with a port", 1, "10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("IPv6", 1, "fd00::1", &["2001:db8::7"], "2001:db8::7"),
            ("IPv6 with a port", 1, "fd00::1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            (
                "IPv4 in IPv6's clothes",
                1,
                "::ffff:10.0.0.1",
                &["::ffff:203.0.113.9"],
                "203.0.113.9",
            ),
            ("bytes before it", 1, "10.0.0.1", &["\u{fc}, 203.0.113.9"], "203.0.113.9"),
            ("nonsense", 1, "10.0.0.1", &["unknown"], "10.0.0.1"),
            ("nothing", 1, "10.0.0.1", &[], "10.0.0.1"),
        ] {
            assert_eq!(client(hops, peer, forwarded), want, "{name}");
        }
    }
}
