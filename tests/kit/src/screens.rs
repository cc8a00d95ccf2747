//! Terminals that other people wrote, each with a script in it: tmux, GNU screen, and xterm in a display
//! that nobody sees. The rows that they show are read back when the script has ended, with everything that
//! went out of sight.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::{look_until, require};

/// A kind of terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emulator {
    /// tmux.
    Tmux,
    /// GNU screen.
    Screen,
    /// xterm, as it comes.
    Xterm,
    /// xterm, where ambiguous characters are wide.
    XtermCjk,
}

/// A terminal in which a script runs. It is ended when this is dropped.
#[derive(Debug)]
pub struct Shown {
    emulator: Emulator,
    folder: TempDir,
    columns: u16,
    /// The X server and the terminal, or neither where the terminal is a server of its own.
    children: Vec<Child>,
}

/// xterm tells nobody that it has printed everything, so the script shows this at last.
const LAST_ROW: &str = "-- the end --";

/// The rows that each keeps.
const ROWS_MAX: u32 = 20_000;

impl Emulator {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Tmux, Self::Screen, Self::Xterm, Self::XtermCjk];

    /// Fails the test unless the programs of this terminal are here.
    #[track_caller]
    pub fn require(self) {
        match self {
            Self::Tmux => require("tmux"),
            Self::Screen => require("screen"),
            Self::Xterm | Self::XtermCjk => {
                require("xterm");
                require("Xvfb");
            }
        }
    }

    /// Starts a script of the shell in a terminal of this many columns. GNU screen has 80, always.
    pub fn run(self, columns: u16, script: &str) -> Shown {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let file = path.join("script");
        // xterm prints all that it has shown when it is told so.
        let print = format!(r"printf -- '{LAST_ROW}\n\033[?11i'");
        let shown = path.join("shown").display().to_string();
        let whole = match self {
            Self::Tmux | Self::Screen => format!("{script}\ntouch {shown}\nsleep 600\n"),
            Self::Xterm | Self::XtermCjk => format!("{script}\n{print}\nsleep 600\n"),
        };
        fs::write(&file, whole).expect("a file");
        let mut shown = Shown {
            emulator: self,
            folder,
            columns,
            children: Vec::new(),
        };
        shown.start(&file);
        shown
    }
}

impl Shown {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&mut self, script: &Path) {
        let script = script.to_str().expect("a path in UTF-8");
        match self.emulator {
            Emulator::Tmux => {
                let settings = format!("set -g history-limit {ROWS_MAX}\n");
                fs::write(self.path("settings"), settings).expect("a file");
                let columns = self.columns.to_string();
                self.tmux(&[
                    "new-session",
                    "-d",
                    "-x",
                    &columns,
                    "-y",
                    "24",
                    "sh",
                    script,
                ]);
            }
            Emulator::Screen => {
                let settings =
                    format!("defutf8 on\ndefscrollback {ROWS_MAX}\nstartup_message off\n");
                fs::write(self.path("settings"), settings).expect("a file");
                self.screen(&["-dmU", "-S", "test", "sh", script]);
            }
            Emulator::Xterm | Emulator::XtermCjk => {
                let display = self.open_display();
                let print = format!(
                    "XTerm*printerCommand: cat > {}",
                    self.path("printing").display()
                );
                let mut command = Command::new("xterm");
                // Of a scalable font it would look for each character that the font has not.
                command.args(["-display", &display, "-u8", "-fn", "fixed"]);
                command.args(["-sl", &ROWS_MAX.to_string()]);
                command.args(["-geometry", &format!("{}x24", self.columns)]);
                command.args(["-xrm", &print, "-xrm", "XTerm*printAttributes: 0"]);
                command.args(["-xrm", "XTerm*printerAutoClose: true"]);
                if self.emulator == Emulator::XtermCjk {
                    command.arg("-cjk_width");
                }
                command.args(["-e", "sh", script]);
                self.spawn(command);
            }
        }
    }

    /// Opens a display that nobody sees, and returns its name.
    fn open_display(&mut self) -> String {
        let mut command = Command::new("Xvfb");
        command.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1600x800x24",
            "-nolisten",
            "tcp",
        ]);
        command.stdout(Stdio::piped());
        let stdout = self.spawn(command).stdout.take().expect("a pipe");
        let mut number = String::new();
        BufReader::new(stdout)
            .read_line(&mut number)
            .expect("a display");
        format!(":{}", number.trim())
    }

    fn spawn(&mut self, mut command: Command) -> &mut Child {
        command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        self.children.push(child);
        self.children.last_mut().expect("one was pushed")
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command
            .arg("-S")
            .arg(self.path("socket"))
            .arg("-f")
            .arg(self.path("settings"));
        command.arg("-u").args(arguments);
        command
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env_remove("TMUX");
        let output = command.output().expect("tmux runs");
        assert!(output.status.success(), "tmux {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn screen(&self, arguments: &[&str]) {
        let mut command = Command::new("screen");
        command.arg("-c").arg(self.path("settings")).args(arguments);
        command
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("SCREENDIR", self.sockets());
        command.env_remove("STY");
        let output = command.output().expect("screen runs");
        assert!(output.status.success(), "screen {arguments:?}: {output:?}");
    }

    /// Returns the folder of screen's sockets, which nobody else may enter.
    fn sockets(&self) -> PathBuf {
        use std::os::unix::fs::DirBuilderExt as _;
        let sockets = self.path("sockets");
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&sockets);
        made.expect("a folder");
        sockets
    }

    /// Waits until the script has ended, and returns the rows that were shown.
    pub fn rows(&self) -> Vec<String> {
        let text = match self.emulator {
            Emulator::Tmux => {
                self.wait_for("shown");
                // Rows that the terminal wrapped stay two.
                self.tmux(&["capture-pane", "-p", "-S", "-"])
            }
            Emulator::Screen => {
                self.wait_for("shown");
                let copy = self.path("copy").display().to_string();
                self.screen(&["-S", "test", "-p", "0", "-X", "hardcopy", "-h", &copy]);
                look_until("the copy", || {
                    fs::read(&copy)
                        .is_ok_and(|text| text.ends_with(b"\n"))
                        .then_some(())
                });
                String::from_utf8_lossy(&fs::read(&copy).expect("a file")).into_owned()
            }
            Emulator::Xterm | Emulator::XtermCjk => {
                let printing = self.path("printing");
                look_until("all is printed", || {
                    let text = fs::read(&printing).ok()?;
                    let is_whole = text
                        .windows(LAST_ROW.len())
                        .any(|row| row == LAST_ROW.as_bytes());
                    is_whole.then_some(())
                });
                String::from_utf8_lossy(&fs::read(&printing).expect("a file")).into_owned()
            }
        };
        let rows = text.lines().map(|row| row.trim_end().to_owned());
        let rows = rows.take_while(|row| row != LAST_ROW);
        rows.collect()
    }

    /// Waits until a file of this name stands in the folder of the script.
    fn wait_for(&self, name: &str) {
        let file = self.path(name);
        look_until(name, || file.exists().then_some(()));
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        match self.emulator {
            Emulator::Tmux => {
                let mut command = Command::new("tmux");
                command
                    .arg("-S")
                    .arg(self.path("socket"))
                    .arg("kill-server");
                let _gone = command.output();
            }
            Emulator::Screen => {
                let mut command = Command::new("screen");
                command.args(["-S", "test", "-X", "quit"]);
                let _gone = command.env("SCREENDIR", self.sockets()).output();
            }
            Emulator::Xterm | Emulator::XtermCjk => {
                for child in self.children.iter_mut().rev() {
                    let _ended = child.kill();
                    let _status = child.wait();
                }
            }
        }
    }
}
