//! `redfence doctor`: finds faults of the nodes before they hurt.

use redfence::doctor::{Finding, Outcome, Report, minimal_rule};
use serde::Serialize;

use crate::args::{DoctorArgs, Global};
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, DIM, GOOD, Output, STRONG, table};

#[derive(Serialize)]
struct Diagnosis<'a> {
    healthy: bool,
    quorum: bool,
    verdict: String,
    findings: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    check: &'a str,
    node: Option<&'a str>,
    result: &'static str,
    what: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a str>,
}

#[derive(Serialize)]
struct Rule {
    acl: String,
}

/// Examines the nodes, or prints the ACL rule for a user.
pub(crate) async fn doctor(args: &DoctorArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    if let Some(user) = &args.acl {
        let acl = minimal_rule(user, &connect::prefix(global)?);
        let _ = output.result(&acl.clone(), &Rule { acl });
        return Ok(Exit::Done);
    }
    // Not connected here: `connect` refuses the faults that the doctor must report.
    drop(connect::to_servers(global)?);
    let mut builder = connect::settings(global);
    for node in connect::each_node(global).await? {
        builder = builder.node(node);
    }
    let redlock = builder.build()?;
    let report = redlock.doctor().await;
    redlock.drain(connect::DRAIN_MAX).await;
    let machine = Diagnosis {
        healthy: report.is_healthy(),
        quorum: report.has_quorum,
        verdict: report.to_string(),
        findings: report.findings.iter().map(line).collect(),
    };
    let _ = output.result(&human(&report), &machine);
    Ok(match (report.has_quorum, report.is_healthy()) {
        (false, _) => Exit::NoQuorum,
        (true, false) => Exit::Failed,
        (true, true) => Exit::Done,
    })
}

fn line(finding: &Finding) -> Line<'_> {
    let node = finding.node.as_deref();
    let (result, what, risk, fix) = match &finding.outcome {
        Outcome::Ok(what) => ("ok", what.as_str(), None, None),
        Outcome::Bad { what, risk, fix } => ("bad", what.as_str(), Some(*risk), Some(*fix)),
        Outcome::Unknown { because } => ("could not check", because.as_str(), None, None),
        _ => ("could not check", "", None, None),
    };
    Line { check: finding.check, node, result, what, risk, fix }
}

/// The verdict, the table, and the fix for each bad finding.
fn human(report: &Report) -> String {
    let verdict = if report.is_healthy() { format!("{GOOD}{report}{GOOD:#}") } else { format!("{BAD}{report}{BAD:#}") };
    let rows: Vec<_> = report.findings.iter().map(row).collect();
    format!("{verdict}\n\n{}{}", table(&rows), fixes(report))
}

/// The fixes. Equal findings of several nodes are shown once.
fn fixes(report: &Report) -> String {
    let mut stated: Vec<(&Finding, Vec<&str>)> = Vec::new();
    for finding in report.bad() {
        let node = finding.node.as_deref().unwrap_or("all nodes");
        match stated.iter_mut().find(|(known, _)| known.check == finding.check && known.outcome == finding.outcome) {
            Some((_, nodes)) => nodes.push(node),
            None => stated.push((finding, vec![node])),
        }
    }
    let story = |(finding, nodes): (&Finding, Vec<&str>)| {
        let Line { check, what, risk, fix, .. } = line(finding);
        let (nodes, risk, fix) = (nodes.join(", "), risk.unwrap_or_default(), fix.unwrap_or_default());
        format!("\n\n{STRONG}{check}, {nodes}{STRONG:#}: {what}\n  risk: {risk}\n  fix: {fix}")
    };
    stated.into_iter().map(story).collect()
}

fn row(finding: &Finding) -> Vec<String> {
    let Line { check, node, result, what, .. } = line(finding);
    let result = match finding.outcome {
        Outcome::Ok(_) => result.to_owned(),
        Outcome::Bad { .. } => format!("{BAD}{result}{BAD:#}"),
        _ => format!("{DIM}{result}{DIM:#}"),
    };
    vec![check.to_owned(), node.unwrap_or("all nodes").to_owned(), what.to_owned(), result]
}
