//! `init`: makes a CA, or adopts one from elsewhere.

use std::sync::Arc;

use pki::Bundle;
use time::OffsetDateTime;

use super::deed::{Deed, Item, shown};
use super::{Context, Reply};
use crate::ca::{AdoptOptions, Ca, InitOptions};
use crate::error::Error;
use crate::keys::passphrase::Passphrase;
use crate::sign::strict::{self, STRICT_PROGRAMS};
use crate::words::day;

/// The CA to make a folder for.
pub(crate) enum NewCa {
    Made(InitOptions),
    Adopted(AdoptOptions),
}

pub(crate) fn init(context: &Context<'_>, new: NewCa, no_passphrase: bool) -> Result<Reply, Error> {
    let dir = context.dir;
    let listener = Arc::clone(&context.listener);
    let new_passphrase = || -> Result<Option<Passphrase>, Error> {
        match no_passphrase {
            true => Ok(None),
            false => context.ask.new_passphrase().map(Some),
        }
    };
    let mut notes = Vec::new();
    // Everything that can fail is checked before anybody has to think of a passphrase.
    let (ca, has_host, is_encrypted) = match new {
        NewCa::Made(mut options) => {
            Ca::may_init(dir, &options.name)?;
            options.passphrase = new_passphrase()?;
            let ca = Ca::init_heard(dir, &options, listener)?;
            (ca, !options.hosts.is_empty(), options.passphrase.is_some())
        }
        NewCa::Adopted(mut options) => {
            Ca::may_adopt(dir, &options)?;
            options.passphrase = match options.is_encrypted()? {
                true if no_passphrase => return Err(Error::StaysEncrypted(options.key)),
                true => Some(context.ask.passphrase(&options.key)?),
                false => new_passphrase()?,
            };
            let ca = Ca::adopt_heard(dir, &options, listener)?;
            notes.extend(notes_on_adoption(&ca, options.list.is_some())?);
            notes.extend(notes_on_strictness(&ca, &options));
            (ca, !options.hosts.is_empty(), options.passphrase.is_some())
        }
    };
    if !has_host {
        notes.push(
            "people's bundles will say that the server is on localhost; for other machines use `issue --server HOST`"
                .to_owned(),
        );
    }
    let key = ca.register().key();
    let key = key.display();
    notes.push(match is_encrypted {
        true => format!(
            "anybody who has {key} and its passphrase can let anybody in: keep copies of both, in two places. If the passphrase is lost, the key is lost too"
        ),
        false => format!(
            "anybody who can read {key} can let anybody in: keep it to yourself, and keep a copy"
        ),
    });
    Ok(Reply::new(deed(&ca)).noting(notes))
}

fn deed(ca: &Ca) -> Deed {
    let (says, key) = (ca.register().says(), ca.register().key());
    let (certificate, list, path) = (
        ca.register().certificate(),
        ca.register().revocation_list(),
        ca.register().server_bundle(),
    );
    let until = OffsetDateTime::from(says.not_after);
    let founded = Item {
        key: Some(shown(&key)),
        ..Item::certificate(ca.name(), &says.serial, until, &certificate)
    };
    let deed = Deed::new("init")
        .done([founded])
        .list(Some(&list))
        .line(&format!(
            "made the CA \"{}\", valid until {}",
            ca.name(),
            day(until)
        ))
        .line(&format!("  certificate      {}", certificate.display()))
        .line(&format!("  key              {}", key.display()))
        .line(&format!("  revocation list  {}", list.display()));
    let Ok(bundle) = Bundle::read(&path) else {
        return deed;
    };
    let said = bundle.certificate();
    let until = OffsetDateTime::from(said.not_after);
    let name = said.subject.common_names.first();
    let name = name.map_or("server", String::as_str);
    let addresses = said.addresses.iter().map(ToString::to_string);
    let names: Vec<_> = said.dns_names.iter().cloned().chain(addresses).collect();
    deed.done([Item::certificate(name, &said.serial, until, &path)])
        .line(&format!(
            "made a bundle for the server, valid until {}",
            day(until)
        ))
        .line(&format!("  bundle           {}", path.display()))
        .line(&format!("  valid for        {}", names.join(", ")))
}

/// Returns a note for a CA that some programs refuse, with the commands that make a certificate which
/// they take. The name and the key stay, so everything that the CA signed before stays valid.
fn notes_on_strictness(ca: &Ca, options: &AdoptOptions) -> Option<String> {
    let found = strict::shortcomings(ca.register().anchor());
    if found.is_empty() {
        return None;
    }
    let (certificate, key) = (
        pki::shell_word(&options.certificate),
        pki::shell_word(&options.key),
    );
    Some(format!(
        "{}: {STRICT_PROGRAMS}. Before you issue anything, make its certificate again with the same name and key, and adopt that: \
         `printf 'basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign,cRLSign\\nsubjectKeyIdentifier=hash\\n' > strict.ext` \
         and `openssl x509 -in {certificate} -signkey {key} -clrext -extfile strict.ext -days 3650 -out strict.pem`",
        found.join(", ")
    ))
}

/// Returns notes for a CA that was used elsewhere.
fn notes_on_adoption(ca: &Ca, has_list: bool) -> Result<[String; 2], Error> {
    let revoked = ca
        .register()
        .entries()?
        .iter()
        .filter(|r| r.revoked.is_some())
        .count();
    let otherwise = match (has_list, revoked) {
        (false, _) => {
            "`ca-tool crl --merge FILE` adds the revocations from its list (as `init --crl FILE` does)"
                .to_owned()
        }
        (true, 1) => "1 that it has revoked stays revoked; see `ca-tool list`".to_owned(),
        (true, count) => format!("{count} that it has revoked stay revoked; see `ca-tool list`"),
    };
    Ok([
        format!("certificates that this CA signed elsewhere are valid here too; {otherwise}"),
        "`ca-tool revoke --serial NUMBER` revokes one more. The CA must sign no more lists elsewhere: this folder would not know their numbers"
            .to_owned(),
    ])
}
