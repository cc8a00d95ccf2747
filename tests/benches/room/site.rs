//! The things that are made once and kept below `target/`: a CA with some thousand people, and large databases.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ca_tool::{Ca, Candidate, InitOptions, IssueOptions};
use pki::Bundle;
use rustls::ClientConfig;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use crate::dialect::TEXT_BYTES;
use crate::system::{Served, System};

/// The number of people in a large database.
const PEOPLE_OF_DATABASE: u64 = 100;

/// The CA, and the folder of all files.
pub(crate) struct Site {
    folder: PathBuf,
    ca: Ca,
}

impl Site {
    pub(crate) fn open() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("room");
        fs::create_dir_all(&folder).expect("a folder below target");
        let path = folder.join("ca");
        let ca = if path.exists() {
            Ca::open(&path)
        } else {
            Ca::init(&path, &InitOptions::named("Measured"))
        };
        let site = Self {
            ca: ca.expect("a CA; if this one is of no use any more, remove target/tmp/room"),
            folder,
        };
        site.split_bundle();
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns the file of the revocation list.
    pub(crate) fn list(&self) -> PathBuf {
        self.ca.register().revocation_list()
    }

    /// Returns the file of the server's bundle.
    pub(crate) fn server(&self) -> PathBuf {
        self.ca.register().server_bundle()
    }

    /// Returns the file of a person's bundle.
    pub(crate) fn bundle(&self, client: usize) -> PathBuf {
        self.folder.join("ca/people").join(name(client) + ".pem")
    }

    /// Returns the subject of a person's certificate as RFC 2253 writes it, the last part first.
    pub(crate) fn subject(&self, client: usize) -> String {
        format!("CN={},OU=student,O={}", name(client), self.ca.name())
    }

    /// Issues the certificates that are missing for this number of people. Each is on the disk before the next, so
    /// the first time takes a while.
    pub(crate) fn issue(&self, people: usize) {
        let missing = (0..people).filter(|client| !self.bundle(*client).exists());
        let missing: Vec<String> = missing.map(name).collect();
        if !missing.is_empty() {
            eprintln!("issuing {} certificates, once", missing.len());
            self.ca
                .issue(&Candidate::named(missing), &IssueOptions::default())
                .expect("certificates");
        }
    }

    /// Returns the TLS configurations of this number of people.
    pub(crate) fn people(&self, system: System, people: usize) -> Vec<Arc<ClientConfig>> {
        self.issue(people);
        let alpn: &[&[u8]] = match system {
            System::Ours => &[wire::ALPN],
            System::Mosquitto | System::Nats => &[],
        };
        let config = |client| {
            let bundle = Bundle::read(&self.bundle(client)).expect("a bundle");
            pki::client_config(&bundle, alpn).expect("a client's TLS")
        };
        (0..people).map(config).collect()
    }

    /// Writes the certificate and the key into files of their own, which other servers want.
    fn split_bundle(&self) {
        let pem = fs::read_to_string(self.server()).expect("the server's bundle");
        let blocks: Vec<String> = pem
            .split("-----BEGIN ")
            .skip(1)
            .filter_map(|block| {
                let (body, end) = block.split_once("-----END ")?;
                let end = end.lines().next()?;
                Some(format!("-----BEGIN {body}-----END {end}\n"))
            })
            .collect();
        let of = |what: &str| {
            let found = blocks
                .iter()
                .filter(|b| b.starts_with(&format!("-----BEGIN {what}")));
            found.cloned().collect::<Vec<_>>()
        };
        let key = of("PRIVATE KEY").concat();
        fs::write(self.path("server.crt"), &of("CERTIFICATE")[0]).expect("a file");
        fs::write(self.path("server.key"), key).expect("a file");
        // Only for this benchmark, and mosquitto does not read it as root.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::Permissions::from_mode(0o600);
            fs::set_permissions(self.path("server.key"), mode).expect("a file's mode");
        }
    }

    /// Makes a database with this number of entries of 100 people, by SQL.
    pub(crate) fn database(&self, entries: u64) -> PathBuf {
        let path = self.path(&format!("entries-{entries}.db"));
        if path.exists() {
            return path;
        }
        eprintln!("making a database of {entries} entries, once");
        let half = path.with_extension("half");
        for ending in ["", "-wal", "-shm", ".lock"] {
            let mut name = half.clone().into_os_string();
            name.push(ending);
            // It is there only when an earlier run was cut short.
            let _removed = fs::remove_file(name);
        }
        // The server makes the tables.
        Served::start_ours(self, &half).stop();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(fill(&half, entries));
        fs::rename(&half, &path).expect("a file renamed");
        path
    }
}

fn name(client: usize) -> String {
    format!("p{client:05}")
}

async fn fill(path: &Path, entries: u64) {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .pragma("synchronous", "off")
        .connect()
        .await
        .expect("a database");
    let sql = format!(
        "begin;
        with recursive n (n) as (select 1 union all select n + 1 from n where n < {PEOPLE_OF_DATABASE})
        insert into joins (session, id, role, ip, port, local_ip, serial, fingerprint, tls, cipher,
            joined_at, left_at, reason, leave_seq)
        select n, printf('p%05d', n - 1), 'student', '127.0.0.1', 1, '127.0.0.1', '00', '00', 'TLSv1.3',
            'TLS13_AES_128_GCM_SHA256', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01.000Z',
            'goodbye', 1
        from n;
        with recursive n (n) as (select 1 union all select n + 1 from n where n < {entries})
        insert into history (seq, at, kind, id, ip, text, session, nonce)
        select n, strftime('%Y-%m-%dT%H:%M:%S.000Z', 1767225600 + n / 100, 'unixepoch'), 'message',
            printf('p%05d', n % {PEOPLE_OF_DATABASE}), '127.0.0.1',
            printf('%0{TEXT_BYTES}d', n), n % {PEOPLE_OF_DATABASE} + 1, 'bench00000-' || n
        from n;
        update meta set value = {entries} where key = 'head';
        commit;
        pragma wal_checkpoint(truncate)"
    );
    connection
        .execute(AssertSqlSafe(sql))
        .await
        .expect("a full database");
    connection.close().await.expect("a closed database");
}
