//! `simulations model`: searches small worlds to their end.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use clap::{Args, ValueEnum as _};
use redfence::{Clock as _, SystemClock};

use simulations::model::{Bounds, Found, Mutant, Setup, World, search};

/// Visits every state of small worlds, breadth first. Without a mutant: nothing may break; with --full also in the larger
/// ones, and every short cut must.
#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    /// How many attempts; three are searched up to a bound only.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3), default_value_t = 2)]
    attempts: u8,
    /// The larger worlds as well, and every short cut.
    #[arg(long)]
    full: bool,
    /// One wrong protocol, to see how it falls.
    #[arg(long)]
    mutant: Option<Mutant>,
    /// The most steps from a beginning.
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
            if arguments.full && attempts == 2 {
                searches.extend(Mutant::ALL.map(Search::Wrong));
            }
        }
    }
    // Each is on one thread, for a story has to be the shortest; some are at once.
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

/// One search.
enum Search {
    /// The right protocol, in a world that has a name.
    Right(&'static str, Setup),
    /// A wrong one.
    Wrong(Mutant),
}

impl Search {
    fn is_right(&self, bounds: Bounds) -> bool {
        match *self {
            Self::Right(name, setup) => holds(name, setup, bounds),
            Self::Wrong(mutant) => falls(mutant, bounds),
        }
    }
}

/// What a search of three attempts visits unless told otherwise.
const THREE_ATTEMPTS_STATES_MAX: usize = 10_000_000;

/// Searches the right protocol.
fn holds(name: &str, setup: Setup, bounds: Bounds) -> bool {
    let Some((found, figures)) = timed(setup, bounds) else { return false };
    // A search that was cut off need not have come to more than the first acquire.
    let asked = if found.exhausted { found.happens.len() } else { 1 };
    let missing = found.happens.iter().take(asked).find(|(_, story)| story.is_none());
    match (&found.broken, missing) {
        (Some(story), _) => say!("{name}: {figures}\n{story}"),
        (None, Some((what, _))) => say!("{name}: {figures}\n  never: {what}"),
        (None, None) if found.exhausted => say!("{name}: {figures}, all of them"),
        (None, None) => say!("{name}: {figures}, up to the bound"),
    }
    found.broken.is_none() && missing.is_none()
}

/// Searches a wrong protocol.
fn falls(mutant: Mutant, bounds: Bounds) -> bool {
    let Some((found, figures)) = timed(Setup::showing(mutant), bounds) else { return false };
    let name = mutant.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let story = found.broken.as_ref().map_or_else(|| "  nothing breaks".to_owned(), ToString::to_string);
    say!("\n{name}: {}; {figures}\n{story}", mutant.short_cut());
    found.broken.is_some()
}

fn timed(setup: Setup, bounds: Bounds) -> Option<(Found, String)> {
    let began = SystemClock.now();
    let found = search(&World::new(setup)?, bounds);
    let took = SystemClock.now().since(began);
    let Found { states, reached, steps, .. } = found;
    let figures = format!("{states} states ({reached} reached), {steps} steps deep, {:.1} s", took.as_secs_f64());
    Some((found, figures))
}
