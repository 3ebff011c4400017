//! Many leases, held and renewed by a separate process.

use std::time::Duration;

use redfence::{Clock as _, SystemClock};

use super::NODES;
use crate::contestants::Contestant;
use crate::meter::{Reading, Spent};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Report;
use crate::stage::Stage;
use crate::table::{Table, number};
use crate::target::Target;
use crate::worker::{Order, Responder, Setup, Worker};

pub(super) async fn run(plan: &Plan) -> Outcome<Report> {
    let mut stage = Stage::of(NODES);
    let setup = Setup::new(Contestant::REDFENCE, stage.urls());
    // A new process: freed memory would hide the memory that leases need.
    let (mut worker, _) = Worker::start(&setup).await?;
    let ttl = plan.lease_ttl;
    let empty = worker.ask(&Order::Hold { leases: 1, ttl }).await?;
    let began = SystemClock.now();
    let full = worker.ask(&Order::Hold { leases: plan.leases, ttl }).await?;
    let acquired = SystemClock.now().since(began);

    let well = HeldLeases::watch(&mut worker, &stage, plan, full).await?;
    stage.hang(0);
    let hung = HeldLeases::watch(&mut worker, &stage, plan, well.after.clone()).await?;

    let mut table = Table::new(&["state", "renewals/s", "client CPU µs/renewal", "servers' CPU", "commands/s", "lost"]);
    for (name, held) in [("all nodes well", &well), ("one node hung", &hung)] {
        table.row([
            name.to_owned(),
            number(held.each_second(held.renewals)),
            number(held.each_renewal(held.spent.client)),
            number(held.each_renewal(held.spent.servers)),
            number(held.each_second(held.commands)),
            held.lost.to_string(),
        ]);
    }
    let mut memory = Table::new(&["leases", "acquired in s", "bytes/lease: acquired", "well", "hung"]);
    let bytes = [&well.before, &well.after, &hung.after]
        .map(|answer| answer.resident_bytes.saturating_sub(empty.resident_bytes) as f64 / plan.leases as f64);
    let cells = [plan.leases as f64, acquired.as_secs_f64()].into_iter().chain(bytes);
    memory.row(cells.map(number));
    let most = bytes.into_iter().fold(0.0, f64::max);
    let targets = vec![
        Target::at_most("memory per held lease, bytes", 1_024.0, most),
        Target::at_most("client CPU per renewal, µs", 15.0, well.each_renewal(well.spent.client)),
        Target::at_most("leases lost, all nodes well", 0.0, well.lost as f64),
        Target::at_most("leases lost, one node hung", 0.0, hung.lost as f64),
    ];
    let title = format!("Leases held and renewed by one process, TTL {ttl:?}, {:?} in each state", plan.lease_time);
    Ok(Report { title, tables: vec![memory, table], targets, ..Report::default() })
}

/// The figures of holding the leases for a while.
struct HeldLeases {
    before: Responder,
    after: Responder,
    spent: Spent,
    /// Renewals; each goes to all nodes that answer.
    renewals: f64,
    commands: f64,
    lost: usize,
}

impl HeldLeases {
    async fn watch(worker: &mut Worker, stage: &Stage, plan: &Plan, before: Responder) -> Outcome<Self> {
        let began = worker.ask(&Order::Report).await?.cpu;
        let reading = Reading::take(stage)?;
        tokio::time::sleep(plan.lease_time).await;
        let mut spent = reading.spent(stage)?;
        let after = worker.ask(&Order::Report).await?;
        spent.client = after.cpu.saturating_sub(began);
        let renewals = spent.expiries as f64 / stage.speaking().count() as f64;
        let commands = spent.commands_of(Contestant::REDFENCE) as f64;
        let lost = plan.leases.saturating_sub(after.held);
        Ok(Self { before, after, spent, renewals, commands, lost })
    }

    fn each_second(&self, total: f64) -> f64 {
        total / self.spent.time.as_secs_f64()
    }

    fn each_renewal(&self, cpu: Duration) -> f64 {
        if self.renewals > 0.0 { cpu.as_secs_f64() * 1e6 / self.renewals } else { f64::NAN }
    }
}
