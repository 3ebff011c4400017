//! The tasks: some contend, one holds for long, one gives up early, and one overruns its lease.

use std::sync::Arc;
use std::time::Duration;

use redfence::verifier::{MemoryStore, Rule};
use redfence::{Guard, Redlock, Resource};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The careless task does not renew, and holds for longer.
pub(crate) const CARELESS_TTL: Duration = Duration::from_millis(120);
const CARELESS_HOLD: Duration = Duration::from_millis(300);

/// Starts the tasks, which end with the program.
pub(crate) async fn forever(here: Redlock, there: Redlock, careless: Redlock) {
    let fence = Arc::new(MemoryStore::new());
    let mut tasks = JoinSet::new();
    for worker in 0..6 {
        let locker = if worker % 2 == 0 { here.clone() } else { there.clone() };
        tasks.spawn(orders(locker, Arc::clone(&fence), worker));
    }
    if let Ok(short) = here.with_ttl(Duration::from_millis(600)) {
        tasks.spawn(report(short));
    }
    tasks.spawn(impatient(there.clone()));
    tasks.spawn(overruns(careless, Arc::clone(&fence)));
    tasks.spawn(takes_over(there, fence));
    while tasks.join_next().await.is_some() {}
}

/// Works on one order after another, a few milliseconds on each.
async fn orders(locker: Redlock, fence: Arc<MemoryStore>, worker: u64) {
    for round in 0_u64.. {
        let order = format!("order/{}", (worker + round) % 3);
        if let Ok(guard) = locker.acquire(&order).await {
            sleep(Duration::from_millis(2 + (7 * round + 3 * worker) % 20)).await;
            write(&fence, &guard);
            drop(guard.release().await);
        }
    }
}

/// Holds for several times its TTL, so it is renewed.
async fn report(locker: Redlock) {
    loop {
        if let Ok(guard) = locker.acquire("report/daily").await {
            sleep(Duration::from_secs(2)).await;
            drop(guard.release().await);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Tries once, waits for a moment only, and gives up.
async fn impatient(locker: Redlock) {
    loop {
        drop(locker.try_acquire("report/daily").await);
        drop(timeout(Duration::from_millis(5), locker.acquire("report/daily")).await);
        sleep(Duration::from_millis(100)).await;
    }
}

/// Works on after the end of its lease, which it does not renew; its write is refused.
async fn overruns(locker: Redlock, fence: Arc<MemoryStore>) {
    loop {
        if let Ok(guard) = locker.acquire("order/late").await {
            sleep(CARELESS_HOLD).await;
            write(&fence, &guard);
            drop(guard.release().await);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Gets what the careless task has lost, and writes first.
async fn takes_over(locker: Redlock, fence: Arc<MemoryStore>) {
    loop {
        if let Ok(guard) = locker.acquire("order/late").await {
            write(&fence, &guard);
            drop(guard.release().await);
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn write(fence: &MemoryStore, guard: &Guard) {
    let resource: &Resource = guard.resource();
    if let Err(stale) = fence.write(resource, guard.token(), Rule::AcceptEqual, || ()) {
        eprintln!("{resource}: {stale}");
    }
}
