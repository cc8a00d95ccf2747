//! A TLS 1.3 handshake as one end sees it: the messages in their order, what each of them proves, and
//! the checks of the peer's certificate.
//!
//! The order is that of RFC 8446, section 2: a program learns of some messages only when a later one
//! has come, and then tells both.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use pki::{Certificate, Check, Peer, Sight, Witness};
use rustls::pki_types::CertificateDer;
use rustls::{AlertDescription, SignatureScheme};

use crate::hello::{ClientHello, ServerHello};
use crate::names::Named as _;
use crate::narrator::Narrator;
use crate::part::{Part, Step};
use crate::words::{alert, certificate, list};

/// The client's end of a handshake.
#[derive(Debug)]
pub struct Client {
    narrator: Narrator,
    /// The step of the chart in which all of it happens.
    step: Step,
    state: Mutex<ClientState>,
}

#[derive(Debug, Default)]
struct ClientState {
    sent: Vec<u8>,
    has_said_hello: bool,
    came: Vec<u8>,
    has_heard_hello: bool,
    own: Vec<String>,
}

/// The bytes of a hello that are collected: more than any honest one has.
const HELLO_BYTES_MAX: usize = 16 * 1024;

impl Client {
    /// Returns a witness of one handshake.
    pub fn new(narrator: Narrator, step: Step) -> Self {
        let state = Mutex::default();
        Self {
            narrator,
            step,
            state,
        }
    }

    /// Takes bytes that were sent, as the network sees them. The ClientHello is among the first.
    pub fn sent(&self, bytes: &[u8]) {
        let mut state = self.state();
        if state.has_said_hello || state.sent.len() + bytes.len() > HELLO_BYTES_MAX {
            return;
        }
        state.sent.extend_from_slice(bytes);
        let Some(hello) = ClientHello::read(&state.sent) else {
            return;
        };
        state.has_said_hello = true;
        state.sent = Vec::new();
        let part = Part::of(self.step).sent(client_hello_in_short(&hello));
        self.tell(client_hello(part, &hello));
    }

    /// Takes bytes that came, as the network sees them. The ServerHello is the first of them.
    pub fn came(&self, bytes: &[u8]) {
        let mut state = self.state();
        if state.has_heard_hello || state.came.len() + bytes.len() > HELLO_BYTES_MAX {
            return;
        }
        state.came.extend_from_slice(bytes);
        let Some(hello) = ServerHello::read(&state.came) else {
            return;
        };
        state.has_heard_hello = true;
        state.came = Vec::new();
        let part = Part::more_of(self.step).came(server_hello_in_short(&hello));
        self.tell(server_hello(part, &hello));
        if hello.is_retry {
            // A second ClientHello follows, and a ServerHello.
            state.has_said_hello = false;
            state.has_heard_hello = false;
        }
    }

    /// Tells that the handshake is complete on our side.
    pub fn complete(&self, protocol: Option<&[u8]>) {
        let part = Part::more_of(self.step)
            .sent("Finished: a checksum over the whole handshake, ours [RFC 8446, 4.4.4]")
            .done(format!("the handshake is complete on our side; {}", agreed(protocol)))
            .more("In TLS 1.3 the server judges our certificate only now: nothing is sent before it greets us");
        self.tell(part);
    }

    fn tell(&self, part: Part) {
        self.narrator.tell("", &part);
    }

    fn state(&self) -> MutexGuard<'_, ClientState> {
        // Nothing panics halfway through a change of it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Client {
    fn saw(&self, sight: Sight<'_>) {
        let part = Part::more_of(self.step);
        let part = match sight {
            Sight::Asked { schemes, cas } => part
                .came("EncryptedExtensions: the rest of the server's choices [RFC 8446, 4.3.1]")
                .came("CertificateRequest: show me a certificate [RFC 8446, 4.3.2]")
                .more(asked(schemes, cas)),
            Sight::Presents(chain) => {
                self.state().own = presented(chain);
                return;
            }
            Sight::Certificate { leaf, others } => part
                .came(format!("Certificate: {} [RFC 8446, 4.4.2]", who_it_is("the server", others)))
                .more_lines(fields(leaf))
                .more("A certificate is public: showing it proves nothing yet"),
            Sight::Passed(check) => part.done(passed(check)),
            Sight::Trusted => part.done("the certificate is good; the next message must prove the server has its key"),
            Sight::Distrusted(error) => part
                .done(format!("NOT trusted: {}", distrusted(error)))
                .more(alert_of(error)),
            Sight::Verified { scheme, is_good } => verified(part, "the server", scheme, is_good),
            Sight::Signed(scheme) => part
                .came("Finished: a checksum over the whole handshake: nobody changed a message on the way [RFC 8446, 4.4.4]")
                .sent("Certificate: ours, as the server asked [RFC 8446, 4.4.2]")
                .more_lines(std::mem::take(&mut self.state().own))
                .sent(signed(scheme)),
            // Only a gate admits or refuses.
            Sight::Admitted(_) | Sight::Refused(_) => return,
        };
        self.tell(part);
    }
}

/// Returns what a server tells of the ClientHello in these bytes, before anybody answers it.
pub fn client_hello_heard(step: Step, bytes: &[u8]) -> Option<Part> {
    let hello = ClientHello::read(bytes)?;
    let part = Part::of(step).came(client_hello_in_short(&hello));
    Some(client_hello(part, &hello))
}

/// The server's end of a handshake.
#[derive(Debug)]
pub struct Server {
    narrator: Narrator,
    /// The client: its address and port.
    about: String,
    /// The steps of the chart: the handshake, and the gate.
    steps: [Step; 2],
    /// The revocation list that judges, in words.
    list: String,
    state: Mutex<ServerState>,
}

#[derive(Debug, Default)]
struct ServerState {
    own: Vec<String>,
    signed: Option<SignatureScheme>,
}

impl Server {
    /// Returns a witness of one handshake, whose client is judged by this list.
    pub fn new(narrator: Narrator, about: String, steps: [Step; 2], list: String) -> Self {
        Self {
            narrator,
            about,
            steps,
            list,
            state: Mutex::default(),
        }
    }

    /// Tells of the answer in these bytes: the ServerHello, and everything that follows encrypted.
    pub fn answered(&self, bytes: &[u8]) {
        let [step, _] = self.steps;
        let Some(hello) = ServerHello::read(bytes) else {
            return;
        };
        let part = Part::of(step).sent(server_hello_in_short(&hello));
        let part = server_hello(part, &hello);
        let state = std::mem::take(&mut *self.state());
        let part = match (state.signed, hello.is_retry) {
            (Some(scheme), false) => part
                .sent("EncryptedExtensions: the protocol that was agreed, if any [RFC 8446, 4.3.1]")
                .sent("CertificateRequest: show me a certificate [RFC 8446, 4.3.2]")
                .sent("Certificate: ours [RFC 8446, 4.4.2]")
                .more_lines(state.own)
                .sent(signed(scheme))
                .sent("Finished: a checksum over the whole handshake so far [RFC 8446, 4.4.4]")
                .more(format!("all of it in one answer of {} bytes", bytes.len())),
            _ => part,
        };
        self.tell(part);
    }

    /// Tells why the handshake failed, if the gate did not decide it.
    pub fn failed(&self, error: &rustls::Error) {
        let [step, _] = self.steps;
        let part = Part::more_of(step);
        let part = match error {
            rustls::Error::AlertReceived(received) => part.came(format!(
                "the alert {}: the client ends TLS [RFC 8446, 6]",
                alert(*received)
            )),
            rustls::Error::NoCertificatesPresented => part
                .came("Certificate: empty. The client shows none [RFC 8446, 4.4.2.4]")
                .more(format!(
                    "the client is sent the alert {}",
                    alert(AlertDescription::CertificateRequired)
                )),
            other => part.done(format!(
                "the handshake failed: {}",
                pki::tls_words(other, Peer::Client)
            )),
        };
        self.tell(part);
    }

    /// Tells that the handshake is complete.
    pub fn complete(&self, protocol: Option<&[u8]>) {
        let [step, _] = self.steps;
        let part = Part::more_of(step)
            .came("Finished: a checksum over the whole handshake: nobody changed a message on the way [RFC 8446, 4.4.4]")
            .done(format!("the handshake is complete; {}", agreed(protocol)));
        self.tell(part);
    }

    fn tell(&self, part: Part) {
        self.narrator.tell(&self.about, &part);
    }

    fn state(&self) -> MutexGuard<'_, ServerState> {
        // Nothing panics halfway through a change of it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Server {
    fn saw(&self, sight: Sight<'_>) {
        let [shake, gate] = self.steps;
        let part = match sight {
            // Told with the answer, which is encrypted after this.
            Sight::Asked { .. } => return,
            Sight::Presents(chain) => {
                self.state().own = presented(chain);
                return;
            }
            Sight::Signed(scheme) => {
                self.state().signed = Some(scheme);
                return;
            }
            Sight::Certificate { leaf, others } => {
                let came = Part::more_of(shake)
                    .came(format!(
                        "Certificate: {} [RFC 8446, 4.4.2]",
                        who_it_is("the client", others)
                    ))
                    .more_lines(fields(leaf))
                    .more("A certificate is public: showing it proves nothing yet");
                self.tell(came);
                Part::of(gate)
            }
            Sight::Passed(Check::Revocation) => {
                Part::more_of(gate).done(format!("{}: {}", passed(Check::Revocation), self.list))
            }
            Sight::Passed(check) => Part::more_of(gate).done(passed(check)),
            Sight::Admitted(identity) => Part::more_of(gate).done(format!(
                "yes: this is {} ({}), if the next message proves the key",
                identity.id(),
                identity.role()
            )),
            Sight::Refused(refusal) => {
                Part::more_of(gate)
                    .done(format!("NO: {refusal}"))
                    .more(format!(
                        "the client is sent the alert {}",
                        alert(refusal.alert())
                    ))
            }
            Sight::Verified { scheme, is_good } => {
                verified(Part::more_of(shake), "the client", scheme, is_good)
            }
            // Only a client trusts or distrusts.
            Sight::Trusted | Sight::Distrusted(_) => return,
        };
        self.tell(part);
    }
}

fn client_hello_in_short(hello: &ClientHello) -> String {
    format!(
        "ClientHello, {} bytes, which anybody on the way can read [RFC 8446, 4.1.2]",
        hello.bytes
    )
}

fn client_hello(part: Part, hello: &ClientHello) -> Part {
    let name = match &hello.server_name {
        Some(name) => format!("server name: {name} (SNI, RFC 6066)"),
        None => "server name: none: clients send none for an IP address, and some send none for localhost (SNI, RFC 6066)".to_owned(),
    };
    let protocols = match hello.protocols.as_slice() {
        [] => "protocols: none, so the plain dialect (ALPN, RFC 7301)".to_owned(),
        names => format!("protocols: {} (ALPN, RFC 7301)", names.join(", ")),
    };
    part.more(format!("versions: {}", list(&hello.versions)))
        .more(format!("ciphers: {}", list(&hello.ciphers)))
        .more(format!(
            "groups for the key exchange: {}",
            list(&hello.groups)
        ))
        .more(format!(
            "key shares for: {}; made for this connection, and their private halves never leave the client",
            list(&hello.shares)
        ))
        .more(format!("signatures the client can check: {}", list(&hello.schemes)))
        .more(name)
        .more(protocols)
        .more("It proves nothing: anybody can send this")
}

fn server_hello_in_short(hello: &ServerHello) -> String {
    match hello.is_retry {
        true => format!(
            "HelloRetryRequest, {} bytes: another key share, please [RFC 8446, 4.1.4]",
            hello.bytes
        ),
        false => format!(
            "ServerHello, {} bytes, the last message that others can read [RFC 8446, 4.1.3]",
            hello.bytes
        ),
    }
}

fn server_hello(part: Part, hello: &ServerHello) -> Part {
    let part = part.more(format!(
        "chosen: {}, cipher {}, key exchange {}",
        list(hello.version),
        list(hello.cipher),
        list(hello.group)
    ));
    match hello.is_retry {
        true => part,
        false => part
            .more("Both ends now compute the same secret from the two key shares; it never crosses the wire")
            .more("Everything after this is encrypted. Nobody has proved a name yet"),
    }
}

fn presented(chain: &[CertificateDer<'_>]) -> Vec<String> {
    chain.first().map(fields).unwrap_or_default()
}

fn fields(leaf: &CertificateDer<'_>) -> Vec<String> {
    match Certificate::parse(leaf) {
        Ok(read) => certificate(&read, SystemTime::now()),
        Err(error) => vec![format!("{} bytes: {error}", leaf.len())],
    }
}

fn who_it_is(peer: &str, others: usize) -> String {
    match others {
        0 => format!("{peer} says who it is"),
        1 => format!("{peer} says who it is, and sends 1 more certificate"),
        others => format!("{peer} says who it is, and sends {others} more certificates"),
    }
}

fn asked(schemes: &[SignatureScheme], cas: usize) -> String {
    let issuers = match cas {
        0 => "it names no CA".to_owned(),
        1 => "it names the CA that must have issued it".to_owned(),
        cas => format!("it names {cas} CAs, one of which must have issued it"),
    };
    format!(
        "signatures the server can check: {}; {issuers}",
        list(schemes)
    )
}

fn signed(scheme: SignatureScheme) -> String {
    format!(
        "CertificateVerify: our private key signs the handshake so far ({}) [RFC 8446, 4.4.3]",
        scheme.named()
    )
}

fn verified(part: Part, peer: &str, scheme: SignatureScheme, is_good: bool) -> Part {
    let part = part.came(format!(
        "CertificateVerify: {peer} signs the handshake so far ({}) [RFC 8446, 4.4.3]",
        scheme.named()
    ));
    match is_good {
        true => part.done(format!(
            "the signature fits the certificate: {peer} has its private key, and signed this very connection"
        )),
        false => part
            .done(format!("the signature does NOT fit: {peer} does not have the private key of this certificate"))
            .more(format!("the other end is sent the alert {}", alert(AlertDescription::DecryptError))),
    }
}

fn passed(check: Check) -> &'static str {
    match check {
        Check::Size => "yes: it is not too large",
        Check::Anchor => "yes: our CA's own certificate is valid now",
        Check::Readable => "yes: it is a readable X.509 certificate",
        Check::Path => {
            "yes: our CA has signed it, it is within its dates, and it is no CA [RFC 5280, 6]"
        }
        Check::Profile => {
            "yes: it is one for a person: EKU clientAuth, key usage digitalSignature [RFC 5280, 4.2.1]"
        }
        Check::Key => "yes: its key is of a strong kind",
        Check::Name => "yes: it has exactly one name, and that is a good one",
        Check::Revocation => "yes: it is not revoked",
        Check::ServerName => "yes: it is for the server that we asked for [RFC 9525]",
        Check::ServerPurpose => {
            "yes: it is a server certificate: EKU serverAuth [RFC 5280, 4.2.1.12]"
        }
    }
}

/// Returns why a client does not trust a server, as far as the error says it.
fn distrusted(error: &rustls::Error) -> String {
    use rustls::CertificateError as E;
    let rustls::Error::InvalidCertificate(why) = error else {
        return error.to_string();
    };
    match why {
        E::UnknownIssuer => "our CA did not issue it".to_owned(),
        E::BadSignature => "our CA's name is in it, but our CA did not sign it".to_owned(),
        E::Expired | E::ExpiredContext { .. } => "it has expired".to_owned(),
        E::NotValidYet | E::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            "it is not for the server that we asked for [RFC 9525]".to_owned()
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            "it is not a server certificate".to_owned()
        }
        other => other.to_string(),
    }
}

/// Returns which alert an error of our own sends.
fn alert_of(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(why) => {
            let description = AlertDescription::from(why.clone());
            format!("the server is sent the alert {}", alert(description))
        }
        _ => "the connection is closed".to_owned(),
    }
}

/// Returns the outcome of ALPN (RFC 7301).
fn agreed(protocol: Option<&[u8]>) -> String {
    match protocol {
        Some(name) => format!(
            "both ends agreed on the protocol {} (ALPN)",
            String::from_utf8_lossy(name)
        ),
        None => "no protocol was agreed (ALPN)".to_owned(),
    }
}
