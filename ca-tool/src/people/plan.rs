//! What would be issued, and what stands against it. Decides, and writes nothing.
//!
//! Everybody is judged before anybody is issued a certificate: a class that is half there is
//! harder to put right than one that is not.

use std::collections::HashMap;

use rustls::pki_types::ServerName;
use time::OffsetDateTime;
use wire::{ClientId, Role};

use crate::error::Problem;
use crate::ledger::index::Index;
use crate::people::roster::{Candidate, Place};
use crate::sign::reason::Reason;

/// Who gets a certificate and who does not.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Who gets one.
    pub(crate) people: Vec<Person>,
    /// Who has one.
    pub(crate) skipped: Vec<Skipped>,
    /// Who stands in the roster and is not to have one because of that.
    pub(crate) shut_out: Vec<ShutOut>,
}

/// Somebody who gets a certificate.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) id: ClientId,
    pub(crate) full_name: Option<String>,
    pub(crate) role: Role,
    pub(crate) email: Option<String>,
    pub(crate) place: Place,
}

/// Somebody who has a certificate already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Who.
    pub id: ClientId,
    /// Until when it is valid.
    pub until: OffsetDateTime,
    /// The role that it gives them, where another was asked for.
    pub other_role: Option<Role>,
}

/// Somebody whose certificate was revoked, and whose row in a roster is not taken for a change of
/// mind: the same roster is issued again when somebody enrols late. To name them is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutOut {
    /// Who.
    pub id: ClientId,
    /// Why it was revoked.
    pub reason: Reason,
}

/// What holds for everybody in one call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Terms {
    /// The role of those whose row names none.
    pub(crate) role: Role,
    /// Whether an honest pair such as barnes and bames is meant.
    pub(crate) allow_lookalike: bool,
}

/// A mail address (RFC 5321, section 4.5.3.1.3).
const EMAIL_BYTES_MAX: usize = 254;
/// What a person is called.
const FULL_NAME_CHARS_MAX: usize = 128;
/// Enough of a text to find it again.
const EXCERPT_CHARS_MAX: usize = 72;

/// Judges everybody. All problems are found at once.
pub(crate) fn plan(
    candidates: &[Candidate],
    index: &Index,
    terms: Terms,
    now: OffsetDateTime,
) -> Result<Plan, Vec<Problem>> {
    plan_for(candidates, index, terms, now, |_| None)
}

/// The same, where something may lie in the place of somebody's bundle: `in_the_way` says what.
pub(crate) fn plan_for(
    candidates: &[Candidate],
    index: &Index,
    terms: Terms,
    now: OffsetDateTime,
    in_the_way: impl Fn(&ClientId) -> Option<String>,
) -> Result<Plan, Vec<Problem>> {
    let mut known = Known::of(index, now);
    let mut plan = Plan::default();
    let mut problems = Vec::new();
    for candidate in candidates {
        let mut object = |what: String| {
            problems.push(Problem {
                place: candidate.place.to_string(),
                what,
            });
        };
        if let Some(what) = &candidate.fault {
            object(what.clone());
            continue;
        }
        let role = role(candidate, terms.role).unwrap_or_else(|what| {
            object(what);
            terms.role
        });
        if let Some(what) = candidate.email.as_deref().and_then(email_fault) {
            object(what);
        }
        if let Some(what) = candidate.full_name.as_deref().and_then(full_name_fault) {
            object(what);
        }
        let id = match ClientId::parse_typed(&candidate.name) {
            Ok(id) => id,
            Err(error) => {
                object(format!("\"{}\": {error}", excerpt(&candidate.name)));
                continue;
            }
        };
        let is_row = matches!(candidate.place, Place::Line(..));
        match known.judge(&id, terms.allow_lookalike) {
            Verdict::Revoked(reason) if is_row => plan.shut_out.push(ShutOut {
                id: id.clone(),
                reason,
            }),
            Verdict::Revoked(Reason::CertificateHold) => object(format!(
                "\"{id}\" is on hold; `ca-tool unhold {id}` lets them in again, `ca-tool revoke {id}` ends it for good"
            )),
            Verdict::Has(until, theirs) => {
                let is_asked_for = candidate.role.is_some() || terms.role != Role::default();
                plan.skipped.push(Skipped {
                    id: id.clone(),
                    until,
                    other_role: (is_asked_for && theirs != role).then_some(theirs),
                });
            }
            Verdict::Refused(what) => object(what),
            Verdict::Free | Verdict::Revoked(_) => match in_the_way(&id) {
                Some(what) => object(what),
                None => plan.people.push(Person {
                    id: id.clone(),
                    full_name: candidate.full_name.clone(),
                    role,
                    email: candidate.email.clone(),
                    place: candidate.place.clone(),
                }),
            },
        }
        known.add(id, Standing::Asked(candidate.place.clone()));
    }
    if problems.is_empty() {
        Ok(plan)
    } else {
        Err(problems)
    }
}

/// The names that there are, by what they could be taken for.
#[derive(Default)]
struct Known {
    standing: HashMap<ClientId, Standing>,
    by_folded: HashMap<String, Vec<ClientId>>,
    by_skeleton: HashMap<String, Vec<ClientId>>,
}

/// How a name is known.
enum Standing {
    /// It has a certificate until then, in this role.
    Live(OffsetDateTime, Role),
    /// It has or had one that was revoked for the time being.
    Held,
    /// It had one that was revoked for good, and not because one that is known took its place.
    Revoked(Reason),
    /// It had one, and may still stand in a transcript.
    Gone,
    /// It is asked for in this call.
    Asked(Place),
}

enum Verdict {
    Free,
    Revoked(Reason),
    Has(OffsetDateTime, Role),
    Refused(String),
}

impl Known {
    fn of(index: &Index, now: OffsetDateTime) -> Self {
        let mut known = Self::default();
        let last_unseen = index.last_unseen_revocation();
        for record in index.records() {
            let Some((id, role)) = record.person() else {
                continue;
            };
            // The last certificate that is live is the one to name, so a dead one never hides it.
            let standing = match (record.is_live(now), known.standing.get(&id)) {
                (true, Some(Standing::Live(until, theirs))) if *until > record.not_after => {
                    Standing::Live(*until, *theirs)
                }
                (true, _) => Standing::Live(record.not_after, role),
                (false, Some(Standing::Live(until, theirs))) => Standing::Live(*until, *theirs),
                (false, Some(Standing::Held)) => Standing::Held,
                // A hold does not end with the certificate: nobody has said that they are welcome again.
                (false, _) if record.is_on_hold() => Standing::Held,
                (false, _) => match record.revoked {
                    // The one that took its place may be what was revoked then, unseen here.
                    Some((at, Reason::Superseded)) if last_unseen < Some(at) => Standing::Gone,
                    Some((_, reason)) => Standing::Revoked(reason),
                    None => Standing::Gone,
                },
            };
            known.add(id, standing);
        }
        known
    }

    fn add(&mut self, id: ClientId, standing: Standing) {
        if self.standing.insert(id.clone(), standing).is_none() {
            let folded = self.by_folded.entry(id.folded()).or_default();
            folded.push(id.clone());
            for skeleton in id.skeletons() {
                let alike = self.by_skeleton.entry(skeleton).or_default();
                alike.push(id.clone());
            }
        }
    }

    fn judge(&self, id: &ClientId, allow_lookalike: bool) -> Verdict {
        match self.standing.get(id) {
            Some(Standing::Live(until, role)) => return Verdict::Has(*until, *role),
            Some(Standing::Asked(place)) => {
                return Verdict::Refused(format!("\"{id}\" stands at {place} already"));
            }
            Some(Standing::Held) => return Verdict::Revoked(Reason::CertificateHold),
            Some(Standing::Revoked(reason)) => return Verdict::Revoked(*reason),
            // This very name was theirs before.
            Some(Standing::Gone) => return Verdict::Free,
            None => {}
        }
        // Two names that differ in case alone are never honest while both are used: their bundles
        // would have one file name on many systems.
        if let Some((other, standing)) = self.other(&self.by_folded, &id.folded(), |standing| {
            !allow_lookalike || !matches!(standing, Standing::Gone | Standing::Revoked(_))
        }) {
            let said = self.describe(standing);
            return Verdict::Refused(format!(
                "\"{id}\" differs from \"{other}\" ({said}) in upper and lower case alone"
            ));
        }
        let alike =
            |skeleton: &String| self.other(&self.by_skeleton, skeleton, |_| !allow_lookalike);
        match id.skeletons().iter().find_map(alike) {
            Some((other, standing)) => Verdict::Refused(format!(
                "\"{id}\" looks like \"{other}\" ({}); --allow-lookalike issues it all the same",
                self.describe(standing)
            )),
            None => Verdict::Free,
        }
    }

    fn other<'a>(
        &'a self,
        names: &'a HashMap<String, Vec<ClientId>>,
        key: &str,
        counts: impl Fn(&Standing) -> bool,
    ) -> Option<(&'a ClientId, &'a Standing)> {
        let mut same = names
            .get(key)?
            .iter()
            .map(|id| (id, &self.standing[id]))
            .filter(|(_, standing)| counts(standing));
        same.next()
    }

    fn describe(&self, standing: &Standing) -> String {
        match standing {
            Standing::Live(..) | Standing::Held => "who has a certificate".to_owned(),
            Standing::Gone | Standing::Revoked(_) => "who had a certificate".to_owned(),
            Standing::Asked(place) => format!("at {place}"),
        }
    }
}

fn role(candidate: &Candidate, otherwise: Role) -> Result<Role, String> {
    let Some(word) = &candidate.role else {
        return Ok(otherwise);
    };
    Role::parse(word).ok_or_else(|| {
        let roles = Role::ALL.map(Role::as_str).join(", ");
        format!("\"{}\" is not a role; there are {roles}", excerpt(word))
    })
}

/// A full name stands on one line of a list, like what people say.
fn full_name_fault(name: &str) -> Option<String> {
    let is_good =
        name.chars().count() <= FULL_NAME_CHARS_MAX && wire::Line::parse(name.as_bytes()).is_ok();
    (!is_good).then(|| {
        format!(
            "\"{}\" is no full name: it has more than {FULL_NAME_CHARS_MAX} characters, or one that moves a cursor",
            excerpt(name)
        )
    })
}

/// A quote that is not closed makes one text of a whole roster.
fn excerpt(text: &str) -> String {
    wire::excerpt(text, EXCERPT_CHARS_MAX)
}

/// A certificate has mail addresses in ASCII only (RFC 5280, section 4.2.1.6).
fn email_fault(email: &str) -> Option<String> {
    let shown = excerpt(email);
    if !email.is_ascii() {
        return Some(format!(
            "the mail address \"{shown}\" is not ASCII, and a certificate has no others"
        ));
    }
    let is_good = email.len() <= EMAIL_BYTES_MAX
        && email.bytes().all(|b| b.is_ascii_graphic())
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.contains('@')
                && matches!(ServerName::try_from(domain), Ok(ServerName::DnsName(_)))
        });
    (!is_good).then(|| format!("\"{shown}\" is not a mail address"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 10:00:00 UTC);

    /// alice has a certificate, bob's was revoked, carol's has expired.
    const ISSUED: &str = "V\t270520235959Z\t\t01\tunknown\t/CN=alice/OU=student/O=N\n\
                          R\t270520235959Z\t261101000000Z\t02\tunknown\t/CN=bob/OU=student/O=N\n\
                          V\t261101000000Z\t\t03\tunknown\t/CN=carol/OU=student/O=N\n\
                          V\t270520235959Z\t\t04\tunknown\t/CN=localhost/O=N\n";

    fn judge(candidates: &[Candidate], allow_lookalike: bool) -> Result<Plan, Vec<String>> {
        let index = Index::parse(ISSUED, Path::new("index.txt")).expect("a database");
        let terms = Terms {
            allow_lookalike,
            ..Terms::default()
        };
        plan(candidates, &index, terms, NOW)
            .map_err(|problems| problems.iter().map(Problem::to_string).collect())
    }

    fn names(plan: &Plan) -> Vec<&str> {
        plan.people.iter().map(|p| p.id.as_str()).collect()
    }

    #[test]
    fn who_has_a_certificate_is_skipped_and_who_had_one_is_not() {
        let candidates = Candidate::named(["alice", "bob", "carol", "dave", "localhost"]);
        let plan = judge(&candidates, false).expect("no problem");
        assert_eq!(names(&plan), ["bob", "carol", "dave", "localhost"]);
        let [alice] = &plan.skipped[..] else {
            panic!("alice alone is skipped")
        };
        assert_eq!(alice.until, datetime!(2027-05-20 23:59:59 UTC));
    }

    fn shut_out(issued: &str, names: &[&str]) -> Vec<String> {
        let index = Index::parse(issued, Path::new("index.txt")).expect("a database");
        let rows: Vec<_> = Candidate::named(names.iter().copied())
            .into_iter()
            .map(|row| Candidate {
                place: Place::Line("class.csv".into(), 1),
                ..row
            })
            .collect();
        let plan = plan(&rows, &index, Terms::default(), NOW).expect("no problem");
        let shut_out = plan.shut_out.iter();
        shut_out
            .map(|one| format!("{} {}", one.id, one.reason))
            .collect()
    }

    #[test]
    fn a_hold_does_not_end_with_the_certificate() {
        let held = "R\t261101000000Z\t261001000000Z,certificateHold\t01\tunknown\t/CN=alice/OU=student/O=N\n";
        assert_eq!(shut_out(held, &["alice"]), ["alice certificateHold"]);
    }

    #[test]
    fn who_was_superseded_by_what_is_not_known_is_passed_over_if_that_may_have_been_revoked() {
        let superseded =
            "R\t270520235959Z\t261110000000Z,superseded\t01\tunknown\t/CN=bob/OU=student/O=N\n";
        let unseen =
            |at: &str| format!("R\t270520235959Z\t{at}\t02\tcertificate=unknown\t/CN=unknown\n");
        let with = |unseen: String| shut_out(&(superseded.to_owned() + &unseen), &["bob"]);
        assert_eq!(with(unseen("261111000000Z")), ["bob superseded"]);
        assert_eq!(with(unseen("261110000000Z")), ["bob superseded"]);
        // Whoever is revoked so later, or where all is known, means to issue another.
        assert!(with(unseen("261109000000Z")).is_empty());
        assert!(with(String::new()).is_empty());
    }

    #[test]
    fn every_problem_is_found_at_once() {
        let mut candidates = Candidate::named(["Alice", "a b", "BOB", "dave", "dave", "a1ice"]);
        candidates[3].role = Some("boss".to_owned());
        candidates[3].email = Some("dave".to_owned());
        assert_eq!(
            judge(&candidates, false).expect_err("problems"),
            [
                "argument 1: \"Alice\" differs from \"alice\" (who has a certificate) in upper and lower case alone",
                "argument 2: \"a b\": a name cannot contain a space",
                "argument 3: \"BOB\" differs from \"bob\" (who had a certificate) in upper and lower case alone",
                "argument 4: \"boss\" is not a role; there are student, assistant, instructor, bot",
                "argument 4: \"dave\" is not a mail address",
                "argument 5: \"dave\" stands at argument 4 already",
                "argument 6: \"a1ice\" looks like \"alice\" (who has a certificate); --allow-lookalike issues it all the same",
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_a_row_is_named_among_all_else() {
        let mut candidates = Candidate::named(["dave", "erin", "frank\nfrank", &"x".repeat(65)]);
        candidates[0].fault = Some("it is not UTF-8".to_owned());
        candidates[1].full_name = Some("Erin\nBrockovich".to_owned());
        let problems = judge(&candidates, false).expect_err("problems");
        assert_eq!(problems[0], "argument 1: it is not UTF-8");
        assert!(problems[1].starts_with("argument 2: \"Erin\\nBrockovich\" is no full name"));
        assert!(
            problems[2].starts_with("argument 3: \"frank\\nfrank\": "),
            "{}",
            problems[2]
        );
        assert!(
            problems[3].starts_with("argument 4: \"xxx"),
            "{}",
            problems[3]
        );
        assert_eq!(problems.len(), 4);
        let huge = Candidate::named(["x".repeat(1 << 20)]);
        assert!(judge(&huge, false).expect_err("a problem")[0].len() < 200);
    }

    #[test]
    fn letters_that_are_drawn_alike_are_found_whatever_their_case() {
        for pair in [
            ["paul", "pauI"],
            ["zoe", "z0e"],
            ["ailin", "aiIin"],
            ["O1", "01"],
        ] {
            let [one, other] = pair;
            let said = format!(
                "argument 2: \"{other}\" looks like \"{one}\" (at argument 1); --allow-lookalike issues it all the same"
            );
            assert_eq!(
                judge(&Candidate::named(pair), false).expect_err(other),
                [said]
            );
        }
    }

    #[test]
    fn an_honest_pair_can_be_allowed_but_never_two_that_differ_in_case_alone() {
        let pair = Candidate::named(["barnes", "bames"]);
        assert_eq!(
            judge(&pair, false).expect_err("look-alikes"),
            [
                "argument 2: \"bames\" looks like \"barnes\" (at argument 1); --allow-lookalike issues it all the same"
            ]
        );
        let plan = judge(&pair, true).expect("allowed");
        assert_eq!(names(&plan), ["barnes", "bames"]);

        let cases = Candidate::named(["erin", "Erin"]);
        assert_eq!(judge(&cases, true).expect_err("one in two cases").len(), 1);
        // Nobody is bob any more, so the other spelling may be meant.
        let plan = judge(&Candidate::named(["Bob"]), true).expect("allowed");
        assert_eq!(names(&plan), ["Bob"]);
    }

    #[test]
    fn a_role_of_ones_own_comes_before_the_one_for_all() {
        let mut candidates = Candidate::named(["dave", "erin"]);
        candidates[1].role = Some("instructor".to_owned());
        let plan = judge(&candidates, false).expect("no problem");
        let roles: Vec<_> = plan.people.iter().map(|p| p.role).collect();
        assert_eq!(roles, [Role::Student, Role::Instructor]);
    }

    #[test]
    fn a_name_is_brought_to_nfc_before_it_is_compared() {
        let plan = judge(&Candidate::named(["Zoe\u{308}"]), false).expect("a name");
        assert_eq!(names(&plan), ["Zoë"]);
        let twice = Candidate::named(["Zoe\u{308}", "Zoë"]);
        assert_eq!(judge(&twice, false).expect_err("the same").len(), 1);
    }

    #[test]
    fn a_mail_address_is_one_that_a_certificate_can_have() {
        for good in ["a@x.org", "a.b+c@mail.example.org", "o'x@localhost"] {
            assert_eq!(email_fault(good), None, "{good}");
        }
        let long = format!("{}@x.org", "a".repeat(250));
        for bad in [
            "a",
            "@x.org",
            "a@",
            "a@b@c",
            "a b@x.org",
            "张@x.org",
            "a@x..org",
            "a@192.0.2.1",
            "a\n@x.org",
            &long,
        ] {
            assert!(email_fault(bad).is_some(), "{bad:?}");
        }
    }
}
