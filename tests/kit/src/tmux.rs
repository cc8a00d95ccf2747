//! A terminal as people have one, with a shell in it: panes of a tmux server of the test's own.
//!
//! tmux sends no event when a pane changes. So a test looks at the pane again and again, within a bound.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::PATIENCE;

/// From one look at a pane to the next. Each look starts a program, so there are fewer of them than
/// where a look costs nothing.
const SCREEN_INTERVAL: Duration = Duration::from_millis(20);

/// A tmux server with a socket and a configuration of its own. It is killed when this is dropped.
#[derive(Debug)]
pub struct Tmux {
    folder: TempDir,
}

/// A terminal with a shell in it.
#[derive(Debug)]
pub struct Pane<'a> {
    tmux: &'a Tmux,
    name: &'static str,
}

impl Tmux {
    /// Returns a server that runs nothing yet.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Opens a terminal of this size, in which a shell waits for commands in a folder.
    pub fn pane(&self, name: &'static str, columns: u16, rows: u16, folder: &Path) -> Pane<'_> {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let folder = folder.to_str().expect("a path in UTF-8");
        self.run(&[
            "new-session",
            "-d",
            "-s",
            name,
            "-x",
            &columns,
            "-y",
            &rows,
            "-c",
            folder,
            // An interactive shell with job control and with nobody's settings.
            "env",
            "-u",
            "NO_COLOR",
            "PS1=$ ",
            "ENV=",
            "TZ=UTC",
            "sh",
            "-im",
        ]);
        let pane = Pane { tmux: self, name };
        pane.shows("$");
        pane
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.folder.path().join("socket"));
        command.args(["-f", "/dev/null", "-u"]).args(arguments);
        command.env("LC_ALL", "C.UTF-8").env_remove("TMUX");
        let output = command.output().expect("tmux runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {told}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

impl Default for Tmux {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // Without a pane there is no server, and nothing to kill.
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.folder.path().join("socket"));
        let _gone = command.arg("kill-server").output();
    }
}

impl Pane<'_> {
    /// Types a text.
    pub fn types(&self, text: &str) {
        self.tmux
            .run(&["send-keys", "-t", &self.target(), "-l", "--", text]);
    }

    /// Presses a key, by tmux's name of it: `Enter`, `C-z`, `PPage`.
    pub fn presses(&self, key: &str) {
        self.tmux.run(&["send-keys", "-t", &self.target(), key]);
    }

    /// Types a text and Enter.
    pub fn enters(&self, text: &str) {
        self.types(text);
        self.presses("Enter");
    }

    /// Pastes a text, as a terminal's paste does.
    pub fn pastes(&self, text: &str) {
        self.tmux.run(&["set-buffer", "-b", self.name, "--", text]);
        let target = self.target();
        self.tmux.run(&[
            "paste-buffer",
            "-p",
            "-r",
            "-d",
            "-b",
            self.name,
            "-t",
            &target,
        ]);
    }

    /// Gives the terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let target = format!("={}:", self.name);
        self.tmux
            .run(&["resize-window", "-t", &target, "-x", &columns, "-y", &rows]);
    }

    /// Returns what the terminal shows, without the blanks at the ends of rows and of the screen.
    pub fn screen(&self) -> String {
        let screen = self.tmux.run(&["capture-pane", "-p", "-t", &self.target()]);
        let rows: Vec<&str> = screen.lines().map(str::trim_end).collect();
        rows.join("\n").trim_end().to_owned()
    }

    /// Returns what tmux knows about the pane, such as `cursor_flag` or `alternate_on`.
    pub fn knows(&self, format: &str) -> String {
        let format = format!("#{{{format}}}");
        let target = self.target();
        let told = self
            .tmux
            .run(&["display-message", "-p", "-t", &target, &format]);
        told.trim_end().to_owned()
    }

    /// Waits until the screen is as it should be, and returns it.
    pub fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(
                Instant::now() < deadline,
                "{what}: never seen; {} shows\n{screen}",
                self.name
            );
            std::thread::sleep(SCREEN_INTERVAL);
        }
    }

    /// Waits until a text is on the screen, and returns the screen.
    pub fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    fn target(&self) -> String {
        format!("={}:.", self.name)
    }
}
