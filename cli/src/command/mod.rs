//! The commands, one in each file.

mod acquire;
mod admit;
mod bootstrap;
mod completions;
mod degraded;
mod dev;
mod doctor;
mod elect;
pub(crate) mod exec;
mod extend;
mod force;
mod group;
mod hold;
mod holder;
mod job;
mod list;
mod man;
mod period;
mod release;
mod reset;
mod run;
mod status;
mod stopping;
mod supervise;
#[cfg(feature = "top")]
mod top;
mod waiting;
mod watch;
mod who;

use crate::args::{Args, Command};
use crate::demo;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Runs the command of the command line.
pub(crate) async fn obey(args: &Args, output: &Output) -> Result<Exit, Failure> {
    let (global, output) = (&args.global, *output);
    match &args.command {
        Command::Demo(demo) => demo::demo(demo, global, output).await,
        Command::Elect(elect) => elect::elect(elect, global, output).await,
        Command::Run(run) => run::run(run, global, output).await,
        Command::Acquire(acquire) => acquire::acquire(acquire, global, output).await,
        Command::Admit(admit) => admit::admit(admit, global, output).await,
        Command::Extend(extend) => extend::extend(extend, global, output).await,
        Command::Release(release) => release::release(release, global, output).await,
        Command::Watch(watch) => watch::watch(watch, global, output).await,
        Command::Who(who) => who::who(who, global, output).await,
        Command::List(list) => list::list(list, global, output).await,
        Command::ForceRelease(force) => force::force(force, global, output).await,
        Command::Reset(reset) => reset::reset(reset, global, output).await,
        Command::Doctor(doctor) => doctor::doctor(doctor, global, output).await,
        #[cfg(feature = "top")]
        Command::Top(top) => top::top(top, global, output).await,
        Command::Completions(completions) => Ok(completions::print(completions)),
        Command::Man(man) => man::write(man, output),
        Command::Dev(dev) => dev::dev(dev, global, output).await,
        Command::Bootstrap(_) => bootstrap::bootstrap(global, output).await,
        Command::Status(status) => status::status(status, global, output).await,
    }
}
