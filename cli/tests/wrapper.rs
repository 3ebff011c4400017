//! `run` as a wrapper: its own exit codes, standard input, orphans, and the messages for programs that cannot be run.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of a test fail as the test does: by panicking"
)]

mod program;
mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use program::{run, urls, with_nodes};
use support::servers;

#[test]
fn its_own_exit_codes_can_be_told_from_the_commands() {
    let mut nodes = servers(1);
    for code in [75, 74, 71, 69, 2, 1] {
        let args = ["run", "r", "-E", "200", "--error-exit-code", "201", "--", "sh", "-c", &format!("exit {code}")];
        assert_eq!(run(&mut with_nodes(&nodes), &args).code, code);
    }
    assert_eq!(run(&mut with_nodes(&nodes), &["acquire", "r", "--ttl", "30s"]).code, 0);
    for (options, code) in [
        (&[][..], 75),
        (&["-E", "200"], 200),
        (&["--conflict-exit-code=0"], 0),
        (&["--error-exit-code", "201"], 75),
        (&["-E", "200", "--error-exit-code", "201"], 200),
    ] {
        let ran = run(&mut with_nodes(&nodes), &[&["run", "r", "--wait", "0"], options, &["--", "true"]].concat());
        assert_eq!(ran.code, code, "{options:?}: {ran:?}");
    }
    let lost =
        ["--json", "run", "s", "--ttl", "1s", "--max-hold", "1s", "--error-exit-code", "201", "--", "sleep", "60"];
    let ran = run(&mut with_nodes(&nodes), &lost);
    let failed: serde_json::Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((ran.code, &failed["reason"], &failed["exit_code"]), (201, &"lost".into(), &201.into()));
    nodes[0].kill();
    let args = ["run", "r", "--wait", "0", "-E", "200", "--error-exit-code", "201", "--", "true"];
    assert_eq!(run(&mut with_nodes(&nodes), &args).code, 201);
    for bad in ["-1", "256", "x"] {
        assert_eq!(run(&mut with_nodes(&nodes), &["run", "r", "-E", bad, "--", "true"]).code, 2, "{bad}");
    }
}

#[test]
fn help_of_run_tells_the_exit_codes() {
    let ran = run(&mut program::redfence(), &["run", "--help"]);
    for word in ["75  held by another", "71  what the command started", "--error-exit-code", "--forward-signals"] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
}

#[test]
fn standard_input_is_the_commands() {
    let nodes = servers(1);
    let mut command = with_nodes(&nodes);
    let piped = command.args(["run", "r", "--", "sh", "-c", "head -n 1; wc -c"]);
    let mut child = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // The command also sees the end of the input: no other process keeps it open.
    child.stdin.take().unwrap().write_all(&[b"first\n".to_vec(), b"x".repeat(200_000)].concat()).unwrap();
    let output = child.wait_with_output().unwrap();
    let lines: Vec<_> = std::str::from_utf8(&output.stdout).unwrap().lines().map(str::trim).collect();
    assert!(output.status.success() && lines.first() == Some(&"first"), "{lines:?}");
    // A file keeps one position, which the command and the caller share.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("in"), "one\ntwo\n").unwrap();
    let script = format!("{} run r -- sh -c 'read line; echo $line'; cat", env!("CARGO_BIN_EXE_redfence"));
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).stdin(fs::File::open(dir.path().join("in")).unwrap());
    let ran = run(shell.env("REDFENCE_NODES", urls(&nodes)), &[]);
    assert_eq!(ran.stdout, "one\ntwo\n");
}

#[test]
fn what_cannot_be_run_is_told_with_its_reason() {
    let (nodes, dir) = (servers(1), tempfile::tempdir().unwrap());
    let script = dir.path().join("a-script-of-the-test");
    fs::write(&script, "#!/no/such/interpreter -x\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let by_path = script.to_str().unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    for (command, code, said) in [
        (by_path, 126, "\"/no/such/interpreter -x\""),
        ("a-script-of-the-test", 126, "\"/no/such/interpreter -x\""),
        ("/no/such/file", 127, "no such command"),
        ("/", 126, "may not be executed"),
    ] {
        let ran = run(with_nodes(&nodes).env("PATH", &path), &["run", "r", "--", command]);
        assert!(ran.code == code && ran.stderr.contains(said), "{command}: {ran:?}");
    }
}

#[test]
fn a_time_without_a_unit_gets_one_hint() {
    let ran = run(&mut program::redfence(), &["run", "r", "--ttl", "3", "--", "true"]);
    assert!(ran.code == 2 && ran.stderr.matches("10s").count() == 1 && !ran.stderr.contains("3sec"), "{ran:?}");
}

/// Runs the program as the first process of a container.
#[cfg(target_os = "linux")]
#[test]
fn orphans_are_collected_by_the_first_process_of_a_container() {
    let nodes = servers(1);
    let as_root: &[_] = if rustix::process::getuid().is_root() { &[] } else { &["--map-root-user"] };
    // Ten processes fork twice and end. Then there are as many processes as before: none runs, and no zombie is left.
    let script = "echo first $(cat /proc/1/comm); set -- /proc/[0-9]*; before=$#; \
         i=0; while [ $i -lt 10 ]; do (sh -c 'true & exit' &); i=$((i + 1)); done; \
         n=0; while set -- /proc/[0-9]*; [ $# -gt $before ] && [ $n -lt 500 ]; do n=$((n + 1)); sleep 0.02; done; \
         [ $# -le $before ] || cat /proc/[0-9]*/stat; echo end";
    let mut command = Command::new("unshare");
    command.args(as_root).args(["--pid", "--fork", "--mount-proc", "--kill-child", env!("CARGO_BIN_EXE_redfence")]);
    let ran = run(command.env("REDFENCE_NODES", urls(&nodes)), &["run", "r", "--", "sh", "-c", script]);
    assert_eq!((ran.code, &*ran.stdout), (0, "first redfence\nend\n"), "{ran:?}");
}
