//! A person types while thousands of lines a second arrive, and the full-screen client is measured from
//! outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kit::{PATIENCE, Terminal, processor_time, resident_kib};
use pki::Bundle;
use pty_process::blocking::Command;

use crate::{Peer, Served, Site, UNLIMITED, program};

/// The end of a frame: the cursor is shown in the input line again.
const FRAME_END: &[u8] = b"\x1b[?25h";

/// From one key to the next.
const KEY_INTERVAL: Duration = Duration::from_millis(40);

/// How often the speaker says the lines that are due.
const SPEAK_INTERVAL: Duration = Duration::from_millis(2);

/// The measurements.
#[derive(Debug)]
pub struct Rush {
    /// How long each key took to its echo on the screen, shortest first.
    pub keys: Vec<Duration>,
    /// Drawn in the whole time.
    pub frames: usize,
    /// The whole time.
    pub took: Duration,
    /// The processor time that the client took.
    pub processor: Duration,
    /// Lines that were said.
    pub lines: u64,
    /// The client's resident memory at its end, in KiB.
    pub resident_kib: u64,
}

impl Rush {
    /// Has somebody say `lines_per_second` for a while, and a person type meanwhile.
    pub fn of(lines_per_second: u64, length: Duration) -> Self {
        let site = Site::new("Networks 101");
        let served = site.serve(&UNLIMITED);
        let mut window = open_window(&site, &served, "alice", 80, 24);
        let speaker = Speaker::start(&site, &served, lines_per_second);
        window.shows("] line ");
        let (written, processor) = (window.written().len(), processor_time(window.id()));
        let begun = Instant::now();
        let mut keys = Vec::new();
        let mut typed = String::new();
        while begun.elapsed() < length {
            // A row that is full would make the input grow.
            if typed.len() >= 40 {
                window.types("\x15");
                typed.clear();
                shows_input(&mut window, &typed);
            }
            let key = char::from(b'a' + u8::try_from(keys.len() % 26).unwrap_or_default());
            typed.push(key);
            let pressed = Instant::now();
            window.types(key.to_string());
            let seen = shows_input(&mut window, &typed);
            keys.push(seen.saturating_duration_since(pressed));
            let next = pressed + KEY_INTERVAL;
            // Everything that is drawn meanwhile is taken as it comes.
            while window.next(next).is_some() {}
        }
        let took = begun.elapsed();
        let frames = window.written()[written..]
            .windows(FRAME_END.len())
            .filter(|bytes| *bytes == FRAME_END)
            .count();
        let processor = processor_time(window.id()).saturating_sub(processor);
        let resident_kib = resident_kib(window.id());
        let lines = speaker.stop();
        // All of it arrives.
        window.types("\x15");
        window.shows(&format!("] line {} ", lines - 1));
        keys.sort();
        Self {
            keys,
            frames,
            took,
            processor,
            lines,
            resident_kib,
        }
    }

    /// Returns the time within which 99 of 100 keys were shown.
    pub fn p99(&self) -> Duration {
        self.keys[(self.keys.len() - 1) * 99 / 100]
    }

    /// Returns the median of the keys' times.
    pub fn p50(&self) -> Duration {
        self.keys[(self.keys.len() - 1) / 2]
    }

    /// Returns how many frames were drawn a second.
    pub fn frames_per_second(&self) -> f64 {
        self.frames as f64 / self.took.as_secs_f64()
    }
}

/// Returns the full-screen client on a terminal of its own, connected as this person.
pub fn open_window(site: &Site, served: &Served, name: &str, columns: u16, rows: u16) -> Terminal {
    let (bundle, server) = (site.bundle(name), served.address.to_string());
    let command = Command::new(program("client"))
        .args(["--cert", &bundle, "--server", &server])
        .current_dir(site.folder());
    let mut window = Terminal::open(columns, rows, command);
    window.shows(" connected · ");
    window
}

/// Waits until this text stands in the input, and returns when it was drawn.
fn shows_input(window: &mut Terminal, typed: &str) -> Instant {
    let deadline = Instant::now() + PATIENCE;
    let input = format!("> {typed}");
    loop {
        let Some(at) = window.next(deadline) else {
            panic!("{input:?} was never seen:\n{}", window.text());
        };
        if window
            .rows()
            .last()
            .is_some_and(|row| *row == input.trim_end())
        {
            return at;
        }
    }
}

/// Says line after line, at an even pace, from a thread of its own.
struct Speaker {
    is_over: Arc<AtomicBool>,
    thread: thread::JoinHandle<u64>,
}

impl Speaker {
    fn start(site: &Site, served: &Served, lines_per_second: u64) -> Self {
        let bundle = site.path(&site.bundle("speaker"));
        let bundle = Bundle::read(&bundle).expect("a bundle");
        let (address, is_over) = (served.address, Arc::new(AtomicBool::new(false)));
        let is_told = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let mut peer = Peer::connect(address, &bundle, &[wire::ALPN])
                    .await
                    .expect("a connection");
                peer.welcome().await;
                let begun = Instant::now();
                let mut tick = tokio::time::interval(SPEAK_INTERVAL);
                let mut said = 0;
                while !is_told.load(Ordering::Relaxed) {
                    tick.tick().await;
                    let due = begun.elapsed().as_micros() * u128::from(lines_per_second);
                    let mut text = String::new();
                    while u128::from(said) * 1_000_000 <= due {
                        text.push_str(&format!("line {said} of many that rush by\n"));
                        said += 1;
                    }
                    peer.send(text).await;
                }
                // A session that follows nothing is sent nothing else.
                peer.say("/ping").await;
                peer.expect("= at ").await;
                said
            })
        });
        Self { is_over, thread }
    }

    /// Stops it, and returns how many lines it said.
    fn stop(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("a speaker that speaks")
    }
}
