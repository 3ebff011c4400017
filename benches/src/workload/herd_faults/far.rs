//! One process that is far from the servers, among others that are near.

use std::time::Duration;

use super::super::herd::RESOURCE;
use super::super::{NODES, complain_of};
use crate::contestants::Contestant;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::stage::Stage;
use crate::support::{Proxy, RedisServer};
use crate::table::{Table, number};
use crate::target::Target;
use crate::team::Team;
use crate::worker::Setup;

/// The delay in each direction.
const DELAY: Duration = Duration::from_millis(25);
/// Sections of the far process, as a part of an equal share.
const SHARE: f64 = 0.5;
/// How long all of them run.
const BEATS: u32 = 8;

/// The sections of the far process and of the others.
pub(super) struct Far {
    near: usize,
    near_rate: f64,
    far_rate: f64,
    near_wait: Duration,
    far_wait: Duration,
}

impl Far {
    pub(super) async fn watch(plan: &Plan) -> Outcome<Self> {
        let stage = Stage::for_herd(NODES, plan.near + 1)?;
        let proxies: Vec<_> = stage.servers().iter().map(RedisServer::port).map(Proxy::in_front_of).collect();
        for proxy in &proxies {
            proxy.set_delay_to_server(DELAY);
            proxy.set_delay_to_client(DELAY);
        }
        let mut setups: Vec<_> = (0..plan.near).map(|_| Setup::small(Contestant::REDFENCE, stage.urls())).collect();
        setups.push(Setup::small(Contestant::REDFENCE, proxies.iter().map(Proxy::url).collect()));
        let mut team = Team::start(&setups).await?;
        team.warm_up(RESOURCE, plan.warm_up).await?;
        let stint = team.begin(RESOURCE, plan.beat * BEATS).await?;
        let records = team.records(&stint).await?;
        team.end().await;
        complain_of(Contestant::REDFENCE, &records);
        let (far, near) = records.split_last().ok_or("no process is far")?;
        let each_second = |sections: f64| sections / stint.time.as_secs_f64();
        let near_sections: u64 = near.iter().map(|record| record.sections).sum();
        Ok(Self {
            near: near.len(),
            near_rate: each_second(near_sections as f64) / near.len() as f64,
            far_rate: each_second(far.sections as f64),
            near_wait: near.iter().map(|record| record.longest_wait).max().unwrap_or_default(),
            far_wait: far.longest_wait,
        })
    }

    /// The far process's part of an equal share.
    fn share(&self) -> f64 {
        let processes = (self.near + 1) as f64;
        let all = self.near_rate * self.near as f64 + self.far_rate;
        self.far_rate / (all / processes)
    }

    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(&["processes", "sections/s of each", "of an equal share", "longest wait ms"]);
        let fair = (self.near_rate * self.near as f64 + self.far_rate) / (self.near + 1) as f64;
        let far = format!("1 far, {DELAY:?} each way");
        for (name, rate, wait) in
            [(format!("{} near", self.near), self.near_rate, self.near_wait), (far, self.far_rate, self.far_wait)]
        {
            table.row([name, number(rate), number(rate / fair), number(wait.as_secs_f64() * 1e3)]);
        }
        table
    }

    pub(super) fn targets(&self) -> Vec<Target> {
        vec![Target::at_least("one far: its sections, of an equal share", SHARE, self.share())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_what_all_have() {
        let wait = Duration::ZERO;
        let far = |far_rate| Far { near: 3, near_rate: 10.0, far_rate, near_wait: wait, far_wait: wait };
        assert_eq!((far(10.0).share(), far(0.0).share(), far(2.0).share()), (1.0, 0.0, 0.25));
    }
}
