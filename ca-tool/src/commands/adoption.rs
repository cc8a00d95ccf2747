//! Says what it means that a CA was at work before.

use super::{Output, note};
use crate::ca::Ca;
use crate::error::Error;

pub(super) fn tell_adoption(ca: &Ca, has_list: bool, output: &mut Output<'_>) -> Result<(), Error> {
    let revoked = ca.list()?.iter().filter(|r| r.revoked.is_some()).count();
    let otherwise = match (has_list, revoked) {
        (false, _) => {
            "`init --crl FILE` takes over whom it has revoked, and later `ca-tool crl --merge FILE`"
                .to_owned()
        }
        (true, 1) => "1 that it had revoked is kept out, as `ca-tool list` shows".to_owned(),
        (true, count) => {
            format!("{count} that it had revoked are kept out, as `ca-tool list` shows")
        }
    };
    note(
        output,
        &format!(
            "people's certificates that this CA signed elsewhere are good here too; {otherwise}"
        ),
    );
    note(
        output,
        "`ca-tool revoke --serial NUMBER` keeps one more out; its former home has to sign no more lists, whose numbers this folder would not know",
    );
    Ok(())
}
