//! Everything that can go wrong, each in one sentence that names the file.
//!
//! A sentence stands beside its variant, so that neither changes without the other. The advice that
//! follows it is in `hints.rs`, and the exit code in `exit_code.rs`: both change for other reasons.
//! Faults in a roster are `problem.rs`. Nothing here reads a file or knows a CA.

mod exit_code;
mod hints;
mod origin;
mod problem;

use std::io;
use std::path::{Path, PathBuf};

use pki::ProfileError;

use crate::words::{counted, day};

pub use origin::Origin;
pub use problem::{Answer, Problem};

/// Why nothing was done, or not all of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be used.
    #[error("cannot {doing} {}: {}", path.display(), io_words(source))]
    Io {
        /// The action that failed, such as `read`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error from the operating system.
        source: io::Error,
    },
    /// A file that was named does not exist.
    #[error("cannot read {}: there is no such file", .0.display())]
    NoFile(PathBuf),
    /// A new key needs a passphrase, and there is nobody to ask.
    #[error("the CA's key needs a passphrase, and there is no terminal to ask for one")]
    NoPassphrase,
    /// A text that cannot be a passphrase.
    #[error("the passphrase cannot be used: {0}")]
    BadPassphrase(&'static str),
    /// A passphrase that would not protect a new key.
    #[error("the passphrase is too weak for the key of a CA: {0}")]
    WeakPassphrase(&'static str),
    /// A new passphrase is typed twice, and the two differ.
    #[error("the two passphrases are not the same")]
    NotTheSameTwice,
    /// The input ended where a passphrase was expected.
    #[error("no passphrase was typed")]
    NothingTyped,
    /// The file or descriptor that should hold a passphrase cannot be read.
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
    /// A key is encrypted in another way than PBES2.
    #[error("cannot use {}: its key is encrypted in a way that ca-tool does not support", .0.display())]
    UnknownEncryption(PathBuf),
    /// A key cannot be written.
    #[error("cannot write the key: {0}")]
    KeyFile(String),
    /// The CA's name does not fit on one line, or is too long.
    #[error(
        "\"{}\" cannot be the CA's name: a name has 1 to 64 characters, no control characters, and no space at either end",
        wire::escape(.0)
    )]
    Name(String),
    /// The folder for a new CA holds a CA already.
    #[error("{} already holds a CA", .0.display())]
    AlreadyCa(PathBuf),
    /// The folder for a new CA holds something else.
    #[error("{} is not an empty folder", .0.display())]
    NotEmpty(PathBuf),
    /// The folder for a new CA holds the remains of an interrupted `init`.
    #[error("{} holds the remains of a CA that an interrupted `ca-tool init` left", .0.display())]
    HalfMade(PathBuf),
    /// The folder holds no CA.
    #[error("there is no CA in the folder {}", .0.display())]
    NoCa(PathBuf),
    /// A file does not have the form that it should have.
    #[error("cannot read {}: {fault}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The fault.
        fault: String,
    },
    /// A file that should be PEM is something else, or damaged.
    #[error("cannot read {}: {fault}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// The fault.
        fault: pki::PemError,
    },
    /// The record of everything that was issued and revoked is lost or damaged.
    #[error("cannot read {}: {fault}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// The fault.
        fault: String,
    },
    /// The CA's key is encrypted, and there is nobody to ask for its passphrase.
    #[error("cannot use {}: it is encrypted, and there is no terminal to ask for its passphrase", .0.display())]
    EncryptedKey(PathBuf),
    /// The key and the certificate are not a pair.
    #[error("cannot sign: {} does not belong to {}", key.display(), certificate.display())]
    OtherKey {
        /// The key.
        key: PathBuf,
        /// The certificate.
        certificate: PathBuf,
    },
    /// The certificate may not sign.
    #[error("cannot sign with {}: {fault}", path.display())]
    NotCa {
        /// The certificate.
        path: PathBuf,
        /// The rule that it breaks.
        fault: ProfileError,
    },
    /// A CA from elsewhere cannot be used here.
    #[error("cannot adopt {}: {fault}", path.display())]
    NotAdoptable {
        /// Its certificate.
        path: PathBuf,
        /// The reason.
        fault: String,
    },
    /// `--no-passphrase` was given for a key that is encrypted.
    #[error("{} is encrypted, and its copy stays encrypted", .0.display())]
    StaysEncrypted(PathBuf),
    /// The CA has expired, or is not valid yet.
    #[error("cannot sign with {}: it is valid from {from} until {until}, and today is {today}", path.display())]
    CaNotValid {
        /// The certificate.
        path: PathBuf,
        /// Its first day.
        from: time::Date,
        /// Its last day.
        until: time::Date,
        /// Today, according to the clock.
        today: time::Date,
    },
    /// Another run held the folder for too long.
    #[error("another run of ca-tool is using {}", .0.display())]
    Locked(PathBuf),
    /// The roster or the names have faults. All of them are listed.
    #[error("{} to fix; nothing was issued", counted(.0.len(), "problem", "problems"))]
    Problems(Vec<Problem>),
    /// The roster cannot be read at all.
    #[error("cannot read {}: {fault}", path.display())]
    Roster {
        /// The file.
        path: PathBuf,
        /// The fault.
        fault: String,
    },
    /// The roster does not say who its people are, and a guess is not enough.
    #[error("cannot tell the IDs in {}: {what}; nothing was issued", path.display())]
    Question {
        /// The file.
        path: PathBuf,
        /// What is not known.
        what: String,
        /// What the first answer comes to, one line for each of the first people.
        shown: Vec<String>,
        /// The command that somebody typed.
        typed: Vec<String>,
        /// The possible answers.
        answers: Vec<Answer>,
    },
    /// The file that remembers how rosters are read is not what ca-tool wrote.
    #[error("cannot read {}: {fault}", path.display())]
    Remembered {
        /// The file.
        path: PathBuf,
        /// The fault.
        fault: String,
    },
    /// Neither a name nor a roster was given.
    #[error("nobody was named; nothing was done")]
    Nobody,
    /// One full name for several people, or for none.
    #[error("--name is the full name of one person, and the command names {0}")]
    NameOfSeveral(usize),
    /// `--until` names a day in the past.
    #[error("{0} is in the past")]
    Past(time::Date),
    /// A text that cannot be a person's name.
    #[error("\"{}\" cannot be a person's name here: {fault}", wire::escape(name))]
    NoName {
        /// The text.
        name: String,
        /// The reason.
        fault: String,
    },
    /// A file is not a request for a certificate, or one that cannot be signed.
    #[error("cannot sign {}: {fault}", path.display())]
    Request {
        /// The file.
        path: PathBuf,
        /// The fault.
        fault: String,
    },
    /// A file is not the answer to a request, or one that cannot be used.
    #[error("cannot adopt {}: {fault}", path.display())]
    NotAnAnswer {
        /// The file.
        path: PathBuf,
        /// The fault.
        fault: String,
    },
    /// The answer was made for another key.
    #[error("{} is not the key that {} was made for", key.display(), answer.display())]
    OtherRequest {
        /// The key.
        key: PathBuf,
        /// The answer.
        answer: PathBuf,
    },
    /// The person has a certificate for another key.
    #[error("{id} has a certificate for another key until {}", day(*until))]
    HasCertificate {
        /// The person.
        id: wire::ClientId,
        /// The last moment of that certificate.
        until: time::OffsetDateTime,
    },
    /// The key in a request must not be certified.
    #[error("the key in the request cannot be used: {0}")]
    KeyInUse(String),
    /// Nobody was ever issued a certificate under these names.
    #[error("{}; nothing was done", .0.join("; "))]
    Unknown(Vec<String>),
    /// No certificate has this serial number.
    #[error("no certificate has the number {0}; nothing was done")]
    UnknownSerial(pki::Serial),
    /// The certificate with this serial number is somebody else's.
    #[error(
        "certificate {serial} belongs to \"{}\"; nothing was done",
        wire::escape(name)
    )]
    OtherSerial {
        /// The number.
        serial: pki::Serial,
        /// The name in the certificate.
        name: String,
    },
    /// The bundle to export does not exist.
    #[error("{} does not exist", .0.display())]
    NoBundle(PathBuf),
    /// A bundle cannot be read.
    #[error("{0}")]
    Bundle(pki::BundleError),
    /// A PKCS#12 file cannot be made.
    #[error("cannot make the PKCS#12 file: {0}")]
    Export(String),
    /// The password of a PKCS#12 file cannot be shown, so the file was not made.
    #[error("{} was not made: its password cannot be printed: {source}", path.display())]
    PasswordLost {
        /// The file.
        path: PathBuf,
        /// The error from the operating system.
        source: io::Error,
    },
    /// The command needs a confirmation, and there is nobody to ask.
    #[error("{0}; there is no terminal to ask whether you mean that")]
    NotConfirmed(String),
    /// The answer to a question was not yes.
    #[error("nothing was done")]
    Declined,
    /// The answer to a question cannot be read.
    #[error("cannot read your answer: {0}")]
    Unanswered(io::Error),
    /// The argument of `show` is neither a file nor a person.
    #[error("{0}")]
    NothingToShow(String),
    /// The file exists, and ca-tool overwrites nothing.
    #[error("{} already exists, and nothing is overwritten", .0.display())]
    Exists(PathBuf),
    /// The file exists and must not be lost.
    #[error("{} already exists and {fault}; nothing is overwritten", path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
        /// Why it is not replaced.
        fault: &'static str,
    },
    /// Certificates were recorded, but their bundles are not in their places yet.
    #[error("the certificate of \"{name}\"{} is recorded, but {fault}", and_others(*.others))]
    NotDelivered {
        /// The name in the certificate.
        name: String,
        /// How many others wait.
        others: usize,
        /// The cause.
        fault: Box<Error>,
    },
    /// `status` cannot determine the state of the CA.
    #[error("{0}")]
    Broken(Box<Error>),
    /// The server's database could not be read.
    #[error("cannot ask {}: {fault}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// The cause.
        fault: String,
    },
    /// The folder's name cannot be recorded, so a later run could not find it.
    #[error("cannot write bundles to {}: its name is not UTF-8, or contains a line break", .0.display())]
    PlaceName(PathBuf),
    /// The next number of the revocation list cannot be derived from this file.
    #[error("cannot continue from the number in {}", .0.display())]
    ListNumber(PathBuf),
    /// A signature failed our own check, so it was discarded.
    #[error("the new signature failed the check: {0}")]
    SelfCheck(String),
    /// The cryptography failed.
    #[error("cannot sign: {0}")]
    Sign(#[from] rcgen::Error),
    /// The result cannot be printed.
    #[error("cannot write the result: {0}")]
    Output(io::Error),
    /// The operating system has no random numbers.
    #[error("cannot get random numbers from the operating system: {0}")]
    Random(getrandom::Error),
}

/// Returns an error of the operating system in our words, if it is one that people meet.
fn io_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::NotADirectory => "a part of its path is not a folder".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "its disk is read-only".to_owned(),
        _ => error.to_string(),
    }
}

fn and_others(others: usize) -> String {
    match others {
        0 => String::new(),
        others => format!(" (and {})", counted(others, "other", "others")),
    }
}

/// Returns a function that adds the file to a fault in its PEM.
pub(crate) fn pem_error(path: &Path) -> impl FnOnce(pki::PemError) -> Error {
    let path = path.to_owned();
    move |fault| Error::Pem { path, fault }
}

/// Returns a function that adds the action and the file to an operating system's error.
pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io {
        doing,
        path,
        source,
    }
}
