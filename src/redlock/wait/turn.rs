//! [`Turn`]: how long this process has kept a resource, and when other processes come next.

use crate::Moment;
use crate::redlock::settings::Settings;

/// How long, and for how many sections, this process has kept a resource without a break.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    since: Moment,
    pub(crate) sections: u32,
}

impl Turn {
    pub(crate) const fn begin(now: Moment) -> Self {
        Self { since: now, sections: 0 }
    }

    /// Whether other processes come next.
    pub(crate) fn is_over(self, settings: &Settings, now: Moment) -> bool {
        let (sections_max, time_max) = settings.turn_max;
        self.sections >= sections_max || now.since(self.since) >= time_max
    }
}
