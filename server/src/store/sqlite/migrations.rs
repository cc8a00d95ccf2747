//! The tables, version by version, as SQL that is built into the program.

use std::sync::LazyLock;

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// The files in `migrations/`. sqlx's macro would list them, but the compiler would have to build a
/// second SQLite; a test compares this list with the folder.
pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let migration = |version, name: &'static str, sql| {
        let sql = SqlStr::from_static(sql);
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    Migrator {
        migrations: vec![
            migration(
                1,
                "room",
                include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/../migrations/0001_room.sql"
                )),
            ),
            migration(
                2,
                "senders",
                include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/../migrations/0002_senders.sql"
                )),
            ),
            migration(
                3,
                "days_and_names",
                include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/../migrations/0003_days_and_names.sql"
                )),
            ),
        ]
        .into(),
        ..Migrator::DEFAULT
    }
});
