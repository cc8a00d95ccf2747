//! Advice for each error: one sentence, which the program prints below it as `hint:`.

use std::io;

use pki::Purpose;

use super::{Error, Origin};
use crate::words::shell_word;

impl Error {
    /// Returns advice about the error, if there is any.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::NoPassphrase => {
                "give one with --passphrase-file FILE or --passphrase-fd N, or store the key unencrypted with --no-passphrase"
            }
            Error::BadPassphrase(_) => "a passphrase has 1 to 1023 bytes on one line",
            Error::WeakPassphrase(_) => {
                "take a few words that nobody would guess together: whoever has the key and guesses the passphrase can let anybody in"
            }
            Error::AlreadyCa(_) => {
                "`ca-tool issue` uses it; for another CA give another folder: --dir DIR"
            }
            Error::HalfMade(_) => {
                "delete everything in it: this CA never issued anything to anybody"
            }
            Error::NotEmpty(_) => "give a new folder: --dir DIR",
            Error::NoCa(_) => {
                "make one with `ca-tool init --name \"Networks 101\"`, or say where it is with --dir DIR"
            }
            Error::Index { path, .. } => {
                let folder = path.parent().unwrap_or(path).display();
                return Some(format!(
                    "restore {folder}/ from your backup, then add the server's list with `ca-tool crl --merge FILE`"
                ));
            }
            Error::EncryptedKey(_) => {
                "give its passphrase with --passphrase-file FILE or --passphrase-fd N"
            }
            Error::WrongPassphrase { origin, .. } => {
                let look = match origin {
                    Origin::Typed => "check Caps Lock and the keyboard layout".to_owned(),
                    Origin::File(path) => format!(
                        "it was the first line of {}, including spaces",
                        path.display()
                    ),
                    Origin::Descriptor(number) => {
                        format!("it was the first line from descriptor {number}, including spaces")
                    }
                    Origin::Program => "it came from a program".to_owned(),
                };
                return Some(format!(
                    "{look}; use the passphrase that the key was encrypted with. If it is lost, the key is lost too"
                ));
            }
            Error::NotTheSameTwice => "nothing was made; start again",
            Error::PassphraseUnread(_) => {
                "--passphrase-file FILE or --passphrase-fd N names a file or descriptor whose first line is the passphrase"
            }
            Error::UnknownEncryption(path) => {
                return Some(format!(
                    "convert it with `openssl pkcs8 -topk8 -v2 aes256 -in {} -out NEW`",
                    path.display()
                ));
            }
            Error::OtherKey { .. } => {
                "one of the two files was replaced; take both from the same backup"
            }
            Error::NotCa { .. } => "it needs CA:TRUE, keyCertSign and cRLSign",
            Error::NotAdoptable { .. } => {
                "make a new CA for this room instead: `ca-tool init --name \"Networks 101\"`"
            }
            Error::StaysEncrypted(_) => {
                "leave out --no-passphrase; the same passphrase opens the copy"
            }
            Error::CaNotValid { .. } => {
                "is the clock right? If so, you need a new CA: `ca-tool --dir DIR init`"
            }
            Error::Locked(_) => "wait until it has finished",
            Error::Roster { .. } => {
                "a roster is an Excel workbook (.xlsx) or CSV whose first line names the columns: id,name,email,role (--id-from and --name-column name others); or it has one ID on each line"
            }
            Error::Question { typed, answers, .. } => {
                let hints = answers
                    .iter()
                    .map(|answer| format!("{}\n  {}", answer.when, retyped(typed, &answer.flags)));
                return Some(hints.collect::<Vec<_>>().join("\n"));
            }
            Error::Remembered { .. } => {
                "delete it: it only remembers which columns of rosters hold what"
            }
            Error::NameOfSeveral(_) => {
                "run it once for each of them, or put the names into the column name of a roster"
            }
            Error::Nobody => {
                "name people, as in `ca-tool issue alice bob`, or a list, as in `ca-tool issue --roster class.csv`"
            }
            Error::Past(_) => "--until is the last day, such as 2027-02-01",
            Error::NoName { .. } => {
                "this is the short name, which the room shows, such as alice or alice.ng"
            }
            Error::OtherRequest { .. } => {
                "`ca-tool request` makes a key and a request together; this answer is for another request"
            }
            Error::NotAnAnswer { .. } => {
                "give the file that `ca-tool sign` made, such as ca/people/alice.crt"
            }
            Error::HasCertificate { id, .. } => {
                return Some(format!(
                    "end it with `ca-tool revoke {id} --reason superseded`, then sign again"
                ));
            }
            Error::Request { .. } => {
                "`ca-tool request NAME` makes a good one; `ca-tool sign --help` shows how to make one with `openssl req`"
            }
            Error::KeyInUse(_) => "the person makes another key with `ca-tool request`",
            Error::NoFile(path) => {
                let meant = pki::alike(path)?;
                return Some(format!("did you mean {}?", pki::shell_word(&meant)));
            }
            Error::NoBundle(path) if pki::alike(path).is_some() => {
                let meant = pki::alike(path)?;
                return Some(format!("did you mean {}?", pki::shell_word(&meant)));
            }
            Error::NoBundle(_) => {
                "if the bundle is elsewhere, name its file, as in `ca-tool export alice.pem --p12`; people who made their own key have their own bundle"
            }
            Error::Bundle(error) => return error.hint(Purpose::Client),
            Error::Pem { path, fault } => return fault.hint(path),
            Error::NotConfirmed(_) => "--yes confirms it",
            Error::UnknownSerial(_) => "`ca-tool list` shows the numbers",
            Error::Unknown(_) => "`ca-tool list` shows who has a certificate",
            Error::NothingToShow(_) => {
                "name a file such as ca/people/alice.pem, or a person from `ca-tool list`"
            }
            Error::Exists(_) | Error::InTheWay { .. } => {
                "move it away first, or choose another folder with --out DIR"
            }
            Error::NotDelivered { .. } => {
                "move it away; the next ca-tool command that writes puts the bundle there"
            }
            Error::Broken(error) => return error.hint(),
            Error::Database { .. } => "--db names the server's database, such as chat.db",
            Error::ListNumber(_) => "it should hold one hexadecimal number of at most 15 digits",
            Error::Io { path, source, .. } if source.kind() == io::ErrorKind::IsADirectory => {
                return Some(format!("name a file in {}", pki::shell_word(path)));
            }
            Error::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "`ls -l` shows the owner: run ca-tool as that user, or name another place. Only the user who made a CA can read its folder"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Returns a command with more flags, as a shell reads it.
fn retyped(typed: &[String], flags: &[String]) -> String {
    let flagged = typed
        .iter()
        .position(|word| word == "--")
        .unwrap_or(typed.len());
    let (before, after) = typed.split_at(flagged);
    let before = before.iter().filter(|word| *word != "--preview");
    let words = before.chain(flags).chain(after);
    words
        .map(|word| shell_word(word))
        .collect::<Vec<_>>()
        .join(" ")
}
