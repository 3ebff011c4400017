//! [`Tenure`]: for how long this process has had a resource, and when others should have their turn.

use std::time::Duration;

use super::settings::Settings;
use crate::{Moment, Resource};

/// For how long this process has had the resource without a break.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tenure {
    since: Moment,
    sections: u32,
    /// How many turns it may last: more of them each time when others were to have theirs, and nobody took it.
    turns: u32,
}

impl Tenure {
    /// Whoever is subscribed may be a process that stands still, and never takes its turn.
    const TURNS_MAX: u32 = 8;

    pub(super) const fn begin(now: Moment) -> Self {
        Self { since: now, sections: 0, turns: 1 }
    }

    pub(super) const fn counts_section(&mut self) {
        self.sections += 1;
    }

    /// Others have their chance at `now`. If nobody takes it, it goes on for longer.
    pub(super) fn goes_on(self, now: Moment) -> Self {
        Self { since: now, sections: 0, turns: (2 * self.turns).min(Self::TURNS_MAX) }
    }

    /// Whether others should have their turn.
    pub(super) fn is_over(self, settings: &Settings, now: Moment) -> bool {
        let (sections_max, time_max) = settings.turn_max;
        self.sections / self.turns >= sections_max || now.since(self.since) / self.turns >= time_max
    }
}

/// What this process had in rooms that are closed, and until when. Slots share places, and the last one counts: this is about
/// what is asked for over and over.
#[derive(Default)]
pub(super) struct Left(Vec<Option<(Resource, Tenure, Moment)>>);

impl Left {
    const PLACES: usize = 64;
    /// So soon nobody else comes to have it, mostly.
    const MOMENT: Duration = Duration::from_millis(5);

    fn place_of(resource: &Resource) -> usize {
        usize::from(resource.slot()) % Self::PLACES
    }

    pub(super) fn keep(&mut self, resource: Resource, tenure: Tenure, until: Moment) {
        self.0.resize(Self::PLACES, None);
        if let Some(place) = self.0.get_mut(Self::place_of(&resource)) {
            *place = Some((resource, tenure, until));
        }
    }

    /// The tenure that ended a moment ago: for other processes there was no break.
    pub(super) fn lately(&mut self, resource: &Resource, now: Moment) -> Option<Tenure> {
        let place = self.0.get_mut(Self::place_of(resource))?;
        let (_, tenure, until) = place.take_if(|(whose, ..)| whose == resource)?;
        (now.since(until) < Self::MOMENT).then_some(tenure)
    }
}
