//! What a person's own machine is asked to do, where there is no CA.

use std::path::Path;

use super::deed::{Deed, Item, shown};
use super::{Output, note};
use crate::cli::args::Place;
use crate::error::Error;
use crate::holder::own_key;

pub(super) fn request(
    place: &Place,
    name: &str,
    out: &Path,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let made = own_key::request(name, out)?;
    let (key, request) = (made.key.display(), made.request.display());
    let asked = Item {
        name: made.id.to_string(),
        file: Some(shown(&made.request)),
        key: Some(shown(&made.key)),
        ..Item::default()
    };
    let deed = Deed::new("request").done([asked]);
    deed.tell(place, output, |results| {
        writeln!(results, "key      {key}")?;
        writeln!(results, "request  {request}")
    })?;
    if made.key_was_there {
        note(
            output,
            &format!("{key} was there already, so the request is for it"),
        );
    }
    note(
        output,
        &format!(
            "send {request} to whoever has the CA, and {key} to nobody; `ca-tool adopt ANSWER --key {key}` joins what comes back with it"
        ),
    );
    Ok(())
}

pub(super) fn adopt(
    place: &Place,
    answer: &Path,
    key: &Path,
    out: Option<&Path>,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let source = place.passphrase();
    let joined = own_key::adopt(answer, key, out, |path| source.for_key(path))?;
    let (id, bundle, until) = (&joined.id, joined.bundle.display(), joined.not_after.date());
    let made = Item::certificate(
        id.as_str(),
        &joined.serial,
        joined.not_after,
        &joined.bundle,
    );
    let deed = Deed::new("adopt").done([made]);
    deed.tell(place, output, |results| {
        writeln!(results, "{id}  {bundle}  valid until {until}")
    })?;
    if let Some(old) = joined.replaced {
        let old = old.date();
        note(
            output,
            &format!("it took the place of the one with the same key that was valid until {old}"),
        );
    }
    note(
        output,
        &format!(
            "it trusts the CA \"{}\", SHA-256 {}: compare that with what its owner says",
            joined.anchor.subject, joined.anchor.fingerprint
        ),
    );
    note(
        output,
        &format!("{bundle} holds your private key: keep it to yourself"),
    );
    Ok(())
}
