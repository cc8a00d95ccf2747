//! Every failure in a sentence for people, with a hint.
//!
//! One pure function, so that a table in the tests can hold every sentence.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use pki::Peer;
use rustls::AlertDescription as Alert;
use rustls::CertificateError as Judged;
use wire::terminal::inert;
use wire::{ByeReason, Code, Reason, Refusal};

use super::failure::{Cause, Exit, Failure, Scene};
use super::few::few;
use crate::limits::{COMMAND_NAMES_MAX, NAMES_MAX, SILENCE_BEFORE_LOST};
use crate::settings::Target;

/// Returns a cause as a sentence, with its hint and its exit code.
pub fn explain(cause: &Cause, scene: &Scene, now: SystemTime) -> Failure {
    Failure {
        cause: Some(Box::new(cause.clone())),
        ..in_words(cause, scene, now)
    }
}

fn in_words(cause: &Cause, scene: &Scene, now: SystemTime) -> Failure {
    let target = &scene.target;
    match cause {
        Cause::OwnDates => explain_own_dates(scene, now),
        Cause::Setup(error) => Failure::new(
            Exit::Other,
            format!(
                "the CA certificate \"{}\" cannot be used: {error}",
                scene.anchor
            ),
        )
        .hint(ASK_FOR_NEW),
        Cause::Unresolved { is_slow } => Failure::new(
            Exit::Network,
            match is_slow {
                false => format!("cannot find {}", target.host()),
                true => format!("cannot find {}: no answer in time", target.host()),
            },
        )
        .hint("check the network and the spelling; --server overrides the server that the certificate's file names"),
        Cause::Unreachable(tried) => explain_unreachable(target, tried),
        Cause::Slow => Failure::new(Exit::Network, format!("{target} accepts connections but does not answer"))
            .hint("the server may be stopped or very busy: try again later; is this a room's port?"),
        Cause::ClosedUnheard => Failure::new(
            Exit::Network,
            format!("{target} closed the connection without an answer"),
        )
        .hint("it may be full: try again later; its log may say why"),
        Cause::ClosedEarly => Failure::new(
            Exit::Network,
            format!("{target} closed the connection before its greeting"),
        )
        .hint("is this a room's port? the server's log may say why"),
        Cause::Lost(why) => lost(target, why.clone()),
        Cause::Silent => lost(
            target,
            format!("nothing was heard for {} seconds", SILENCE_BEFORE_LOST.as_secs()),
        ),
        Cause::Endless => Failure::new(
            Exit::Other,
            format!("{target} sent an endless line, so the connection was closed"),
        )
        .hint("that server is broken or hostile; tell whoever runs it"),
        Cause::Greeting(why) => Failure::new(
            Exit::Other,
            format!("{target} sent no valid greeting: {}", inert(why)),
        )
        .hint("is the server much newer than this client? tell whoever runs it"),
        Cause::Disorder { after, came } => Failure::new(
            Exit::Other,
            format!("{target} sent entry {came} after entry {after}, so the connection was closed: the numbers of entries never go down"),
        )
        .hint("that server is broken or hostile; tell whoever runs it"),
        Cause::OtherProtocol => explain_other_protocol(target),
        Cause::OtherName(name) => Failure::new(
            Exit::Untrusted,
            format!(
                "{target} calls you \"{}\", but your certificate says \"{}\"",
                inert(name),
                scene.own.subject
            ),
        )
        .hint("that server does not take names from certificates; tell whoever runs it"),
        Cause::Tls(rustls::Error::AlertReceived(alert)) => explain_alert(*alert, scene, now),
        Cause::Tls(rustls::Error::InvalidCertificate(judged)) => explain_server(judged, scene),
        Cause::Tls(rustls::Error::NoCertificatesPresented) => Failure::new(
            Exit::Untrusted,
            format!("{target} presents no certificate, so nothing proves that it is the server"),
        )
        .hint("is this the right server, and a room's port? if it is, tell whoever runs the room"),
        Cause::Tls(rustls::Error::InvalidMessage(_)) => {
            Failure::new(Exit::Network, format!("{target} does not speak TLS"))
                .hint(format!("a room's port is usually {}", wire::PORT))
        }
        Cause::Tls(other) => Failure::new(
            Exit::Other,
            format!("cannot connect to {target} over TLS: {}", pki::tls_words(other, Peer::Server)),
        )
        .hint("is this a room's port? if it is, tell whoever runs the room"),
        Cause::Refused(refusal) => explain_refusal(refusal, scene),
        Cause::Bye { reason, words } => explain_bye(reason, words),
    }
}

fn lost(target: &Target, why: String) -> Failure {
    let why = pki::without_number(&why).to_owned();
    Failure {
        in_short: Some(why.clone()),
        ..Failure::new(
            Exit::Network,
            format!("the connection to {target} was lost: {why}"),
        )
    }
}

/// TLS has one alert for both.
const REVOKED_OR_ON_HOLD: &str = "ask whoever runs the room: this file works again after a hold, and after a revocation you need a new certificate";

/// Names say little here: two CAs may be shown alike.
const COMPARE: &str = "is this the right server? compare `ca-tool show ca/ca.pem` there; if the room's CA is new, ask for a new certificate";

const ASK_FOR_NEW: &str = "ask whoever runs the room for a new certificate";

fn explain_own_dates(scene: &Scene, now: SystemTime) -> Failure {
    let (own, clock) = (&scene.own, &scene.clock);
    let now_shown = clock.show_system(now);
    let name = &own.subject;
    if now < own.not_before {
        let from = clock.show_system(own.not_before);
        return Failure::new(
            Exit::CertificateInvalid,
            format!("the certificate of {name} is not valid before {from}, and it is {now_shown} by this machine's clock"),
        )
        .hint("this machine's clock may be wrong");
    }
    let until = clock.show_system(own.not_after);
    Failure::new(
        Exit::CertificateInvalid,
        format!("the certificate of {name} expired at {until}, and it is {now_shown} by this machine's clock"),
    )
    .hint(format!("{ASK_FOR_NEW}; or this machine's clock may be wrong"))
}

fn explain_unreachable(target: &Target, tried: &[(SocketAddr, String)]) -> Failure {
    let tried: Vec<String> = tried
        .iter()
        .map(|(address, error)| {
            format!(
                "{}: {}",
                address.ip().to_canonical(),
                pki::without_number(error)
            )
        })
        .collect();
    let why = match tried.as_slice() {
        [] => "it has no address".to_owned(),
        tried => tried.join("; "),
    };
    Failure::new(Exit::Network, format!("cannot reach {target} ({why})"))
        .hint("is the server running, and does a firewall let this port through?")
}

fn explain_other_protocol(target: &Target) -> Failure {
    Failure::new(
        Exit::Network,
        format!("{target} speaks TLS, but it is not a room (it does not know countersign/1)"),
    )
    .hint(format!("a room's port is usually {}", wire::PORT))
}

/// Explains the server's verdict on our certificate (RFC 8446, section 6.2).
fn explain_alert(alert: Alert, scene: &Scene, now: SystemTime) -> Failure {
    let (target, name, anchor) = (&scene.target, &scene.own.subject, &scene.anchor);
    match alert {
        Alert::CertificateRequired => Failure::new(
            Exit::CertificateRequired,
            format!("{target} wants a certificate and got none"),
        )
        .hint("pass the whole file that `ca-tool issue` made to --cert"),
        Alert::AccessDenied => Failure::new(
            Exit::NotAdmitted,
            format!("{target} does not admit {name}: the name or the key in the certificate is not acceptable there"),
        )
        .hint("ask whoever runs the room; the server's log says why"),
        Alert::UnsupportedCertificate => Failure::new(
            Exit::NotAdmitted,
            format!("{target} does not admit {name}: the certificate is not one for a person"),
        )
        .hint("this is a server or CA certificate; use your personal one"),
        Alert::BadCertificate | Alert::DecodeError => Failure::new(
            Exit::NotAdmitted,
            format!("{target} cannot read the certificate of {name}"),
        )
        .hint(ASK_FOR_NEW),
        Alert::CertificateUnknown => Failure::new(
            Exit::NotAdmitted,
            format!("{target} cannot check certificates now; yours may be good"),
        )
        .hint("tell whoever runs the room: the revocation list or the CA certificate may be out of date"),
        Alert::CertificateExpired => explain_expired(scene, now),
        Alert::CertificateRevoked => Failure::new(
            Exit::CertificateInvalid,
            format!("the certificate of {name} was revoked by \"{anchor}\", or is on hold"),
        )
        .hint(REVOKED_OR_ON_HOLD),
        Alert::UnknownCA => Failure::new(
            Exit::CertificateInvalid,
            match scene.own.issuer.to_string() == *anchor {
                false => format!(
                    "the certificate of {name} is from the CA \"{}\", which {target} does not trust; its own CA is \"{anchor}\"",
                    scene.own.issuer
                ),
                true => format!(
                    "the certificate of {name} is from a CA that {target} does not trust, although it is called \"{anchor}\" too; the one in your file has SHA-256 {}",
                    scene.anchor_print
                ),
            },
        )
        .hint("is this the right room? if its CA is new, ask for a new certificate"),
        Alert::DecryptError => Failure::new(
            Exit::CertificateInvalid,
            format!("{target} could not verify the certificate of {name}: it is damaged, or from another CA with the name \"{anchor}\"; the CA in your file has SHA-256 {}", scene.anchor_print),
        )
        .hint(ASK_FOR_NEW),
        Alert::NoApplicationProtocol => explain_other_protocol(target),
        Alert::ProtocolVersion => Failure::new(
            Exit::Other,
            format!("{target} speaks an older TLS than 1.3, so it is not a room"),
        )
        .hint(format!("a room's port is usually {}", wire::PORT)),
        other => Failure::new(
            Exit::Other,
            format!(
                "{target} ended the TLS handshake: {}",
                pki::alert_words(other, Peer::Server)
            ),
        )
        .hint("the server's log may say why"),
    }
}

/// Explains an alert that means both "expired" and "not valid yet"; our own certificate says which.
fn explain_expired(scene: &Scene, now: SystemTime) -> Failure {
    let own = &scene.own;
    if !own.is_valid_at(now) {
        return explain_own_dates(scene, now);
    }
    Failure::new(
        Exit::CertificateInvalid,
        format!(
            "by the clock of {} the certificate of {} has expired or is not valid yet; it is valid from {} to {}, and it is {} by this machine's clock",
            scene.target,
            own.subject,
            scene.clock.show_system(own.not_before),
            scene.clock.show_system(own.not_after),
            scene.clock.show_system(now),
        ),
    )
    .hint("one of the two clocks is wrong")
}

/// Explains our verdict on the server's certificate.
fn explain_server(judged: &Judged, scene: &Scene) -> Failure {
    let (target, anchor, clock) = (&scene.target, &scene.anchor, &scene.clock);
    let time = |at: &rustls::pki_types::UnixTime| {
        clock.show_system(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(at.as_secs()))
    };
    let untrusted = |sentence: String| Failure::new(Exit::Untrusted, sentence);
    match judged {
        Judged::NotValidForNameContext { presented, .. } => {
            let names: Vec<String> = presented.iter().map(|name| plain_name(name)).collect();
            explain_names(target, &names)
        }
        Judged::NotValidForName => explain_names(target, &[]),
        // The name of its issuer fits, and the signature does not.
        Judged::BadSignature => untrusted(format!(
            "{target} proves itself with a certificate of another CA that is called \"{anchor}\" too; the one in your file has SHA-256 {}",
            scene.anchor_print
        ))
        .hint(COMPARE),
        Judged::UnknownIssuer => untrusted(format!(
            "{target} proves itself with a certificate of another CA, not of \"{anchor}\" with SHA-256 {}",
            scene.anchor_print
        ))
        .hint(COMPARE),
        Judged::ExpiredContext { not_after, .. } => untrusted(format!(
            "the certificate of {target} expired at {}",
            time(not_after)
        ))
        .hint("tell whoever runs the room; or this machine's clock may be wrong"),
        Judged::Expired => untrusted(format!("the certificate of {target} has expired"))
            .hint("tell whoever runs the room; or this machine's clock may be wrong"),
        Judged::NotValidYetContext { not_before, .. } => untrusted(format!(
            "the certificate of {target} is not valid before {}",
            time(not_before)
        ))
        .hint("this machine's clock may be wrong"),
        Judged::NotValidYet => untrusted(format!("the certificate of {target} is not valid yet"))
            .hint("this machine's clock may be wrong"),
        Judged::InvalidPurposeContext { presented, .. } if presented.is_empty() => untrusted(format!(
            "{target} proves itself with a certificate that does not say what it is for (no extended key usage serverAuth)"
        ))
        .hint(format!(
            "whoever runs the room can run `ca-tool issue-server {}`",
            target.host()
        )),
        Judged::InvalidPurpose | Judged::InvalidPurposeContext { .. } => untrusted(format!(
            "{target} proves itself with a certificate that is not a server certificate"
        ))
        .hint("somebody may be posing as the server with a person's certificate"),
        other => untrusted(format!(
            "the certificate of {target} {}",
            pki::judged_words(other)
        ))
        .hint("tell whoever runs the room"),
    }
}

fn explain_names(target: &Target, names: &[String]) -> Failure {
    let host = target.host();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // A certificate can have thousands of names.
    let known = few(&names, NAMES_MAX).unwrap_or_else(|| "no host at all".to_owned());
    let other_name = match names.first() {
        Some(first) => format!("use --server {first}, if that is the server you mean; or "),
        None => String::new(),
    };
    // The command makes a certificate for exactly the names that it is given, so it is shown with
    // all of them or with none.
    let command = if names.len() <= COMMAND_NAMES_MAX {
        let all = names
            .iter()
            .map(|name| format!("{name} "))
            .collect::<String>();
        format!("`ca-tool issue-server {all}{host}`")
    } else {
        let count = names.len();
        format!("`ca-tool issue-server` with those {count} names and {host}")
    };
    Failure::new(
        Exit::Untrusted,
        format!("the server's certificate is for {known}, not for {host}"),
    )
    .hint(format!(
        "{other_name}whoever runs the room can run {command}"
    ))
}

/// Returns a name as people write it; webpki writes `DnsName("localhost")` and `IpAddress(0::1)`.
fn plain_name(presented: &str) -> String {
    let inner = presented
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .unwrap_or(presented);
    match inner.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => inert(inner.trim_matches('"')).into_owned(),
    }
}

fn explain_refusal(refusal: &Refusal, scene: &Scene) -> Failure {
    let words = inert(&refusal.words);
    let name = &scene.own.subject;
    let sentence = format!("{} does not admit {name} now: {words}", scene.target);
    let admitted = Failure::new(Exit::NotAdmitted, sentence);
    match refusal.code {
        Code::AlreadyHere => {
            admitted.hint(format!("{name} is in the room already; leave there first"))
        }
        Code::TooManySessions | Code::TryLater => admitted.hint("try again later"),
        _ => admitted,
    }
}

fn explain_bye(reason: &ByeReason, words: &str) -> Failure {
    let word = inert(reason.as_str());
    let why = match words {
        "" => word.into_owned(),
        words => format!("{} ({word})", inert(words)),
    };
    let ended = Failure::new(Exit::Ended, format!("the server ended the session: {why}"));
    match reason.known() {
        Some(Reason::Replaced) => ended.hint(
            "somebody with the same certificate entered; two terminals at once need a server with `--same-id allow`",
        ),
        Some(Reason::OnHold) => {
            ended.hint("ask whoever runs the room; when the hold has ended, connect again with the same file")
        }
        Some(Reason::Revoked | Reason::Expired) => ended.hint(ASK_FOR_NEW),
        Some(Reason::ShuttingDown) => ended.hint("connect again when the server is back"),
        _ => ended,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pki::Certificate;
    use rustls::ExtendedKeyPurpose;

    use super::*;
    use crate::words::Clock;

    const DAY: Duration = Duration::from_secs(86_400);

    /// 2026-11-21T00:00:00Z
    fn today() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_219_200)
    }

    /// Alice with a certificate of "Networks 101", valid a day each way, before chat.example.
    fn scene() -> Scene {
        let name = |name: &str| pki::Name {
            common_names: vec![name.to_owned()],
            ..pki::Name::default()
        };
        let own = Certificate {
            subject: name("alice"),
            issuer: name("Networks 101"),
            serial: pki::Serial::new(&[7]),
            fingerprint: pki::Fingerprint::of(b""),
            not_before: today() - DAY,
            not_after: today() + DAY,
            dns_names: Vec::new(),
            addresses: Vec::new(),
            emails: Vec::new(),
            purposes: Vec::new(),
            is_ca: false,
            key: "P-256".to_owned(),
        };
        Scene {
            target: Target::parse("chat.example").expect("a target"),
            own,
            anchor: "Networks 101".to_owned(),
            anchor_print: "0123456789abcdef…".to_owned(),
            clock: Clock::utc(),
        }
    }

    #[track_caller]
    fn check(cause: &Cause, now: SystemTime, exit: Exit, words: &str, hint: &str) {
        let failure = explain(cause, &scene(), now);
        assert_eq!(failure.exit, exit, "{failure}");
        assert!(failure.sentence.contains(words), "{failure}");
        assert!(failure.hint.unwrap_or_default().contains(hint));
        // As errors are written here: lower case or a name first, no full stop.
        assert!(!failure.sentence.ends_with('.'));
    }

    #[test]
    fn an_error_of_the_system_is_told_without_its_number() {
        let error = "Connection refused (os error 111)".to_owned();
        let address = "127.0.0.1:27332".parse().expect("an address");
        let unreachable = Cause::Unreachable(vec![(address, error.clone())]);
        for (cause, sentence) in [
            (
                unreachable,
                "cannot reach chat.example:27332 (127.0.0.1: Connection refused)",
            ),
            (
                Cause::Lost(error),
                "the connection to chat.example:27332 was lost: Connection refused",
            ),
        ] {
            assert_eq!(explain(&cause, &scene(), today()).sentence, sentence);
        }
    }

    #[test]
    fn every_failure_of_the_server_itself_has_advice() {
        for cause in [
            Cause::Endless,
            Cause::Tls(rustls::Error::NoCertificatesPresented),
            Cause::Tls(rustls::Error::General("odd".to_owned())),
        ] {
            let failure = explain(&cause, &scene(), today());
            assert!(failure.hint.is_some(), "{failure}");
        }
    }

    #[test]
    fn every_alert_has_its_sentence_and_its_exit_code() {
        use Exit::*;
        for (alert, exit, words, hint) in [
            (
                Alert::CertificateRequired,
                CertificateRequired,
                "wants a certificate and got none",
                "--cert",
            ),
            (
                Alert::AccessDenied,
                NotAdmitted,
                "does not admit alice",
                "the server's log",
            ),
            (
                Alert::UnsupportedCertificate,
                NotAdmitted,
                "not one for a person",
                "use your personal one",
            ),
            (
                Alert::BadCertificate,
                NotAdmitted,
                "cannot read the certificate of alice",
                "ask",
            ),
            (
                Alert::DecodeError,
                NotAdmitted,
                "cannot read the certificate of alice",
                "ask",
            ),
            (
                Alert::CertificateUnknown,
                NotAdmitted,
                "yours may be good",
                "revocation list",
            ),
            (
                Alert::CertificateExpired,
                CertificateInvalid,
                "valid from 2026-11-20 00:00:00 to 2026-11-22 00:00:00",
                "clocks",
            ),
            (
                Alert::CertificateRevoked,
                CertificateInvalid,
                "was revoked by \"Networks 101\", or is on hold",
                "works again after a hold",
            ),
            (
                Alert::UnknownCA,
                CertificateInvalid,
                "is from a CA that chat.example:27332 does not trust, although it is called \"Networks 101\" too; the one in your file has SHA-256 0123456789abcdef…",
                "right room",
            ),
            (
                Alert::DecryptError,
                CertificateInvalid,
                "could not verify",
                "ask",
            ),
            (
                Alert::NoApplicationProtocol,
                Network,
                "it is not a room",
                "27332",
            ),
            (Alert::ProtocolVersion, Other, "older TLS than 1.3", "27332"),
            (
                Alert::InternalError,
                Other,
                "had an internal error (alert internal_error)",
                "the server's log",
            ),
        ] {
            let cause = Cause::Tls(rustls::Error::AlertReceived(alert));
            check(&cause, today(), exit, words, hint);
        }
    }

    #[test]
    fn our_own_dates_tell_expired_from_not_yet_valid() {
        let alert = Cause::Tls(rustls::Error::AlertReceived(Alert::CertificateExpired));
        for cause in [alert, Cause::OwnDates] {
            let exit = Exit::CertificateInvalid;
            let late = "expired at 2026-11-22 00:00:00, and it is 2026-11-23 00:00:00";
            check(&cause, today() + 2 * DAY, exit, late, "new certificate");
            let early = "not valid before 2026-11-20 00:00:00, and it is 2026-11-19 00:00:00";
            check(&cause, today() - 2 * DAY, exit, early, "clock may be wrong");
        }
    }

    #[test]
    fn every_fault_of_a_servers_certificate_has_its_sentence() {
        let now = rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(1_795_219_200));
        let name = rustls::pki_types::ServerName::try_from("chat.example").expect("a name");
        for (judged, words, hint) in [
            (
                Judged::NotValidForNameContext {
                    expected: name,
                    presented: vec![
                        "DnsName(\"a.example\")".into(),
                        "IpAddress(192.0.2.1)".into(),
                    ],
                },
                "is for a.example and 192.0.2.1, not for chat.example",
                "--server a.example",
            ),
            (
                Judged::UnknownIssuer,
                "another CA, not of \"Networks 101\" with SHA-256 0123456789abcdef…",
                "right server",
            ),
            (
                Judged::BadSignature,
                "another CA that is called \"Networks 101\" too; the one in your file has SHA-256 0123456789abcdef…",
                "ca-tool show ca/ca.pem",
            ),
            (Judged::Expired, "has expired", "clock"),
            (
                Judged::ExpiredContext {
                    time: now,
                    not_after: now,
                },
                "expired at 2026-11-21 00:00:00",
                "clock",
            ),
            (Judged::NotValidYet, "is not valid yet", "clock"),
            (
                Judged::NotValidYetContext {
                    time: now,
                    not_before: now,
                },
                "is not valid before 2026-11-21 00:00:00",
                "clock",
            ),
            (Judged::InvalidPurpose, "not a server certificate", "posing"),
            (
                Judged::InvalidPurposeContext {
                    required: ExtendedKeyPurpose::ServerAuth,
                    presented: vec![ExtendedKeyPurpose::ClientAuth],
                },
                "not a server certificate",
                "posing",
            ),
            (
                Judged::InvalidPurposeContext {
                    required: ExtendedKeyPurpose::ServerAuth,
                    presented: Vec::new(),
                },
                "no extended key usage serverAuth",
                "ca-tool issue-server chat.example",
            ),
            (Judged::Revoked, "was revoked", "tell whoever runs the room"),
        ] {
            let cause = Cause::Tls(rustls::Error::InvalidCertificate(judged));
            check(&cause, today(), Exit::Untrusted, words, hint);
        }
    }

    #[test]
    fn of_thousands_of_names_a_few_are_told() {
        let names: Vec<String> = (0..3000).map(|n| format!("host{n}.example")).collect();
        let failure = explain_names(&scene().target, &names);
        assert!(
            failure
                .sentence
                .contains("host4.example and 2995 more, not for chat.example"),
            "{failure}"
        );
        let hint = failure.hint.expect("a hint");
        assert!(hint.len() < 300, "{hint}");
        assert!(
            hint.ends_with("`ca-tool issue-server` with those 3000 names and chat.example"),
            "{hint}"
        );
    }

    #[test]
    fn the_command_that_adds_a_name_loses_none_and_writes_addresses_as_people_do() {
        let presented = [
            "DnsName(\"localhost\")",
            "DnsName(\"pc7.local\")",
            "IpAddress(127.0.0.1)",
            "IpAddress(0::1)",
            "IpAddress(2001:db8::7)",
            "IpAddress(192.0.2.7)",
        ];
        let names: Vec<String> = presented.iter().map(|name| plain_name(name)).collect();
        let failure = explain_names(&scene().target, &names);
        assert_eq!(
            failure.sentence,
            "the server's certificate is for localhost, pc7.local, 127.0.0.1, ::1, 2001:db8::7 and 1 more, not for chat.example"
        );
        assert_eq!(
            failure.hint.as_deref(),
            Some(
                "use --server localhost, if that is the server you mean; or whoever runs the room can run `ca-tool issue-server localhost pc7.local 127.0.0.1 ::1 2001:db8::7 192.0.2.7 chat.example`"
            )
        );
    }

    #[test]
    fn a_goodbye_is_told_with_its_reason_and_without_its_escapes() {
        let bye = |reason: &str, words: &str| Cause::Bye {
            reason: ByeReason::parse(reason),
            words: words.to_owned(),
        };
        let exit = Exit::Ended;
        check(
            &bye("replaced", "from 192.0.2.9"),
            today(),
            exit,
            "from 192.0.2.9 (replaced)",
            "allow",
        );
        check(
            &bye("revoked", ""),
            today(),
            exit,
            "session: revoked",
            "new certificate",
        );
        check(
            &bye("on-hold", ""),
            today(),
            exit,
            "session: on-hold",
            "with the same file",
        );
        check(
            &bye("kicked", "\u{1b}[2Jout"),
            today(),
            exit,
            "\u{fffd}[2Jout (kicked)",
            "",
        );
    }
}
