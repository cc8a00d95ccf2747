//! Gives an ID to each person whose roster has none, so that a person keeps the ID of earlier runs and no
//! two people share one.

use std::collections::{HashMap, HashSet, VecDeque};

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
    folded: String,
    name: Option<String>,
    email: Option<String>,
    source: Option<String>,
}

struct Naming {
    holders: Vec<Holder>,
    by_folded: HashMap<String, usize>,
    /// By what their ID was made from, and by mail address.
    by_key: HashMap<String, VecDeque<usize>>,
    /// By such a text and the full name together: a whole class may share one address.
    by_key_and_name: HashMap<(String, String), VecDeque<usize>>,
    /// How many rows have the same mail address or the same value.
    rows_of: HashMap<String, usize>,
    /// The IDs that rows ask for without a number; nobody else's number may lead there.
    bases: HashSet<String>,
    taken: HashSet<String>,
    series: HashMap<String, Series>,
}

/// The IDs that are made from one base, as far as they were looked at. Each number is looked at once, however
/// many rows ask for the base.
struct Series {
    /// The lowest number that nobody has and nobody had.
    next: usize,
    /// The lower numbers that somebody had, by what would show that a row is the same person.
    held: HashMap<Trait, VecDeque<(usize, usize)>>,
}

/// What a row and a holder have in common if they are one person. See [`is_same`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Trait {
    by: Shared,
    email: Email,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Shared {
    Name(String),
    /// The value from which the ID was made.
    Source(String),
    /// The same, of a holder whose name is not known.
    NamelessSource(String),
}

/// The mail address of a holder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Email {
    Is(String),
    Unknown,
    /// Any address or none, for a row that has none.
    Any,
}

impl Naming {
    fn new(candidates: &[Candidate], index: &Index) -> Self {
        let mut naming = Self {
            holders: Vec::new(),
            by_folded: HashMap::new(),
            by_key: HashMap::new(),
            by_key_and_name: HashMap::new(),
            rows_of: HashMap::new(),
            bases: HashSet::new(),
            taken: HashSet::new(),
            series: HashMap::new(),
        };
        for entry in index.entries() {
            let Some((id, _)) = entry.person() else {
                continue;
            };
            let note = |key| entry.note(key).map(str::to_owned);
            naming.know(Holder {
                folded: id.folded(),
                id,
                name: entry.full_name().map(str::to_owned),
                email: note(EMAIL),
                source: note(SOURCE),
            });
        }
        for (at, holder) in naming.holders.iter().enumerate() {
            for key in [&holder.email, &holder.source].into_iter().flatten() {
                let key = key_of(key);
                let same = naming.by_key.entry(key.clone()).or_default();
                if same.back() == Some(&at) {
                    continue;
                }
                same.push_back(at);
                if let Some(name) = &holder.name {
                    let same = naming.by_key_and_name.entry((key, name_key(name)));
                    same.or_default().push_back(at);
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
            .entry(newer.folded.clone())
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
                self.taken.insert(self.holders[at].folded.clone());
            }
            known.push(holder);
        }
        let named = candidates.iter().zip(known);
        named
            .map(|(candidate, holder)| self.name(candidate, holder))
            .collect()
    }

    /// Finds the holder whom a row names for certain: the one with the same mail address, or whose ID was made
    /// from the same value. If people share an address, the name decides.
    fn known(&mut self, candidate: &Candidate) -> Option<usize> {
        let keys = keys(candidate);
        let name = candidate.full_name.as_deref().map(name_key);
        if let Some(name) = &name {
            let mut queues = keys.iter().map(|key| (key.clone(), name.clone()));
            let found = queues.find_map(|key| {
                let queue = self.by_key_and_name.get_mut(&key)?;
                first_two(queue, |at| self.taken.contains(&self.holders[*at].folded))[0]
            });
            if found.is_some() {
                return found;
            }
        }
        let mut found: Vec<usize> = Vec::new();
        for key in &keys {
            if let Some(queue) = self.by_key.get_mut(key) {
                let two = first_two(queue, |at| self.taken.contains(&self.holders[*at].folded));
                found.extend(two.into_iter().flatten());
            }
        }
        found.sort_unstable();
        found.dedup();
        let is_shared = keys
            .iter()
            .any(|key| self.rows_of.get(key).is_some_and(|rows| *rows > 1));
        match found[..] {
            [only] if !is_shared => Some(only),
            // Nothing says that it is somebody else: one of the two names is not known.
            [only] if name.is_none() || self.holders[only].name.is_none() => Some(only),
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
        let (number, id) = self.number(&base, is_reserved, &candidate);
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

    /// Returns the lowest number with which a base is this person's ID, and that ID: nobody had it, or this
    /// person did.
    fn number(&mut self, base: &str, is_reserved: bool, candidate: &Candidate) -> (usize, String) {
        let mut series = self.series.remove(base).unwrap_or_default();
        let first = self.by_folded.get(&folded(base));
        let first = first.map(|at| &self.holders[*at]).filter(|holder| {
            let is_free = !is_reserved && !self.taken.contains(&holder.folded);
            is_free && is_same(holder, candidate) != Some(false)
        });
        let found = match first {
            Some(holder) => (1, holder.id.to_string()),
            None => {
                let id = self.advance(&mut series, base, is_reserved);
                let earlier = traits_of_row(candidate).into_iter().filter_map(|one| {
                    let queue = series.held.get_mut(&one)?;
                    let is_taken =
                        |(_, at): &(usize, usize)| self.taken.contains(&self.holders[*at].folded);
                    first_two(queue, is_taken)[0]
                });
                match earlier.min() {
                    Some((number, at)) => (number, self.holders[at].id.to_string()),
                    None => (series.next, id),
                }
            }
        };
        self.series.insert(base.to_owned(), series);
        found
    }

    /// Goes on to the lowest number that anybody can have, past those that somebody had, and returns its ID.
    fn advance(&self, series: &mut Series, base: &str, is_reserved: bool) -> String {
        loop {
            let number = series.next;
            let id = match number {
                1 => base.to_owned(),
                number => numbered(base, number),
            };
            let folded = folded(&id);
            let is_nobodys = number == 1 && is_reserved
                || number > 1 && self.bases.contains(&folded)
                || self.taken.contains(&folded);
            if !is_nobodys {
                let Some(at) = self.by_folded.get(&folded) else {
                    return id;
                };
                for one in traits_of_holder(&self.holders[*at]) {
                    series.held.entry(one).or_default().push_back((number, *at));
                }
            }
            series.next += 1;
        }
    }
}

impl Default for Series {
    fn default() -> Self {
        Self {
            next: 1,
            held: HashMap::new(),
        }
    }
}

/// Returns whether a holder and a row are one person, if anything says so. Two mail addresses are two people;
/// then the names decide, and without names the values from which the IDs were made. [`Trait`]s ask the same of
/// many holders at once.
fn is_same(holder: &Holder, candidate: &Candidate) -> Option<bool> {
    let emails = same(holder.email.as_ref(), candidate.email.as_ref());
    let sources = same(holder.source.as_ref(), candidate.made_from.as_ref());
    let names = same_names(holder.name.as_ref(), candidate.full_name.as_ref());
    match emails {
        Some(false) => Some(false),
        _ => names.or(sources),
    }
}

/// Returns what shows of a holder that a row is the same person.
fn traits_of_holder(holder: &Holder) -> Vec<Trait> {
    let mut shared = Vec::new();
    if let Some(source) = &holder.source {
        shared.push(Shared::Source(key_of(source)));
        if holder.name.is_none() {
            shared.push(Shared::NamelessSource(key_of(source)));
        }
    }
    shared.extend(holder.name.iter().map(|name| Shared::Name(name_key(name))));
    let own = match &holder.email {
        Some(email) => Email::Is(key_of(email)),
        None => Email::Unknown,
    };
    traits(shared, &[own, Email::Any])
}

/// Returns what shows of a row that a holder is the same person: any of these.
fn traits_of_row(candidate: &Candidate) -> Vec<Trait> {
    let source = candidate.made_from.as_deref().map(key_of);
    let shared = match &candidate.full_name {
        Some(name) => {
            let mut shared = vec![Shared::Name(name_key(name))];
            shared.extend(source.map(Shared::NamelessSource));
            shared
        }
        None => source.map(Shared::Source).into_iter().collect(),
    };
    match &candidate.email {
        Some(email) => traits(shared, &[Email::Is(key_of(email)), Email::Unknown]),
        None => traits(shared, &[Email::Any]),
    }
}

fn traits(shared: Vec<Shared>, emails: &[Email]) -> Vec<Trait> {
    let pairs = shared.into_iter().flat_map(|by| {
        emails.iter().map(move |email| Trait {
            by: by.clone(),
            email: email.clone(),
        })
    });
    pairs.collect()
}

/// Returns the first two of a queue that are not taken. Those before them are removed: what is taken stays so,
/// and a long queue is not searched again for each row.
fn first_two<T: Copy>(queue: &mut VecDeque<T>, is_taken: impl Fn(&T) -> bool) -> [Option<T>; 2] {
    let mut next = || loop {
        match queue.pop_front() {
            Some(one) if is_taken(&one) => {}
            found => return found,
        }
    };
    let two = [next(), next()];
    for one in two.into_iter().rev().flatten() {
        queue.push_front(one);
    }
    two
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
    Some(name_key(one?) == name_key(other?))
}

/// Returns the form in which names are compared: case and spaces do not count.
fn name_key(name: &str) -> String {
    let name = name.to_lowercase();
    name.split_whitespace().collect::<Vec<_>>().join(" ")
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

    /// The time of each of these was once the product of both numbers: minutes.
    #[test]
    fn twenty_thousand_holders_of_one_name_cost_no_time() {
        let began = std::time::Instant::now();
        let holders: Vec<(String, String)> = (1..=20_000)
            .map(|n| {
                let id = if n == 1 {
                    "pat".into()
                } else {
                    format!("pat{n}")
                };
                (id, format!("name=Pat;email=pat@{n}.org"))
            })
            .collect();
        let holders: Vec<(&str, &str)> = holders
            .iter()
            .map(|(id, notes)| (&id[..], &notes[..]))
            .collect();
        let mut rows: Vec<_> = (30_000..32_000)
            .map(|n| row(&format!("pat@{n}.org"), "Pat", &format!("pat@{n}.org")))
            .collect();
        // One of them has no address any more, and so is the first whom the name fits.
        rows.push(row("pat", "Pat", ""));
        let named = ids(&rows, &issued(&holders));
        assert_eq!((&named[0][..], &named[1999][..]), ("pat20001", "pat22000"));
        assert_eq!(named[2000], "pat");
        assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    }

    #[test]
    fn a_class_of_twenty_thousand_that_shares_one_address_costs_no_time() {
        let began = std::time::Instant::now();
        let holders: Vec<(String, String)> = (1..=20_000)
            .map(|n| {
                let id = if n == 1 {
                    "office".into()
                } else {
                    format!("office{n}")
                };
                (id, format!("name=Pupil {n};email=office@x.org"))
            })
            .collect();
        let holders: Vec<(&str, &str)> = holders
            .iter()
            .map(|(id, notes)| (&id[..], &notes[..]))
            .collect();
        let rows: Vec<_> = (1..=20_002)
            .rev()
            .map(|n| row("office@x.org", &format!("Pupil {n}"), "office@x.org"))
            .collect();
        let named = ids(&rows, &issued(&holders));
        assert_eq!(
            (&named[2][..], &named[20_001][..]),
            ("office20000", "office")
        );
        assert_eq!(
            (&named[0][..], &named[1][..]),
            ("office20001", "office20002")
        );
        assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    }

    #[test]
    fn a_number_below_the_first_free_one_is_its_persons_and_nobody_elses() {
        let index = issued(&[
            ("pat", "name=Ann;email=a@x.org"),
            ("pat2", "name=Ben"),
            ("pat3", "source=p.at"),
            ("pat4", "name=Dan;email=d@x.org;source=pa.t"),
            ("pat6", "name=Eve"),
        ]);
        let of = |value, name, email| ids(&[row(value, name, email)], &index).remove(0);
        assert_eq!(of("Pat", "Ben", "b@x.org"), "pat2");
        assert_eq!(of("p'a't", "Ben", ""), "pat2");
        assert_eq!(of("p'at", "Dan", "e@x.org"), "pat5", "another address");
        assert_eq!(of("p'at", "Dan", ""), "pat4", "the name");
        assert_eq!(of("p'at", "Eve", ""), "pat5", "a gap comes first");
    }
}
