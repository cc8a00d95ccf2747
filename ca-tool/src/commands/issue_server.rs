//! `issue-server`: makes a bundle for another server, or a newer one for the same.

use std::path::Path;
use std::slice;

use super::deed::{Deed, notes_on_moved};
use super::{Context, Reply};
use crate::error::Error;
use crate::sign::host::Host;

/// Without hosts, the bundle is for the server that `init` made one for.
pub(crate) fn issue_server(
    context: &Context<'_>,
    mut hosts: Vec<Host>,
    out: Option<&Path>,
) -> Result<Reply, Error> {
    let ca = context.open()?;
    let is_for_the_same = hosts.is_empty();
    if is_for_the_same {
        hosts = ca.hosts()?;
    }
    let issued = ca.issue_server(&hosts, out)?;
    let mut deed = Deed::new("issue-server").issued(slice::from_ref(&issued));
    let mut notes = notes_on_moved(slice::from_ref(&issued));
    let names: Vec<_> = hosts.iter().map(Host::to_string).collect();
    deed = deed.line(&format!("  valid for  {}", names.join(", ")));
    let new = issued.bundle.display();
    if is_for_the_same {
        let old = ca.register().server_bundle();
        let old = old.display();
        notes.push(format!(
            "`mv {new} {old}` puts it in place of the old one; a running server picks it up by itself"
        ));
    } else {
        notes.push(format!(
            "move {new} to the file of that server's --cert; a running server picks it up by itself"
        ));
    }
    Ok(Reply::new(deed).noting(notes))
}
