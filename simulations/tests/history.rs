//! `check` reads the history that the library writes in production.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redfence::history::{HistoryLayer, write};
use redfence::verifier::{MemoryStore, Verifier};
use redfence::{Builder, Clock, EmbeddedNode, Redlock, Resource, TokioClock, WallTime};
use simulations::history::{History, Record};
use tracing_subscriber::layer::SubscriberExt as _;

#[test]
fn a_real_run_passes_and_a_doctored_one_fails() {
    let folder = tempfile::tempdir().unwrap();
    let text = real_run();
    let good = check(&folder.path().join("good"), &text);
    assert!(good.status.success(), "{}", stdout(&good));
    assert!(stdout(&good).contains("20 leases · 20 writes"), "{}", stdout(&good));

    // One lease carries the token of another: T1.
    let history = History::read(text.as_bytes()).unwrap();
    let tokens: Vec<_> = history.stays().iter().map(|stay| stay.token.to_string()).collect();
    let twice = check(&folder.path().join("twice"), &text.replace(&tokens[7], &tokens[3]));
    assert_eq!(twice.status.code(), Some(1));
    assert!(stdout(&twice).contains("VIOLATED  T1"), "{}", stdout(&twice));

    // Two leases swap their tokens: T2, and F for the writes.
    let swapped =
        text.replace(&tokens[7], "0").replace(&tokens[3], &tokens[7]).replace("\"0\"", &format!("\"{}\"", tokens[3]));
    let swapped = check(&folder.path().join("swapped"), &swapped);
    assert!(
        stdout(&swapped).contains("VIOLATED  T2") && stdout(&swapped).contains("VIOLATED  F"),
        "{}",
        stdout(&swapped)
    );

    // A lease that had not ended when the next one came: X.
    let first = history.stays()[0].holder.clone();
    let is_end = |line: &&str| line.contains("\"ended\"") && line.contains(&first);
    let endless: String = text.lines().filter(|line| !is_end(line)).map(|line| format!("{line}\n")).collect();
    let endless = check(&folder.path().join("endless"), &endless);
    assert!(stdout(&endless).contains("VIOLATED  X"), "{}", stdout(&endless));
}

#[test]
fn renewal_and_loss_are_written_down() {
    let history = History::read(real_run().as_bytes()).unwrap();
    let extended = history.records.iter().filter(|record| matches!(record, Record::Extended { .. })).count();
    assert!(extended >= 20, "{extended} extensions");
    let causes: Vec<&str> = history
        .records
        .iter()
        .filter_map(|record| if let Record::Ended { cause, .. } = record { Some(cause.as_str()) } else { None })
        .collect();
    assert_eq!(causes, ["it was released"; 20]);
}

#[test]
fn a_lease_that_is_resumed_goes_on() {
    let text = recorded(async |clock: &Arc<dyn Clock>| {
        let node = EmbeddedNode::on(Arc::clone(clock));
        let locker = || Redlock::builder().ttl(TTL).clock(Arc::clone(clock)).node(node.clone()).build().unwrap();
        let lease = locker().acquire("ledger").await.unwrap().into_lease();
        let guard = locker().resume(&lease).await.unwrap();
        tokio::time::sleep(TTL * 4).await;
        drop(guard.release().await);
        drop(locker().acquire("ledger").await.unwrap().release().await);
    });
    let history = History::read(text.as_bytes()).unwrap();
    let [resumed, next] = &history.stays()[..] else { panic!("{text}") };
    let held = Duration::from_micros(resumed.until_us - resumed.returned_us);
    assert!(held >= TTL * 4 && resumed.until_us <= next.returned_us, "{text}");
    assert_eq!(history.without_acquire(), 0, "{text}");
    let folder = tempfile::tempdir().unwrap();
    let checked = check(&folder.path().join("resumed"), &text);
    assert!(checked.status.success(), "{}", stdout(&checked));
}

#[test]
fn a_file_that_is_no_history_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let broken = check(&folder.path().join("broken"), "{\"event\":\"acquired\"}\n");
    assert_eq!(broken.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&broken.stderr).contains("line 1 is not a record"));
    let empty = check(&folder.path().join("empty"), "");
    assert_eq!(empty.status.code(), Some(2));
}

const TTL: Duration = Duration::from_millis(500);

/// Four tasks take sections of a second each, with a time to live of half a second.
#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn real_run() -> String {
    recorded(async |clock: &Arc<dyn Clock>| {
        let nodes = (0..3).map(|_| EmbeddedNode::on(Arc::clone(clock)));
        let redlock = nodes.fold(Redlock::builder().ttl(TTL).clock(Arc::clone(clock)), Builder::node).build().unwrap();
        let verifier = Arc::new(Verifier::new(MemoryStore::new()));
        let ledger = Resource::new("ledger \"quoted\"").unwrap();
        let workers = (0..4).map(|_| {
            let (redlock, verifier, ledger) = (redlock.clone(), Arc::clone(&verifier), ledger.clone());
            tokio::spawn(async move {
                for _ in 0..5 {
                    let guard = redlock.acquire(ledger.clone()).await.unwrap();
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    write(&ledger, guard.token(), verifier.admit(&ledger, guard.token()).await.unwrap());
                    drop(guard.release().await);
                }
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap();
        }
    })
}

/// What the layer wrote while `run` ran, on tokio's paused time.
#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn recorded(run: impl AsyncFnOnce(&Arc<dyn Clock>)) -> String {
    let shared = Shared::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(WallTime::from_unix_ms(1_767_225_600_000)));
        let layer = HistoryLayer::new(shared.clone()).clock(Arc::clone(&clock));
        let _kept = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        run(&clock).await;
    });
    String::from_utf8(shared.0.lock().unwrap().clone()).unwrap()
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn check(file: &Path, text: &str) -> Output {
    std::fs::write(file, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_simulations")).arg("check").arg(file).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
