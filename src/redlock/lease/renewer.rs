//! The renewer: one task that renews all leases of a locker, and ends each lease that is over.

use std::sync::{Arc, PoisonError};

use super::active::ActiveLease;
use super::schedule::{Renewals, Schedule};
use crate::node::Task;
use crate::protocol::Action;
use crate::redlock::env::Env;
use crate::redlock::env::timer::sleep_until;
use crate::redlock::error::ExtendError;
use crate::{Clock, Moment};

/// Starts the task unless it runs. Returns whether it runs.
pub(crate) fn start(renewals: &Renewals<ActiveLease>, env: &Env) -> bool {
    let mut task = renewals.task.lock().unwrap_or_else(PoisonError::into_inner);
    if task.as_ref().is_none_or(Task::is_finished) {
        let (schedule, clock) = (Arc::clone(&renewals.schedule), Arc::clone(&env.clock));
        *task = Some(Task::start(&*env.spawner, async move { run(schedule, &*clock).await }));
    }
    task.as_ref().is_some_and(|task| !task.is_finished())
}

async fn run(schedule: Arc<Schedule<ActiveLease>>, clock: &dyn Clock) {
    loop {
        // Registered before the schedule is read, so that an earlier entry is not missed.
        let mut earlier = std::pin::pin!(schedule.earlier.notified());
        earlier.as_mut().enable();
        let now = clock.now();
        while !schedule.is_full() {
            let Some(lease) = schedule.pop_due(now) else { break };
            attend(&schedule, lease, now);
        }
        if schedule.is_full() {
            // A renewal notifies when it ends.
            earlier.await;
            continue;
        }
        match schedule.sleep_until() {
            None => earlier.await,
            Some(at) => tokio::select! {
                biased;
                () = earlier => {}
                () = sleep_until(clock, at) => {}
            },
        }
    }
}

/// Does what is due for one lease at `now`, and schedules what comes next.
pub(crate) fn attend(schedule: &Arc<Schedule<ActiveLease>>, lease: Arc<ActiveLease>, now: Moment) {
    match lease.due(now) {
        Some(Action::Wait(until)) => schedule.insert(until, &lease),
        Some(Action::Extend { .. }) => {
            // The end of the lease stays scheduled during the attempt, which may hang.
            schedule.insert(lease.ends_at(), &lease);
            let renewing = schedule.renewing();
            let spawner = Arc::clone(&lease.env().spawner);
            spawner.spawn(Box::pin(async move {
                let resource = &lease.subject.resource;
                let outcome = lease.extend().await;
                let schedule = Arc::clone(&renewing.0);
                drop(renewing);
                match outcome {
                    Ok(()) => tracing::trace!(%resource, "renewed"),
                    Err(ExtendError::Lost(_)) => return,
                    Err(error) => tracing::warn!(%resource, %error, "renewal failed"),
                }
                // If the process stood still meanwhile, the next attempt may be due already.
                let now = lease.env().clock.now();
                attend(&schedule, lease, now);
            }));
        }
        // The lease is over, and `due` has ended it.
        Some(Action::Lost(_)) | None => {}
    }
}
