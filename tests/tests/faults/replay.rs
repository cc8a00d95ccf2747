//! Replays what `strace` recorded of a folder: the disk as it would be if the power had gone.
//!
//! The assumptions about a file system: data for which `fsync` returned is on the disk; other data is
//! there or not, in pieces of a page or of a sector, whichever was written first; a file may have
//! its new length without its data; and a folder's entries reach the disk in their order, at the
//! latest when the folder is synced.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Nanoseconds since 1970, by which calls and acknowledgements are compared.
pub(crate) type Nanos = u64;

/// The units that a disk and the system write whole.
const SECTOR_BYTES: usize = 512;
const PAGE_BYTES: usize = 4096;

/// Calls that change a folder or its files. A call that the model below does not know fails the test.
const CALLS: &str = "open,openat,creat,close,write,pwrite64,pwritev,pwritev2,truncate,ftruncate,\
    fallocate,fsync,fdatasync,unlink,unlinkat,rename,renameat,renameat2,link,linkat,dup,dup2,dup3";

/// `strace` around a program, which records into `file` what is done to the database `db`. The
/// program is the test's own child, not that of `strace`, so that signals reach it.
pub(crate) fn recording(program: &Path, db: &Path, file: &Path) -> Command {
    let mut command = Command::new("strace");
    command
        .args([
            "-D",
            "-f",
            "--seccomp-bpf",
            "-qq",
            "-a1",
            "-xx",
            "-s",
            "1000000",
        ])
        .args(["--absolute-timestamps=format:unix,precision:ns"])
        .args(["--syscall-times=ns", "-e", "signal=none"])
        .args(["-e", &format!("trace={CALLS}")])
        .arg("-o")
        .arg(file);
    on_files(&mut command, db);
    command.arg("-P").arg(folder(db));
    command.arg(program).arg("--db").arg(db);
    command
}

/// Has `strace` look at nothing but a database's files.
pub(crate) fn on_files(command: &mut Command, db: &Path) {
    for path in files(db) {
        command.arg("-P").arg(path);
    }
}

/// The files of a database that must outlive a power cut: not its lock, and not the shared memory,
/// which is made anew from the log.
fn files(db: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-journal"].map(|end| {
        let mut name = db.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    })
}

/// The calls that a program made on a database's files, in the order of their beginning.
#[derive(Debug)]
pub(crate) struct Record {
    /// The files before the first call.
    before: Files,
    calls: Vec<Call>,
}

/// Names and contents.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

#[derive(Debug)]
struct Call {
    began: Nanos,
    /// `None` when the program was killed within it.
    ended: Option<Nanos>,
    what: What,
}

/// A file has a number of its own, by which it is told from a later one of the same name.
type Number = usize;

#[derive(Debug)]
enum What {
    Create(String, Number),
    Unlink(String),
    Write(Number, usize, Vec<u8>),
    Truncate(Number, usize),
    Sync(Number),
    SyncFolder,
}

/// How much of the data that was not synced is on the disk all the same.
pub(crate) enum Unsynced<'a> {
    /// Nothing.
    Gone,
    /// This or that.
    Any(&'a mut fastrand::Rng),
}

/// Returns a database's files as they are now.
pub(crate) fn read(db: &Path) -> Files {
    let read = |path: PathBuf| Some((name(&path), std::fs::read(&path).ok()?));
    files(db).into_iter().filter_map(read).collect()
}

/// Puts a database's files on a disk: these, and no others.
pub(crate) fn restore(db: &Path, files: &Files) {
    for path in self::files(db) {
        match files.get(&name(&path)) {
            Some(bytes) => std::fs::write(&path, bytes).expect("a file can be written"),
            None => remove(&path),
        }
    }
    let mut shared_memory = db.as_os_str().to_owned();
    shared_memory.push("-shm");
    remove(Path::new(&shared_memory));
}

fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            panic!("{} cannot be removed: {error}", path.display())
        }
        _ => {}
    }
}

fn folder(db: &Path) -> &Path {
    db.parent().expect("a database is in a folder")
}

fn name(path: &Path) -> String {
    let name = path.file_name().expect("a file has a name");
    name.to_string_lossy().into_owned()
}

impl Record {
    /// Reads what `strace` wrote about the files of `db`, which were `before` when it began.
    pub(crate) fn read(file: &Path, db: &Path, before: Files) -> Self {
        let text = std::fs::read_to_string(file).expect("the record can be read");
        let mut reader = Reader::new(db, &before);
        let mut calls: Vec<Call> = whole_calls(&text)
            .into_iter()
            .filter_map(|call| reader.understand(&call))
            .collect();
        calls.sort_by_key(|call| call.began);
        Self { before, calls }
    }

    /// Returns how many calls there are.
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Returns how many of them waited for the disk.
    pub(crate) fn syncs(&self) -> usize {
        let is_sync = |call: &&Call| matches!(call.what, What::Sync(_) | What::SyncFolder);
        self.calls.iter().filter(is_sync).count()
    }

    /// Returns a moment between the beginning of a call and that of the next, among those up to `until`.
    pub(crate) fn any_moment(&self, until: Nanos, chance: &mut fastrand::Rng) -> Nanos {
        let among = self.calls.partition_point(|call| call.began <= until);
        let index = chance.usize(..among);
        let from = self.calls[index].began;
        let to = self.calls.get(index + 1).map_or(from, |next| next.began);
        chance.u64(from..=to)
    }

    /// Returns the files that the disk holds if the power goes at that moment.
    pub(crate) fn cut(&self, at: Nanos, mut unsynced: Unsynced<'_>) -> Files {
        let mut disk = Disk::new(&self.before);
        for call in &self.calls {
            if call.began > at {
                break;
            }
            disk.take(call, at);
        }
        disk.after_the_cut(&mut unsynced)
    }
}

/// The state of a disk: the data that is on it, and the data that may be.
#[derive(Debug)]
struct Disk {
    files: HashMap<Number, File>,
    names: BTreeMap<String, Number>,
    /// The changes to names since the folder was synced.
    renamed: Vec<Pending<Rename>>,
}

#[derive(Debug, Default)]
struct File {
    bytes: Vec<u8>,
    changed: Vec<Pending<Change>>,
}

/// Not synced yet; `ended` is when a later sync can be sure to mean it.
#[derive(Debug)]
struct Pending<T> {
    ended: Nanos,
    what: T,
}

#[derive(Debug)]
enum Rename {
    Create(String, Number),
    Unlink(String),
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Disk {
    fn new(before: &Files) -> Self {
        let mut disk = Self {
            files: HashMap::new(),
            names: BTreeMap::new(),
            renamed: Vec::new(),
        };
        for (number, (name, bytes)) in before.iter().enumerate() {
            disk.names.insert(name.clone(), number);
            let bytes = bytes.clone();
            disk.files.entry(number).or_default().bytes = bytes;
        }
        disk
    }

    fn take(&mut self, call: &Call, at: Nanos) {
        // A call that the cut interrupted may have done all of its work, or some, or nothing; a
        // sync that had not returned had promised nothing.
        let ended = call.ended.filter(|ended| *ended <= at);
        let done = ended.unwrap_or(Nanos::MAX);
        match &call.what {
            What::Create(name, number) => {
                self.files.entry(*number).or_default();
                let what = Rename::Create(name.clone(), *number);
                self.renamed.push(Pending { ended: done, what });
            }
            What::Unlink(name) => {
                let what = Rename::Unlink(name.clone());
                self.renamed.push(Pending { ended: done, what });
            }
            What::Write(number, offset, bytes) => {
                let what = Change::Write(*offset, bytes.clone());
                self.change(*number, Pending { ended: done, what });
            }
            What::Truncate(number, length) => {
                let what = Change::Truncate(*length);
                self.change(*number, Pending { ended: done, what });
            }
            What::Sync(number) if ended.is_some() => {
                let file = self.files.entry(*number).or_default();
                for change in take_before(&mut file.changed, call.began) {
                    change.apply(&mut file.bytes);
                }
            }
            What::SyncFolder if ended.is_some() => {
                for rename in take_before(&mut self.renamed, call.began) {
                    rename.apply(&mut self.names);
                }
            }
            What::Sync(_) | What::SyncFolder => {}
        }
    }

    fn change(&mut self, number: Number, change: Pending<Change>) {
        let file = self.files.entry(number).or_default();
        file.changed.push(change);
    }

    fn after_the_cut(mut self, unsynced: &mut Unsynced<'_>) -> Files {
        if let Unsynced::Any(chance) = unsynced {
            let reached = chance.usize(..=self.renamed.len());
            for rename in self.renamed.drain(..reached) {
                rename.what.apply(&mut self.names);
            }
        }
        let mut files = Files::new();
        for (name, number) in self.names {
            let File { mut bytes, changed } = self.files.remove(&number).unwrap_or_default();
            if let Unsynced::Any(chance) = unsynced {
                apply_some(&mut bytes, changed, chance);
            }
            files.insert(name, bytes);
        }
        files
    }
}

/// Returns the writes that had ended before a sync began, which it therefore covers.
fn take_before<T>(pending: &mut Vec<Pending<T>>, began: Nanos) -> Vec<T> {
    let (covered, rest) = std::mem::take(pending)
        .into_iter()
        .partition(|pending| pending.ended <= began);
    *pending = rest;
    covered
        .into_iter()
        .map(|pending: Pending<T>| pending.what)
        .collect()
}

/// Returns any part of the data that was not synced: whole writes, pages or sectors, or only the length.
fn apply_some(bytes: &mut Vec<u8>, changed: Vec<Pending<Change>>, chance: &mut fastrand::Rng) {
    // Sometimes nearly everything had reached the disk, sometimes nearly nothing.
    let likely = chance.f64();
    let piece = [usize::MAX, PAGE_BYTES, SECTOR_BYTES][chance.usize(..3)];
    for Pending { what, .. } in changed {
        match what {
            Change::Truncate(length) if chance.f64() < likely => {
                Change::Truncate(length).apply(bytes);
            }
            Change::Truncate(_) => {}
            Change::Write(offset, written) => {
                let end = offset + written.len();
                let mut from = offset;
                while from < end {
                    let to = from.saturating_add(piece - from % piece).min(end);
                    if chance.f64() < likely {
                        let part = written[from - offset..to - offset].to_vec();
                        Change::Write(from, part).apply(bytes);
                    }
                    from = to;
                }
                if bytes.len() < end && chance.u8(..8) == 0 {
                    bytes.resize(end, 0);
                }
            }
        }
    }
}

impl Rename {
    fn apply(self, names: &mut BTreeMap<String, Number>) {
        match self {
            Rename::Create(name, number) => names.insert(name, number),
            Rename::Unlink(name) => names.remove(&name),
        };
    }
}

impl Change {
    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Change::Truncate(length) => bytes.resize(length, 0),
            Change::Write(offset, written) => {
                let end = offset + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[offset..end].copy_from_slice(&written);
            }
        }
    }
}

/// A call as it stands in the record, put together where another thread's came between.
#[derive(Debug)]
struct Line {
    began: Nanos,
    name: String,
    arguments: String,
    /// When it ended, and its result; `None` if it never did.
    result: Option<(Nanos, i64)>,
}

fn whole_calls(text: &str) -> Vec<Line> {
    let mut whole = Vec::new();
    let mut begun: HashMap<&str, (Nanos, &str, &str)> = HashMap::new();
    for line in text.lines() {
        let understood = (|| {
            let (thread, rest) = line.split_once(' ')?;
            let (time, call) = rest.trim_start().split_once(' ')?;
            let time = nanos(time)?;
            if let Some(resumed) = call.strip_prefix("<... ") {
                let (began, name, first) = begun.remove(thread)?;
                let (_, last) = resumed.split_once(" resumed>")?;
                whole.push(Line::new(began, name, first, last)?);
                return Some(());
            }
            let (name, rest) = call.split_once('(')?;
            if let Some(first) = rest.strip_suffix(" <unfinished ...>") {
                begun.insert(thread, (time, name, first));
            } else {
                whole.push(Line::new(time, name, "", rest)?);
            }
            Some(())
        })();
        understood.unwrap_or_else(|| panic!("not understood: {}", in_short(line)));
    }
    for (began, name, first) in begun.into_values() {
        whole.extend(Line::new(began, name, first, KILLED[0]));
    }
    // A file's descriptor means what it meant when the call began.
    whole.sort_by_key(|line| line.began);
    whole
}

/// The text that `strace` writes where a program was killed within a call.
const KILLED: [&str; 3] = [" <unfinished ...>", " <detached ...>", ") = ?"];

impl Line {
    /// `last` follows the arguments in `first`: it holds the other arguments and the result.
    fn new(began: Nanos, name: &str, first: &str, last: &str) -> Option<Self> {
        let (last, result) = match KILLED.iter().find_map(|mark| last.strip_suffix(mark)) {
            Some(last) => (
                KILLED
                    .iter()
                    .fold(last, |last, mark| last.trim_end_matches(mark)),
                None,
            ),
            None => {
                let (last, result) = last.rsplit_once(") = ")?;
                let mut parts = result.split(' ');
                let given = parts.next()?.parse().ok()?;
                let took = parts.next_back()?.strip_prefix('<')?.strip_suffix('>')?;
                (last, Some((began + nanos(took)?, given)))
            }
        };
        Some(Self {
            began,
            name: name.to_owned(),
            arguments: format!("{first}{last}"),
            result,
        })
    }
}

/// Seconds with nine digits after the point.
fn nanos(text: &str) -> Option<Nanos> {
    let (seconds, fraction) = text.split_once('.')?;
    let fraction: Nanos = (fraction.len() == 9).then(|| fraction.parse().ok())??;
    Some(seconds.parse::<Nanos>().ok()? * 1_000_000_000 + fraction)
}

/// Returns the start and the end of a text that may be very long.
fn in_short(line: &str) -> String {
    let start: String = line.chars().take(80).collect();
    let mut end: Vec<char> = line.chars().rev().take(80).collect();
    end.reverse();
    format!("{start} ... {}", end.into_iter().collect::<String>())
}

/// Knows which file is meant.
#[derive(Debug)]
struct Reader {
    folder: PathBuf,
    names: Vec<String>,
    numbers: HashMap<String, Number>,
    next: Number,
    /// The file of each descriptor; `None` for the folder.
    open: HashMap<i64, Option<Number>>,
}

impl Reader {
    fn new(db: &Path, before: &Files) -> Self {
        let numbers = before.keys().cloned().zip(0..).collect();
        Self {
            folder: folder(db).to_owned(),
            names: files(db).iter().map(|path| name(path)).collect(),
            numbers,
            next: before.len(),
            open: HashMap::new(),
        }
    }

    fn understand(&mut self, line: &Line) -> Option<Call> {
        let is_failed = line.result.is_some_and(|(_, given)| given < 0);
        if is_failed {
            return None;
        }
        // Where the program was killed before it could be asked which call it was about to make.
        if line.name == "???" && line.result.is_none() {
            return None;
        }
        let what = self.what(line)?;
        Some(Call {
            began: line.began,
            ended: line.result.map(|(ended, _)| ended),
            what,
        })
    }

    fn what(&mut self, line: &Line) -> Option<What> {
        let Line {
            name, arguments, ..
        } = line;
        let unknown = || -> ! { panic!("the model does not know {name}({})", in_short(arguments)) };
        match name.as_str() {
            "openat" => return self.open(line),
            "unlink" => {
                let name = self.own(text_in(arguments)?)?;
                self.numbers.remove(&name);
                return Some(What::Unlink(name));
            }
            "close" | "pwrite64" | "ftruncate" | "fsync" | "fdatasync" => {}
            _ => unknown(),
        }
        let (descriptor, rest) = arguments.split_once(", ").unwrap_or((arguments, ""));
        let descriptor: i64 = descriptor.parse().ok()?;
        let number = *self.open.get(&descriptor)?;
        let last = || rest.rsplit(", ").next()?.parse::<usize>().ok();
        Some(match (name.as_str(), number) {
            ("close", _) => {
                self.open.remove(&descriptor);
                return None;
            }
            ("fsync" | "fdatasync", Some(number)) => What::Sync(number),
            ("fsync" | "fdatasync", None) => What::SyncFolder,
            ("ftruncate", Some(number)) => What::Truncate(number, last()?),
            ("pwrite64", Some(number)) => {
                let mut bytes = bytes_in(rest)?;
                if let Some((_, given)) = line.result {
                    bytes.truncate(usize::try_from(given).ok()?);
                }
                What::Write(number, last()?, bytes)
            }
            _ => unknown(),
        })
    }

    fn open(&mut self, line: &Line) -> Option<What> {
        let (_, descriptor) = line.result?;
        let path = text_in(&line.arguments)?;
        if Path::new(&path) == self.folder {
            self.open.insert(descriptor, None);
            return None;
        }
        let name = self.own(path)?;
        let flags = line.arguments.rsplit("\", ").next()?;
        assert!(
            !flags.contains("O_TRUNC"),
            "the model does not know O_TRUNC"
        );
        let known = self.numbers.get(&name).copied();
        let number = known.unwrap_or(self.next);
        self.open.insert(descriptor, Some(number));
        if known.is_some() {
            return None;
        }
        assert!(flags.contains("O_CREAT"), "{name} was not there");
        self.next += 1;
        self.numbers.insert(name.clone(), number);
        Some(What::Create(name, number))
    }

    /// Returns the name of one of the database's files; `None` for any other.
    fn own(&self, path: String) -> Option<String> {
        let path = PathBuf::from(path);
        let name = name(&path);
        (path.parent() == Some(&self.folder) && self.names.contains(&name)).then_some(name)
    }
}

/// Returns the first string among the arguments, as text.
fn text_in(arguments: &str) -> Option<String> {
    String::from_utf8(bytes_in(arguments)?).ok()
}

/// Returns the first string among the arguments; every byte of it stands as `\x` and two digits.
fn bytes_in(arguments: &str) -> Option<Vec<u8>> {
    let (_, rest) = arguments.split_once('"')?;
    let (text, after) = rest.split_once('"')?;
    assert!(!after.starts_with("..."), "strace has cut a write short");
    let digit = |byte: u8| (byte as char).to_digit(16);
    let byte = |four: &[u8]| match four {
        [b'\\', b'x', high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    };
    text.as_bytes().chunks(4).map(byte).collect()
}
