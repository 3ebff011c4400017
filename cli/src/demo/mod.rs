//! `redfence demo`: shows what can go wrong with a lock, and how fencing prevents it. Nothing in it is faked.

mod crowd;
mod fact;
mod figures;
mod ledger;
mod nodes;
mod outage;
mod pause;
mod picture;
mod svg;
mod timeline;
mod world;

use redfence::{Entropy, HolderId, Printable, Resource};

use self::figures::{Figures, Summary};
use self::ledger::Ledger;
use self::nodes::Nodes;
use self::timeline::{RunRecord, Timeline};
use self::world::World;
use crate::args::{DemoArgs, Global};
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, STRONG};
use crate::signals::Signals;

/// Plays the story twice, without fencing and with it, and counts. Draws it if asked to.
pub(crate) async fn demo(args: &DemoArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let timeline = Timeline::new(output.json, &connect::urls(global));
    tokio::select! {
        ended = both_runs(args, global, &timeline) => ended,
        signal = signals.ending() => Ok(signal.into()),
        // The exit of any program in a pipe whose reader has gone.
        () = timeline.unread() => Ok(rustix::process::Signal::PIPE.into()),
    }
}

async fn both_runs(args: &DemoArgs, global: &Global, timeline: &Timeline) -> Result<Exit, Failure> {
    let nodes = Nodes::open(global).await?;
    introduce(&nodes, timeline);
    let (mut runs, mut records) = (Vec::new(), Vec::new());
    for (fenced, heading) in [
        (false, "Run 1 of 2, without fencing: the ledger takes every write."),
        (true, "Run 2 of 2, with fencing: the ledger refuses a token lower than the highest it has seen."),
    ] {
        timeline.text(&format!("\n{STRONG}{heading}{STRONG:#}"));
        let (figures, record) = one_run(&nodes, timeline, fenced).await?;
        runs.push(figures);
        records.push(record);
    }
    let summary = Summary::of(&runs);
    timeline.text(&format!("\n{STRONG}{summary}{STRONG:#}"));
    timeline.record(&summary);
    if let Some(path) = &args.svg {
        let drawn = picture::draw(&records, &nodes.names, nodes.needed(), &summary);
        std::fs::write(path, drawn).map_err(|error| {
            let path = path.to_string_lossy();
            let message =
                format!("the picture cannot be written to {}: {error}; choose another file", Printable(&path));
            Failure::new(Exit::Failed, message)
        })?;
    }
    match runs.iter().flat_map(Figures::broken).collect::<Vec<_>>() {
        broken if summary.is_kept() && broken.is_empty() => Ok(Exit::Done),
        broken => Err(Failure::new(Exit::Failed, broken.join("; "))),
    }
}

async fn one_run(nodes: &Nodes, timeline: &Timeline, fenced: bool) -> Result<(Figures, RunRecord), Failure> {
    // Each run has a name of its own, because other users may run the demo on the same real nodes.
    let id = HolderId::from_random(Entropy::from_system().u128());
    let ledger = Ledger::new(Resource::new(format!("redfence-demo:{id}"))?, fenced);
    let world = World::new(nodes, ledger, timeline.chapter(fenced));
    pause::play(&world).await?;
    let deaths = crowd::play(&world).await?;
    let outage = outage::play(&world).await?;
    let tokens = world.tokens().clone();
    let figures = Figures::of(fenced, &world.ledger.seen(), &tokens, &deaths, &outage);
    Ok((figures, world.chapter.drawn()))
}

/// Prints an introduction of three lines.
fn introduce(nodes: &Nodes, timeline: &Timeline) {
    let count = nodes.names.len();
    let place = if nodes.embedded {
        format!("{count} nodes in this process")
    } else {
        format!("{count} real node(s), {}", nodes.names.join(", "))
    };
    timeline.text(&format!(
        "One lock over {place}; it protects a ledger whose balance every holder reads, then writes.\n\
         A holder is paused for longer than its lease lives, another takes over, the first wakes and writes. Then nodes die.\n\
         The same story runs without fencing and with it. A lost update is an accepted write that another one undid."
    ));
}
