//! A terminal for a program: a pty, and behind it an emulator that others wrote. A person sees what that
//! emulator shows, whatever we meant to write.
//!
//! A terminal sends no event when its screen changes. So a test looks at the screen after each piece of
//! output, within a bound.

use std::io::{Read as _, Write as _};
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use vt100::{Parser, Screen};

use crate::PATIENCE;

/// Pieces of output that wait to be looked at; a program that writes more waits too.
const PIECES_MAX: usize = 1024;

/// The most that is read at once.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// U+FFFD.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// The character that [`Terminal`] shows for it.
const STAND_IN: &str = "¿";

/// A program on a terminal of its own. It is ended when this is dropped.
pub struct Terminal {
    pty: Arc<Pty>,
    child: Child,
    pieces: Receiver<(Instant, Vec<u8>)>,
    parser: Parser<Oddities>,
    written: Vec<u8>,
    /// How much of it the emulator has seen.
    seen: usize,
}

/// Everything that a program asked of the terminal besides the drawing of cells.
#[derive(Debug, Default)]
pub struct Oddities {
    /// In the order in which they came.
    pub all: Vec<String>,
    /// How often the bell rang.
    pub bells: usize,
}

impl Terminal {
    /// Starts a command on a terminal of this size.
    pub fn open(columns: u16, rows: u16, command: Command) -> Self {
        let (pty, pts) = open().expect("a pty");
        pty.resize(Size::new(rows, columns)).expect("a size");
        let command = command
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env_remove("NO_COLOR");
        let child = command.spawn(pts).expect("the program starts");
        let pty = Arc::new(pty);
        let (send, pieces) = sync_channel(PIECES_MAX);
        let output = Arc::clone(&pty);
        std::thread::spawn(move || {
            let mut piece = vec![0; PIECE_BYTES_MAX];
            // The end of the program reads as an error.
            while let Ok(count @ 1..) = (&*output).read(&mut piece) {
                if send
                    .send((Instant::now(), piece[..count].to_vec()))
                    .is_err()
                {
                    return;
                }
            }
        });
        Self {
            pty,
            child,
            pieces,
            parser: Parser::new_with_callbacks(rows, columns, 0, Oddities::default()),
            written: Vec::new(),
            seen: 0,
        }
    }

    /// Types these bytes.
    pub fn types(&self, keys: impl AsRef<[u8]>) {
        (&*self.pty)
            .write_all(keys.as_ref())
            .expect("the terminal takes it");
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.parser.screen_mut().set_size(rows, columns);
        self.pty.resize(Size::new(rows, columns)).expect("a size");
    }

    /// Returns the process id of the program.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes the next piece of output, and returns when it came; `None` when the program has ended.
    pub fn next(&mut self, deadline: Instant) -> Option<Instant> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.pieces.recv_timeout(left) {
            Ok((at, piece)) => {
                self.written.extend(piece);
                self.emulate();
                Some(at)
            }
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => None,
        }
    }

    /// Shows the emulator the output that it has not seen. It takes U+FFFD for bytes that were not UTF-8
    /// and shows nothing, where every terminal shows one cell. So it is given another character of one cell.
    fn emulate(&mut self) {
        let unseen = &self.written[self.seen..];
        // A character that has not come whole is left for the next time.
        let cut = (1..=2).find(|cut| unseen.ends_with(&REPLACEMENT[..*cut]));
        let unseen = &unseen[..unseen.len() - cut.unwrap_or(0)];
        self.seen += unseen.len();
        let mut rest = unseen;
        while let Some(at) = rest.windows(3).position(|three| three == REPLACEMENT) {
            self.parser.process(&rest[..at]);
            self.parser.process(STAND_IN.as_bytes());
            rest = &rest[at + 3..];
        }
        self.parser.process(rest);
    }

    /// Waits until the screen is as it should be.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Screen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self.parser.screen()) {
            if self.next(deadline).is_none() {
                panic!("{what}: never seen; the screen is\n{}", self.text());
            }
        }
    }

    /// Waits until a text is on the screen.
    pub fn shows(&mut self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }

    /// Waits for the program's end, and returns how it ended.
    pub fn ends(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break self.drain(status),
                // Its output must be taken, or it would never end.
                Ok(None) if Instant::now() < deadline => {
                    self.next(Instant::now() + Duration::from_millis(5));
                }
                _ => panic!("did not end; the screen is\n{}", self.text()),
            }
        }
    }

    fn drain(&mut self, status: ExitStatus) -> ExitStatus {
        // Somebody else may have the terminal open too, so its end may not come.
        while self
            .next(Instant::now() + Duration::from_millis(200))
            .is_some()
        {}
        status
    }

    /// Returns the screen.
    pub fn screen(&self) -> &Screen {
        self.parser.screen()
    }

    /// Returns the rows of the screen as text, without the blanks at their ends.
    pub fn rows(&self) -> Vec<String> {
        let (_, columns) = self.screen().size();
        let rows = self.screen().rows(0, columns);
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    /// Returns the rows as one text.
    pub fn text(&self) -> String {
        self.rows().join("\n")
    }

    /// Returns what the program asked of the terminal besides the drawing of cells.
    pub fn oddities(&self) -> &Oddities {
        self.parser.callbacks()
    }

    /// Returns every byte that was written to the terminal.
    pub fn written(&self) -> &[u8] {
        &self.written
    }

    /// Returns the terminal's settings, as `stty` prints them.
    pub fn settings(&self) -> String {
        use std::os::fd::AsFd as _;
        let terminal = self.pty.as_fd().try_clone_to_owned().expect("a descriptor");
        let stty = std::process::Command::new("stty")
            .arg("-a")
            .stdin(terminal)
            .output();
        String::from_utf8(stty.expect("stty runs").stdout).expect("UTF-8")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal")
            .field("screen", &self.rows())
            .finish_non_exhaustive()
    }
}

impl vt100::Callbacks for Oddities {
    fn audible_bell(&mut self, _: &mut Screen) {
        self.bells += 1;
    }

    fn visual_bell(&mut self, _: &mut Screen) {
        self.all.push("a visual bell".to_owned());
    }

    fn resize(&mut self, _: &mut Screen, size: (u16, u16)) {
        self.all.push(format!("another size: {size:?}"));
    }

    fn set_window_icon_name(&mut self, _: &mut Screen, name: &[u8]) {
        self.all
            .push(format!("an icon's name: {}", name.escape_ascii()));
    }

    fn set_window_title(&mut self, _: &mut Screen, title: &[u8]) {
        self.all.push(format!("a title: {}", title.escape_ascii()));
    }

    fn copy_to_clipboard(&mut self, _: &mut Screen, _: &[u8], data: &[u8]) {
        self.all
            .push(format!("into the clipboard: {}", data.escape_ascii()));
    }

    fn paste_from_clipboard(&mut self, _: &mut Screen, _: &[u8]) {
        self.all.push("out of the clipboard".to_owned());
    }

    fn unhandled_char(&mut self, _: &mut Screen, c: char) {
        self.all.push(format!("a character: {c:?}"));
    }

    fn unhandled_control(&mut self, _: &mut Screen, control: u8) {
        self.all.push(format!("a control: {control:#04x}"));
    }

    fn unhandled_escape(&mut self, _: &mut Screen, _: Option<u8>, _: Option<u8>, last: u8) {
        self.all.push(format!("an escape: {}", last.escape_ascii()));
    }

    fn unhandled_csi(
        &mut self,
        _: &mut Screen,
        first: Option<u8>,
        _: Option<u8>,
        parameters: &[&[u16]],
        last: char,
    ) {
        // Whether long rows are wrapped, whether the person looks elsewhere, another way of telling
        // what the mouse does, and the usual colour of underlines: this emulator knows none of them.
        let is_known = matches!(
            (first, parameters, last),
            (Some(b'?'), [[7 | 1004 | 1015]], 'h' | 'l') | (None, [[59]], 'm')
        );
        if !is_known {
            self.all
                .push(format!("a sequence: {first:?} {parameters:?} {last}"));
        }
    }

    fn unhandled_osc(&mut self, _: &mut Screen, parameters: &[&[u8]]) {
        let words: Vec<String> = parameters
            .iter()
            .map(|p| p.escape_ascii().to_string())
            .collect();
        self.all.push(format!("a command: {}", words.join(";")));
    }
}
