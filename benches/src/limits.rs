//! The limits of the system for this process and its children.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::outcome::Outcome;

/// Pipes and a handle for each worker.
const FILES_A_WORKER: usize = 4;
/// What the bench needs for itself.
const FILES_BESIDE: usize = 200;

/// Raises the limit of open files, for this process and its children, as far as the system permits.
pub(crate) fn raise_open_files() -> Outcome {
    let limit = getrlimit(Resource::Nofile);
    match limit.maximum {
        Some(maximum) if limit.current.is_some_and(|current| current < maximum) => {
            Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(maximum), maximum: Some(maximum) })?)
        }
        _ => Ok(()),
    }
}

/// Fails if this many workers would need more open files than are allowed.
pub(crate) fn check_room_for(workers: usize) -> Outcome {
    let needed = (workers * FILES_A_WORKER + FILES_BESIDE) as u64;
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < needed => {
            Err(format!("{workers} workers need {needed} open files, and {limit} are permitted: raise ulimit -n")
                .into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        raise_open_files().unwrap();
        let limit = getrlimit(Resource::Nofile);
        assert!(limit.maximum.is_none() || limit.current == limit.maximum, "{limit:?}");
        check_room_for(1).unwrap();
    }
}
