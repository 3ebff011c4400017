//! `mutants`: runs every wrong protocol at every level that has it, until a promise breaks.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use redfence::{Clock as _, SystemClock};
use simulations::model::Bounds;
use simulations::{Campaign, Fallen, Level, Mutant, Scale};

use super::jobs;
use super::model::Wrong;

/// The arguments of `mutants`.
#[derive(Debug, clap::Args)]
pub(crate) struct MutantsArguments {
    /// One level; by default all.
    #[arg(long, value_enum)]
    level: Option<Where>,
    /// One mutant; by default all.
    #[arg(long, value_enum)]
    mutant: Option<Mutant>,
    /// How many seeds to try for each mutant. By default as many as are known to be enough. If given, mutants are run
    /// too that the model catches far sooner.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// How many threads; by default one for each core.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    jobs: Option<u8>,
}

/// Where a mutant is caught, the cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Where {
    /// Every interleaving of a small world.
    Model,
    /// Seeds at the `Node` trait.
    Node,
    /// Seeds over a network of bytes.
    Stream,
}

/// One line of the table, before the mutant has run.
#[derive(Debug, Clone, Copy)]
enum Hunt {
    Model(Wrong),
    Seeds(Mutant, Level, u64),
}

/// One line of the table.
struct Row {
    name: String,
    level: &'static str,
    /// The promise that broke, and after how much.
    fell: Option<(String, String)>,
    seconds: f64,
}

/// How many seeds are known to be enough for most, on one level.
const SEEDS_NODE: u64 = 20_000;
const SEEDS_STREAM: u64 = 1_000;

/// Runs every wrong protocol; fails if one survives.
pub(crate) fn mutants(arguments: &MutantsArguments) -> ExitCode {
    let hunts = hunts(arguments);
    say!("{:<24} {:<6} {:<14} {:>14} {:>8}", "mutant", "level", "broken", "after", "seconds");
    let next = AtomicUsize::new(0);
    let rows: Mutex<Vec<Option<Row>>> = Mutex::new(hunts.iter().map(|_| None).collect());
    let shown = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..jobs(arguments.jobs) {
            scope.spawn(|| {
                while let Some((at, hunt)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, hunts.get(at)?)))
                {
                    let row = hunt.run();
                    if let Some(place) = unpoisoned(&rows).get_mut(at) {
                        *place = Some(row);
                    }
                    show(&rows, &shown);
                }
            });
        }
    });
    let survivors = unpoisoned(&rows).iter().flatten().filter(|row| row.fell.is_none()).count();
    if survivors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the finished rows, in the order of the table.
fn show(rows: &Mutex<Vec<Option<Row>>>, shown: &Mutex<usize>) {
    let mut shown = unpoisoned(shown);
    while let Some(Some(Row { name, level, fell, seconds })) = unpoisoned(rows).get(*shown) {
        let (broken, after) = fell.clone().unwrap_or_else(|| ("SURVIVED".to_owned(), String::new()));
        say!("{name:<24} {level:<6} {broken:<14} {after:>14} {seconds:>8.1}");
        *shown += 1;
    }
}

/// The rows that the arguments ask for.
fn hunts(arguments: &MutantsArguments) -> Vec<Hunt> {
    let MutantsArguments { level, mutant, seeds, .. } = arguments;
    let asked = |one: Where| level.is_none_or(|level| level == one);
    let is_meant = |name: String| mutant.is_none_or(|mutant| mutant.name() == name);
    let of_model = Wrong::all().filter(|it| asked(Where::Model) && is_meant(it.name())).map(Hunt::Model);
    let of_node = Mutant::ALL
        .into_iter()
        .filter(|it| asked(Where::Node) && is_meant(it.name()))
        .filter(|it| seeds.is_some() || !it.is_for_the_model())
        .map(|it| Hunt::Seeds(it, Level::Node, seeds.unwrap_or(SEEDS_NODE)));
    let of_stream = Mutant::ALL
        .into_iter()
        .filter(|it| asked(Where::Stream) && is_meant(it.name()))
        .filter(|it| seeds.is_some() || it.falls_soon_in_scripts())
        .map(|it| Hunt::Seeds(it, Level::Stream, seeds.unwrap_or(SEEDS_STREAM)));
    of_model.chain(of_node).chain(of_stream).collect()
}

impl Hunt {
    fn run(self) -> Row {
        let began = SystemClock.now();
        let (name, level, fell) = match self {
            Self::Model(wrong) => {
                let fell = wrong.trace(Bounds::default()).1;
                (wrong.name(), "model", fell.map(|(promise, steps, _)| (promise, format!("{steps} steps"))))
            }
            Self::Seeds(mutant, level, seeds) => {
                let scale = Scale::default();
                let campaign =
                    Campaign { level, profile: mutant.profile(), scale, mutant: Some(mutant), expected_only: true };
                let fallen = campaign.run(0..seeds, 1, &|| ()).fallen;
                let fell = fallen
                    .map(|Fallen { seed, violation }| (violation.promise.to_string(), format!("{} seeds", seed + 1)));
                (mutant.name(), level.name(), fell)
            }
        };
        Row { name, level, fell, seconds: SystemClock.now().since(began).as_secs_f64() }
    }
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
