//! [`Plan::read`]: a plan from a file.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::error::Category;

use super::{Plan, PlanError};

/// The longest file that is read. The plan of a long run has some kilobytes.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why no plan could be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanFileError {
    /// The file itself.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// It is too long.
    #[error(
        "it has more than {BYTES_MAX} bytes: a plan is one JSON object, as `simulations replay --print-plan` prints it"
    )]
    TooLong,
    /// Its text is no plan.
    #[error("line {line}, column {column}: {why}: {fix}")]
    Text {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// The reason.
        why: String,
        /// What to do about it.
        fix: &'static str,
    },
    /// It is a plan that cannot be run.
    #[error("line {line}, {}: {error}", error.key)]
    Plan {
        /// From 1.
        line: usize,
        /// What is wrong.
        error: PlanError,
    },
}

impl Plan {
    /// Reads a plan, in the JSON in which plans are printed, and checks it.
    ///
    /// # Errors
    ///
    /// [`PlanFileError`] with the line, the reason and the fix.
    pub fn read(file: &Path) -> Result<Self, PlanFileError> {
        let mut text = String::new();
        File::open(file)?.take(BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > BYTES_MAX {
            return Err(PlanFileError::TooLong);
        }
        Self::parse(&text)
    }

    /// As [`Plan::read`], from text.
    ///
    /// # Errors
    ///
    /// As [`Plan::read`].
    pub fn parse(text: &str) -> Result<Self, PlanFileError> {
        let plan: Self = serde_json::from_str(text).map_err(|error| no_plan(&error))?;
        match plan.check() {
            Ok(()) => Ok(plan),
            Err(error) => Err(PlanFileError::Plan { line: line_of(text, error.key, error.nth), error }),
        }
    }
}

fn no_plan(error: &serde_json::Error) -> PlanFileError {
    let (line, column) = (error.line(), error.column());
    let place = format!(" at line {line} column {column}");
    let why = error.to_string().trim_end_matches(&place).to_owned();
    let fix = match error.classify() {
        Category::Eof => "the plan is cut off: copy the whole line that was printed",
        Category::Syntax | Category::Io => "a plan is one JSON object, as `simulations replay --print-plan` prints it",
        Category::Data => "`simulations replay --seed 1 --print-plan` prints a plan that has every key",
    };
    PlanFileError::Text { line, column, why, fix }
}

/// The line of the key that has `nth` equal keys before it; the first line if there is none.
fn line_of(text: &str, key: &str, nth: usize) -> usize {
    let before = text.match_indices(&format!("\"{key}\"")).nth(nth).and_then(|(at, _)| text.get(..at));
    1 + before.map_or(0, |before| before.matches('\n').count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Fault, Section};

    /// A plan over many lines, in which `from` was replaced.
    fn broken(from: &str, to: &str) -> String {
        let plan = Plan::of(3)
            .client([Section::after(0).work(5)])
            .client([Section::after(1).wait(50).write()])
            .fault(10, Fault::Hang { node: 0, for_ms: 20 })
            .fault(30, Fault::Pause { client: 1, for_ms: 40 });
        let text = serde_json::to_string_pretty(&plan).unwrap();
        assert!(text.contains(from), "{text}");
        text.replacen(from, to, 1)
    }

    #[test]
    fn errors_name_line_reason_and_fix() {
        for (from, to, says) in [
            ("\"seed\": 0,", "\"seed\": -1,", "line 2, column 12: invalid value: integer `-1`, expected u64: "),
            ("\"seed\": 0,", "\"sed\": 0,", "line 2, column 7: unknown field `sed`, expected one of "),
            ("\"ttl_ms\": 500,", "", "column 3: missing field `ttl_ms`: `simulations replay --seed 1 --print-plan`"),
            (
                "\"ttl_ms\": 500",
                "\"ttl_ms\": 501",
                "line 3, terms: ttl 501 ms and max_ttl 500 ms do not go together: write",
            ),
            ("\"node_timeout_ms\": 100", "\"node_timeout_ms\": 0", "line 3, terms: node timeout 0 ms and ttl 500 ms"),
            (
                "\"response_timeout_ms\": 1000",
                "\"response_timeout_ms\": 0",
                "line 3, terms: with a response timeout of 0 ms no connection lasts: write 1 or more",
            ),
            (
                "\"latency_ms\": [\n      1,",
                "\"latency_ms\": [\n      9000,",
                "network: a latency of 9000 to 1 ms is not a range: write the smaller number first",
            ),
            ("\"tail_per_mille\": 0", "\"tail_per_mille\": 1001", "network: 1001 of a thousand: write 1000"),
            ("\"resources\": 1", "\"resources\": 0", "resources: there is no resource: write 1 or more"),
            ("\"wait_ms\": 50", "\"wait_ms\": 600001", "sections: 600001 ms are too long: write 600000 ms at most"),
            (
                "\"at_ms\": 30",
                "\"at_ms\": 3000",
                "comes after the end of all faults: let it come at 2000 ms at the latest",
            ),
            ("\"loss_per_mille\": 0", "\"loss_per_mille\": 1001", "network: 1001 of a thousand: write 1000 at most"),
            ("\"Hang\"", "\"Sleep\"", "unknown variant `Sleep`, expected one of "),
            ("\"seed\": 0,", "\"seed\": 0", "line 3, column 3: expected `,` or `}`: a plan is one JSON object, as "),
        ] {
            let text = broken(from, to);
            let error = Plan::parse(&text).unwrap_err().to_string();
            assert!(error.contains(says), "{from} → {to}: {error}");
        }
        let cut = broken("\"seed\": 0,", "\"seed\": 0,");
        let error = Plan::parse(&cut[..cut.len() / 2]).unwrap_err().to_string();
        assert!(error.ends_with("the plan is cut off: copy the whole line that was printed"), "{error}");
    }

    #[test]
    fn the_line_is_that_of_the_part_that_is_wrong() {
        let text = broken("\"at_ms\": 30", "\"at_ms\": 3000");
        let line = 1 + text.lines().position(|line| line.contains("\"at_ms\": 3000")).unwrap();
        assert!(Plan::parse(&text).unwrap_err().to_string().starts_with(&format!("line {line}, at_ms: ")));
        let text = broken("\"tasks\": 1", "\"tasks\": 0");
        let line = 1 + text.lines().position(|line| line.contains("\"sections\"")).unwrap();
        assert!(
            Plan::parse(&text)
                .unwrap_err()
                .to_string()
                .starts_with(&format!("line {line}, sections: client 0 has 0 tasks"))
        );
    }
}
