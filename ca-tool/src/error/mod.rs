//! What can go wrong, in words that name the file, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use pki::ProfileError;

use crate::commands::counted;
use crate::keys::passphrase::Origin;

/// Why nothing was done, or not all of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was being done, such as `read`.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file that was named is not there.
    #[error("cannot read {}: there is no such file", .0.display())]
    NoFile(PathBuf),
    /// A new key is to be encrypted, and nobody can be asked for a passphrase.
    #[error("the CA's key needs a passphrase, and there is no terminal to ask for one")]
    NoPassphrase,
    /// A text that is no passphrase.
    #[error("the passphrase cannot be used: {0}")]
    BadPassphrase(&'static str),
    /// What was typed is to be the same twice, and was not.
    #[error("the new passphrase was not the same twice")]
    NotTheSameTwice,
    /// Whoever was asked for a passphrase ended the input instead.
    #[error("no passphrase was typed")]
    NothingTyped,
    /// A passphrase cannot be read from where it is to be.
    #[error("{0}")]
    PassphraseUnread(Box<Error>),
    /// The passphrase does not open the key.
    #[error("cannot use {}: the passphrase is wrong", key.display())]
    WrongPassphrase {
        /// The key.
        key: PathBuf,
        /// Where the passphrase came from.
        origin: Origin,
    },
    /// A key that is encrypted otherwise than by PBES2.
    #[error("cannot use {}: its key is encrypted in a way that is not known here", .0.display())]
    UnknownEncryption(PathBuf),
    /// A key cannot be written.
    #[error("cannot write the key: {0}")]
    KeyFile(String),
    /// The name of the CA cannot be shown on one line, or is too long.
    #[error(
        "\"{}\" cannot be the CA's name: it has 1 to 64 characters, none of them a control or at either end a space",
        wire::escape(.0)
    )]
    Name(String),
    /// There is something already where the CA would go.
    #[error("{} already holds a CA", .0.display())]
    AlreadyCa(PathBuf),
    /// There is something else where the CA would go.
    #[error("{} is not an empty folder", .0.display())]
    NotEmpty(PathBuf),
    /// There is a CA where it would go that was not finished.
    #[error("{} holds what a run of init that was cut short left of a CA", .0.display())]
    HalfMade(PathBuf),
    /// No CA where one was looked for.
    #[error("{} holds no CA", .0.display())]
    NoCa(PathBuf),
    /// A file of the CA's folder has not the form that it should have.
    #[error("cannot read {}: {fault}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// The CA's key is encrypted.
    #[error("cannot use {}: it is encrypted, and there is no terminal to ask for its passphrase", .0.display())]
    EncryptedKey(PathBuf),
    /// The CA's key is another one's.
    #[error("cannot sign: {} does not belong to {}", key.display(), certificate.display())]
    OtherKey {
        /// The key.
        key: PathBuf,
        /// The certificate.
        certificate: PathBuf,
    },
    /// The CA's certificate is not one that may sign.
    #[error("cannot sign with {}: {fault}", path.display())]
    NotCa {
        /// The certificate.
        path: PathBuf,
        /// What it lacks.
        fault: ProfileError,
    },
    /// A CA that was made elsewhere and cannot be used here.
    #[error("cannot adopt {}: {fault}", path.display())]
    NotAdoptable {
        /// The certificate.
        path: PathBuf,
        /// Why not.
        fault: String,
    },
    /// A key that is encrypted was to be stored without its passphrase.
    #[error("{} is encrypted, and its copy stays so", .0.display())]
    StaysEncrypted(PathBuf),
    /// The CA's time is over, or has not begun.
    #[error("cannot sign with {}: it is valid from {from} until {until}, and today is {today}", path.display())]
    CaNotValid {
        /// The certificate.
        path: PathBuf,
        /// Its first day.
        from: time::Date,
        /// Its last day.
        until: time::Date,
        /// The day that the clock says it is.
        today: time::Date,
    },
    /// Another run did not let go of the folder.
    #[error("another run of ca-tool is using {}", .0.display())]
    Locked(PathBuf),
    /// The roster or the names given cannot be issued as they are; every fault is listed.
    #[error("{} to be put right; nothing was issued", counted(.0.len(), "problem", "problems"))]
    Problems(Vec<Problem>),
    /// The roster cannot be read at all.
    #[error("cannot read {}: {fault}", path.display())]
    Roster {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// Neither names nor a roster.
    #[error("nobody was named")]
    Nobody,
    /// The day until which certificates are to be valid is over.
    #[error("{0} is over")]
    Past(time::Date),
    /// A name that cannot be one.
    #[error("\"{}\": {fault}", wire::escape(name))]
    NoName {
        /// What was given.
        name: String,
        /// Why it is none.
        fault: String,
    },
    /// What should be a request for a certificate and is none that is taken.
    #[error("cannot sign {}: {fault}", path.display())]
    Request {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// What should be the answer to a request and cannot be used as one.
    #[error("cannot adopt {}: {fault}", path.display())]
    NotAnAnswer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// A key and an answer that do not belong together.
    #[error("{} is not the key that {} was made for", key.display(), answer.display())]
    OtherRequest {
        /// The key.
        key: PathBuf,
        /// The answer.
        answer: PathBuf,
    },
    /// Somebody has a certificate for a key, and is to have one for another.
    #[error("{id} has a certificate for another key until {}", until.date())]
    HasCertificate {
        /// Who.
        id: wire::ClientId,
        /// Until when.
        until: time::OffsetDateTime,
    },
    /// A key that is not to be used.
    #[error("the key in the request cannot be used: {0}")]
    KeyInUse(String),
    /// Names that were never issued a certificate.
    #[error("{}; nothing was done", .0.join("; "))]
    Unknown(Vec<String>),
    /// A serial number that was never issued.
    #[error("no certificate has the number {0}; nothing was done")]
    UnknownSerial(pki::Serial),
    /// A serial number that is not that of the person who was named.
    #[error(
        "the number {serial} is that of \"{}\"; nothing was done",
        wire::escape(name)
    )]
    OtherSerial {
        /// The number.
        serial: pki::Serial,
        /// Whose it is.
        name: String,
    },
    /// A bundle that is to be exported and is not there.
    #[error("{} is not there", .0.display())]
    NoBundle(PathBuf),
    /// A bundle that cannot be read.
    #[error("{0}")]
    Bundle(pki::BundleError),
    /// A file for browsers cannot be made.
    #[error("cannot export: {0}")]
    Export(String),
    /// A file that is for browsers would be there without anybody knowing what opens it.
    #[error("{} was not made: its password cannot be printed: {source}", path.display())]
    PasswordLost {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Something that many people would notice, and nobody can be asked.
    #[error("{0}, and there is no terminal to ask whether that is meant")]
    NotConfirmed(String),
    /// Whoever was asked did not say yes.
    #[error("nothing was done")]
    Declined,
    /// Whoever was asked could not answer.
    #[error("cannot read the answer: {0}")]
    Unanswered(io::Error),
    /// Neither a file nor a person.
    #[error("{0}")]
    NothingToShow(String),
    /// The file is there already, and nothing is overwritten.
    #[error("{} is there already, and nothing is overwritten", .0.display())]
    Exists(PathBuf),
    /// Something is there already that would be missed.
    #[error("{} is there already and {fault}; nothing is overwritten", path.display())]
    InTheWay {
        /// What is there.
        path: PathBuf,
        /// Why it is not replaced.
        fault: &'static str,
    },
    /// Certificates were recorded, but their bundles could not be put in their places yet.
    #[error("the certificate of \"{name}\"{} is recorded, but {fault}", and_others(*.others))]
    NotDelivered {
        /// Whose it is.
        name: String,
        /// How many others wait.
        others: usize,
        /// What went wrong.
        fault: Box<Error>,
    },
    /// The CA is in a state in which its state cannot be said.
    #[error("{0}")]
    Broken(Box<Error>),
    /// The server's database was not read.
    #[error("cannot ask {}: {fault}", path.display())]
    Record {
        /// The database.
        path: PathBuf,
        /// What went wrong.
        fault: String,
    },
    /// A folder whose name cannot be written down, to find it again after a crash.
    #[error("cannot write bundles to {}: its name is not UTF-8, or has a line end", .0.display())]
    PlaceName(PathBuf),
    /// A revocation list's number that cannot be counted on from.
    #[error("cannot count on from the number in {}", .0.display())]
    ListNumber(PathBuf),
    /// What was signed is not what was meant, so it was thrown away.
    #[error("what was just signed is not good: {0}")]
    SelfCheck(String),
    /// The cryptography failed.
    #[error("cannot sign: {0}")]
    Sign(#[from] rcgen::Error),
    /// What was done cannot be said.
    #[error("cannot write the result: {0}")]
    Output(io::Error),
    /// No random numbers.
    #[error("the operating system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// One thing to be put right in what was asked for, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, such as `class.csv:14` or `argument 2`.
    pub place: String,
    /// What.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::NoPassphrase => {
                "--passphrase-file FILE or --passphrase-fd N gives it, --no-passphrase stores the key as it is"
            }
            Error::BadPassphrase(_) => "it has 1 to 1023 bytes on one line",
            Error::AlreadyCa(_) => {
                "`ca-tool issue` uses it; another CA needs another folder: --dir DIR"
            }
            Error::HalfMade(_) => {
                "remove all that is in it: nobody has anything that this CA signed"
            }
            Error::NotEmpty(_) => "give a new folder: --dir DIR",
            Error::NoCa(_) => {
                "`ca-tool init --name \"Networks 101\"` makes one; --dir DIR says where it is"
            }
            Error::EncryptedKey(_) => {
                "--passphrase-file FILE or --passphrase-fd N gives the one that it was encrypted with"
            }
            Error::WrongPassphrase { origin, .. } => {
                let look = match origin {
                    Origin::Typed => "look at Caps Lock and at the keyboard's layout".to_owned(),
                    Origin::File(path) => format!(
                        "the first line of {} was taken, with its spaces",
                        path.display()
                    ),
                    Origin::Descriptor(number) => format!(
                        "the first line that descriptor {number} holds was taken, with its spaces"
                    ),
                    Origin::Program => "a program gave it".to_owned(),
                };
                return Some(format!(
                    "{look}; it has to be the passphrase that the key was encrypted with, and nothing opens a key whose passphrase is lost"
                ));
            }
            Error::NotTheSameTwice => "nothing was made; begin again",
            Error::PassphraseUnread(_) => {
                "--passphrase-file FILE or --passphrase-fd N names what has the passphrase in its first line"
            }
            Error::UnknownEncryption(path) => {
                return Some(format!(
                    "`openssl pkcs8 -topk8 -v2 aes256 -in {} -out NEW` writes it in a way that is",
                    path.display()
                ));
            }
            Error::OtherKey { .. } => {
                "one of the two files was replaced; take both from the same backup"
            }
            Error::NotCa { .. } => "it needs CA:TRUE, keyCertSign and cRLSign",
            Error::NotAdoptable { .. } => {
                "`ca-tool init --name \"Networks 101\"` makes a CA of this room's own"
            }
            Error::StaysEncrypted(_) => {
                "leave --no-passphrase away; its passphrase opens the copy too"
            }
            Error::CaNotValid { .. } => {
                "is the clock right? if so, a new CA is needed: `ca-tool --dir DIR init`"
            }
            Error::Locked(_) => "wait until it is done",
            Error::Roster { .. } => {
                "a roster is CSV in UTF-8 whose first line names the columns: id,name,email,role (--id-column names another for id); or one id a line"
            }
            Error::Nobody => "`ca-tool issue alice bob` or `ca-tool issue --roster class.csv`",
            Error::Past(_) => "--until is the last day, such as 2027-02-01",
            Error::OtherRequest { .. } => {
                "`ca-tool request` makes a key and a request together; this answer is to another request"
            }
            Error::NotAnAnswer { .. } => {
                "it is the file that `ca-tool sign` made, such as ca/people/alice.crt"
            }
            Error::HasCertificate { id, .. } => {
                return Some(format!(
                    "`ca-tool revoke {id} --reason superseded` ends it; then sign again"
                ));
            }
            Error::Request { .. } => {
                "`ca-tool request NAME` makes a good one, as `openssl req` does when it is called as in `ca-tool sign --help`"
            }
            Error::KeyInUse(_) => "its owner makes another with `ca-tool request`",
            Error::NoBundle(_) => {
                "name the file, as in `ca-tool export alice.pem --p12`; whoever made their own key has it"
            }
            Error::Bundle(error) => return error.hint().map(str::to_owned),
            Error::NotConfirmed(_) => "--yes says so",
            Error::UnknownSerial(_) => "`ca-tool list` shows the numbers",
            Error::Unknown(_) => "`ca-tool list` shows who has a certificate",
            Error::NothingToShow(_) => {
                "name a file such as ca/people/alice.pem, or a person whom `ca-tool list` shows"
            }
            Error::Exists(_) | Error::InTheWay { .. } => {
                "move it away first, or choose another place with --out DIR"
            }
            Error::NotDelivered { .. } => {
                "move it away; the next run of ca-tool that writes puts the bundle there"
            }
            Error::Broken(error) => return error.hint(),
            Error::Record { .. } => {
                "--db names the file that `server` writes, which has to be installed here"
            }
            Error::ListNumber(_) => "it should hold one hexadecimal number of at most 15 digits",
            Error::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "only the user who made the CA can read its folder"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// What the program's exit code says: 2 when the command was not complete, 77 when there was
    /// no passphrase, or not the right one, 1 otherwise.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::StaysEncrypted(_) | Error::NotConfirmed(_) | Error::Nobody => 2,
            Error::Broken(_) => 3,
            Error::NoPassphrase
            | Error::BadPassphrase(_)
            | Error::NotTheSameTwice
            | Error::NothingTyped
            | Error::PassphraseUnread(_)
            | Error::EncryptedKey(_)
            | Error::WrongPassphrase { .. } => 77,
            _ => 1,
        }
    }

    /// Whether the reader of the results went away, as `head` does; that is no failure.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The lines to show before the error itself.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Error::Problems(problems) => problems,
            _ => &[],
        }
    }
}

fn and_others(others: usize) -> String {
    match others {
        0 => String::new(),
        others => format!(" (and {})", counted(others, "other", "others")),
    }
}

/// Names the file in what the operating system said.
pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io {
        doing,
        path,
        source,
    }
}
