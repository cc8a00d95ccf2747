//! `request`: makes a key on a person's own machine, and a request for its certificate.

use std::path::Path;

use super::deed::{Deed, Item, shown};
use super::{Context, Reply};
use crate::error::Error;
use crate::holder::own_key;

pub(crate) fn request(context: &Context<'_>, name: &str, out: &Path) -> Result<Reply, Error> {
    let made = own_key::request(name, out, &*context.listener)?;
    let (key, request) = (made.key.display(), made.request.display());
    let item = Item {
        name: made.id.to_string(),
        file: Some(shown(&made.request)),
        key: Some(shown(&made.key)),
        ..Item::default()
    };
    let deed = Deed::new("request")
        .done([item])
        .line(&format!("key      {key}"))
        .line(&format!("request  {request}"));
    let mut notes = Vec::new();
    if made.key_was_there {
        notes.push(format!("{key} existed already, so the request is for it"));
    }
    notes.push(format!(
        "send {request} to whoever runs the CA, and {key} to nobody; `ca-tool adopt ANSWER --key {key}` combines the answer with it"
    ));
    Ok(Reply::new(deed).noting(notes))
}
