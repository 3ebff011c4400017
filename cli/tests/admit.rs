//! `admit`: the exit codes, the verdicts, and commands that run while the fence is held, on real stores.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of a test fail as the test does: by panicking"
)]
#![allow(clippy::duplicate_mod, reason = "both supports give out ports; files keep the two out of each other's way")]

#[cfg(feature = "sql")]
#[path = "../../fencing/support/mod.rs"]
mod databases;
mod program;
mod support;

use std::fs;
use std::path::Path;

use program::{LIMIT, Ran, Running, redfence, run};
use rustix::process::Signal;
use support::RedisServer;
use support::deadline::poll_until;

fn admit(store: &str, args: &[&str]) -> Ran {
    run(redfence().arg("admit").args(["--store", store]), args)
}

fn file(dir: &Path) -> String {
    format!("file:{}", dir.join("fence").display())
}

/// What every store answers.
fn verdicts(store: &str) {
    let first = admit(store, &["orders/42", "5"]);
    assert_eq!((first.code, &*first.stdout, &*first.stderr), (0, "admitted orders/42 5\n", ""), "{store}");
    assert_eq!(admit(store, &["orders/42", "5"]).code, 0);
    assert_eq!(admit(store, &["orders/42", "7"]).code, 0);
    let stale = admit(store, &["orders/42", "6"]);
    assert_eq!((stale.code, &*stale.stdout), (1, "stale orders/42 6: the highest token is 7\n"), "{stale:?}");
    let stale = admit(store, &["orders/42", "6", "--json", "-E", "9"]);
    assert_eq!((stale.code, &stale.json()["highest"], &stale.json()["admitted"]), (9, &"7".into(), &false.into()));
    assert_eq!(admit(store, &["orders/43", "6"]).code, 0);
}

/// What every store with a lock does for a command. `around` is a command that cannot begin while the fence is held.
fn commands(store: &str, dir: &Path) {
    let ran = admit(store, &["r", "5", "--", "sh", "-c", "echo $REDFENCE_RESOURCE $REDFENCE_TOKEN; exit 3"]);
    assert_eq!((ran.code, &*ran.stdout), (3, "r 5\n"), "{ran:?}");
    assert_eq!(admit(store, &["r", "6", "--", "true"]).code, 0);
    let stale = admit(store, &["r", "5", "--", "echo", "written"]);
    assert_eq!((stale.code, &*stale.stdout), (1, ""), "{stale:?}");
    assert!(stale.stderr.contains("the highest token of \"r\" is 6; the command was not run"), "{stale:?}");
    assert_eq!(admit(store, &["r", "6", "--", "/no/such/command"]).code, 127);
    assert_eq!(admit(store, &["r", "6", "--", "sh", "-c", "kill -TERM $$"]).code, 143);

    // While the command runs no other writer is admitted, not even a newer holder.
    let (go, out) = (dir.join("go"), dir.join("out"));
    let script =
        format!("echo began; until [ -e {} ]; do sleep 0.02; done; echo older >> {}", go.display(), out.display());
    let mut older =
        Running::start(redfence().args(["admit", "--store", store]), &["r", "7", "--", "sh", "-c", &script]);
    assert_eq!(older.close_stdout_after_a_line(), "began\n");
    let busy = admit(store, &["r", "8", "--wait", "300ms"]);
    assert_eq!(busy.code, 75, "{busy:?}");
    let newer = format!("echo newer >> {}", out.display());
    let mut newer = Running::start(redfence().args(["admit", "--store", store]), &["r", "8", "--", "sh", "-c", &newer]);
    fs::write(&go, "").unwrap();
    assert_eq!((older.code(), newer.code()), (0, 0));
    assert_eq!(fs::read_to_string(&out).unwrap(), "older\nnewer\n");
    assert_eq!(admit(store, &["r", "7"]).code, 1);

    // The command's end is this program's, and its own time is bounded.
    let slow =
        admit(store, &["r", "9", "--timeout", "600ms", "--", "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]);
    assert!(slow.code == 74 && slow.stderr.contains("--timeout"), "{slow:?}");
    assert_eq!(admit(store, &["r", "8"]).code, 1, "the token is stored whatever became of the command");

    // Killed, it takes the command along, and lets go.
    let pid = dir.join("pid");
    let script = format!("echo $$ > {}; echo began; exec sleep 1000", pid.display());
    let mut killed =
        Running::start(redfence().args(["admit", "--store", store]), &["r", "10", "--", "sh", "-c", &script]);
    assert_eq!(killed.close_stdout_after_a_line(), "began\n");
    killed.killed();
    assert_eq!(admit(store, &["r", "10", "--", "true"]).code, 0);
    let pid = fs::read_to_string(&pid).unwrap();
    poll_until(LIMIT, || {
        fs::read_to_string(format!("/proc/{}/cmdline", pid.trim()))
            .map_or(Some(()), |command| (!command.starts_with("sleep")).then_some(()))
    })
    .unwrap();
}

#[test]
fn a_file_says_admitted_or_stale() {
    let dir = tempfile::tempdir().unwrap();
    verdicts(&file(dir.path()));
}

#[test]
fn a_command_runs_under_the_lock_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    commands(&file(dir.path()), dir.path());
}

/// Another than this program may have the lock when it is killed: the command itself.
#[test]
fn a_command_that_outlives_this_program_keeps_the_lock_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = file(dir.path());
    let script = "echo began; sleep 0.2";
    let mut killed =
        Running::start(redfence().args(["admit", "--store", &store]), &["r", "5", "--", "sh", "-c", script]);
    assert_eq!(killed.close_stdout_after_a_line(), "began\n");
    killed.killed();
    // No writer is admitted until the monitor has ended what runs. After that this one is.
    assert_eq!(admit(&store, &["r", "6", "--wait", "20s"]).code, 0);
    // What a command leaves running after an end of its own has no lock.
    let left = admit(&store, &["r", "7", "--", "sh", "-c", "sleep 5 > /dev/null 2>&1 &"]);
    assert_eq!(left.code, 0, "{left:?}");
    assert_eq!(admit(&store, &["r", "8", "--wait", "1s"]).code, 0);
}

#[test]
fn a_signal_reaches_the_command_and_ends_a_wait() {
    let dir = tempfile::tempdir().unwrap();
    let store = file(dir.path());
    let script = "trap 'exit 5' TERM; echo began; while :; do sleep 0.02; done";
    let mut command =
        Running::start(redfence().args(["admit", "--store", &store]), &["r", "5", "--", "sh", "-c", script]);
    assert_eq!(command.close_stdout_after_a_line(), "began\n");
    command.signal(Signal::TERM);
    assert_eq!(command.code(), 5);
}

#[test]
fn what_gives_no_verdict_is_69_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let store = file(dir.path());
    for (content, said) in [("", "empty"), ("7\n", "not a fence file")] {
        fs::write(dir.path().join("fence"), content).unwrap();
        let bad = admit(&store, &["r", "5"]);
        assert!(bad.code == 69 && bad.stderr.contains(said) && bad.stdout.is_empty(), "{bad:?}");
    }
    for store in ["file:/no/such/directory/fence", "redis://:s3cret@127.0.0.1:1", "rediss://u:s3cret@127.0.0.1:1"] {
        let bad = admit(store, &["r", "5", "--wait", "5s"]);
        assert_eq!(bad.code, 69, "{bad:?}");
        assert!(!bad.everything().contains("s3cret"), "{bad:?}");
        let failed = admit(store, &["r", "5", "--wait", "5s", "--json"]);
        assert!(failed.stderr.contains("\"reason\":\"no_verdict\""), "{failed:?}");
    }
}

#[test]
fn wrong_calls_are_2() {
    for (store, args) in [
        ("file:x", &["r", "0"][..]),
        ("file:x", &["r", "9007199254740992"]),
        ("file:x", &["", "5"]),
        ("file:", &["r", "5"]),
        ("nothing", &["r", "5"]),
        ("oracle://u:s3cret@h", &["r", "5"]),
        ("redis://u:s3cret@h?db=3", &["r", "5"]),
        ("file:x", &["r", "5", "--timeout", "5"]),
    ] {
        let wrong = admit(store, args);
        assert!(wrong.code == 2 && !wrong.everything().contains("s3cret"), "{store} {args:?}: {wrong:?}");
    }
    assert_eq!(run(redfence().env_remove("REDFENCE_STORE").arg("admit"), &["r", "5"]).code, 2);
}

#[test]
fn redis_admits_and_refuses_commands() {
    let server = RedisServer::with(&["--requirepass", "s3cret"]);
    let store = format!("redis://:s3cret@127.0.0.1:{}", server.port());
    verdicts(&store);
    assert_eq!(server.command(&["HGET", "redfence:fence:orders/42", "token"]), "7");
    let refused = admit(&store, &["orders/42", "8", "--", "true"]);
    assert!(refused.code == 2 && refused.stderr.contains("no command can be atomic"), "{refused:?}");
    assert_eq!(server.command(&["HGET", "redfence:fence:orders/42", "token"]), "7");
    let wrong = admit(&store.replace("s3cret", "wr0ng"), &["r", "5"]);
    assert!(wrong.code == 69 && !wrong.everything().contains("wr0ng"), "{wrong:?}");
    server.command(&["SET", "redfence:fence:taken", "7"]);
    let taken = admit(&store, &["taken", "5"]);
    assert!(taken.code == 69 && taken.stderr.contains("WRONGTYPE"), "{taken:?}");
    server.pause();
    let silent = admit(&store, &["r", "5", "--wait", "300ms"]);
    assert!(silent.code == 69 && !silent.everything().contains("s3cret"), "{silent:?}");
}

#[test]
fn redis_over_tls_is_asked_with_the_authorities_that_were_named() {
    let ca = support::tls::TestCa::new();
    let server = RedisServer::start_tls(&ca);
    let authorities = ca.ca_path().display().to_string();
    let args = ["r", "5", "--ca-file", &authorities];
    assert_eq!(admit(&server.tls_url(), &args).code, 0);
    let distrusted = admit(&server.tls_url(), &["r", "5"]);
    assert!(distrusted.code == 69, "{distrusted:?}");
}

#[cfg(not(feature = "sql"))]
#[test]
fn without_sql_stores_it_says_how_to_get_them() {
    let refused = admit("postgres://u:s3cret@h/d", &["r", "5"]);
    assert!(refused.code == 2 && refused.stderr.contains("--features sql"), "{refused:?}");
    assert!(!refused.everything().contains("s3cret"), "{refused:?}");
}

#[cfg(feature = "sql")]
mod sql {
    use super::*;
    use redfence_sqlx::sql::{mysql, postgres, sqlite};
    use sqlx::Executor as _;

    fn make<C: sqlx::Connection>(url: &str, migration: &'static str)
    where
        for<'c> &'c mut C: sqlx::Executor<'c>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { C::connect(url).await.unwrap().execute(migration).await.map(|_| ()).unwrap() });
    }

    fn without_table(store: &str) {
        let missing = admit(store, &["r", "5"]);
        assert!(missing.code == 69 && missing.stderr.contains("CREATE TABLE redfence_fence ("), "{missing:?}");
    }

    #[test]
    fn postgres_admits_and_holds_the_row_for_a_command() {
        let (server, dir) = (databases::Postgres::start(), tempfile::tempdir().unwrap());
        without_table(&server.url());
        make::<sqlx::PgConnection>(&server.url(), postgres::MIGRATION);
        verdicts(&server.url());
        commands(&server.url(), dir.path());
    }

    /// The transaction that holds the fence is ended by the server: the command must not go on.
    #[test]
    fn a_command_ends_when_its_transaction_does() {
        let server = databases::Postgres::start();
        make::<sqlx::PgConnection>(&server.url(), postgres::MIGRATION);
        let mut held = Running::start(
            redfence().args(["admit", "--store", &server.url()]),
            &["r", "5", "--", "sh", "-c", "echo began; exec sleep 1000"],
        );
        assert_eq!(held.close_stdout_after_a_line(), "began\n");
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'";
        make::<sqlx::PgConnection>(&server.url(), end);
        assert_eq!(held.code(), 74);
        let said = held.stderr();
        assert!(said.contains("was not held to the end of the command"), "{said}");
        assert_eq!(admit(&server.url(), &["r", "4"]).code, 1, "its token stays");
    }

    #[test]
    fn mariadb_admits_and_holds_the_row_for_a_command() {
        let (server, dir) = (databases::MariaDb::start(), tempfile::tempdir().unwrap());
        without_table(&server.url());
        make::<sqlx::MySqlConnection>(&server.url(), mysql::MIGRATION);
        verdicts(&server.url());
        commands(&server.url(), dir.path());
    }

    #[test]
    fn sqlite_admits_and_holds_the_file_for_a_command() {
        let dir = tempfile::tempdir().unwrap();
        let store = format!("sqlite:{}", dir.path().join("data.db").display());
        assert_eq!(admit(&store, &["r", "5"]).code, 69, "it is not made by a misspelt path");
        fs::write(dir.path().join("data.db"), "").unwrap();
        without_table(&store);
        make::<sqlx::SqliteConnection>(&store, sqlite::MIGRATION);
        verdicts(&store);
        commands(&store, dir.path());
    }

    #[test]
    fn passwords_are_never_shown() {
        // A URL that cannot be read is a wrong call.
        for (store, code) in [
            ("postgres://u:s3cret@127.0.0.1:1/d", 69),
            ("postgres://127.0.0.1:1/d?user=u&password=s3cret", 69),
            ("postgres://u:s3cret@127.0.0.1:1/d?sslmode=s3cret", 2),
            ("mysql://u:s3cret@127.0.0.1:1/d", 69),
            ("mysql://u:s3cret@127.0.0.1:port/d", 2),
            ("postgres://u:s3cret", 2),
            ("postgres://u:s3cret@[::1/d", 2),
            ("sqlite:data.db?mode=s3cret", 2),
        ] {
            for json in [&[][..], &["--json"], &["-vv"]] {
                let failed = admit(store, &[&["r", "5", "--wait", "5s"], json].concat());
                let shown = failed.everything().contains("s3cret") && store.contains(":s3cret");
                assert!(failed.code == code && !shown, "{store}: {failed:?}");
            }
        }
    }
}
