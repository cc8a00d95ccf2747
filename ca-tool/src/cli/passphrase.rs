//! Gets a passphrase from the terminal, a file or a descriptor. Never from the command line, which other
//! users of the machine can read.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::terminal;
use crate::error::{Error, Origin, io_error};
use crate::keys::passphrase::{PASSPHRASE_BYTES_MAX, Passphrase};
use crate::os;

/// The source of a passphrase.
#[derive(Debug, Clone, Default)]
pub(crate) enum Source {
    /// Somebody types it.
    #[default]
    Terminal,
    /// It is the first line of a file, as with OpenSSL's `file:`.
    File(PathBuf),
    /// It is the first line from an open descriptor.
    Descriptor(u32),
}

impl Source {
    /// Returns the passphrase of a key that is encrypted.
    pub(crate) fn for_key(&self, key: &Path) -> Result<Passphrase, Error> {
        match self {
            Source::Terminal if !terminal::is_here() => Err(Error::EncryptedKey(key.to_owned())),
            Source::Terminal => ask(&format!("passphrase for {}: ", key.display())),
            Source::File(path) => read_file(path),
            Source::Descriptor(number) => read_descriptor(*number),
        }
    }

    /// The same, but nobody is asked: a terminal counts as no passphrase.
    pub(crate) fn for_key_unasked(&self, key: &Path) -> Result<Passphrase, Error> {
        match self {
            Source::Terminal => Err(Error::EncryptedKey(key.to_owned())),
            source => source.for_key(key),
        }
    }

    /// Returns the passphrase for a key that is to be encrypted. A person types it twice, because
    /// what they type is not shown.
    pub(crate) fn for_new_key(&self) -> Result<Passphrase, Error> {
        match self {
            Source::Terminal if !terminal::is_here() => Err(Error::NoPassphrase),
            Source::Terminal => {
                let first = ask("new passphrase for the CA's key: ")?.strong_enough()?;
                let second = ask("the same again: ")?;
                if first.bytes() == second.bytes() {
                    Ok(first)
                } else {
                    Err(Error::NotTheSameTwice)
                }
            }
            Source::File(path) => read_file(path)?.strong_enough(),
            Source::Descriptor(number) => read_descriptor(*number)?.strong_enough(),
        }
    }
}

fn ask(prompt: &str) -> Result<Passphrase, Error> {
    let failed = |error| unread(io_error("ask at", Path::new("the terminal"))(error));
    let typed = os::ask_hidden(prompt)
        .map_err(failed)?
        .ok_or(Error::NothingTyped)?;
    // Nobody sees an arrow key in what they type, and nobody would type it the same way again.
    if typed.iter().any(u8::is_ascii_control) {
        return Err(Error::BadPassphrase(
            "it contains a control character, such as an arrow key",
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
        // Using a descriptor by its number would need unsafe code.
        _ => read_file(&Path::new("/dev/fd").join(number.to_string())),
    };
    Ok(read?.from(Origin::Descriptor(number)))
}

/// Reads no further than the first line: the program that writes into a pipe may keep it open.
fn first_line(file: impl Read, path: &Path) -> Result<Passphrase, Error> {
    let mut line = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX + 2));
    // One byte more than the longest passphrase and its line break, so that a longer one is noticed.
    BufReader::with_capacity(1, file.take(PASSPHRASE_BYTES_MAX as u64 + 3))
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
        // Spaces are part of it, and so are bytes that are not UTF-8.
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
            ("a\0b", "it contains a line break or a NUL"),
            ("a\rb", "it contains a line break or a NUL"),
        ] {
            assert_eq!(
                read(text),
                Err(format!("the passphrase cannot be used: {why}"))
            );
        }
    }
}
