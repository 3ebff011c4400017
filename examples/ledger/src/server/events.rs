//! What the page gets: overviews, and refusals as they happen.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use redfence_http::Refusal;
use tokio::sync::broadcast::{self, Receiver};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Ledger;
use crate::account::{Refused, What};

/// How often a page gets the balances of the accounts.
const EVERY: Duration = Duration::from_millis(250);
/// How many refusals a page that comes later gets to see.
const KEPT: usize = 50;

/// The refusals of stale tokens: the last ones, and all that come.
pub(super) struct Refusals {
    kept: Mutex<(u64, VecDeque<Refused>)>,
    new: broadcast::Sender<Refused>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { kept: Mutex::default(), new: broadcast::Sender::new(KEPT) }
    }
}

impl Refusals {
    /// Only stale ones are about a writer that came too late.
    pub(super) fn tell(&self, refusal: &Refusal, what: What, writer: &str) {
        let Refusal::Stale { resource, presented, highest } = refusal else { return };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, last) = &mut *kept;
        *count += 1;
        let refused = Refused {
            number: *count,
            account: resource.as_str().trim_start_matches("accounts/").to_owned(),
            what,
            writer: writer.to_owned(),
            presented: *presented,
            highest: *highest,
        };
        last.push_back(refused.clone());
        if last.len() > KEPT {
            last.pop_front();
        }
        // Perhaps no page is open.
        let _ = self.new.send(refused);
    }

    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// What was kept, and whatever comes after it.
    fn hear(&self) -> (VecDeque<Refused>, Receiver<Refused>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.1.clone(), self.new.subscribe())
    }
}

struct Listener {
    ledger: Arc<Ledger>,
    kept: VecDeque<Refused>,
    new: Receiver<Refused>,
    ticks: Interval,
}

/// Server-sent events: `overview` with an [`Overview`](crate::Overview), `refused` with a [`Refused`], `down` while the
/// database does not answer.
pub(super) async fn stream(State(ledger): State<Arc<Ledger>>) -> impl IntoResponse {
    let (kept, new) = ledger.refusals.hear();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = futures::stream::unfold(Listener { ledger, kept, new, ticks }, async |mut listener| {
        let event = listener.next().await;
        Some((Ok::<_, Infallible>(event), listener))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

impl Listener {
    async fn next(&mut self) -> Event {
        if let Some(refused) = self.kept.pop_front() {
            return json("refused", &refused);
        }
        loop {
            tokio::select! {
                // A page that is too slow misses some of them, as its numbers show.
                refused = self.new.recv() => if let Ok(refused) = refused { return json("refused", &refused) },
                _ = self.ticks.tick() => break,
            }
        }
        match self.ledger.overview().await {
            Ok(overview) => json("overview", &overview),
            Err(error) => json("down", &error.to_string()),
        }
    }
}

fn json(name: &str, data: &impl serde::Serialize) -> Event {
    let event = Event::default().event(name);
    event.json_data(data).unwrap_or_else(|_| Event::default().event(name))
}
