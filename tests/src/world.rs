//! A CA and a room in a folder of their own, for one test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ca_tool::{Ca, Candidate, InitOptions, IssueOptions, Reason};
use pki::{Bundle, CaHints, Gate};
use server::{Config, Failure, Limits, SameId};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use wire::Role;

use crate::{Peer, within};

/// How a room differs from one with every default.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The number of sessions that an ID may have at once.
    pub same_id: SameId,
    /// Whether the server names its CA.
    pub ca_hints: CaHints,
    /// The limits.
    pub limits: Limits,
    /// Whether it can be reached from other machines too.
    pub is_open: bool,
}

impl Options {
    /// Takes away every limit on how much people say and how fast.
    pub fn without_pace(&mut self) {
        self.limits.line_rate = 0;
        self.limits.byte_rate = 0;
        self.limits.daily_bytes_max = 0;
        self.limits.daily_runs_max = 0;
    }
}

/// Returns options for a certificate that ends this long from now.
pub fn lasting(left: Duration) -> IssueOptions {
    IssueOptions {
        until: Some(OffsetDateTime::now_utc() + left),
        ..IssueOptions::default()
    }
}

/// Returns options for an instructor's certificate.
pub fn instructors() -> IssueOptions {
    IssueOptions {
        role: Role::Instructor,
        ..IssueOptions::default()
    }
}

/// A CA, and a room that is being served in this process.
#[derive(Debug)]
pub struct World {
    folder: TempDir,
    ca: Ca,
    options: Options,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    reload: watch::Sender<()>,
    serving: Option<JoinHandle<Result<(), Failure>>>,
}

impl World {
    /// Starts a room with every default.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts a room that differs from the defaults.
    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::default();
        change(&mut options);
        let folder = tempfile::tempdir().expect("a folder");
        let ca = Ca::init(
            &folder.path().join("ca"),
            &InitOptions::named("Networks 101"),
        )
        .expect("a new CA");
        let mut world = Self {
            folder,
            ca,
            options,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            stop: None,
            reload: watch::Sender::new(()),
            serving: None,
        };
        world.serve().await;
        world
    }

    /// Serves the room, in this process, on a port that is free.
    pub async fn serve(&mut self) {
        let ip = [[127, 0, 0, 1], [0, 0, 0, 0]][usize::from(self.options.is_open)];
        let listener = server::listen(SocketAddr::from((ip, 0))).expect("a port");
        self.address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let config = self.config();
        let reload = self.reload.subscribe();
        let stopped = async {
            let _asked_or_dropped = stopped.await;
        };
        self.stop = Some(stop);
        self.serving = Some(tokio::spawn(server::run(config, listener, stopped, reload)));
    }

    fn config(&self) -> Config {
        let cert = self.ca.register().server_bundle();
        let bundle = server::read_bundle(&cert).expect("the server's bundle");
        let gate = Gate::new(bundle.anchor().clone(), false).expect("a gate");
        let path = self.ca.register().revocation_list();
        let list = server::read_list(&path, &gate).expect("a revocation list");
        Config {
            cert,
            bundle,
            gate: Arc::new(gate),
            crl: Some((path, Arc::new(list))),
            db: self.db(),
            room: "Networks 101".to_owned(),
            narrator: narration::Narrator::default(),
            show: false,
            same_id: self.options.same_id,
            ca_hints: self.options.ca_hints,
            limits: self.options.limits.clone(),
        }
    }

    /// Stops the server and waits for its end.
    ///
    /// # Errors
    ///
    /// When the server failed.
    pub async fn stop(&mut self) -> Result<(), Failure> {
        self.stop = None;
        self.ended().await
    }

    /// Tells the server to stop, without waiting for its end.
    pub fn begin_to_stop(&mut self) {
        self.stop = None;
    }

    /// Waits for the server's end.
    ///
    /// # Errors
    ///
    /// When the server failed.
    pub async fn ended(&mut self) -> Result<(), Failure> {
        let serving = self.serving.take().expect("the server was started");
        within("the server's end", serving)
            .await
            .expect("the server does not panic")
    }

    /// Returns the folder of this world.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the address at which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the CA.
    pub fn ca(&self) -> &Ca {
        &self.ca
    }

    /// Returns the database.
    pub fn db(&self) -> PathBuf {
        self.folder.path().join("chat.db")
    }

    /// Returns the path of a person's bundle, and issues it if there is none.
    pub fn bundle_path(&self, name: &str) -> PathBuf {
        let path = self.ca.register().people().join(format!("{name}.pem"));
        if !path.exists() {
            let candidates = Candidate::named([name.to_owned()]);
            self.ca
                .issue(&candidates, &IssueOptions::default())
                .expect("a certificate");
        }
        path
    }

    /// Returns a person's bundle, and issues it if there is none.
    pub fn bundle(&self, name: &str) -> Bundle {
        Bundle::read(&self.bundle_path(name)).expect("a bundle")
    }

    /// Issues a certificate with options of its own.
    pub fn issue(&self, name: &str, options: &IssueOptions) {
        let issued = self.ca.issue(&Candidate::named([name]), options);
        issued.expect("a certificate");
    }

    /// Revokes a person's certificates, as `ca-tool revoke` does.
    pub fn revoke(&self, name: &str) {
        self.ca
            .revoke(&[name.to_owned()], Reason::Unspecified)
            .expect("a revocation");
    }

    /// Makes the server read the revocation list and its bundle at once, as SIGHUP does.
    pub fn reload(&self) {
        self.reload.send_replace(());
    }

    /// Connects as a person in the plain dialect, and reads nothing yet.
    pub async fn connect(&self, name: &str) -> Peer {
        Peer::connect(self.address, &self.bundle(name), &[])
            .await
            .expect("a connection")
    }

    /// Connects as a person in our dialect, and reads nothing yet.
    pub async fn connect_ours(&self, name: &str) -> Peer {
        let connected = Peer::connect(self.address, &self.bundle(name), &[wire::ALPN]).await;
        connected.expect("a connection")
    }

    /// Returns a person in the room in the plain dialect, greeted and caught up.
    pub async fn enter(&self, name: &str) -> Peer {
        let mut peer = self.connect(name).await;
        assert_eq!(peer.welcome().await.id.as_str(), name);
        peer.expect("= at ").await;
        peer
    }

    /// Returns a person in the room in our dialect, greeted, following from the head.
    pub async fn enter_ours(&self, name: &str) -> Peer {
        let mut peer = self.connect_ours(name).await;
        assert_eq!(peer.welcome().await.id.as_str(), name);
        peer.say("/follow head").await;
        peer.expect("= at ").await;
        peer
    }

    /// Returns two people in the room who have both seen both of them enter.
    pub async fn pair(&self, one: &str, other: &str) -> (Peer, Peer) {
        let mut first = self.enter(one).await;
        let second = self.enter(other).await;
        first.expect(&format!("* {other}@")).await;
        (first, second)
    }

    /// Returns what the database answers.
    pub async fn rows(&self, sql: &str) -> Vec<SqliteRow> {
        let mut connection = self.sqlite().await;
        sqlx::query(AssertSqlSafe(sql.to_owned()))
            .fetch_all(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Returns what the database answers: one column of text.
    pub async fn column(&self, sql: &str) -> Vec<String> {
        let mut connection = self.sqlite().await;
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_all(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Waits until a question about the record, whose answer is 0 or 1, is answered with 1.
    pub async fn until(&self, sql: &str) {
        let mut connection = self.sqlite().await;
        let asking = async {
            loop {
                let answer: Result<i64, _> = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
                    .fetch_one(&mut connection)
                    .await;
                if answer.unwrap_or_else(|error| panic!("{sql}: {error}")) == 1 {
                    return;
                }
                // SQLite tells nobody when something changes.
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        within(sql, asking).await;
    }

    /// Returns another connection to the database.
    pub async fn sqlite(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.db());
        options.connect().await.expect("the database opens")
    }
}
