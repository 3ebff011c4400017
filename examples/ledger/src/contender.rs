//! A contender: acquires and releases locks again and again, and records every answer, for a check.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use redfence::{Clock as _, FencingToken, Redlock, ReleaseOutcome, SystemClock};
use serde::{Deserialize, Serialize};

/// A line of a history: what a process asked for and the answer, with the times on the clock that all processes of
/// a machine share. The first is taken before anything is sent, the second after the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// When it was asked, in nanoseconds.
    pub asked: u64,
    /// When it was answered.
    pub answered: u64,
    /// The lock.
    pub resource: String,
    /// What came of it.
    pub told: Told,
}

/// An answer to a contender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It acquired the lock.
    Acquired(FencingToken),
    /// It still holds it.
    Holds(FencingToken),
    /// It holds it no more.
    Lost(FencingToken),
    /// It had it until now, and gave it back.
    Released(FencingToken),
    /// It had lost it before it could give it back, or does not know.
    Over(FencingToken),
}

/// Takes the resources in turn, until it is dropped.
///
/// # Errors
///
/// The history cannot be written.
///
/// # Cancel safety
///
/// Dropping the future gives the lock back.
pub async fn run(lock: &Redlock, resources: &[String], work: Duration, history: &Path) -> std::io::Result<()> {
    let mut history = History(File::options().create(true).append(true).open(history)?);
    for resource in resources.iter().cycle() {
        let asked = now();
        let Ok(guard) = lock.acquire(resource.as_str()).await else { continue };
        let token = guard.token();
        history.write(resource, asked, Told::Acquired(token))?;
        for _ in 0..2 {
            tokio::time::sleep(work).await;
            let asked = now();
            let told = if guard.check().is_ok() { Told::Holds(token) } else { Told::Lost(token) };
            history.write(resource, asked, told)?;
        }
        let asked = now();
        let told = match guard.release().await {
            ReleaseOutcome::Released { .. } => Told::Released(token),
            _ => Told::Over(token),
        };
        history.write(resource, asked, told)?;
    }
    Ok(())
}

struct History(File);

impl History {
    /// In one call, so that a process that is killed leaves whole lines.
    fn write(&mut self, resource: &str, asked: u64, told: Told) -> std::io::Result<()> {
        let line = Line { asked, answered: now(), resource: resource.to_owned(), told };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        self.0.write_all(&text)
    }
}

fn now() -> u64 {
    u64::try_from(SystemClock.now().since_origin().as_nanos()).unwrap_or(u64::MAX)
}
