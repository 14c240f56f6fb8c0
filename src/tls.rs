//! TLS for the service: certificate and key, an optional authority for clients, all read again on SIGHUP.
//!
//! Versions 1.2 and 1.3 with rustls' own suites; there is nothing to configure wrongly.

use std::{
    io,
    net::TcpStream,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName, RootCertStore,
    ServerConfig, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::{
        ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};

use crate::{live::Live, settings::Settings};

/// What is wrong with the files of TLS.
#[derive(Debug, thiserror::Error)]
#[error("SHOWRUNNER_{setting}: {}: {reason}", .path.display())]
pub struct TlsError {
    setting: &'static str,
    path: PathBuf,
    reason: String,
}

/// The files that the settings name.
#[derive(Clone, Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

impl Files {
    fn of(settings: &Settings) -> Option<Self> {
        Some(Self {
            certificate: settings.tls_cert_file.clone()?,
            key: settings.tls_key_file.clone()?,
            client_ca: settings.tls_client_ca_file.clone(),
        })
    }
}

/// What connections are made with; read again on demand.
#[derive(Clone, Debug)]
pub struct Tls {
    identity: Live<CertifiedKey>,
    clients: Option<Live<Arc<dyn ClientCertVerifier>>>,
}

impl Tls {
    /// Reads the settings' files; `None` if they name none.
    ///
    /// # Errors
    /// The file, and what is wrong with it; nothing of what is in it.
    pub fn load(settings: &Settings) -> Result<Option<Self>, TlsError> {
        let Some(files) = Files::of(settings) else { return Ok(None) };
        let clients = files.client_ca.as_deref().map(clients_of).transpose()?.map(Live::new);
        Ok(Some(Self { identity: Live::new(identity(&files)?), clients }))
    }

    /// Takes over what another has read. Whether clients need a certificate stays as it was at the start.
    pub fn take_over(&self, read: &Self) {
        self.identity.replace(CertifiedKey::clone(&read.identity.now()));
        if let (Some(own), Some(read)) = (&self.clients, &read.clients) {
            own.replace(Arc::clone(&read.now()));
        }
    }

    /// The configuration of a listener; it follows [`take_over`](Self::take_over).
    ///
    /// # Errors
    /// Never for the suites that are built in.
    pub fn server(&self) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?;
        let builder = match &self.clients {
            Some(clients) => {
                builder.with_client_cert_verifier(Arc::new(LiveClients(clients.clone())))
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(LiveIdentity(self.identity.clone())));
        if self.clients.is_some() {
            // A session that is taken up again shows no certificate, and its authority may not be trusted any more.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(config)
    }
}

/// What an error says where a service wants to see a client's certificate.
pub const WANTS_CERTIFICATE: &str = "CertificateRequired";

/// A connection to the service on this machine, whatever certificate it shows: its files may be newer than what it has read.
///
/// # Errors
/// There is no connection.
pub fn connect_to_self(stream: TcpStream) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Settings that name a file.
const CERTIFICATE: &str = "TLS_CERT_FILE";
const KEY: &str = "TLS_KEY_FILE";
const CLIENT_CA: &str = "TLS_CLIENT_CA_FILE";

fn certificates(
    setting: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fault = |reason: String| TlsError { setting, path: path.to_owned(), reason };
    let read = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(error.to_string()))?;
    if read.is_empty() {
        return Err(fault("it has no certificate in PEM form".to_owned()));
    }
    Ok(read)
}

fn identity(files: &Files) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(CERTIFICATE, &files.certificate)?;
    let fault = |reason: String| TlsError { setting: KEY, path: files.key.clone(), reason };
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| fault(error.to_string()))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| fault(error.to_string()))
}

fn clients_of(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let fault = |reason: String| TlsError { setting: CLIENT_CA, path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CLIENT_CA, path)? {
        roots.add(certificate).map_err(|error| fault(error.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| fault(error.to_string()))
}

#[derive(Debug)]
struct LiveIdentity(Live<CertifiedKey>);

impl ResolvesServerCert for LiveIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.now())
    }
}

#[derive(Debug)]
struct LiveClients(Live<Arc<dyn ClientCertVerifier>>);

impl ClientCertVerifier for LiveClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // They may change; clients with one certificate need no hint.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.0.now().verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.now().verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.now().verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.now().supported_verify_schemes()
    }
}

/// Takes any certificate.
#[derive(Debug)]
struct Any;

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
