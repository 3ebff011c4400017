//! [`Flights`]: the tasks of this process that want the same key, one behind the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::{Moment, Resource};

/// A value that a task had, and a moment before it asked the store about it: it may have been removed since.
struct Published {
    value: Arc<[u8]>,
    at: Moment,
}

/// Tokio's mutex has a queue: first come, first served. The first task has the place, and the others wait for it.
type Flight = Arc<tokio::sync::Mutex<Option<Published>>>;

/// One flight for each key that some task of this process wants right now, and how many tasks want it.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Resource, (Flight, usize)>>);

impl Flights {
    /// Waits for the place. A task that drops it, by an error, by a panic or with its future, passes it to the next.
    pub(super) async fn place(self: &Arc<Self>, key: &Resource) -> Place {
        let (flight, joined) = self.join(key);
        Place { published: flight.lock_owned().await, _joined: joined }
    }

    /// The place if no other task has it.
    pub(super) fn try_place(self: &Arc<Self>, key: &Resource) -> Option<Place> {
        let (flight, joined) = self.join(key);
        Some(Place { published: flight.try_lock_owned().ok()?, _joined: joined })
    }

    fn join(self: &Arc<Self>, key: &Resource) -> (Flight, Joined) {
        let mut all = self.all();
        let (flight, tasks) = all.entry(key.clone()).or_default();
        *tasks += 1;
        (Arc::clone(flight), Joined { flights: Arc::clone(self), key: key.clone() })
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Resource, (Flight, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.all().len()
    }
}

/// The right of one task of this process to get the value of a key, from the store or by computing it.
pub(super) struct Place {
    published: OwnedMutexGuard<Option<Published>>,
    _joined: Joined,
}

impl Place {
    /// The value that an earlier task had from the store after this task asked: then it was there after that.
    pub(super) fn published_since(&self, asked: Moment) -> Option<Arc<[u8]>> {
        self.published.as_ref().filter(|published| published.at >= asked).map(|published| Arc::clone(&published.value))
    }

    /// Passes a value to the tasks that wait for this place. `at` is before the store was asked about it.
    pub(super) fn publish(&mut self, value: &Arc<[u8]>, at: Moment) {
        *self.published = Some(Published { value: Arc::clone(value), at });
    }
}

/// A task that takes part in a flight. The last one ends it.
struct Joined {
    flights: Arc<Flights>,
    key: Resource,
}

impl Drop for Joined {
    fn drop(&mut self) {
        let mut all = self.flights.all();
        if let Some((_, tasks)) = all.get_mut(&self.key) {
            *tasks -= 1;
            if *tasks == 0 {
                all.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn one_task_has_the_place_and_the_next_gets_what_it_published() {
        let (flights, key) = (Arc::new(Flights::default()), Resource::new("k").unwrap());
        let at = |ms| Moment::from_origin(Duration::from_millis(ms));
        let mut first = flights.place(&key).now_or_never().unwrap();
        assert!(flights.try_place(&key).is_none() && flights.place(&key).now_or_never().is_none());
        let mut second = Box::pin(flights.place(&key));
        assert!(second.as_mut().now_or_never().is_none());
        first.publish(&b"value".as_slice().into(), at(5));
        drop(first);
        let second = second.now_or_never().unwrap();
        assert_eq!(second.published_since(at(5)).as_deref(), Some(b"value".as_slice()));
        assert_eq!(second.published_since(at(6)), None);
        assert_eq!(flights.count(), 1);
        drop(second);
        assert_eq!(flights.count(), 0);
        assert_eq!(flights.try_place(&key).unwrap().published_since(at(0)), None);
        assert_eq!(flights.count(), 0);
    }

    #[test]
    fn tasks_that_leave_at_the_same_moment_end_the_flight() {
        const ROUNDS: usize = 20_000;
        let (flights, joined) = (Arc::new(Flights::default()), AtomicUsize::new(0));
        let leave = || {
            for round in 1..=ROUNDS {
                let one = flights.join(&Resource::new(format!("k{round}")).unwrap());
                joined.fetch_add(1, Ordering::SeqCst);
                while joined.load(Ordering::SeqCst) < 2 * round {
                    std::thread::yield_now();
                }
                drop(one);
            }
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(leave);
            leave();
            other.join().unwrap();
        });
        assert_eq!(flights.count(), 0, "flights that no task wants are left in memory");
    }
}
