//! [`Process`]: one line of the system's process table, and the descendants of a process.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A process as shown by /proc.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    #[serde(skip)]
    pub(crate) parent: i32,
    #[serde(skip)]
    pub(crate) group: i32,
    /// Whether it has ended and waits to be collected.
    #[serde(skip)]
    pub(crate) is_zombie: bool,
    pub(crate) name: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A program may have chosen any name.
        write!(f, "{} ({})", self.pid, self.name.escape_debug())
    }
}

impl Process {
    #[cfg(test)]
    pub(crate) fn named(pid: i32, name: &str) -> Self {
        Self { pid, parent: 0, group: 0, is_zombie: false, name: name.to_owned() }
    }

    /// Reads the text of /proc/PID/stat: `PID (NAME) STATE PARENT GROUP …`. The name may have any characters.
    fn parse(stat: &str) -> Option<Self> {
        let (pid, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?;
        let mut number = || fields.next()?.parse().ok();
        let (parent, group) = (number()?, number()?);
        let is_zombie = matches!(state, "Z" | "X");
        Some(Self { pid: pid.parse().ok()?, parent, group, is_zombie, name: name.to_owned() })
    }
}

/// All processes; `None` if the system has no process table to read.
fn all() -> Option<Vec<Process>> {
    let entries = std::fs::read_dir("/proc").ok()?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    // A process may end before it is read, and a name may not be UTF-8.
    let stats = pids.filter_map(|pid| std::fs::read(format!("/proc/{pid}/stat")).ok());
    let processes: Vec<_> = stats.filter_map(|stat| Process::parse(&String::from_utf8_lossy(&stat))).collect();
    (!processes.is_empty()).then_some(processes)
}

/// All descendants of this process, including orphans; `None` if they cannot be read.
pub(crate) fn descendants() -> Option<Vec<Process>> {
    let own = i32::try_from(std::process::id()).ok()?;
    Some(descending(own, all()?))
}

fn descending(ancestor: i32, mut processes: Vec<Process>) -> Vec<Process> {
    let mut family = BTreeSet::from([ancestor]);
    // A child may have a smaller number than its parent, so one pass is not enough.
    loop {
        let known = family.len();
        let children: Vec<_> = processes.iter().filter(|one| family.contains(&one.parent)).map(|one| one.pid).collect();
        family.extend(children);
        if family.len() == known {
            break;
        }
    }
    processes.retain(|one| one.pid != ancestor && family.contains(&one.pid));
    processes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let parsed = Process::parse("42 (a) b (c) S 7 41 41 0").unwrap();
        assert_eq!((parsed.pid, parsed.parent, parsed.group, &*parsed.name), (42, 7, 41, "a) b (c"));
        assert!(!parsed.is_zombie && Process::parse("42 (x) Z 7 41").unwrap().is_zombie);
        assert_eq!(Process { name: "\u{1b}[2J".to_owned(), ..parsed }.to_string(), "42 (\\u{1b}[2J)");
        for broken in ["", "42", "42 (x", "42 (x) S", "42 (x) S y z", "x (x) S 1 1"] {
            assert_eq!(Process::parse(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn descendants_are_found_in_any_order() {
        let process = |pid, parent| Process { pid, parent, group: pid, is_zombie: false, name: String::new() };
        // 10 is the ancestor; 3 is a grandchild with a smaller number, 9 a great-grandchild.
        let table = vec![process(1, 0), process(3, 20), process(9, 3), process(10, 1), process(20, 10), process(30, 1)];
        let found: Vec<_> = descending(10, table).iter().map(|one| one.pid).collect();
        assert_eq!(found, [3, 9, 20]);
    }
}
