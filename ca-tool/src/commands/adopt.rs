//! `adopt`: combines the answer to a request with its key, on a person's own machine.

use std::path::Path;

use super::deed::{Deed, Item};
use super::{Context, Reply};
use crate::error::Error;
use crate::holder::own_key;
use crate::words::day;

pub(crate) fn adopt(
    context: &Context<'_>,
    answer: &Path,
    key: &Path,
    out: Option<&Path>,
) -> Result<Reply, Error> {
    let ask = |path: &Path| context.ask.passphrase(path);
    let joined = own_key::adopt(answer, key, out, &*context.listener, ask)?;
    let (id, bundle, until) = (&joined.id, joined.bundle.display(), joined.not_after);
    let item = Item::certificate(id.as_str(), &joined.serial, until, &joined.bundle);
    let deed = Deed::new("adopt")
        .done([item])
        .line(&format!("{id}  {bundle}  valid until {}", day(until)));
    let mut notes = Vec::new();
    if let Some(old) = joined.replaced {
        let old = day(old);
        notes.push(format!(
            "it replaced the bundle with the same key that was valid until {old}"
        ));
    }
    notes.push(format!(
        "it trusts the CA \"{}\", SHA-256 {}: compare that with what its owner tells you",
        joined.anchor.subject, joined.anchor.fingerprint
    ));
    notes.push(format!(
        "{bundle} contains your private key: keep it to yourself"
    ));
    Ok(Reply::new(deed).noting(notes))
}
