//! What the program prints before it does anything: help, and errors for contradictory arguments.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod program;
mod support;

use program::{redfence, run};

const COMMANDS: [&str; 19] = [
    "demo",
    "run",
    "elect",
    "acquire",
    "admit",
    "extend",
    "release",
    "status",
    "who",
    "watch",
    "list",
    "top",
    "force-release",
    "bootstrap",
    "reset",
    "doctor",
    "dev",
    "completions",
    "man",
];

#[test]
fn help_names_every_command_and_no_secret() {
    let help = run(redfence().env("REDFENCE_NODES", "redis://:secret@host"), &["--help"]);
    assert_eq!(help.code, 0);
    for word in COMMANDS.into_iter().chain(["--nodes", "REDFENCE_NODES", "69", "74", "75"]) {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    assert!(!help.everything().contains("secret") && !help.stdout.contains("__exec"), "{}", help.stdout);
    for command in COMMANDS {
        let help = run(redfence().env("REDFENCE_NODES", "redis://:secret@host"), &[command, "--help"]);
        assert!(help.code == 0 && !help.everything().contains("secret"), "{help:?}");
    }
}

#[test]
fn no_line_of_the_help_is_wider_than_100_columns() {
    let every = COMMANDS.iter().map(|command| vec![*command]).chain([vec![]]);
    for (args, flag) in every.flat_map(|args| [(args.clone(), "--help"), (args, "-h")]) {
        // Its output is a pipe, so it does not know a width.
        let help = run(redfence().env_remove("COLUMNS").args(&args), &[flag]);
        assert!(help.code == 0 && help.stdout.contains("Usage: redfence"), "{args:?} {flag}: {help:?}");
        let wide: Vec<_> = help.stdout.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(wide.is_empty(), "{args:?} {flag}: {wide:#?}");
    }
}

#[test]
fn without_nodes_every_command_names_the_fix() {
    let holder = "0".repeat(32);
    for args in [
        &["run", "r", "--", "true"][..],
        &["elect", "r", "--", "true"],
        &["acquire", "r"],
        &["extend", "r", "--holder", &holder],
        &["release", "r", "--holder", &holder],
        &["status", "r"],
        &["who", "r"],
        &["watch", "r"],
        &["list"],
        &["force-release", "r", "--expect-holder", &holder, "--reason", "x"],
        &["bootstrap"],
        &["reset", "--all"],
    ] {
        for command in [&mut redfence(), redfence().env("REDFENCE_NODES", "")] {
            let ran = run(command, args);
            let sentence = "redfence: no nodes: pass --nodes redis://host:6379,... or set REDFENCE_NODES\n";
            assert_eq!((ran.code, &*ran.stderr), (2, sentence), "{args:?}");
        }
    }
}

#[test]
fn contradictions_are_usage_errors_that_say_why_and_keep_passwords() {
    for (args, part) in [
        (&["status", "r", "--nodes", "http://u:secret@h"][..], "the scheme is not known"),
        (&["status", "r", "--nodes", "u:secret@h"], "not a URL"),
        (&["status", "r", "--nodes", "redis://u:secret@h:1,redis://:secret@h:1"], "are the same server, h:1"),
        (&["status", "r", "--nodes", "redis://default:9#secret@host"], "%23 for '#'"),
        (&["status", "r", "--nodes", "redis://default:9?secret@host"], "%3F for '?'"),
        (&["doctor", "--nodes", "redis://default:9/secret@host"], "%2F for '/'"),
        (&["acquire", "r", "--nodes", "redis://default:9,secret@host"], "node 2: not a URL"),
        (&["status", "r", "--nodes", "redis://h:1?db=3"], "write redis://host:port/3 and not ?db=3"),
        (&["status", "r", "--nodes", "redis://h", "--cert", "file"], "--key"),
        (&["status", "r", "redis://u:secret@h:1"], "unexpected argument 'redis://h:1'"),
        (&["status", ""], "must not be empty"),
        (&["status", "r", "--nodes", "redis://u:secret@h", "--key-prefix", "{a}"], "prefix"),
        (&["run", "r", "--nodes", "redis://u:secret@h", "true"], "unexpected argument 'true'"),
        (&["run", "r", "--nodes", "redis://u:secret@h"], "<COMMAND>"),
        (&["run", "r", "--ttl", "10", "--", "true"], "a number with a unit"),
        (
            &["run", "r", "--nodes", "redis://u:secret@h", "--ttl", "1ms", "--", "true"],
            "time to live of 1ms is too short",
        ),
        (&["run", "r", "--nodes", "redis://u:secret@h", "--max-hold", "1s", "--", "true"], "max_hold"),
        (&["run", "r", "--nodes", "redis://u:secret@h", "--label", "a\nb", "--", "true"], "label"),
        (&["release", "r", "--holder", "me"], "what `acquire` printed"),
        (&["release", "r", "--nodes", "redis://u:secret@h"], "--holder"),
    ] {
        let ran = run(&mut redfence(), args);
        assert!(ran.code == 2 && ran.stderr.contains(part), "{args:?}: {part}: {ran:?}");
        assert!(!ran.everything().contains("secret"), "{args:?}: {ran:?}");
    }
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(redfence().env("REDFENCE_NODES", "redis://:secret@host"), &["completions", shell]);
        assert_eq!((script.code, &*script.stderr), (0, ""), "{shell}");
        for word in COMMANDS.into_iter().chain(["if-held", "once-per"]) {
            assert!(script.stdout.contains(word), "{shell}: {word}");
        }
        assert!(!script.stdout.contains("secret") && !script.stdout.contains("__exec"), "{shell}");
    }
    // The shell itself reads it, and completes.
    let script = run(&mut redfence(), &["completions", "bash"]).stdout;
    let ask = "COMP_WORDS=(redfence run r --if-h); COMP_CWORD=3; _redfence redfence --if-h r; echo \"${COMPREPLY[@]}\"";
    let mut bash = std::process::Command::new("bash");
    let completed = run(&mut bash, &["--norc", "-c", &format!("{script}\n{ask}")]);
    assert_eq!((&*completed.stdout, completed.code), ("--if-held\n", 0), "{completed:?}");
}

#[test]
fn every_command_has_a_manual_page_with_its_examples() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("new/man1");
    let ran = run(&mut redfence(), &["man", pages.to_str().unwrap()]);
    assert_eq!(ran.stdout, format!("{} pages in {}\n", COMMANDS.len() + 1, pages.display()), "{ran:?}");
    for page in COMMANDS.iter().map(|name| format!("redfence-{name}.1")).chain(["redfence.1".to_owned()]) {
        let text = std::fs::read_to_string(pages.join(&page)).unwrap();
        assert!(text.contains(".TH ") && text.contains("Examples:"), "{page}: {text}");
    }
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let ran = run(&mut redfence(), &["man", file.to_str().unwrap()]);
    assert!(ran.code == 1 && ran.stderr.contains("cannot be written to"), "{ran:?}");
}
