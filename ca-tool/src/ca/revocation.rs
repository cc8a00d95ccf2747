//! Revokes people's certificates.

use std::path::PathBuf;

use time::OffsetDateTime;
use wire::ClientId;

use super::Ca;
use crate::error::Error;
use crate::index::Index;
use crate::reason::Reason;

/// What `revoke` did.
#[derive(Debug)]
pub struct Revocation {
    /// Each person, and how many certificates were revoked now; 0 if all of them were before.
    pub people: Vec<(ClientId, usize)>,
    /// The list that says so.
    pub list: PathBuf,
}

impl Ca {
    /// Revokes every certificate of these people that is not revoked yet, and signs the list at
    /// once. Who has none left is no error; who never had one is, and then nobody is revoked.
    ///
    /// # Errors
    ///
    /// When a name is unknown, or the list cannot be written.
    pub fn revoke(&self, names: &[String], reason: Reason) -> Result<Revocation, Error> {
        let now = OffsetDateTime::now_utc();
        let (_lock, mut index) = self.lock()?;
        let ids = known(names, &index)?;
        let people: Vec<_> = ids
            .into_iter()
            .map(|id| {
                let revoked = index.revoke(&id, now, reason);
                (id, revoked)
            })
            .collect();
        if people.iter().any(|(_, revoked)| *revoked > 0) {
            // First the database. If this run is cut short here, the next one finds that the list
            // lacks somebody, and signs it.
            self.write_index(&index)?;
            self.sign_list(&index, now)?;
        }
        Ok(Revocation {
            people,
            list: self.folder.list(),
        })
    }
}

/// The people of these names; each of them was issued a certificate.
fn known(names: &[String], index: &Index) -> Result<Vec<ClientId>, Error> {
    if names.is_empty() {
        return Err(Error::Nobody);
    }
    let people: Vec<ClientId> = index
        .records()
        .iter()
        .filter_map(|record| Some(record.person()?.0))
        .collect();
    let (mut ids, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        match ClientId::parse_typed(name) {
            Ok(id) if !people.contains(&id) => unknown.push(nobody(id.as_str(), &people)),
            Ok(id) if !ids.contains(&id) => ids.push(id),
            Ok(_) => {}
            Err(_) => unknown.push(nobody(name, &people)),
        }
    }
    if unknown.is_empty() {
        Ok(ids)
    } else {
        Err(Error::Unknown(unknown))
    }
}

/// Says that a name was never issued, and which one may have been meant.
pub(crate) fn nobody(name: &str, people: &[ClientId]) -> String {
    // Three letters in ten may be wrong; beyond that a suggestion only confuses.
    let nearest = people
        .iter()
        .map(|id| {
            let distance = strsim::damerau_levenshtein(name, id.as_str());
            (distance, id)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, id)| distance * 10 <= id.as_str().chars().count() * 4);
    let said = format!("\"{}\" was never issued a certificate", name.escape_debug());
    match nearest {
        Some((_, id)) => format!("{said} (is \"{id}\" meant?)"),
        None => said,
    }
}
