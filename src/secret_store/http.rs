//! Questions to a Vault over HTTP, each within a time, with TLS by rustls where the address says so.
//!
//! No proxy, no redirection, no connection that is kept: a token goes to the address that the operator wrote.

use std::{
    io,
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use ureq::{
    Agent, Body, Error, RequestExt as _,
    http::{Request, Response, Uri},
    tls::{Certificate, RootCerts, TlsConfig},
};
use zeroize::Zeroizing;

use crate::{credential::Unavailable, secret::Secret};

/// More than any secret has.
const MOST_BYTES: u64 = 1024 * 1024;

/// How one Vault is talked to.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    address: String,
    namespace: Option<String>,
}

/// What came back.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Client {
    /// For `http://` or `https://` with a host; the latter needs a file with the authorities of its certificate.
    ///
    /// # Errors
    /// Says what is wrong with the address, the file or the namespace.
    pub fn new(
        address: &str,
        ca_file: Option<&Path>,
        namespace: Option<String>,
    ) -> Result<Self, String> {
        let address = address.trim_end_matches('/');
        let wrong = || "`address` is none such as https://vault.example:8200".to_owned();
        let uri: Uri = address.parse().map_err(|_error| wrong())?;
        let is_plain = uri.path() == "/" && uri.query().is_none();
        // A name before `@` would be a user's.
        let host = uri.authority().filter(|whole| is_plain && !whole.as_str().contains('@'));
        let certificates = match (uri.scheme_str(), ca_file) {
            _ if host.is_none_or(|host| host.host().is_empty()) => return Err(wrong()),
            (Some("http"), None) => Vec::new(),
            (Some("http"), Some(_)) => return Err("`ca_file` is for https".to_owned()),
            (Some("https"), Some(path)) => authorities(path)?,
            (Some("https"), None) => {
                return Err("give `ca_file`: the authorities of its certificate".to_owned());
            }
            _ => return Err(wrong()),
        };
        if namespace.as_ref().is_some_and(|name| !name.bytes().all(|b| b.is_ascii_graphic())) {
            return Err("`namespace` is none".to_owned());
        }
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(certificates)))
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .proxy(None)
            .user_agent(concat!("showrunner/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { agent, address: address.to_owned(), namespace })
    }

    /// True if what is said can be read on the way.
    #[must_use]
    pub fn is_readable_on_the_way(&self) -> bool {
        let uri = self.address.parse::<Uri>().unwrap_or_default();
        let host = uri.host().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_own =
            host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback());
        uri.scheme_str() == Some("http") && !is_own
    }

    pub(super) fn get(
        &self,
        path: &str,
        token: &Secret,
        until: Instant,
    ) -> Result<Answered, Unavailable> {
        let request = self.request("GET", path).header("X-Vault-Token", token.expose());
        self.answered(request.body(()).map(|request| self.run(request, until)))
    }

    pub(super) fn post(
        &self,
        path: &str,
        body: &Secret,
        until: Instant,
    ) -> Result<Answered, Unavailable> {
        let request = self.request("POST", path).header("Content-Type", "application/json");
        self.answered(request.body(body.expose()).map(|request| self.run(request, until)))
    }

    fn request(&self, method: &str, path: &str) -> ureq::http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.address))
            .header("X-Vault-Request", "true");
        match &self.namespace {
            Some(namespace) => request.header("X-Vault-Namespace", namespace),
            None => request,
        }
    }

    fn run(
        &self,
        request: Request<impl ureq::AsSendBody>,
        until: Instant,
    ) -> Result<Response<Body>, Error> {
        // Zero would be no limit at all.
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        request.with_agent(&self.agent).configure().timeout_global(Some(left)).build().run()
    }

    fn answered(
        &self,
        result: Result<Result<Response<Body>, Error>, ureq::http::Error>,
    ) -> Result<Answered, Unavailable> {
        let read = |mut response: Response<Body>| {
            let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
            body.map(|body| Answered {
                status: response.status().as_u16(),
                body: Zeroizing::new(body),
            })
        };
        let result = result.map_err(Error::Http).and_then(|response| response.and_then(read));
        result.map_err(|error| self.fault(&error))
    }

    fn fault(&self, error: &Error) -> Unavailable {
        let is_tls = |error: &io::Error| {
            error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
        };
        let (reason, cure) = match error {
            Error::Timeout(_) => {
                ("Vault gave no answer in time", "check the network, or raise `timeout`")
            }
            Error::HostNotFound => ("Vault's name has no address", "check `address` and DNS"),
            Error::Rustls(_) | Error::Tls(_) => TLS,
            Error::Io(error) if is_tls(error) => TLS,
            Error::Io(_) | Error::ConnectionFailed => {
                ("Vault cannot be connected to", "check `address`, and that Vault runs")
            }
            Error::BodyExceedsLimit(_) | Error::Protocol(_) => {
                ("Vault gave an answer of another form", "check that `address` is a Vault's")
            }
            _ => ("Vault could not be asked", "check `address`"),
        };
        Unavailable::new(reason, format!("{}: {error}; {cure}", self.address))
    }
}

const TLS: (&str, &str) =
    ("Vault's certificate is not trusted", "check `ca_file` and the name in `address`");

fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let failed = |reason: String| format!("{}: {reason}", path.display());
    let read = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(error.to_string()))?;
    if read.is_empty() {
        return Err(failed("it has no certificate in PEM form".to_owned()));
    }
    Ok(read.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_a_token_may_go_to() {
        for (address, want) in [
            ("http://127.0.0.1:8200", "ok"),
            ("http://127.0.0.1:8200/", "ok"),
            ("https://vault.example:8200", "give `ca_file`"),
            ("vault.example:8200", "`address` is none"),
            ("", "`address` is none"),
            ("ftp://vault.example", "`address` is none"),
            ("http://", "`address` is none"),
            ("http://token@vault.example", "`address` is none"),
            ("http://vault.example/v1", "`address` is none"),
            ("http://vault.example?a=b", "`address` is none"),
        ] {
            let made = Client::new(address, None, None);
            let said = made.err().unwrap_or_else(|| "ok".to_owned());
            assert!(said.starts_with(want), "{address}: {said}");
        }
        let made = |address| Client::new(address, None, None).unwrap().is_readable_on_the_way();
        assert!(made("http://vault.example:8200") && !made("http://127.0.0.1:8200"));
        assert!(!made("http://localhost:8200") && !made("http://[::1]:8200"));
        assert!(made("http://127.vault.example:8200") && made("http://localhost.evil.example"));
        assert!(!made("http://127.9.9.9/") && !made("http://[::1]"));
        let said = Client::new("https://v", Some(Path::new("/nowhere/ca.pem")), None).err();
        assert!(said.unwrap().starts_with("/nowhere/ca.pem: "));
    }
}
