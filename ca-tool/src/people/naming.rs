//! Gives an ID to each person whose roster has none, so that a person keeps the ID of earlier runs and no
//! two people share one.

use std::collections::{HashMap, HashSet};

use wire::ClientId;

use super::candidate::Candidate;
use super::shape::{numbered, shape};
use crate::ledger::index::{EMAIL, Index, SOURCE};

/// A candidate with an ID, and how the ID came about.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) candidate: Candidate,
    /// The rules that changed what the roster says.
    pub(crate) changes: Vec<String>,
}

/// Names everybody. Candidates who have an ID keep it.
pub(crate) fn name_all(candidates: &[Candidate], index: &Index) -> Vec<Named> {
    if candidates
        .iter()
        .all(|candidate| candidate.made_from.is_none())
    {
        let named = candidates.iter().cloned();
        return named
            .map(|candidate| Named {
                candidate,
                changes: Vec::new(),
            })
            .collect();
    }
    Naming::new(candidates, index).run(candidates)
}

/// Somebody who was issued a certificate before.
struct Holder {
    id: ClientId,
    name: Option<String>,
    email: Option<String>,
    source: Option<String>,
}

struct Naming {
    holders: Vec<Holder>,
    by_folded: HashMap<String, usize>,
    /// By what their ID was made from, and by mail address.
    by_key: HashMap<String, Vec<usize>>,
    /// How many rows have the same mail address or the same value.
    rows_of: HashMap<String, usize>,
    /// The IDs that rows ask for without a number; nobody else's number may lead there.
    bases: HashSet<String>,
    taken: HashSet<String>,
    next: HashMap<String, usize>,
}

impl Naming {
    fn new(candidates: &[Candidate], index: &Index) -> Self {
        let mut naming = Self {
            holders: Vec::new(),
            by_folded: HashMap::new(),
            by_key: HashMap::new(),
            rows_of: HashMap::new(),
            bases: HashSet::new(),
            taken: HashSet::new(),
            next: HashMap::new(),
        };
        for entry in index.entries() {
            let Some((id, _)) = entry.person() else {
                continue;
            };
            let note = |key| entry.note(key).map(str::to_owned);
            naming.know(Holder {
                id,
                name: entry.full_name().map(str::to_owned),
                email: note(EMAIL),
                source: note(SOURCE),
            });
        }
        for (at, holder) in naming.holders.iter().enumerate() {
            for key in [&holder.email, &holder.source].into_iter().flatten() {
                let same = naming.by_key.entry(key_of(key)).or_default();
                if !same.contains(&at) {
                    same.push(at);
                }
            }
        }
        for candidate in candidates {
            match &candidate.made_from {
                Some(value) => {
                    naming.bases.insert(folded(&shape(value).id));
                    for key in keys(candidate) {
                        *naming.rows_of.entry(key).or_default() += 1;
                    }
                }
                None => {
                    naming.taken.insert(folded(&candidate.name));
                }
            }
        }
        naming
    }

    /// Adds what one certificate says of its holder; a newer one knows better.
    fn know(&mut self, newer: Holder) {
        let at = *self
            .by_folded
            .entry(newer.id.folded())
            .or_insert(self.holders.len());
        match self.holders.get_mut(at) {
            None => self.holders.push(newer),
            Some(holder) => {
                holder.name = newer.name.or(holder.name.take());
                holder.email = newer.email.or(holder.email.take());
                holder.source = newer.source.or(holder.source.take());
            }
        }
    }

    fn run(mut self, candidates: &[Candidate]) -> Vec<Named> {
        // People who are known come first: nobody new may take their ID.
        let mut known: Vec<Option<usize>> = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let holder = candidate
                .made_from
                .as_ref()
                .and_then(|_| self.known(candidate));
            if let Some(at) = holder {
                self.taken.insert(self.holders[at].id.folded());
            }
            known.push(holder);
        }
        let named = candidates.iter().zip(known);
        named
            .map(|(candidate, holder)| self.name(candidate, holder))
            .collect()
    }

    /// Returns who a row certainly is: somebody with the same mail address, or whose ID was made from the
    /// same value. If people share an address, the name decides.
    fn known(&self, candidate: &Candidate) -> Option<usize> {
        let keys = keys(candidate);
        let is_shared = keys
            .iter()
            .any(|key| self.rows_of.get(key).is_some_and(|rows| *rows > 1));
        let mut found: Vec<usize> = Vec::new();
        for at in keys.iter().filter_map(|key| self.by_key.get(key)).flatten() {
            let is_taken = self.taken.contains(&self.holders[*at].id.folded());
            if !is_taken && !found.contains(at) {
                found.push(*at);
            }
        }
        let has_name = |at: &&usize| {
            same_names(
                self.holders[**at].name.as_ref(),
                candidate.full_name.as_ref(),
            )
        };
        let by_name = found.iter().find(|at| has_name(at) == Some(true));
        match found[..] {
            _ if by_name.is_some() => by_name.copied(),
            [only] if !is_shared => Some(only),
            [only] if has_name(&&only).is_none() => Some(only),
            _ => None,
        }
    }

    fn name(&mut self, candidate: &Candidate, holder: Option<usize>) -> Named {
        let mut candidate = candidate.clone();
        let Some(value) = &candidate.made_from else {
            return Named {
                candidate,
                changes: Vec::new(),
            };
        };
        let shaped = shape(value);
        let mut changes: Vec<String> = shaped.changes.iter().map(ToString::to_string).collect();
        let base = shaped.id;
        if let Some(at) = holder {
            let id = self.holders[at].id.to_string();
            if folded(&id) != folded(&base) {
                changes.push("as issued before".to_owned());
            }
            candidate.name = id;
            return Named { candidate, changes };
        }
        // A text that can never be an ID is refused later; a number would not help it.
        let is_reserved = matches!(ClientId::parse(&base), Err(wire::IdError::Reserved));
        if base.is_empty() || ClientId::parse(&base).is_err() && !is_reserved {
            candidate.name = base;
            return Named { candidate, changes };
        }
        // Numbers that are taken are not tried again; those of other people may be the next row's.
        let mut next = *self.next.get(&base).unwrap_or(&1);
        let mut number = next;
        let id = loop {
            let id = match number {
                1 => base.clone(),
                number => numbered(&base, number),
            };
            let is_base_of_another = number > 1 && self.bases.contains(&folded(&id));
            let is_taken = self.taken.contains(&folded(&id))
                || is_base_of_another
                || number == 1 && is_reserved;
            if !is_taken && let Some(id) = self.free(&id, &candidate, number) {
                break id;
            }
            next += usize::from(is_taken && next == number);
            number += 1;
        };
        next += usize::from(next == number);
        self.next.insert(base.clone(), next);
        if number > 1 {
            changes.push(match is_reserved {
                true => format!("numbered, because {base} is reserved"),
                false => format!("numbered, because {base} is somebody else"),
            });
        }
        self.taken.insert(folded(&id));
        candidate.name = id;
        Named { candidate, changes }
    }

    /// Returns the spelling of an ID if this person can have it: nobody had it, or this person did.
    fn free(&self, id: &str, candidate: &Candidate, number: usize) -> Option<String> {
        let Some(holder) = self.by_folded.get(&folded(id)).map(|at| &self.holders[*at]) else {
            return Some(id.to_owned());
        };
        let emails = same(holder.email.as_ref(), candidate.email.as_ref());
        let sources = same(holder.source.as_ref(), candidate.made_from.as_ref());
        let names = same_names(holder.name.as_ref(), candidate.full_name.as_ref());
        let is_same = match (emails, sources, names) {
            (Some(false), ..) => false,
            (_, _, Some(is_same)) => is_same,
            (_, Some(is_same), None) => is_same,
            // Nothing says that it is somebody else: an ID that was issued by hand.
            (_, None, None) => number == 1,
        };
        is_same.then(|| holder.id.to_string())
    }
}

/// Returns the texts by which a person is found again.
fn keys(candidate: &Candidate) -> Vec<String> {
    let mut keys: Vec<String> = candidate
        .made_from
        .iter()
        .map(|value| key_of(value))
        .collect();
    keys.extend(candidate.email.iter().map(|email| key_of(email)));
    keys.dedup();
    keys
}

fn key_of(text: &str) -> String {
    text.trim().to_lowercase()
}

fn same(one: Option<&String>, other: Option<&String>) -> Option<bool> {
    Some(key_of(one?) == key_of(other?))
}

fn same_names(one: Option<&String>, other: Option<&String>) -> Option<bool> {
    let words = |name: &String| {
        let name = name.to_lowercase();
        name.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    Some(words(one?) == words(other?))
}

fn folded(id: &str) -> String {
    match ClientId::parse(id) {
        Ok(id) => id.folded(),
        Err(_) => id.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::people::candidate::Location;

    fn row(value: &str, name: &str, email: &str) -> Candidate {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Candidate {
            name: String::new(),
            full_name: some(name),
            email: some(email),
            role: None,
            location: Location::Line("class.csv".into(), 1),
            fault: None,
            made_from: some(value),
        }
    }

    fn ids(rows: &[Candidate], index: &str) -> Vec<String> {
        let index = Index::parse(index, Path::new("index.txt")).expect("an index");
        let named = name_all(rows, &index).into_iter();
        named.map(|named| named.candidate.name).collect()
    }

    /// Returns an index in which these IDs have these notes.
    fn issued(entries: &[(&str, &str)]) -> String {
        let lines = entries.iter().enumerate();
        lines
            .map(|(at, (id, notes))| {
                format!(
                    "V\t270520235959Z\t\t{:02}\t{notes}\t/CN={id}/OU=student/O=N\n",
                    at + 1
                )
            })
            .collect()
    }

    #[test]
    fn equal_ids_are_numbered_and_nobody_gets_the_id_of_another_row() {
        let mails = |mails: &[&str]| {
            let rows: Vec<_> = mails.iter().map(|mail| row(mail, "", mail)).collect();
            ids(&rows, "")
        };
        assert_eq!(
            mails(&["pat@a.org", "pat@b.org", "Pat@c.org"]),
            ["pat", "pat2", "pat3"]
        );
        assert_eq!(
            mails(&["pat@a.org", "pat@b.org", "pat2@a.org"]),
            ["pat", "pat3", "pat2"]
        );
        assert_eq!(mails(&["s1@a.org", "s1@b.org"]), ["s1", "s1-2"]);
        assert_eq!(mails(&["all@a.org", "system@a.org"]), ["all2", "system2"]);
    }

    #[test]
    fn a_person_keeps_the_id_of_earlier_runs_whatever_the_order() {
        let index = issued(&[
            ("pat", "name=Pat A;email=pat@a.org"),
            ("pat2", "name=Pat B;email=pat@b.org"),
        ]);
        let rows = [
            row("pat@c.org", "Pat C", "pat@c.org"),
            row("pat@b.org", "Pat B", "pat@b.org"),
            row("pat@a.org", "Pat A", "pat@a.org"),
        ];
        assert_eq!(ids(&rows, &index), ["pat3", "pat2", "pat"]);
        // By name where there is no address.
        let index = issued(&[("pat", "name=Pat A"), ("pat2", "name=Pat B")]);
        let rows = [
            row("Pat", "Pat B", ""),
            row("PAT", "Pat A", ""),
            row("p'at", "Pat C", ""),
        ];
        assert_eq!(ids(&rows, &index), ["pat2", "pat", "pat3"]);
        // By the value from which the ID was made.
        let index = issued(&[("pat", "source=P.at"), ("pat2", "source=pa.t")]);
        assert_eq!(
            ids(&[row("PA.T", "", ""), row("p.at", "", "")], &index),
            ["pat2", "pat"]
        );
    }

    #[test]
    fn a_person_who_is_known_by_address_keeps_an_id_that_was_made_otherwise() {
        let index = issued(&[("s900101", "name=Erin Brown;email=erin@example.org")]);
        assert_eq!(
            ids(
                &[row("erin@example.org", "Erin Brown", "erin@example.org")],
                &index
            ),
            ["s900101"]
        );
        // Also after they changed their name.
        assert_eq!(
            ids(&[row("Erin@example.org", "Erin Green", "")], &index),
            ["s900101"]
        );
    }

    #[test]
    fn two_people_with_one_address_are_told_apart_by_their_names() {
        let rows = [
            row("home@x.org", "Ann", "home@x.org"),
            row("home@x.org", "Ben", "home@x.org"),
        ];
        assert_eq!(ids(&rows, ""), ["home", "home2"]);
        let index = issued(&[
            ("home", "name=Ann;email=home@x.org"),
            ("home2", "name=Ben;email=home@x.org"),
        ]);
        let [ann, ben] = rows;
        assert_eq!(ids(&[ben.clone(), ann], &index), ["home2", "home"]);
        assert_eq!(ids(std::slice::from_ref(&ben), &index), ["home2"]);
        let cal = row("home@x.org", "Cal", "home@x.org");
        assert_eq!(ids(&[cal, ben], &index), ["home3", "home2"]);
    }

    #[test]
    fn an_id_that_was_issued_by_hand_is_the_same_persons_unless_something_says_otherwise() {
        let erin = row("erin@x.org", "Erin Brown", "erin@x.org");
        let one = std::slice::from_ref(&erin);
        assert_eq!(ids(one, &issued(&[("erin", "unknown")])), ["erin"]);
        assert_eq!(ids(one, &issued(&[("Erin", "unknown")])), ["Erin"]);
        assert_eq!(ids(one, &issued(&[("erin", "name=Erin Green")])), ["erin2"]);
        assert_eq!(
            ids(
                one,
                &issued(&[("erin", "name=Erin Brown;email=erin@y.org")])
            ),
            ["erin2"]
        );
    }

    #[test]
    fn twenty_thousand_people_of_one_name_are_numbered_in_no_time() {
        let rows: Vec<_> = (0..20_000)
            .map(|n| row(&format!("pat@{n}.org"), "", ""))
            .collect();
        let ids = ids(&rows, "");
        assert_eq!((ids[0].as_str(), ids[19_999].as_str()), ("pat", "pat20000"));
    }
}
