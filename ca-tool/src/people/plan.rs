//! Decides who gets a certificate, and who does not and why. It writes nothing.
//!
//! Everybody is checked before anybody gets a certificate: half a class would be harder to repair than
//! none.

use rustls::pki_types::ServerName;
use time::OffsetDateTime;
use wire::{ClientId, FullName, FullNameError, Role};

use super::candidate::{Candidate, Location};
use super::known_names::{Decision, KnownNames, Standing};
use crate::error::Problem;
use crate::ledger::index::Index;
use crate::sign::reason::Reason;
use crate::sign::subject::Subject;

/// The people who get a certificate, and those who do not.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// They get one.
    pub(crate) people: Vec<Person>,
    /// They have one already.
    pub(crate) skipped: Vec<Skipped>,
    /// They are in the roster, but theirs was revoked.
    pub(crate) shut_out: Vec<ShutOut>,
}

/// Somebody who gets a certificate.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) id: ClientId,
    pub(crate) full_name: Option<FullName>,
    pub(crate) role: Role,
    pub(crate) email: Option<String>,
    /// What the ID was made from, if the roster had none.
    pub(crate) made_from: Option<String>,
    pub(crate) location: Location,
}

impl Person {
    /// Returns the subject of the person's certificate.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject::Person {
            id: &self.id,
            role: self.role,
            full_name: self.full_name.as_ref(),
            email: self.email.as_deref(),
        }
    }
}

/// Somebody who has a certificate already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The person.
    pub id: ClientId,
    /// The last moment of that certificate.
    pub until: OffsetDateTime,
    /// Its role, if you asked for a different one.
    pub other_role: Option<Role>,
    /// The full name that you asked for, if the certificate has another or none.
    pub other_name: Option<FullName>,
}

/// Somebody whose certificate was revoked and who is in the roster. That does not count as a change of
/// mind, because the same roster is issued again for late enrolments. Naming the person does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShutOut {
    /// The person.
    pub id: ClientId,
    /// Why it was revoked.
    pub reason: Reason,
}

/// The rules for everybody in one call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    /// The role of people whose row names none.
    pub(crate) role: Role,
    /// Whether names that look alike are allowed, such as barnes and bames.
    pub(crate) allow_lookalike: bool,
}

/// A mail address (RFC 5321, section 4.5.3.1.3).
const EMAIL_BYTES_MAX: usize = 254;
/// How much of a text an error shows: enough to find it.
const EXCERPT_CHARS_MAX: usize = 72;

/// Decides about everybody, and finds all problems at once.
pub(crate) fn plan(
    candidates: &[Candidate],
    index: &Index,
    rules: Rules,
    now: OffsetDateTime,
) -> Result<Plan, Vec<Problem>> {
    plan_for(candidates, index, rules, now, |_| None)
}

/// The same, but `in_the_way` may find that something else has the place of a person's bundle.
pub(crate) fn plan_for(
    candidates: &[Candidate],
    index: &Index,
    rules: Rules,
    now: OffsetDateTime,
    in_the_way: impl Fn(&ClientId) -> Option<String>,
) -> Result<Plan, Vec<Problem>> {
    let mut known = KnownNames::of(index, now);
    let mut plan = Plan::default();
    let mut problems = Vec::new();
    for candidate in candidates {
        let mut object = |what: String| {
            problems.push(Problem {
                location: candidate.location.to_string(),
                what,
            });
        };
        if let Some(what) = &candidate.fault {
            object(what.clone());
            continue;
        }
        let role = role(candidate, rules.role).unwrap_or_else(|what| {
            object(what);
            rules.role
        });
        if let Some(what) = candidate.email.as_deref().and_then(email_fault) {
            object(what);
        }
        let full_name = full_name(candidate).unwrap_or_else(|what| {
            object(what);
            None
        });
        let id = match ClientId::parse_typed(&candidate.name) {
            Ok(id) => id,
            Err(error) => {
                object(format!("\"{}\": {error}", excerpt(&candidate.name)));
                continue;
            }
        };
        let is_row = matches!(candidate.location, Location::Line(..));
        match known.judge(&id, rules.allow_lookalike) {
            Decision::Revoked(reason) if is_row => plan.shut_out.push(ShutOut {
                id: id.clone(),
                reason,
            }),
            Decision::Revoked(Reason::CertificateHold) => object(format!(
                "\"{id}\" is on hold; `ca-tool unhold {id}` lets them in again, `ca-tool revoke {id}` shuts them out for good"
            )),
            Decision::Has(until, theirs) => {
                let is_asked_for = candidate.role.is_some() || rules.role != Role::default();
                plan.skipped.push(Skipped {
                    id: id.clone(),
                    until,
                    other_role: (is_asked_for && theirs != role).then_some(theirs),
                    other_name: full_name
                        .filter(|name| index.certified_name(&id) != Some(name.as_str())),
                });
            }
            Decision::Refused(what) => object(what),
            Decision::Free | Decision::Revoked(_) => match in_the_way(&id) {
                Some(what) => object(what),
                None => plan.people.push(Person {
                    id: id.clone(),
                    full_name,
                    role,
                    email: candidate.email.clone(),
                    made_from: candidate.made_from.clone(),
                    location: candidate.location.clone(),
                }),
            },
        }
        known.add(id, Standing::Requested(candidate.location.clone()));
    }
    if problems.is_empty() {
        Ok(plan)
    } else {
        Err(problems)
    }
}

fn role(candidate: &Candidate, otherwise: Role) -> Result<Role, String> {
    let Some(word) = &candidate.role else {
        return Ok(otherwise);
    };
    Role::parse(word).ok_or_else(|| {
        let roles = Role::ALL.map(Role::as_str).join(", ");
        format!("\"{}\" is not a role; the roles are {roles}", excerpt(word))
    })
}

/// Returns the full name; a cell of blanks is none.
fn full_name(candidate: &Candidate) -> Result<Option<FullName>, String> {
    let Some(text) = candidate.full_name.as_deref() else {
        return Ok(None);
    };
    match FullName::parse_typed(text) {
        Ok(name) => Ok(Some(name)),
        Err(FullNameError::Empty) => Ok(None),
        Err(error) => Err(format!(
            "\"{}\" cannot be a full name: {error}",
            excerpt(text)
        )),
    }
}

/// Shortens a text: an unclosed quote turns a whole roster into one.
fn excerpt(text: &str) -> String {
    wire::excerpt(text, EXCERPT_CHARS_MAX)
}

/// Returns the fault of a mail address. Certificates allow only ASCII (RFC 5280, section 4.2.1.6).
pub(super) fn email_fault(email: &str) -> Option<String> {
    let shown = excerpt(email);
    if !email.is_ascii() {
        return Some(format!(
            "the mail address \"{shown}\" is not ASCII, and a certificate cannot contain it"
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
        let rules = Rules {
            allow_lookalike,
            ..Rules::default()
        };
        plan(candidates, &index, rules, NOW)
            .map_err(|problems| problems.iter().map(Problem::to_string).collect())
    }

    fn names(plan: &Plan) -> Vec<&str> {
        plan.people.iter().map(|p| p.id.as_str()).collect()
    }

    #[test]
    fn people_with_a_valid_certificate_are_skipped_and_others_get_one() {
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
                location: Location::Line("class.csv".into(), 1),
                ..row
            })
            .collect();
        let plan = plan(&rows, &index, Rules::default(), NOW).expect("no problem");
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
    fn a_person_whose_unknown_replacement_may_have_been_revoked_is_skipped() {
        let superseded =
            "R\t270520235959Z\t261110000000Z,superseded\t01\tunknown\t/CN=bob/OU=student/O=N\n";
        let unseen =
            |at: &str| format!("R\t270520235959Z\t{at}\t02\tcertificate=unknown\t/CN=unknown\n");
        let with = |unseen: String| shut_out(&(superseded.to_owned() + &unseen), &["bob"]);
        assert_eq!(with(unseen("261111000000Z")), ["bob superseded"]);
        assert_eq!(with(unseen("261110000000Z")), ["bob superseded"]);
        // When the unseen revocation came first, or there is none, issuing another is what you want.
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
                "argument 1: \"Alice\" differs from \"alice\" (who has a certificate) only in upper and lower case",
                "argument 2: \"a b\": a name cannot contain a space",
                "argument 3: \"BOB\" differs from \"bob\" (who had a certificate) only in upper and lower case",
                "argument 4: \"boss\" is not a role; the roles are student, assistant, instructor, bot",
                "argument 4: \"dave\" is not a mail address",
                "argument 5: \"dave\" is already named at argument 4",
                "argument 6: \"a1ice\" looks like \"alice\" (who has a certificate); --allow-lookalike issues it anyway",
            ]
        );
    }

    #[test]
    fn a_fault_in_a_row_is_named_with_all_other_problems() {
        let mut candidates = Candidate::named(["dave", "erin", "frank\nfrank", &"x".repeat(65)]);
        candidates[0].fault = Some("it is not UTF-8".to_owned());
        candidates[1].full_name = Some("Erin\nBrockovich".to_owned());
        let problems = judge(&candidates, false).expect_err("problems");
        assert_eq!(problems[0], "argument 1: it is not UTF-8");
        assert!(problems[1].starts_with("argument 2: \"Erin\\nBrockovich\" cannot be a full name"));
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
                "argument 2: \"{other}\" looks like \"{one}\" (at argument 1); --allow-lookalike issues it anyway"
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
                "argument 2: \"bames\" looks like \"barnes\" (at argument 1); --allow-lookalike issues it anyway"
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
