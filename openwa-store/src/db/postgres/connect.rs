//! Making connections: address, encryption, time-outs, and what to tell when it fails.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{CancelToken, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::{NO_DATABASE, REFUSED, failure};
use super::line::Line;
use super::socket::{Bytes, Socket};
use crate::config::{Postgres as Options, Tls};
use crate::error::{Error, Kind, Result};

type Encryption = <MakeRustlsConnect as MakeTlsConnect<Bytes>>::TlsConnect;

/// Makes connections to one server.
pub(crate) struct Connector {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
    options: Options,
    shown: String,
}

impl Connector {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let mut config = tokio_postgres::Config::new();
        config.user(&options.user).dbname(&options.database).application_name("openwa-store").ssl_mode(
            match options.tls {
                Tls::Disable => SslMode::Disable,
                Tls::Prefer => SslMode::Prefer,
                Tls::Require | Tls::VerifyCa | Tls::VerifyFull => SslMode::Require,
            },
        );
        if let Some(password) = &options.password {
            config.password(password);
        }
        // A socket in the file system is not encrypted.
        let local = options.host.starts_with('/');
        let tls = match options.tls {
            Tls::Disable => None,
            _ if local => {
                config.ssl_mode(SslMode::Disable);
                None
            }
            tls => Some(MakeRustlsConnect::new(client_config(tls, options)?)),
        };
        Ok(Connector { config, tls, options: options.clone(), shown: format!("{options:?}") })
    }

    /// The address for messages, without the password.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Opens a connection. Names of hosts are looked up in a call that knows no deadline: a thread of its own does it.
    pub(crate) fn connect(self: &Arc<Self>, deadline: Instant) -> Result<Line> {
        let deadline = deadline.min(Instant::now() + self.options.timeout);
        let (tell, told) = sync_channel(1);
        let connector = Arc::clone(self);
        std::thread::Builder::new().name("openwa-connect".to_owned()).spawn(move || {
            // Nobody hears it: it came too late, and the connection is closed again.
            let _ = tell.send(connector.open(deadline));
        })?;
        told.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .unwrap_or_else(|_| Err(self.late()))
    }

    fn open(&self, deadline: Instant) -> Result<Line> {
        let socket = self.socket(deadline).map_err(|e| self.unreachable(&e.to_string()).caused_by(e))?;
        let opened = match &self.tls {
            None => Line::open(&self.config, socket, NoTls, deadline),
            Some(tls) => Line::open(&self.config, socket, self.encryption(tls), deadline),
        };
        opened.ok_or_else(|| self.late())?.map_err(|e| self.explain(e))
    }

    fn socket(&self, deadline: Instant) -> std::io::Result<Arc<Socket>> {
        Socket::connect(&self.options.host, self.options.port, deadline)
    }

    fn encryption(&self, tls: &MakeRustlsConnect) -> Encryption {
        // What is wrong with the name shows when it is used.
        MakeTlsConnect::<Bytes>::make_tls_connect(&mut tls.clone(), &self.options.host)
            .unwrap_or_else(|e| match e {})
    }

    /// Asks the server to stop what a connection is doing, on a thread of its own.
    pub(super) fn cancel(self: &Arc<Self>, token: CancelToken) {
        let connector = Arc::clone(self);
        // If this fails, the server's own limits end the query; the connection is given up in any case.
        let _ = std::thread::Builder::new().name("openwa-cancel".to_owned()).spawn(move || {
            let deadline = Instant::now() + connector.options.timeout;
            let Ok(socket) = connector.socket(deadline) else { return };
            let bytes = socket.bytes();
            let _ = match &connector.tls {
                None => socket.run(token.cancel_query_raw(bytes, NoTls), Some(deadline)),
                Some(tls) => {
                    socket.run(token.cancel_query_raw(bytes, connector.encryption(tls)), Some(deadline))
                }
            };
        });
    }

    fn late(&self) -> Error {
        Error::new(Kind::Unavailable, "the PostgreSQL server does not answer in time")
            .with("server", &self.shown)
    }

    fn unreachable(&self, why: &str) -> Error {
        let text = format!("the PostgreSQL server does not answer: {why}; check host, port and that it runs");
        Error::new(Kind::Unavailable, text).with("server", &self.shown)
    }

    fn explain(&self, e: tokio_postgres::Error) -> Error {
        let at = |e: Error| e.with("server", &self.shown);
        if let Some(answer) = e.as_db_error() {
            // PgBouncer has one code for whatever it says itself, and its words are in one language.
            let pooler = *answer.code() == SqlState::PROTOCOL_VIOLATION;
            let (kind, text) = match answer.message() {
                said if pooler
                    && (said.contains("authentication failed") || said.contains("no such user")) =>
                {
                    (Kind::PermissionDenied, REFUSED)
                }
                said if pooler && said.contains("no such database") => (Kind::NotFound, NO_DATABASE),
                _ => return at(failure(e)),
            };
            return at(Error::new(kind, text).with("postgres", answer.message().to_owned()).caused_by(e));
        }
        let source = std::error::Error::source(&e).map(ToString::to_string).unwrap_or_default();
        let text = if source.contains("certificate") || e.to_string().contains("TLS") {
            let text = format!("no encrypted connection: {e} {source}; check sslmode and the certificates");
            return at(Error::new(Kind::PermissionDenied, text).caused_by(e));
        } else if source.contains("password") {
            "the server wants a password and none is given; set DATABASE_PASSWORD"
        } else {
            return self.unreachable(&e.to_string()).caused_by(e);
        };
        at(Error::new(Kind::PermissionDenied, text).caused_by(e))
    }
}

fn client_config(tls: Tls, options: &Options) -> Result<ClientConfig> {
    let wrong = |e: &dyn std::fmt::Display| Error::new(Kind::Internal, format!("TLS: {e}"));
    // Named here, so that another library's choice in the same process does not matter.
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(&e))?;
    if matches!(tls, Tls::Prefer | Tls::Require) {
        let verifier = Arc::new(Lenient { provider, chain: None });
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let roots = Arc::new(roots(options)?);
    let chain = rustls::client::WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .build()
        .map_err(|e| wrong(&e))?;
    if tls == Tls::VerifyFull {
        return Ok(builder.with_webpki_verifier(chain).with_no_client_auth());
    }
    let verifier = Arc::new(Lenient { provider, chain: Some(chain) });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn roots(options: &Options) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let found = match &options.tls_roots {
        Some(path) => {
            let bad = |e: &dyn std::fmt::Display| {
                Error::new(
                    Kind::InvalidArgument,
                    format!("the file of trusted authorities cannot be read: {e}"),
                )
                .with("path", path.display())
            };
            let certificates = CertificateDer::pem_file_iter(path).map_err(|e| bad(&e))?;
            certificates.collect::<std::result::Result<Vec<_>, _>>().map_err(|e| bad(&e))?
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(found);
    if roots.is_empty() {
        let text = "no trusted authority was found; name a PEM file of them (sslrootcert)";
        return Err(Error::new(Kind::InvalidArgument, text));
    }
    Ok(roots)
}

/// What `sslmode` promises below `verify-full`: encryption, and with `verify-ca` that somebody trusted vouches for the
/// server, whatever its name. The handshake's signatures are checked in any case.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    /// Checks the certificate's origin; `None`: nobody does.
    chain: Option<Arc<rustls::client::WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
