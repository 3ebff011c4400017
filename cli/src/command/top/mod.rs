//! `redfence top`: nodes, locks, holders and waiters on the whole terminal.

mod keys;
mod snapshot;
mod view;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use ratatui::DefaultTerminal;
use redfence::{Clock as _, Redlock, SystemClock};
use tokio::sync::mpsc;

use self::keys::{Act, act};
use self::snapshot::Snapshot;
use self::view::{View, draw};
use super::status;
use crate::args::{Global, TopArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::Signals;

/// How often the view is drawn, so that the time that is left goes down.
const FRAME: Duration = Duration::from_millis(250);
/// The pause after a look, in times of what the look took: at most a fifth of the time is spent on looks.
const PAUSE_FACTOR: u32 = 4;

/// Shows the view until `q` or a signal.
pub(crate) async fn top(args: &TopArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    if output.json || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let message = "top needs a terminal; for scripts there are `redfence list --json` and `redfence watch --json`";
        return Err(Failure::new(Exit::Usage, message));
    }
    let redlock = status::reach(global).await?;
    let mut signals = Signals::listen()?;
    let terminal = ratatui::try_init().map_err(|error| {
        ratatui::restore();
        Failure::new(Exit::Failed, format!("the terminal cannot be used: {error}"))
    })?;
    let outcome = show(terminal, &redlock, args, &mut signals).await;
    ratatui::restore();
    outcome.map_err(|error| Failure::new(Exit::Failed, format!("the terminal cannot be used: {error}")))
}

async fn show(
    mut terminal: DefaultTerminal,
    redlock: &Redlock,
    args: &TopArgs,
    signals: &mut Signals,
) -> io::Result<Exit> {
    let mut keys = keys::read();
    let mut view = View::new(&args.prefix);
    let (snapshots, mut arriving) = mpsc::channel(1);
    let looking = look(redlock, args, &snapshots);
    tokio::pin!(looking);
    loop {
        terminal.draw(|frame| draw(frame, &mut view, SystemClock.now()))?;
        tokio::select! {
            biased;
            signal = signals.ending() => return Ok(signal.into()),
            event = keys.recv() => match event {
                Some(event) => match act(&event?) {
                    Act::End => return Ok(Exit::Done),
                    act => view.obey(act),
                },
                // The terminal is gone.
                None => return Ok(Exit::Done),
            },
            snapshot = arriving.recv() => view.snapshot = snapshot.or(view.snapshot.take()),
            () = &mut looking => {}
            () = tokio::time::sleep(FRAME) => {}
        }
    }
}

/// Asks the nodes again and again.
async fn look(redlock: &Redlock, args: &TopArgs, snapshots: &mpsc::Sender<Snapshot>) {
    loop {
        let began = SystemClock.now();
        let snapshot = Snapshot::take(redlock, &args.prefix).await;
        let took = SystemClock.now().since(began);
        if snapshots.send(snapshot).await.is_err() {
            return;
        }
        tokio::time::sleep(args.every.max(took * PAUSE_FACTOR)).await;
    }
}
