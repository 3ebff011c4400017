//! The lock alone, judged: what several processes were told about it, while they are killed and stand still and nodes forget,
//! is linearizable.
//!
//! The judge is stateright's tester, and the object is a lock as its promises have it: a lease may end at any time, each
//! acquire gets a greater token than all before, and once another has acquired no process gets the answer that it still holds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod stage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ledger::contender::{Line, Told};
use ledger::servers::{Process, RedisServer, Servers, eventually};
use redfence::FencingToken;
use stage::{BEYOND_THE_LEASE, LIMIT, PROGRAM, TTL};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use tokio::task::block_in_place;

const CONTENDERS: usize = 4;
/// Locks are judged one by one, and the judge's work grows with the square of a history.
const RESOURCES: usize = 8;
const FAULTS: usize = 12;
const FAULTS_MAX: usize = 90;
const LOST_MIN: usize = 2;
/// What has to be written down between two faults.
const BETWEEN: usize = 40;

/// A lock: its holder, and the greatest token so far.
#[derive(Debug, Clone, Default)]
struct Lock {
    holder: Option<FencingToken>,
    greatest: Option<FencingToken>,
    /// No process is killed or stands still: then a lock that is held is not acquired either.
    calm: bool,
}

/// What is asked. The answer says the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Acquire,
    Check,
    Release,
}

impl SequentialSpec for Lock {
    type Op = Ask;
    type Ret = Told;

    /// For asks without an answer. There are none: what a killed process asked for last shows in no answer, so it is left out.
    fn invoke(&mut self, ask: &Ask) -> Told {
        unreachable!("{ask:?} is in no history without its answer")
    }

    fn is_valid_step(&mut self, _: &Ask, told: &Told) -> bool {
        match *told {
            Told::Acquired(token) => {
                let free = !self.calm || self.holder.is_none();
                let greater = self.greatest.is_none_or(|greatest| token > greatest);
                (self.holder, self.greatest) = (Some(token), Some(token));
                free && greater
            }
            Told::Holds(token) => self.holder == Some(token),
            Told::Released(token) | Told::Over(token) | Told::Lost(token) => {
                if self.holder == Some(token) {
                    self.holder = None;
                }
                true
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_processes_are_told_in_calm_times_is_linearizable_and_one_at_a_time() {
    let scene = Scene::set(CONTENDERS, Duration::from_secs(10), |_, urls| urls.to_vec());
    scene.lines_reach(RESOURCES * CONTENDERS * 8).await;
    let histories = until_one_ends(&scene.end());
    let lines: usize = histories.iter().map(Vec::len).sum();
    println!("{lines} answers, {} of them about a lease that was lost", lost(&histories));
    assert!(lines > RESOURCES * CONTENDERS * 4, "too little was asked to judge by");
    assert!(is_linearizable(&histories, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_processes_are_told_under_kills_pauses_and_restarts_is_linearizable() {
    let mut scene = Scene::set(CONTENDERS, TTL, |_, urls| urls.to_vec());
    let mut fault = 0;
    // Leases have to end before their holders give them back, or else the judge had nothing to be strict about.
    while fault < FAULTS || lost(&scene.histories()) < LOST_MIN {
        assert!(fault < FAULTS_MAX, "{FAULTS_MAX} faults, and hardly a lease was lost");
        let at = fault % CONTENDERS;
        scene.lines_reach(scene.lines() + BETWEEN).await;
        match fault % 3 {
            0 => scene.replace(at),
            1 => {
                scene.contenders[at].pause();
                tokio::time::sleep(BEYOND_THE_LEASE).await;
                scene.contenders[at].resume();
            }
            _ => block_in_place(|| scene.servers.nodes[fault / 3 % 3].restart()),
        }
        fault += 1;
    }
    scene.lines_reach(scene.lines() + BETWEEN).await;
    let histories = scene.end();
    let lines: usize = histories.iter().map(Vec::len).sum();
    println!("{fault} faults, {lines} answers, {} of them about a lease that was lost", lost(&histories));
    assert!(is_linearizable(&histories, false));
}

/// The judge can say no: two processes that name different nodes have no lock in common.
#[tokio::test(flavor = "multi_thread")]
async fn processes_with_different_nodes_are_found_out() {
    let scene = Scene::set(2, TTL, |at, urls| vec![urls[at].clone()]);
    // Their sections overlap sooner or later, for they take no notice of each other.
    eventually(LIMIT, "the judge finds two holders", async || !is_linearizable(&scene.histories(), false)).await;
}

/// What was asked before the first process was ended. A release that it did not live to write down let others in afterwards: in
/// calm times nothing may be left out that was asked for before, and nothing is. An acquire that was answered afterwards may
/// have waited for such a release.
fn until_one_ends(histories: &[Vec<Line>]) -> Vec<Vec<Line>> {
    let end = histories.iter().map(|history| history.last().map_or(0, |line| line.answered)).min().unwrap_or(0);
    let counts = |line: &&Line| line.asked <= end && (line.answered <= end || !matches!(line.told, Told::Acquired(_)));
    histories.iter().map(|history| history.iter().filter(counts).cloned().collect()).collect()
}

/// How often the answer to a process was that its lease was over.
fn lost(histories: &[Vec<Line>]) -> usize {
    histories.iter().flatten().filter(|line| matches!(line.told, Told::Lost(_))).count()
}

struct Scene {
    servers: Servers,
    contenders: Vec<Process>,
    nodes: Vec<Vec<String>>,
    ttl: Duration,
    dir: tempfile::TempDir,
    histories: Vec<PathBuf>,
}

impl Scene {
    fn set(contenders: usize, ttl: Duration, nodes: fn(usize, &[String]) -> Vec<String>) -> Self {
        let servers = block_in_place(|| Servers::start(3));
        let urls: Vec<String> = servers.nodes.iter().map(RedisServer::url).collect();
        let nodes = (0..contenders).map(|at| nodes(at, &urls)).collect();
        let dir = tempfile::tempdir().unwrap();
        let mut scene = Self { servers, contenders: Vec::new(), nodes, ttl, dir, histories: Vec::new() };
        for at in 0..contenders {
            let contender = scene.contender(at);
            scene.contenders.push(contender);
        }
        scene
    }

    /// Each process has a history of its own.
    fn contender(&mut self, at: usize) -> Process {
        let history = self.dir.path().join(format!("{}.jsonl", self.histories.len()));
        let resources: Vec<String> = (0..RESOURCES).map(|number| format!("room {number}")).collect();
        let (ttl, nodes) = (format!("{}ms", self.ttl.as_millis()), self.nodes[at].join(","));
        let lock = ["contend", "--nodes", &nodes, "--ttl", &ttl, "--work", "5ms"];
        let what = ["--resources", &resources.join(","), "--history", history.to_str().unwrap()];
        let process = Process::start(Path::new(PROGRAM), &[&lock[..], &what].concat());
        self.histories.push(history);
        process
    }

    fn replace(&mut self, at: usize) {
        self.contenders[at].kill();
        self.contenders[at] = self.contender(at);
    }

    fn lines(&self) -> usize {
        self.histories().iter().map(Vec::len).sum()
    }

    async fn lines_reach(&self, count: usize) {
        eventually(LIMIT, "contenders take their turns", async || self.lines() >= count).await;
    }

    fn end(mut self) -> Vec<Vec<Line>> {
        self.contenders.clear();
        self.histories()
    }

    fn histories(&self) -> Vec<Vec<Line>> {
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            // The last line may be on its way.
            text.split_inclusive('\n').filter_map(|line| serde_json::from_str(line).ok()).collect()
        };
        self.histories.iter().map(read).collect()
    }
}

/// Asks the judge about each lock. A process is a thread to it.
fn is_linearizable(histories: &[Vec<Line>], calm: bool) -> bool {
    (0..RESOURCES).all(|number| {
        let mut events = Vec::new();
        for (process, history) in histories.iter().enumerate() {
            for line in history.iter().filter(|line| line.resource == format!("room {number}")) {
                // An ask and an answer at one moment count as at the same time: asks come first.
                events.push((line.asked, false, process, line.told));
                events.push((line.answered, true, process, line.told));
            }
        }
        events.sort_by_key(|(at, answer, ..)| (*at, *answer));
        let mut judge = LinearizabilityTester::new(Lock { calm, ..Lock::default() });
        for (_, answer, process, told) in events {
            let heard = if answer { judge.on_return(process, told) } else { judge.on_invoke(process, ask(told)) };
            heard.expect("each process asks for one thing at a time");
        }
        judge.is_consistent()
    })
}

fn ask(told: Told) -> Ask {
    match told {
        Told::Acquired(_) => Ask::Acquire,
        Told::Holds(_) | Told::Lost(_) => Ask::Check,
        Told::Released(_) | Told::Over(_) => Ask::Release,
    }
}
