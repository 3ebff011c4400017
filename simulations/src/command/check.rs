//! `check`: judges whether T1, T2, E, X and F held in a history.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

use simulations::history::{History, Record};
use simulations::invariant::{judge, overlaps};

use super::cannot;

/// The arguments of `check`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// The history: one record a line of JSON.
    file: PathBuf,
}

/// Reads the history and judges it.
pub(crate) fn check(CheckArguments { file }: &CheckArguments) -> ExitCode {
    let history = match File::open(file) {
        Ok(from) => History::read(BufReader::new(from)),
        Err(error) => return cannot("cannot open", file, &error),
    };
    let history = match history {
        Ok(history) => history,
        Err(error) => return cannot("cannot read", file, &error),
    };
    let stays = history.stays();
    let writes = history.records.iter().filter(|record| matches!(record, Record::Write { .. })).count();
    if stays.is_empty() && writes == 0 {
        complain!("simulations: {} has neither leases nor writes: it proves nothing", file.display());
        return ExitCode::from(2);
    }
    let excused = overlaps(&history, &stays).iter().filter(|overlap| overlap.excused).count();
    say!("{} leases · {writes} writes · {excused} overlaps while X was not promised", stays.len());
    let violations = judge(&history);
    for violation in &violations {
        say!("VIOLATED  {violation}");
    }
    let missing = history.without_acquire();
    if missing > 0 {
        complain!(
            "simulations: {missing} records of {} belong to leases whose acquire is not in it: add the file in which they \
             begin. Those leases were not judged",
            file.display()
        );
    }
    if !violations.is_empty() {
        return ExitCode::FAILURE;
    }
    if missing > 0 {
        return ExitCode::from(2);
    }
    say!("T1, T2, E, X and F held");
    ExitCode::SUCCESS
}
