//! The findings, for people and as JSON.

use std::io::{self, Write as _};

use serde::Serialize;
use wire::terminal::{escape_json, inert};

use super::examination::Examination;

/// How an examination went.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The client did everything right.
    Right,
    /// It did this wrong, and this is the usual cause, if there is one.
    Wrong {
        fault: String,
        usual: Option<&'static str>,
    },
    /// The person has to look whether these lines stand in their client's window.
    Look(Vec<String>),
    /// It does not concern this client.
    Skipped(String),
}

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    is_json: bool,
    right: usize,
    wrong: usize,
    look: usize,
    skipped: usize,
}

impl Report {
    pub(super) fn new(is_json: bool) -> Self {
        Self {
            is_json,
            ..Self::default()
        }
    }

    /// Adds a finding, and prints it.
    ///
    /// # Errors
    ///
    /// When standard output cannot be written to.
    pub(super) fn add(&mut self, examination: Examination, outcome: &Outcome) -> io::Result<()> {
        *match outcome {
            Outcome::Right => &mut self.right,
            Outcome::Wrong { .. } => &mut self.wrong,
            Outcome::Look(_) => &mut self.look,
            Outcome::Skipped(_) => &mut self.skipped,
        } += 1;
        match self.is_json {
            true => print_json(&Finding::new(examination, outcome)),
            false => print(&shown(examination, outcome)),
        }
    }

    /// Prints how many findings there are of each kind. Returns whether nothing was wrong.
    ///
    /// # Errors
    ///
    /// When standard output cannot be written to.
    pub(super) fn conclude(&self) -> io::Result<bool> {
        let Self {
            right,
            wrong,
            look,
            skipped,
            ..
        } = *self;
        if self.is_json {
            print_json(&Sum {
                right,
                wrong,
                look,
                skipped,
            })?;
        } else {
            let look = match look {
                0 => String::new(),
                look => format!(", {look} for you to look at"),
            };
            print(&format!(
                "{right} right, {wrong} wrong{look}, {skipped} not examined. The titles in quotes are sections of PROTOCOL.md."
            ))?;
        }
        Ok(wrong == 0 && right + look > 0)
    }
}

fn shown(examination: Examination, outcome: &Outcome) -> String {
    let words = examination.words();
    let name = examination.name();
    let (mark, more) = match outcome {
        Outcome::Right => ("right", String::new()),
        Outcome::Wrong { fault, usual } => {
            let usual = usual.map(|usual| format!("\n       usually: {usual}"));
            let more = format!("\n       {fault}{}", usual.unwrap_or_default());
            ("WRONG", more)
        }
        Outcome::Look(lines) => {
            let lines = lines.iter().map(|line| format!("\n         {line}"));
            let more = format!(
                "\n       your client must have shown:{}",
                lines.collect::<String>()
            );
            ("look", more)
        }
        Outcome::Skipped(why) => ("-", format!("\n       not examined: {why}")),
    };
    format!(
        "{mark:<6} {name}: {}, \"{}\"{more}",
        words.right, words.section
    )
}

#[derive(Debug, Serialize)]
struct Finding<'a> {
    examination: String,
    outcome: &'static str,
    right: &'static str,
    section: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usual: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    look: &'a [String],
}

#[derive(Debug, Serialize)]
struct Sum {
    right: usize,
    wrong: usize,
    look: usize,
    skipped: usize,
}

impl<'a> Finding<'a> {
    fn new(examination: Examination, outcome: &'a Outcome) -> Self {
        let words = examination.words();
        let mut finding = Self {
            examination: examination.name(),
            outcome: "right",
            right: words.right,
            section: words.section,
            fault: None,
            usual: None,
            why: None,
            look: &[],
        };
        match outcome {
            Outcome::Right => {}
            Outcome::Wrong { fault, usual } => {
                finding.outcome = "wrong";
                finding.fault = Some(fault);
                finding.usual = *usual;
            }
            Outcome::Look(lines) => {
                finding.outcome = "look";
                finding.look = lines;
            }
            Outcome::Skipped(why) => {
                finding.outcome = "skipped";
                finding.why = Some(why);
            }
        }
        finding
    }
}

fn print_json(value: &impl Serialize) -> io::Result<()> {
    print(&escape_json(&serde_json::to_string(value)?))
}

/// Writes lines at once: an examination may take a while, and a person watches.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for line in text.split('\n') {
        // A client's own words are among these.
        writeln!(stdout, "{}", inert(line))?;
    }
    stdout.flush()
}
