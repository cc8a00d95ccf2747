//! Notes on people who have a certificate and no file where `issue` puts files. Most of these files were
//! handed out, so nothing here suggests to revoke anything unless somebody misses their file.

use std::collections::HashMap;

use wire::ClientId;

use crate::ca::Ca;
use crate::error::Error;
use crate::ledger::index::FOLDER;
use crate::people::parcel::Parcel;
use crate::people::plan::Skipped;
use crate::words::{NAMES_SHOWN_MAX, counted, first_few};

/// Returns notes on the files of people who were skipped: those of another kind, those that were written
/// to another folder, and those that are not there.
pub(super) fn notes_on_missing_files(
    ca: &Ca,
    skipped: &[Skipped],
    parcel: Parcel,
) -> Result<Vec<String>, Error> {
    let people = ca.register().people();
    let has_file =
        |parcel: Parcel, one: &Skipped| people.join(parcel.file_name(one.id.as_str())).exists();
    let without = skipped.iter().filter(|one| !has_file(parcel, one));
    // People who made their own key have no bundle here, and people with a bundle need no zip.
    let (others, without): (Vec<_>, Vec<_>) =
        without.partition(|one| parcel.others().any(|other| has_file(other, one)));
    let folders = folders(ca)?;
    let (elsewhere, missing): (Vec<_>, Vec<_>) = without
        .into_iter()
        .partition(|one| folders.contains_key(&one.id));

    let shown = people.display();
    let mut notes = Vec::new();
    if parcel == Parcel::Zip && !others.is_empty() {
        let count = counted(others.len(), "person has a file", "people have files");
        notes.push(format!(
            "{count} of another kind in {shown}: only new certificates are put into zips"
        ));
    }
    if let Some(first) = elsewhere.first() {
        let files = counted(elsewhere.len(), "person's file was", "people's files were");
        let folder = wire::escape(&folders[&first.id]);
        let others = elsewhere
            .iter()
            .any(|one| folders[&one.id] != folders[&first.id]);
        let others = if others { " and other folders" } else { "" };
        notes.push(format!("{files} written to {folder}{others}"));
    }
    if !missing.is_empty() {
        let files = counted(missing.len(), "person has no file", "people have no file");
        let names: Vec<String> = missing.iter().map(|one| one.id.to_string()).collect();
        let names = first_few(&names, NAMES_SHOWN_MAX, ", ");
        notes.push(format!(
            "{files} in {shown}: {names}. That is as it should be if you handed the files out. Only if \
             somebody no longer has theirs: `ca-tool revoke NAME --reason superseded`, and issue again"
        ));
    }
    Ok(notes)
}

/// Returns the folders that people's files were written to, where that was not the usual one.
fn folders(ca: &Ca) -> Result<HashMap<ClientId, String>, Error> {
    let mut folders = HashMap::new();
    for entry in ca.register().entries()? {
        let Some((id, _)) = entry.person() else {
            continue;
        };
        // Each person's newest certificate decides.
        match entry.note(FOLDER) {
            Some(folder) => folders.insert(id, folder.to_owned()),
            None => folders.remove(&id),
        };
    }
    Ok(folders)
}
