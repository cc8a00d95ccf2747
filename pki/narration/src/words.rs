//! The words for what TLS and certificates say, for people.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use pki::{Certificate, Name, Purpose};
use rustls::AlertDescription;
use wire::Timestamp;

use crate::names::Named;

/// The part of a name that is shown; honest ones have half as many characters.
const NAME_CHARS_MAX: usize = 128;

/// The names in a list that are shown.
const NAMES_MAX: usize = 8;

/// Returns the fields of a certificate, a line each. Reading them proves nothing.
pub fn certificate(certificate: &Certificate, now: SystemTime) -> Vec<String> {
    let names = alternative_names(certificate);
    let mut lines = vec![
        format!("subject   {}", name(&certificate.subject)),
        format!("issuer    {}", name(&certificate.issuer)),
        format!("serial    {}", certificate.serial),
        format!("valid     {}", validity(certificate, now)),
        format!("use       {}", purposes(certificate)),
        format!("key       {}", certificate.key),
        format!("sha-256   {}", certificate.fingerprint),
    ];
    if !names.is_empty() {
        lines.push(format!("names     {names}"));
    }
    lines
}

/// Returns a CA's certificate in a line.
pub fn ca_in_short(certificate: &Certificate) -> String {
    let subject = name(&certificate.subject);
    format!("the CA {subject}, SHA-256 {}", certificate.fingerprint)
}

fn name(name: &Name) -> String {
    let parts = name.in_order.iter();
    let mut shown: Vec<String> = parts
        .take(NAMES_MAX)
        .map(|(attribute, value)| format!("{attribute}={}", wire::excerpt(value, NAME_CHARS_MAX)))
        .collect();
    match name.in_order.len() {
        0 => return "(no name)".to_owned(),
        count if count > NAMES_MAX => shown.push(format!("and {} more", count - NAMES_MAX)),
        _ => {}
    }
    shown.join(", ")
}

fn validity(certificate: &Certificate, now: SystemTime) -> String {
    let (from, to) = (certificate.not_before, certificate.not_after);
    let now_it_is = if now < from {
        "not yet valid".to_owned()
    } else {
        match to.duration_since(now) {
            Ok(left) => format!("valid for {}", long_time(left)),
            Err(_) => "expired".to_owned(),
        }
    };
    format!("{} to {}: {now_it_is}", day(from), day(to))
}

/// Returns the moment to the second, as `2026-11-21T10:00:00Z`.
fn day(moment: SystemTime) -> String {
    let text = Timestamp::from(moment).to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

fn long_time(left: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match left.as_secs() {
        seconds if seconds >= 2 * DAY => format!("{} days more", seconds / DAY),
        seconds if seconds >= 2 * 60 * 60 => format!("{} hours more", seconds / 60 / 60),
        seconds => format!("{seconds} s more"),
    }
}

fn purposes(certificate: &Certificate) -> String {
    if certificate.is_ca {
        return "signs certificates (CA)".to_owned();
    }
    let purposes = certificate.purposes.iter().map(|purpose| match purpose {
        Purpose::Server => "proves a server (EKU serverAuth)",
        Purpose::Client => "proves a person (EKU clientAuth)",
    });
    match purposes.collect::<Vec<_>>() {
        named if named.is_empty() => "no extended key usage".to_owned(),
        named => named.join(", "),
    }
}

fn alternative_names(certificate: &Certificate) -> String {
    let short = |text: &String| wire::excerpt(text, NAME_CHARS_MAX);
    let dns = certificate
        .dns_names
        .iter()
        .map(|name| format!("DNS {}", short(name)));
    let addresses = certificate.addresses.iter().map(|ip| format!("IP {ip}"));
    let emails = certificate
        .emails
        .iter()
        .map(|mail| format!("e-mail {}", short(mail)));
    let names: Vec<String> = dns.chain(addresses).chain(emails).collect();
    let mut shown = names
        .iter()
        .take(NAMES_MAX)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > NAMES_MAX {
        // A String takes whatever is written.
        let _written = write!(shown, " and {} more", names.len() - NAMES_MAX);
    }
    shown
}

/// Returns the name and number of an alert (RFC 8446, section 6).
pub fn alert(alert: AlertDescription) -> String {
    format!("{} ({})", pki::alert_name(alert), u8::from(alert))
}

/// Returns a measured time, as `1.3 ms`.
pub fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// Returns values in a list, as many as people read.
pub(crate) fn list<T: Named>(values: impl IntoIterator<Item = T>) -> String {
    let mut shown: Vec<String> = Vec::new();
    let mut more = 0;
    for value in values {
        if shown.len() < NAMES_MAX {
            shown.push(value.named());
        } else {
            more += 1;
        }
    }
    let list = shown.join(", ");
    match (shown.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (_, 0) => list,
        (_, more) => format!("{list} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup;

    use super::*;

    #[test]
    fn alerts_have_the_names_of_the_standard() {
        assert_eq!(alert(AlertDescription::UnknownCA), "unknown_ca (48)");
        assert_eq!(
            alert(AlertDescription::CertificateRevoked),
            "certificate_revoked (44)"
        );
        assert_eq!(
            alert(AlertDescription::CertificateRequired),
            "certificate_required (116)"
        );
        assert_eq!(
            alert(AlertDescription::NoApplicationProtocol),
            "no_application_protocol (120)"
        );
    }

    #[test]
    fn a_time_is_told_in_the_unit_that_people_use() {
        assert_eq!(long_time(Duration::from_secs(59)), "59 s more");
        assert_eq!(long_time(Duration::from_secs(3 * 60 * 60)), "3 hours more");
        assert_eq!(
            long_time(Duration::from_secs(180 * 24 * 60 * 60)),
            "180 days more"
        );
        assert_eq!(milliseconds(Duration::from_micros(1260)), "1.3 ms");
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let groups = |numbers: std::ops::Range<u16>| list(numbers.map(NamedGroup::from));
        assert_eq!(groups(0..0), "none");
        assert_eq!(groups(0x17..0x19), "secp256r1, secp384r1");
        assert!(groups(0..100).ends_with(", 0x0007 and 92 more"));
    }

    #[test]
    fn a_name_is_told_once_in_the_order_of_its_certificate() {
        let part = |attribute, value: &str| (attribute, value.to_owned());
        let mut pat = Name::default();
        assert_eq!(name(&pat), "(no name)");
        pat.in_order = vec![
            part("O", "Networks 101"),
            part("CN", "pat"),
            part("name", "Pat O'Brien"),
        ];
        assert_eq!(name(&pat), "O=Networks 101, CN=pat, name=Pat O'Brien");
        pat.in_order = vec![part("OU", "student"); NAMES_MAX + 2];
        assert!(name(&pat).ends_with(", OU=student, and 2 more"));
    }
}
