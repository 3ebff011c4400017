//! [`Target`]: the wanted and the measured value of a figure.

use crate::table::{Table, number};

/// The wanted value of a figure. A miss is shown, but is no failure: a bench measures.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    what: String,
    bound: Bound,
    measured: f64,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    pub(crate) fn at_most(what: impl Into<String>, bound: f64, measured: f64) -> Self {
        Self { what: what.into(), bound: Bound::AtMost(bound), measured }
    }

    pub(crate) fn at_least(what: impl Into<String>, bound: f64, measured: f64) -> Self {
        Self { what: what.into(), bound: Bound::AtLeast(bound), measured }
    }

    /// A target that was not measured counts as missed.
    fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost(bound) => self.measured <= bound,
            Bound::AtLeast(bound) => self.measured >= bound,
        }
    }
}

/// All targets of a workload.
pub(crate) fn table(targets: &[Target]) -> Table {
    let mut table = Table::new(&["target", "wanted", "measured", ""]);
    for target in targets {
        let wanted = match target.bound {
            Bound::AtMost(bound) => format!("≤ {}", number(bound)),
            Bound::AtLeast(bound) => format!("≥ {}", number(bound)),
        };
        let verdict = if target.is_met() { "met" } else { "**missed**" };
        table.row([target.what.clone(), wanted, number(target.measured), verdict.to_owned()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_or_missed_and_what_has_no_figure_is_missed() {
        for (target, met) in [
            (Target::at_most("", 1.0, 1.0), true),
            (Target::at_most("", 1.0, 1.1), false),
            (Target::at_least("", 2.5, 2.5), true),
            (Target::at_least("", 2.5, 2.4), false),
            (Target::at_most("", 1.0, f64::NAN), false),
            (Target::at_least("", 1.0, f64::NAN), false),
        ] {
            assert_eq!(target.is_met(), met, "{target:?}");
        }
    }
}
