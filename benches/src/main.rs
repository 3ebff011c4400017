//! The bench: compares redfence with a raw fan-out of the same work and with another lock, in one run, on new servers.
//! The method and the figures are in `README.md` of this folder.

mod arguments;
mod contestants;
mod limits;
mod load;
mod meter;
mod outcome;
mod plan;
mod plot;
mod report;
mod sample;
mod stage;
mod stint;
mod support;
mod table;
mod target;
mod team;
mod worker;
mod workload;

use std::process::ExitCode;

use crate::arguments::Arguments;
use crate::outcome::Outcome;

fn main() -> ExitCode {
    let outcome = match worker::order() {
        Some(setup) => worker::serve(&setup),
        None => measure(&Arguments::read()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benches: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every workload that was asked for. Each prints its tables as soon as it has them.
fn measure(arguments: &Arguments) -> Outcome {
    limits::raise_open_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let plan = arguments.plan();
    println!("{}", report::heading(&plan));
    for workload in arguments.workloads() {
        let report = runtime.block_on(workload.run(&plan))?;
        println!("{report}");
        if let (Some(file), false) = (arguments.drawing(workload), report.charts.is_empty()) {
            std::fs::write(file, plot::svg(&report.charts))?;
            eprintln!("benches: {} written", file.display());
        }
    }
    Ok(())
}
