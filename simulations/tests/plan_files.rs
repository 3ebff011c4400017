//! Plans from files: `run --plan`, `replay --plan` and `replay --print-plan`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use simulations::Level;
use simulations::plan::{Fault, Memory, Plan, Section};

#[test]
fn plans_from_files_are_run_and_printed_plans_are_read_again() {
    let files = stored_plans();
    let mut arguments = vec!["run"];
    for file in &files {
        arguments.extend(["--plan", file.to_str().unwrap()]);
    }
    let run = simulations(&arguments);
    assert!(run.status.success(), "{run:?}");
    assert!(stdout(&run).starts_with(&format!("{} runs · ", files.len())), "{run:?}");
    assert!(stdout(&run).trim_end().ends_with(" · 0 violations"), "{run:?}");

    let printed = simulations(&["replay", "--seed", "17", "--print-plan"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it's seed 17.json");
    std::fs::write(&file, stdout(&printed)).unwrap();
    let (from_file, from_seed) =
        (simulations(&["replay", "--plan", file.to_str().unwrap()]), simulations(&["replay", "--seed", "17"]));
    assert!(from_file.status.success(), "{from_file:?}");
    assert_eq!(stdout(&from_file), stdout(&from_seed));
}

#[test]
fn a_plan_that_breaks_a_promise_is_named_and_shrunk() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good.json"), folder.path().join("bad.json"));
    // Every node forgets the lock while its holder works. With the mutant no node rests, so a rival gets the lock.
    let mut forgets =
        Plan::of(3).client([Section::after(0).work(300)]).client([Section::after(50).wait(400).work(100)]);
    for node in 0..3 {
        forgets = forgets.fault(20, Fault::Crash { node, down_ms: 1, memory: Memory::Lost });
    }
    std::fs::write(&good, serde_json::to_string(&Plan::of(3).client([Section::after(0).work(30)])).unwrap()).unwrap();
    std::fs::write(&bad, serde_json::to_string_pretty(&forgets).unwrap()).unwrap();
    let trace = folder.path().join("trace.txt");
    let run = |mutant: &[&str]| {
        let files = ["run", "--plan", good.to_str().unwrap(), "--plan", bad.to_str().unwrap()];
        simulations(&[&files[..], &["--trace", trace.to_str().unwrap()], mutant].concat())
    };
    let right = run(&[]);
    assert!(right.status.success(), "{right:?}");
    assert!(stdout(&right).starts_with("2 runs · "), "{right:?}");

    let wrong = run(&["--mutant", "no-rest"]);
    let out = stdout(&wrong);
    assert_eq!(wrong.status.code(), Some(1), "{out}");
    assert!(out.contains(" · 1 violations\n"), "{out}");
    assert!(out.contains(&format!("{} broke X exclusive at ", bad.display())), "{out}");
    assert!(!out.contains("good.json broke"), "{out}");
    assert!(out.contains(&format!("again: simulations replay --plan '{}' --level node", bad.display())), "{out}");
    let json = out.lines().find(|line| line.starts_with("{\"seed\"")).unwrap();
    let small = Plan::parse(json).unwrap();
    assert!(small.size() < forgets.size(), "{} parts of {}", small.size(), forgets.size());
    let traces = std::fs::read_to_string(&trace).unwrap();
    assert!(traces.contains("VIOLATED X exclusive at ") && traces.contains("good.json\n"), "{traces}");
}

#[test]
fn files_that_are_no_plans_are_refused_with_line_reason_and_fix() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let text = serde_json::to_string_pretty(&Plan::of(3).client([Section::after(0)])).unwrap();
    std::fs::write(&file, text.replace("\"resources\": 1", "\"resources\": 0")).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("\"resources\"")).unwrap();
    for command in ["run", "replay"] {
        let refused = simulations(&[command, "--plan", file.to_str().unwrap()]);
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let says = format!(
            "simulations: cannot read the plan {}: line {line}, resources: there is no resource: write 1 or more\n",
            file.display()
        );
        assert_eq!(String::from_utf8_lossy(&refused.stderr), says);
    }
    let missing = simulations(&["run", "--plan", folder.path().join("none.json").to_str().unwrap()]);
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
    // A plan names its own nodes, so options that draw a plan contradict it.
    let both = simulations(&["run", "--plan", file.to_str().unwrap(), "--nodes", "3"]);
    assert_eq!(both.status.code(), Some(2), "{both:?}");
    assert!(String::from_utf8_lossy(&both.stderr).contains("cannot be used with"), "{both:?}");
}

/// A file may name what is not there, and the greatest numbers that are accepted.
#[test]
fn plans_that_are_accepted_run_whatever_they_name() {
    let (node, client, resource) = (200, 200, 200);
    let (longest, anywhere) = (Plan::TIME_MAX_MS, None);
    let faults = [
        Fault::Lossy { client: Some(client), node: Some(node), per_mille: 1_000, for_ms: longest },
        Fault::Lossy { client: anywhere, node: anywhere, per_mille: 1_000, for_ms: longest },
        Fault::Slow { client: anywhere, node: anywhere, extra_ms: longest, tail_ms: longest, for_ms: 100 },
        Fault::partition(client, node, longest),
        Fault::Hang { node, for_ms: longest },
        Fault::Crash { node, down_ms: longest, memory: Memory::Snapshot },
        Fault::Snapshot { node },
        Fault::Flush { node },
        Fault::DropCounter { node: 0, resource },
        Fault::Evict { node, resource },
        Fault::Evicting { node, after_ms: longest, for_ms: longest },
        Fault::NodeClock { node: 0, by_ms: -600_000 },
        Fault::NodeClock { node, by_ms: 600_000 },
        Fault::Pause { client, for_ms: longest },
        Fault::Reboot { client, down_ms: longest },
        Fault::ClientClock { client: 0, by_ms: 600_000 },
        Fault::SlowStore { by_ms: longest, for_ms: longest },
    ];
    let mut plan = Plan::of(2).client([Section { resource, ..Section::after(0) }, Section::after(5).write()]);
    for (at_ms, fault) in (10..).zip(faults) {
        plan = plan.fault(at_ms, fault).fault(at_ms + 1, fault);
    }
    plan.seed = u64::MAX;
    plan.ahead = Vec::new();
    plan.nodes[0].offset_ms = i32::MIN;
    plan.nodes[1].offset_ms = i32::MAX;
    plan.clients[0].clock.offset_ms = i32::MIN;
    assert_eq!(plan.check(), Ok(()));
    for level in [Level::Node, Level::Stream] {
        assert!(level.run(&plan, None, false).ended_us > 0, "{level:?}");
    }
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn stored_plans() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn simulations(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simulations")).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
