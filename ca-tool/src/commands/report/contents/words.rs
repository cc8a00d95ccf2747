//! The contents of a file in words for people.

use std::fmt::{self, Write as _};

use super::Shown;

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl Shown {
    fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |what: &str, said: &str| {
            writeln!(text, "  {what:<12} {said}").expect("a string takes every line");
        };
        let title = match self {
            Shown::PrivateKey { encrypted } => {
                let how = if *encrypted { ", encrypted" } else { "" };
                return format!("private key{how}: keep this file to yourself\n");
            }
            Shown::Request(said) => {
                line("key", &said.key);
                line("signature", said.signature);
                if !said.asks_for.is_empty() {
                    let said: Vec<_> = said.asks_for.iter().map(|one| plain(one)).collect();
                    line("asks for", &said.join(", "));
                }
                line(
                    "",
                    "a CA uses only its key; the name comes from `sign --as`",
                );
                format!("request for a certificate by \"{}\"", plain(&said.name))
            }
            Shown::Certificate(said) => {
                line("issued by", &plain(&said.issuer));
                line(
                    "valid",
                    &format!("from {} until {}", said.not_before, said.not_after),
                );
                line("state", &said.state);
                line("for", said.purpose);
                for (what, said) in [
                    ("full name", said.full_name.as_deref()),
                    ("role", said.role.as_deref()),
                    ("room", said.organization.as_deref()),
                ] {
                    said.into_iter().for_each(|said| line(what, &plain(said)));
                }
                for (what, said) in [
                    ("names", &said.dns_names),
                    ("addresses", &said.addresses),
                    ("mail", &said.emails),
                ] {
                    if !said.is_empty() {
                        let said: Vec<_> = said.iter().map(|one| plain(one)).collect();
                        line(what, &said.join(", "));
                    }
                }
                line("key", &said.key);
                line("serial", &said.serial);
                line("fingerprint", &format!("SHA-256 {}", said.fingerprint));
                format!("certificate of \"{}\"", plain(&said.name))
            }
            Shown::RevocationList(said) => {
                line("number", &said.number);
                line("signed", &said.this_update);
                let next = said.next_update.as_deref();
                line("next", next.unwrap_or("not given"));
                line("signature", said.signature);
                line("revoked", &said.revoked.len().to_string());
                for serial in &said.revoked {
                    line("", serial);
                }
                format!("revocation list of \"{}\"", plain(&said.issuer))
            }
        };
        format!("{title}\n{text}")
    }
}

/// Returns a text for people, with everything escaped that could move the cursor. Programs get it as it
/// is.
fn plain(text: &str) -> String {
    wire::excerpt(text, 128)
}
