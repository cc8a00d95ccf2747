//! Every way in which TLS ends before the greeting, as the program `client` tells it: the
//! sentence, the hint and the exit code.
//!
//! `client/tests/it/refusals.rs` holds those that a room's own gate or an honest mistake brings
//! about, and they are not repeated here:
//!
//! | refusal | test there |
//! |---|---|
//! | alert `certificate_revoked` | `a_revoked_certificate_is_told_so` |
//! | alert `access_denied` | `a_name_that_the_server_does_not_accept_is_told_so` |
//! | alert `unsupported_certificate` | `a_servers_certificate_is_refused_as_a_persons` |
//! | a CA beside the certificate that did not issue it | `a_certificate_beside_a_ca_that_did_not_issue_it_is_refused_before_connecting` |
//! | the own certificate expired or not valid yet | `own_dates_are_told_before_connecting` |
//! | a server's certificate of another name, without a name, of another CA, for clients, expired | `a_server_that_cannot_prove_itself_is_not_trusted` |
//! | no TLS, no answer | `a_server_that_is_no_room_is_reported_as_none` |
//! | another protocol by ALPN | `a_server_of_another_kind_is_told_so` |

use std::sync::Arc;

use pki::Bundle;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    AlertDescription as Alert, CertificateError, DigitallySignedStruct, DistinguishedName,
    OtherError, ServerConfig, SignatureScheme,
};
use tests::{Running, program, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::mint::*;

const ASK: &str = "ask whoever runs the room for a new certificate";

#[tokio::test]
async fn a_client_tells_what_a_server_says_of_its_certificate() {
    let m = Mint::new();
    let own = Bundle::read(&m.site.path(&m.site.bundle("alice"))).expect("a bundle");
    let own = own.certificate();
    let other = CertificateError::Other(OtherError(Arc::new(std::fmt::Error)));
    let unknown = "tell whoever runs the room: \
        the revocation list or the CA certificate may be out of date";
    let ours = m.site.ca().register().says().fingerprint.short();
    let unverified = format!(
        "ROOM could not verify the certificate of alice: it is damaged, or from another CA with the name \"Networks 101\"; the CA in your file has SHA-256 {ours}"
    );
    for (judged, exit, sentence, hint) in [
        (
            CertificateError::BadEncoding,
            61,
            "ROOM cannot read the certificate of alice",
            ASK,
        ),
        (
            other,
            61,
            "ROOM cannot check certificates now; yours may be good",
            unknown,
        ),
        (CertificateError::BadSignature, 62, &unverified, ASK),
        (
            CertificateError::InvalidOcspResponse,
            1,
            "ROOM ended the TLS handshake: the server cannot check whether the client's certificate is still good (alert bad_certificate_status_response)",
            "the server's log may say why",
        ),
    ] {
        let judge = Judge::refusing(judged);
        let told = m.client_of(&m.tls(&m.server(), judge)).await;
        assert_eq!(told, (exit, said(sentence, hint)));
    }

    // The server's clock says otherwise than ours.
    let judge = Judge::refusing(CertificateError::Expired);
    let (exit, told) = m.client_of(&m.tls(&m.server(), judge)).await;
    let begins = "client: error: by the clock of ROOM the certificate of alice has expired or is not valid yet; it is valid from 20";
    assert!(told[0].starts_with(begins), "{told:?}");
    assert!(told[0].ends_with(" by this machine's clock"), "{told:?}");
    assert!(own.is_valid_at(std::time::SystemTime::now()));
    assert_eq!(
        (exit, told[1].as_str()),
        (62, "client: hint: one of the two clocks is wrong")
    );

    // A server that takes no signature of the kind that ours is gets no certificate.
    let judge = Judge {
        schemes: vec![SignatureScheme::RSA_PSS_SHA256],
        ..Judge::refusing(CertificateError::Revoked)
    };
    let told = m.client_of(&m.tls(&m.server(), judge)).await;
    let hint = "pass the whole file that `ca-tool issue` made to --cert";
    assert_eq!(
        told,
        (60, said("ROOM wants a certificate and got none", hint))
    );
}

/// Alerts in answer to the first message, as servers of other kinds send them.
#[tokio::test]
async fn whatever_a_server_says_of_tls_itself_is_told() {
    let m = Mint::new();
    let port = "a room's port is usually 27332";
    for (alert, exit, sentence, hint) in [
        (
            Alert::NoApplicationProtocol,
            4,
            "ROOM speaks TLS, but it is not a room (it does not know countersign/1)",
            port,
        ),
        (
            Alert::ProtocolVersion,
            1,
            "ROOM speaks an older TLS than 1.3, so it is not a room",
            "a room's port is usually 27332",
        ),
        (
            Alert::DecodeError,
            61,
            "ROOM cannot read the certificate of alice",
            ASK,
        ),
        (
            Alert::HandshakeFailure,
            1,
            "ROOM ended the TLS handshake: the server and the client have no cipher or key exchange in common (alert handshake_failure)",
            "the server's log may say why",
        ),
        (
            Alert::InsufficientSecurity,
            1,
            "ROOM ended the TLS handshake: the server wants stronger cryptography than the client offers (alert insufficient_security)",
            "the server's log may say why",
        ),
        (
            Alert::UnrecognisedName,
            1,
            "ROOM ended the TLS handshake: the server does not know the name by which the client called it (alert unrecognized_name)",
            "the server's log may say why",
        ),
        (
            Alert::InternalError,
            1,
            "ROOM ended the TLS handshake: the server had an internal error (alert internal_error)",
            "the server's log may say why",
        ),
        (
            Alert::Unknown(200),
            1,
            "ROOM ended the TLS handshake: the server ended the TLS handshake for an unknown reason (alert 200)",
            "the server's log may say why",
        ),
    ] {
        let answer = Script::Alert(alert.into());
        assert_eq!(m.client_of(&answer).await, (exit, said(sentence, hint)));
    }
}

#[tokio::test]
async fn a_server_that_cannot_prove_itself_is_not_trusted() {
    let m = Mint::new();
    let ours = m.site.ca().register().says().fingerprint.short();
    let another = &format!(
        "ROOM proves itself with a certificate of another CA, not of \"Networks 101\" with SHA-256 {ours}"
    );
    let namesake = &format!(
        "ROOM proves itself with a certificate of another CA that is called \"Networks 101\" too; the one in your file has SHA-256 {ours}"
    );
    let compare = "is this the right server? compare `ca-tool show ca/ca.pem` there; if the room's CA is new, ask for a new certificate";
    let its_own = Leaf {
        issuer: m.server().subject,
        ..m.server()
    };
    for (leaf, signer, another) in [
        // Signed with its own key, and by a CA that only has the name of ours.
        (&its_own, &m.key, another),
        (&m.server(), &new_key(), namesake),
    ] {
        let script = m.tls_with(
            sign(leaf, signer),
            Judge::refusing(CertificateError::Revoked),
        );
        assert_eq!(m.client_of(&script).await, (5, said(another, compare)));
    }

    let early = Leaf {
        valid: (1, 10),
        ..m.server()
    };
    let script = m.tls(&early, Judge::refusing(CertificateError::Revoked));
    let (exit, told) = m.client_of(&script).await;
    let begins = "client: error: the certificate of ROOM is not valid before 20";
    assert!(told[0].starts_with(begins), "{told:?}");
    let hint = "client: hint: this machine's clock may be wrong";
    assert_eq!((exit, told[1].as_str()), (5, hint));

    // The acceptance beside the refusals: this server proves itself, and then judges us.
    let script = m.tls(&m.server(), Judge::refusing(CertificateError::Revoked));
    let revoked = "the certificate of alice was revoked by \"Networks 101\", or is on hold";
    let ask = "ask whoever runs the room: this file works again after a hold, and after a revocation you need a new certificate";
    assert_eq!(m.client_of(&script).await, (62, said(revoked, ask)));
}

/// The script of a server that gets one connection.
enum Script {
    /// It reads the first message and answers with a fatal alert.
    Alert(u8),
    /// It shakes hands.
    Tls(Arc<ServerConfig>),
}

/// Decides over a client's certificate without looking at it.
#[derive(Debug)]
struct Judge {
    answer: CertificateError,
    schemes: Vec<SignatureScheme>,
}

impl Mint {
    /// Returns the certificate of an honest server at the address at which the tests listen.
    fn server(&self) -> Leaf {
        let names = sequence(&[&der(ADDRESS, &[127, 0, 0, 1])]);
        Leaf {
            purposes: vec![&[SERVER_AUTH]],
            others: vec![extension(ALTERNATIVE_NAMES, false, &names)],
            ..self.leaf("room")
        }
    }

    fn tls(&self, leaf: &Leaf, judge: Judge) -> Script {
        let certificate = self.sign(leaf).remove(0);
        self.tls_with(certificate, judge)
    }

    fn tls_with(&self, certificate: CertificateDer<'static>, judge: Judge) -> Script {
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("a key");
        let certified = Arc::new(CertifiedKey::new(vec![certificate], key));
        let mut config = ServerConfig::builder_with_provider(pki::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_client_cert_verifier(Arc::new(judge))
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![wire::ALPN.to_vec()];
        Script::Tls(Arc::new(config))
    }

    /// Returns the exit code of the program `client` as alice, and the lines that it prints for her, with
    /// ROOM in place of the server's address.
    async fn client_of(&self, script: &Script) -> (i32, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let bundle = self.site.bundle("alice");
        let arguments = ["--cert", &bundle, "--server", &address];
        let mut client = Running::start(self.site.folder(), &program("client"), &arguments);
        client.send("a line that nobody may get\n");
        let (tcp, _) = within("a client", listener.accept())
            .await
            .expect("accepted");
        within("a refusal", script.play(tcp)).await;
        let output = client.finish();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        let told = told.replace(&address, "ROOM");
        let exit = output.status.code().expect("it ends by itself");
        (exit, told.lines().map(str::to_owned).collect())
    }
}

impl Script {
    async fn play(&self, mut tcp: TcpStream) {
        match self {
            Script::Alert(alert) => {
                let mut first = [0; 512];
                let read = tcp.read(&mut first).await.expect("a first message");
                assert!(read > 0, "the client left");
                // A TLS record of an alert: two bytes, fatal and which.
                let record = [21, 3, 3, 0, 2, 2, *alert];
                tcp.write_all(&record).await.expect("sent");
            }
            Script::Tls(config) => {
                let accepting = TlsAcceptor::from(config.clone())
                    .accept(tcp)
                    .into_fallible();
                tcp = accepting.await.expect_err("a refusal").1;
            }
        }
        // The client may have closed already; its bytes are read, so that it can read too.
        let _closed = tcp.shutdown().await;
        let _rest = tcp.read_to_end(&mut Vec::new()).await;
    }
}

impl Judge {
    fn refusing(answer: CertificateError) -> Self {
        let algorithms = pki::provider().signature_verification_algorithms;
        Self {
            answer,
            schemes: algorithms.supported_schemes(),
        }
    }
}

impl ClientCertVerifier for Judge {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Err(self.answer.clone().into())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unreachable!("no certificate is good, so no signature is looked at")
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unreachable!("no certificate is good, so no signature is looked at")
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// Returns the lines that tell a failure.
fn said(sentence: &str, hint: &str) -> Vec<String> {
    let mut lines = vec![format!("client: error: {sentence}")];
    if !hint.is_empty() {
        lines.push(format!("client: hint: {hint}"));
    }
    lines
}
