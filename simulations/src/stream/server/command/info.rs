//! Commands about the server as a whole: TIME, INFO, FLUSHALL.

use super::Command;
use crate::stream::server::core::Call;
use crate::stream::server::resp::Reply;
use crate::stream::server::store::Keyspace;

pub(super) fn commands() -> Vec<Command> {
    vec![Command::new("time", 1, time), Command::new("info", -1, info), Command::new("flushall", -1, flushall)]
}

/// The version whose replies these are.
pub(super) const VERSION: &str = "7.0.15";

fn time(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let us = call.core.now.unix_us();
    let part = |number: u64| Reply::Bulk(number.to_string().into());
    Ok(Reply::Array(vec![part(us / 1_000_000), part(us % 1_000_000)]))
}

/// Only what a virtual server knows. Sections and lines of a real server that no client reads are left out.
fn info(call: &mut Call<'_>) -> Result<Reply, Reply> {
    let wanted: Vec<String> = (1..call.words.len()).filter_map(|at| call.option(at)).collect();
    let wants = |section: &str| {
        wanted.is_empty()
            || wanted.iter().any(|w| w == section || ["ALL", "DEFAULT", "EVERYTHING"].contains(&w.as_str()))
    };
    let core = &*call.core;
    let mut sections = Vec::new();
    if wants("SERVER") {
        let run_id = core.run_id.map(|run_id| run_id.to_string()).unwrap_or_default();
        // By the server's own wall clock, even if that was stepped.
        let up = core.now.unix_us().saturating_sub(core.started.unix_us()) / 1_000_000;
        sections.push(format!(
            "# Server\r\nredis_version:{VERSION}\r\nredis_mode:standalone\r\nrun_id:{run_id}\r\n\
             server_time_usec:{}\r\nuptime_in_seconds:{up}\r\nuptime_in_days:{}\r\n",
            core.now.unix_us(),
            up / 86_400
        ));
    }
    if wants("CLIENTS") {
        sections.push(format!("# Clients\r\nconnected_clients:{}\r\n", core.clients.len()));
    }
    if wants("PERSISTENCE") {
        let aof_enabled = u8::from(core.logs_writes);
        sections.push(format!("# Persistence\r\nloading:0\r\naof_enabled:{aof_enabled}\r\n"));
    }
    if wants("REPLICATION") {
        // It never followed another server.
        let none = "0".repeat(40);
        sections.push(format!("# Replication\r\nrole:master\r\nconnected_slaves:0\r\nmaster_replid2:{none}\r\n"));
    }
    if wants("KEYSPACE") {
        let counts = core.databases.iter().enumerate().filter(|(_, keys)| keys.len() > 0);
        let lines: String = counts.map(|(index, keys)| format!("db{index}:keys={}\r\n", keys.len())).collect();
        sections.push(format!("# Keyspace\r\n{lines}"));
    }
    Ok(Reply::Verbatim(sections.join("\r\n").into()))
}

fn flushall(call: &mut Call<'_>) -> Result<Reply, Reply> {
    match (call.option(1).as_deref(), call.words.len()) {
        (None | Some("SYNC" | "ASYNC"), ..=2) => {}
        _ => return Err(Reply::error("ERR syntax error")),
    }
    call.core.databases.iter_mut().for_each(Keyspace::clear);
    Ok(Reply::OK)
}
