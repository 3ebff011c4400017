//! A counter in a file that nothing protects but a lock. Clients of locks in several languages add to it.
//!
//! A client reads the file, waits for a moment, and writes the next number. If two of them do that at one time, a
//! number is lost. So the count is exact only if the clients exclude each other.

use std::fs;
use std::hint::spin_loop;
use std::path::{Path, PathBuf};

/// How much a client works between its read and its write.
const WORK: u32 = 200_000;

/// The counter.
#[derive(Debug, Clone)]
pub struct Counter(PathBuf);

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// How often a client added.
    pub number: u64,
    /// How often another client added than the time before.
    pub turns: u64,
    /// The client that added last.
    pub last: String,
}

/// The file is not what a client writes: two of them wrote at one time, or it cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CounterError {
    /// The file cannot be read or written.
    #[error("the counter cannot be used: {0}")]
    File(#[from] std::io::Error),
    /// The file is torn.
    #[error("the counter is torn: {0:?}")]
    Torn(String),
}

impl Counter {
    /// A counter at zero.
    ///
    /// # Errors
    ///
    /// [`CounterError::File`].
    pub fn at(path: impl Into<PathBuf>) -> Result<Self, CounterError> {
        let path = path.into();
        fs::write(&path, "0 0 -")?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`CounterError`] if two clients wrote at one time.
    pub fn read(&self) -> Result<Count, CounterError> {
        let text = fs::read_to_string(&self.0)?;
        let words: Vec<_> = text.split(' ').collect();
        let count = match words[..] {
            [number, turns, last] => number.parse().ok().zip(turns.parse().ok()).map(|(number, turns)| Count {
                number,
                turns,
                last: last.to_owned(),
            }),
            _ => None,
        };
        count.ok_or(CounterError::Torn(text))
    }

    /// Adds one, as `client`. Some milliseconds of work lie between the read and the write.
    ///
    /// # Errors
    ///
    /// As for [`Counter::read`].
    pub fn add(&self, client: &str) -> Result<(), CounterError> {
        let Count { number, turns, last } = self.read()?;
        (0..WORK).for_each(|_| spin_loop());
        fs::write(&self.0, format!("{} {} {client}", number + 1, turns + u64::from(last != client)))?;
        Ok(())
    }
}
