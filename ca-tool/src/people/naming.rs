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
    by_evidence: HashMap<Evidence, VecDeque<usize>>,
    /// How many rows have the same mail address or the same value.
    rows_of: HashMap<Evidence, usize>,
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
            by_evidence: HashMap::new(),
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
            let whole = Evidence::of(&holder.source, &holder.email, &holder.name);
            for part in [
                whole.parts(true, true, true),
                whole.parts(false, true, true),
                whole.parts(true, false, true),
                whole.parts(true, true, false),
                whole.parts(false, true, false),
                whole.parts(true, false, false),
            ]
            .into_iter()
            .flatten()
            {
                naming.by_evidence.entry(part).or_default().push_back(at);
            }
        }
        for candidate in candidates {
            match &candidate.made_from {
                Some(value) => {
                    naming.bases.insert(folded(&base_of(&shape(value).id)));
                    let whole = Evidence::of_row(candidate);
                    for key in whole.single() {
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
        // People who are known come first: nobody new may take their ID. Over the whole list, stronger evidence
        // comes before weaker: a row that has somebody's name alone must not take the place of the one that has
        // their login and mail address too.
        let mut known: Vec<Option<usize>> = vec![None; candidates.len()];
        for strength in STRENGTHS {
            for (candidate, holder) in candidates.iter().zip(&mut known) {
                if holder.is_some() || candidate.made_from.is_none() {
                    continue;
                }
                *holder = self.known(candidate, strength);
                if let Some(at) = holder {
                    self.taken.insert(self.holders[*at].folded.clone());
                }
            }
        }
        let named = candidates.iter().zip(known);
        named
            .map(|(candidate, holder)| self.name(candidate, holder))
            .collect()
    }

    /// Finds the holder whom a row names with evidence of this strength: somebody with the same mail address, or
    /// whose ID was made from the same value. If people share an address, the name decides.
    fn known(&mut self, candidate: &Candidate, strength: Strength) -> Option<usize> {
        let whole = Evidence::of_row(candidate);
        let keys = match strength {
            Strength::All => return self.first(whole.parts(true, true, true)?),
            Strength::EmailAndName => return self.first(whole.parts(false, true, true)?),
            Strength::SourceAndName => return self.first(whole.parts(true, false, true)?),
            Strength::EmailAndSource => vec![whole.parts(true, true, false)?],
            Strength::Email if whole.email.is_none() => return None,
            Strength::Email | Strength::Source => whole.single(),
        };
        let mut found: Vec<usize> = Vec::new();
        for key in keys {
            let two = self.first_two(&key);
            if strength == Strength::Email && key.email.is_some() && two[0].is_none() {
                return None;
            }
            found.extend(two.into_iter().flatten());
        }
        found.sort_unstable();
        found.dedup();
        let [only] = found[..] else {
            return None;
        };
        let holder = &self.holders[only];
        let names = same_names(holder.name.as_ref(), candidate.full_name.as_ref());
        let emails = same(holder.email.as_ref(), candidate.email.as_ref());
        let is_shared = whole
            .single()
            .iter()
            .any(|key| self.rows_of.get(key).is_some_and(|rows| *rows > 1));
        // A login alone does not outweigh another name and another address.
        let is_somebody_else = names == Some(false) && (is_shared || emails == Some(false));
        (!is_somebody_else).then_some(only)
    }

    fn first(&mut self, key: Evidence) -> Option<usize> {
        self.first_two(&key)[0]
    }

    /// Returns the first two holders with this evidence who are nobody else's.
    fn first_two(&mut self, key: &Evidence) -> [Option<usize>; 2] {
        let Some(queue) = self.by_evidence.get_mut(key) else {
            return [None, None];
        };
        first_two(queue, |at| self.taken.contains(&self.holders[*at].folded))
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
        let base = base_of(&shaped.id);
        if base != shaped.id {
            changes.push(format!("numbered, because {} is reserved", shaped.id));
        }
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

/// What shows that a row and a holder are one person. A value from which an ID was made is never compared with a
/// mail address: people can type somebody else's address where a list asks for a login.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Evidence {
    source: Option<String>,
    email: Option<String>,
    name: Option<String>,
}

/// How much of the evidence a row and a holder have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strength {
    All,
    EmailAndName,
    SourceAndName,
    EmailAndSource,
    Email,
    Source,
}

/// The strongest first.
const STRENGTHS: [Strength; 6] = [
    Strength::All,
    Strength::EmailAndName,
    Strength::SourceAndName,
    Strength::EmailAndSource,
    Strength::Email,
    Strength::Source,
];

impl Evidence {
    fn of(source: &Option<String>, email: &Option<String>, name: &Option<String>) -> Self {
        Self {
            source: source.as_deref().map(key_of),
            email: email.as_deref().map(key_of),
            name: name.as_deref().map(name_key),
        }
    }

    fn of_row(candidate: &Candidate) -> Self {
        Self::of(&candidate.made_from, &candidate.email, &candidate.full_name)
    }

    /// Returns these parts of it, if all of them are known.
    fn parts(&self, source: bool, email: bool, name: bool) -> Option<Self> {
        let has = |is_wanted: bool, part: &Option<String>| !is_wanted || part.is_some();
        let has_all = has(source, &self.source) && has(email, &self.email) && has(name, &self.name);
        has_all.then(|| Self {
            source: self.source.clone().filter(|_| source),
            email: self.email.clone().filter(|_| email),
            name: self.name.clone().filter(|_| name),
        })
    }

    /// Returns the mail address alone and the value alone.
    fn single(&self) -> Vec<Self> {
        let single = [
            self.parts(false, true, false),
            self.parts(true, false, false),
        ];
        single.into_iter().flatten().collect()
    }
}

/// Returns the ID from which numbered ones are made. Windows reserves `con.brown` for the sake of its part before
/// the dot, whatever follows; so the number goes there.
fn base_of(id: &str) -> String {
    let is_reserved = |id: &str| matches!(ClientId::parse(id), Err(wire::IdError::Reserved));
    match id.split_once('.') {
        Some((first, rest)) if is_reserved(id) && is_reserved(&numbered(id, 2)) => {
            format!("{}.{rest}", numbered(first, 2))
        }
        _ => id.to_owned(),
    }
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
            ids(
                &[row("Erin@example.org", "Erin Green", "Erin@example.org")],
                &index
            ),
            ["s900101"]
        );
    }

    #[test]
    fn a_row_with_less_in_common_takes_nobodys_place_wherever_it_stands() {
        let index = issued(&[("dave", "name=Dave Ng;email=dave@x.org;source=dave")]);
        let dave = row("dave", "Dave Ng", "dave@x.org");
        for other in [
            row("dave@x.org", "Dave Ng", "mal2@x.org"),
            row("dave@x.org", "Mallory", ""),
            row("dave@x.org", "", ""),
            row("dave", "Dave Ng", "mal2@x.org"),
            row("dave", "Dave Ng", ""),
            row("dave", "", ""),
            row("mallory", "Dave Ng", "dave@x.org"),
            row("mallory", "", "dave@x.org"),
        ] {
            let named = ids(&[other.clone(), dave.clone()], &index);
            assert_eq!(named[1], "dave", "{other:?}");
            assert_ne!(named[0], "dave", "{other:?}");
        }
        // Nor when the person is not in the list at all.
        for other in [
            row("dave@x.org", "Dave Ng", "mal2@x.org"),
            row("dave@x.org", "Mallory", ""),
            row("dave", "Mallory", "mal2@x.org"),
        ] {
            assert_eq!(ids(&[other], &index), ["dave2"]);
        }
    }

    #[test]
    fn a_reserved_part_before_a_dot_gets_the_number() {
        for (value, id) in [
            ("con.obrien@uni.example", "con2.obrien"),
            ("server.list", "server2.list"),
            ("con@x.org", "con2"),
        ] {
            let named = ids(&[row(value, "", "")], "");
            if ClientId::parse(&shape(value).id).is_err() {
                assert_eq!(named, [id]);
            }
            assert!(ClientId::parse(&named[0]).is_ok(), "{named:?}");
        }
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
