//! [`Turn`]: for how long this process has had a resource, and when others should have theirs.

use crate::Moment;
use crate::redlock::settings::Settings;

/// For how long this process has had a resource without a break.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    since: Moment,
    pub(crate) sections: u32,
}

impl Turn {
    pub(crate) const fn begin(now: Moment) -> Self {
        Self { since: now, sections: 0 }
    }

    /// Whether others should have their turn.
    pub(crate) fn is_over(self, settings: &Settings, now: Moment) -> bool {
        let (sections_max, time_max) = settings.turn_max;
        self.sections >= sections_max || now.since(self.since) >= time_max
    }
}
