//! [`Turn`]: for how long this process has had a resource, and when others should have theirs.

use super::settings::Settings;
use crate::Moment;

/// For how long this process has had a resource without a break.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    since: Moment,
    pub(super) sections: u32,
}

impl Turn {
    pub(super) const fn begin(now: Moment) -> Self {
        Self { since: now, sections: 0 }
    }

    /// Whether others should have their turn.
    pub(super) fn is_over(self, settings: &Settings, now: Moment) -> bool {
        let (sections_max, time_max) = settings.turn_max;
        self.sections >= sections_max || now.since(self.since) >= time_max
    }
}
