//! The passphrase of a private key: where it comes from, which is never the command line, and
//! what makes it one that OpenSSL takes too.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::cli::terminal;
use crate::error::{Error, io_error};

/// A passphrase. It is wiped from memory when it is dropped.
#[derive(Clone)]
pub struct Passphrase {
    bytes: Zeroizing<Vec<u8>>,
    origin: Origin,
}

/// Where a passphrase came from, for whoever has to look there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A program gave it.
    Program,
    /// Somebody typed it.
    Typed,
    /// It was the first line of this file.
    File(PathBuf),
    /// It was the first line of what this descriptor holds.
    Descriptor(u32),
}

/// The bytes of a passphrase; OpenSSL takes no more from a file.
const BYTES_MAX: usize = 1023;

impl Passphrase {
    /// Takes a passphrase of 1 to 1023 bytes without a line end or NUL.
    ///
    /// # Errors
    ///
    /// When it is empty, too long, or could not be given to OpenSSL.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let bytes = Zeroizing::new(bytes.into());
        if bytes.is_empty() {
            return Err(Error::BadPassphrase("it is empty"));
        }
        if bytes.len() > BYTES_MAX {
            return Err(Error::BadPassphrase("it has more than 1023 bytes"));
        }
        if bytes
            .iter()
            .any(|byte| matches!(byte, b'\0' | b'\n' | b'\r'))
        {
            return Err(Error::BadPassphrase("it holds a line end or a NUL"));
        }
        Ok(Self {
            bytes,
            origin: Origin::Program,
        })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    fn from(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Where a passphrase comes from.
#[derive(Debug, Clone, Default)]
pub(crate) enum Source {
    /// From whoever sits at the terminal.
    #[default]
    Terminal,
    /// From the first line of a file, as OpenSSL's `file:` takes it.
    File(PathBuf),
    /// From the first line of what an open descriptor holds.
    Descriptor(u32),
}

impl Source {
    /// The passphrase of a key that is encrypted.
    pub(crate) fn for_key(&self, key: &Path) -> Result<Passphrase, Error> {
        match self {
            Source::Terminal if !has_terminal() => Err(Error::EncryptedKey(key.to_owned())),
            Source::Terminal => ask(&format!("passphrase for {}: ", key.display())),
            Source::File(path) => read_file(path),
            Source::Descriptor(number) => read_descriptor(*number),
        }
    }

    /// The passphrase of a key that is to be encrypted. Nobody sees what they type, so they type
    /// it twice.
    pub(crate) fn for_new_key(&self) -> Result<Passphrase, Error> {
        match self {
            Source::Terminal if !has_terminal() => Err(Error::NoPassphrase),
            Source::Terminal => {
                let first = ask("new passphrase for the CA's key: ")?;
                let second = ask("the same again: ")?;
                if first.bytes() == second.bytes() {
                    Ok(first)
                } else {
                    Err(Error::NotTheSameTwice)
                }
            }
            Source::File(path) => read_file(path),
            Source::Descriptor(number) => read_descriptor(*number),
        }
    }
}

/// Who redirects standard input is a script, even where there is a terminal.
fn has_terminal() -> bool {
    io::stdin().is_terminal()
}

fn ask(prompt: &str) -> Result<Passphrase, Error> {
    let failed = |error| unread(io_error("ask at", Path::new("the terminal"))(error));
    let typed = terminal::ask_hidden(prompt)
        .map_err(failed)?
        .ok_or(Error::NothingTyped)?;
    // An arrow key is seen by nobody, and makes a passphrase that nobody types again.
    if typed.iter().any(u8::is_ascii_control) {
        return Err(Error::BadPassphrase(
            "it holds a control character, as of an arrow key",
        ));
    }
    Passphrase::new(typed.to_vec()).map(|passphrase| passphrase.from(Origin::Typed))
}

fn read_file(path: &Path) -> Result<Passphrase, Error> {
    let file = File::open(path).map_err(|error| unread(io_error("read", path)(error)))?;
    Ok(first_line(file, path)?.from(Origin::File(path.to_owned())))
}

fn read_descriptor(number: u32) -> Result<Passphrase, Error> {
    let read = match number {
        0 => first_line(io::stdin().lock(), Path::new("standard input")),
        // To take a descriptor over by its number would need unsafe code.
        _ => read_file(&Path::new("/dev/fd").join(number.to_string())),
    };
    Ok(read?.from(Origin::Descriptor(number)))
}

/// Reads no further than the first line: who writes into a pipe may keep it open.
fn first_line(file: impl Read, path: &Path) -> Result<Passphrase, Error> {
    let mut line = Zeroizing::new(Vec::with_capacity(BYTES_MAX + 2));
    // With one more than a passphrase and its line end have, too much is seen to be too much.
    BufReader::with_capacity(1, file.take(BYTES_MAX as u64 + 3))
        .read_until(b'\n', &mut line)
        .map_err(|error| unread(io_error("read", path)(error)))?;
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    Passphrase::new(text.strip_suffix(b"\r").unwrap_or(text))
}

fn unread(error: Error) -> Error {
    Error::PassphraseUnread(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: impl AsRef<[u8]>) -> Result<Vec<u8>, String> {
        first_line(text.as_ref(), Path::new("file"))
            .map(|passphrase| passphrase.bytes().to_vec())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_passphrase_is_the_first_line_with_any_line_end() {
        for text in [
            "open sesame",
            "open sesame\n",
            "open sesame\r\n",
            "open sesame\nmore\n",
        ] {
            assert_eq!(read(text).expect(text), b"open sesame");
        }
        // Spaces are part of it, and so is what is not UTF-8.
        assert_eq!(read(b" \xff \n").expect("bytes"), b" \xff ");
        assert_eq!(read("张三\n").expect("text"), "张三".as_bytes());
        assert_eq!(read("x".repeat(1023) + "\r\n").expect("text").len(), 1023);
    }

    #[test]
    fn what_openssl_would_not_take_is_no_passphrase() {
        let long = "x".repeat(1024) + "\n";
        for (text, why) in [
            ("", "it is empty"),
            ("\n", "it is empty"),
            ("\r\n", "it is empty"),
            (&long, "it has more than 1023 bytes"),
            ("a\0b", "it holds a line end or a NUL"),
            ("a\rb", "it holds a line end or a NUL"),
        ] {
            assert_eq!(
                read(text),
                Err(format!("the passphrase cannot be used: {why}"))
            );
        }
    }

    #[test]
    fn a_passphrase_is_not_shown_where_its_holder_is() {
        let shown = format!(
            "{:?}",
            Passphrase::new("open sesame").expect("a passphrase")
        );
        assert_eq!(shown, "Passphrase(..)");
    }
}
