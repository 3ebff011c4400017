//! `simulations model`: searches small worlds to their end.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueEnum as _};
use redfence::{Clock as _, SystemClock};

use simulations::model::{Bounds, Found, Mutant, Setup, World, search};
use simulations::waiting;

/// Visits every state of small worlds, breadth first. Without a mutant no promise may break. With --full the larger
/// worlds are searched too, and every short cut must break a promise.
#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    /// How many attempts; worlds of three are searched only up to a bound.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3), default_value_t = 2)]
    attempts: u8,
    /// Also the larger worlds, and every short cut.
    #[arg(long)]
    full: bool,
    /// One wrong protocol: prints how it breaks a promise.
    #[arg(long, value_parser = PossibleValuesParser::new(Wrong::all().filter_map(Wrong::value)).map(|name| Wrong::named(&name)))]
    mutant: Option<Wrong>,
    /// The most steps from the beginning.
    #[arg(long)]
    max_steps: Option<NonZeroUsize>,
    /// About the most states, counting those that are reached again each time.
    #[arg(long)]
    max_states: Option<NonZeroUsize>,
}

/// Runs the command.
#[must_use]
pub(crate) fn run(arguments: &ModelArguments) -> ExitCode {
    let attempts = usize::from(arguments.attempts);
    let mut bounds = Bounds { steps_max: arguments.max_steps, states_max: arguments.max_states };
    if attempts > 2 && arguments.max_steps.is_none() && arguments.max_states.is_none() {
        bounds.states_max = NonZeroUsize::new(THREE_ATTEMPTS_STATES_MAX);
    }
    let full = arguments.full || attempts > 2;
    let mut searches: Vec<Search> = Vec::new();
    match arguments.mutant {
        Some(mutant) => searches.push(Search::Wrong(mutant)),
        None => {
            let setups = if full { Setup::searched(attempts) } else { Setup::searched_quickly(attempts) };
            searches.extend(setups.into_iter().map(|(name, setup)| Search::Right(name, setup)));
            if attempts == 2 {
                let setups = if full { waiting::Setup::searched() } else { waiting::Setup::searched_quickly() };
                searches.extend(setups.into_iter().map(|(name, setup)| Search::Waiting(name, setup)));
            }
            if arguments.full && attempts == 2 {
                searches.extend(Wrong::all().map(Search::Wrong));
            }
        }
    }
    // Each search has one thread, because its trace must be the shortest. Several searches run at once.
    let (next, good) = (AtomicUsize::new(0), AtomicBool::new(true));
    std::thread::scope(|scope| {
        for _ in 0..super::jobs(None) {
            scope.spawn(|| {
                while let Some(search) = searches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    good.fetch_and(search.is_right(bounds), Ordering::Relaxed);
                }
            });
        }
    });
    if good.into_inner() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A wrong protocol, or a wrong way to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Protocol(Mutant),
    Waiting(waiting::Mutant),
}

impl Wrong {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Mutant::ALL.into_iter().map(Self::Protocol).chain(waiting::Mutant::ALL.into_iter().map(Self::Waiting))
    }

    fn value(self) -> Option<PossibleValue> {
        match self {
            Self::Protocol(mutant) => mutant.to_possible_value(),
            Self::Waiting(mutant) => mutant.to_possible_value(),
        }
    }

    /// Its name on the command line.
    pub(crate) fn name(self) -> String {
        self.value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The mutant of this name; the parser has checked that it exists.
    fn named(name: &str) -> Self {
        Self::all().find(|wrong| wrong.name() == name).unwrap_or(Self::Protocol(Mutant::NoSeal))
    }

    const fn short_cut(self) -> &'static str {
        match self {
            Self::Protocol(mutant) => mutant.short_cut(),
            Self::Waiting(mutant) => mutant.short_cut(),
        }
    }

    /// The shortest trace in which something breaks: what, after how many steps, and the trace.
    pub(crate) fn trace(self, bounds: Bounds) -> (String, Option<(String, usize, String)>) {
        let described = |lines: &[String], steps, trace: String| {
            let promise = lines.last().and_then(|line| line.split(" broken").next()).unwrap_or_default();
            (promise.to_owned(), steps, trace)
        };
        match self {
            Self::Protocol(mutant) => {
                let Some((found, figures)) = timed(Setup::showing(mutant), bounds) else { return Default::default() };
                (figures, found.broken.map(|trace| described(trace.lines(), trace.steps(), trace.to_string())))
            }
            Self::Waiting(mutant) => {
                let Some((found, figures)) = waited(waiting::Setup::showing(mutant)) else { return Default::default() };
                (figures, found.broken.map(|trace| described(trace.lines(), trace.steps(), trace.to_string())))
            }
        }
    }
}

/// One search.
enum Search {
    /// The right protocol, in a world that has a name.
    Right(&'static str, Setup),
    /// The right way to wait, in a world that has a name.
    Waiting(&'static str, waiting::Setup),
    /// A wrong one.
    Wrong(Wrong),
}

impl Search {
    fn is_right(&self, bounds: Bounds) -> bool {
        match *self {
            Self::Right(name, setup) => holds(name, setup, bounds),
            Self::Waiting(name, setup) => all_are_served(name, setup),
            Self::Wrong(wrong) => falls(wrong, bounds),
        }
    }
}

/// What a search of three attempts visits unless `--max-states` is given.
const THREE_ATTEMPTS_STATES_MAX: usize = 10_000_000;

/// Searches the right protocol.
fn holds(name: &str, setup: Setup, bounds: Bounds) -> bool {
    let Some((found, figures)) = timed(setup, bounds) else { return false };
    // A search with a bound may end before more than the first acquire.
    let asked = if found.exhausted { found.happens.len() } else { 1 };
    let missing = found.happens.iter().take(asked).find(|(_, trace)| trace.is_none());
    match (&found.broken, missing) {
        (Some(trace), _) => say!("{name}: {figures}\n{trace}"),
        (None, Some((what, _))) => say!("{name}: {figures}\n  never: {what}"),
        (None, None) if found.exhausted => say!("{name}: {figures}, all of them"),
        (None, None) => say!("{name}: {figures}, up to the bound"),
    }
    found.broken.is_none() && missing.is_none()
}

/// Searches the right way to wait.
fn all_are_served(name: &str, setup: waiting::Setup) -> bool {
    let Some((found, figures)) = waited(setup) else { return false };
    let missing = found.happens.iter().find(|(_, seen)| !seen);
    match (&found.broken, missing) {
        (Some(trace), _) => say!("{name}: {figures}\n{trace}"),
        (None, Some((what, _))) => say!("{name}: {figures}\n  never: {what}"),
        (None, None) => say!("{name}: {figures}, all of them"),
    }
    found.broken.is_none() && missing.is_none()
}

/// Searches a wrong protocol.
fn falls(wrong: Wrong, bounds: Bounds) -> bool {
    let (figures, broken) = wrong.trace(bounds);
    let trace = broken.as_ref().map_or("  nothing breaks", |(_, _, trace)| trace);
    say!("\n{}: {}; {figures}\n{trace}", wrong.name(), wrong.short_cut());
    broken.is_some()
}

fn waited(setup: waiting::Setup) -> Option<(waiting::Found, String)> {
    let began = SystemClock.now();
    let found = waiting::search(&waiting::World::new(setup)?);
    let figures = figures((found.states, found.reached, found.steps), SystemClock.now().since(began));
    Some((found, figures))
}

fn timed(setup: Setup, bounds: Bounds) -> Option<(Found, String)> {
    let began = SystemClock.now();
    let found = search(&World::new(setup)?, bounds);
    let took = SystemClock.now().since(began);
    let Found { states, reached, steps, .. } = found;
    let figures = figures((states, reached, steps), took);
    Some((found, figures))
}

fn figures((states, reached, steps): (usize, usize, usize), took: std::time::Duration) -> String {
    format!("{states} states ({reached} reached), {steps} steps deep, {:.1} s", took.as_secs_f64())
}
