//! Acquire + release on five local servers, beside the raw fan-out of the same work, in one run.
//!
//! `cargo bench --bench acquire` starts its own servers. The rounds of all contestants are interleaved, and medians and
//! ratios are printed; `README.md` beside this file has the method and the figures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench may panic")]
#![allow(clippy::disallowed_methods, reason = "a bench reads the time")]

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "contestants/mod.rs"]
mod contestants;

use std::time::{Duration, Instant};

use contestants::{Contestant, RawFanOut, Redfence};
use support::servers;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_millis(300);

/// What one round measured.
#[derive(Clone)]
struct Round {
    pairs_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us_per_pair: f64,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let servers = servers(5);
    let urls: Vec<_> = servers.iter().map(support::RedisServer::url).collect();
    println!("acquire + release, 5 servers on loopback, TTL 10 s, median of {ROUNDS} rounds of {ROUND:?} each\n");
    println!("tasks  contestant     pairs/s   ratio   p50 µs  ratio   p99 µs  client CPU µs/pair  ratio");
    for tasks in std::env::args()
        .filter_map(|a| a.parse().ok())
        .chain(std::env::args().all(|a| a.parse::<usize>().is_err()).then_some([1, 64]).into_iter().flatten())
    {
        runtime.block_on(compare(&urls, tasks));
    }
}

/// Both contestants at one load, round by round.
async fn compare(urls: &[String], tasks: usize) {
    let raw = RawFanOut::connect(urls).await;
    let redfence = Redfence::connect(urls).await;
    measure(&raw, tasks, WARM_UP).await;
    measure(&redfence, tasks, WARM_UP).await;
    let (mut raw_rounds, mut redfence_rounds) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        raw_rounds.push(measure(&raw, tasks, ROUND).await);
        redfence_rounds.push(measure(&redfence, tasks, ROUND).await);
    }
    let limit = medians(&raw_rounds);
    print(tasks, "raw fan-out", &limit, &limit);
    print(tasks, "redfence", &medians(&redfence_rounds), &limit);
}

/// `tasks` tasks acquire and release, each its own resource, for `time`.
async fn measure<C: Contestant>(contestant: &C, tasks: usize, time: Duration) -> Round {
    let (cpu, began) = (cpu_time(), Instant::now());
    let ends = began + time;
    let runs = (0..tasks).map(|task| {
        let contestant = contestant.clone();
        tokio::spawn(async move {
            let (name, mut times) = (format!("bench:{task}"), Vec::new());
            while Instant::now() < ends {
                let began = Instant::now();
                contestant.acquire_and_release(&name).await;
                times.push(began.elapsed());
            }
            times
        })
    });
    let runs: Vec<_> = runs.collect();
    let mut times = Vec::new();
    for run in runs {
        times.extend(run.await.unwrap());
    }
    let (elapsed, cpu) = (began.elapsed(), cpu_time() - cpu);
    times.sort_unstable();
    let at = |per_mille: usize| times.get(times.len() * per_mille / 1000).map_or(0.0, |t| t.as_secs_f64() * 1e6);
    let pairs = times.len() as f64;
    Round {
        pairs_per_s: pairs / elapsed.as_secs_f64(),
        p50_us: at(500),
        p99_us: at(990),
        cpu_us_per_pair: cpu.as_secs_f64() * 1e6 / pairs,
    }
}

fn print(tasks: usize, name: &str, round: &Round, limit: &Round) {
    println!(
        "{tasks:>5}  {name:<12} {:>9.0}  {:>6.2}  {:>7.0}  {:>5.2}  {:>7.0}  {:>18.1}  {:>5.2}",
        round.pairs_per_s,
        round.pairs_per_s / limit.pairs_per_s,
        round.p50_us,
        round.p50_us / limit.p50_us,
        round.p99_us,
        round.cpu_us_per_pair,
        round.cpu_us_per_pair / limit.cpu_us_per_pair,
    );
}

fn medians(rounds: &[Round]) -> Round {
    let median = |of: fn(&Round) -> f64| {
        let mut values: Vec<_> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Round {
        pairs_per_s: median(|r| r.pairs_per_s),
        p50_us: median(|r| r.p50_us),
        p99_us: median(|r| r.p99_us),
        cpu_us_per_pair: median(|r| r.cpu_us_per_pair),
    }
}

/// User and system time of this process so far: the client's, for the servers are processes of their own.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
