//! The example and a Prometheus, each as a process of its own on loopback.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::daemon::{Daemon, User, directory, find};

/// Longer than any answer of a Prometheus on loopback takes.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A program of the package `prometheus`.
pub(crate) fn program(name: &str) -> PathBuf {
    let install = "install Prometheus with \"apt-get install prometheus\" or \"brew install prometheus\"";
    find(name, &["/opt/homebrew/bin"], install)
}

fn start(dir: tempfile::TempDir, command: impl Fn(u16) -> Command + Send + Sync + 'static) -> Daemon {
    let command = move |port| {
        let mut command = command(port);
        command.stdin(Stdio::null());
        command
    };
    Daemon::start(dir, Signal::TERM, command, |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
}

/// The example, over its embedded nodes.
pub(crate) struct Example(Daemon);

impl Example {
    pub(crate) fn start() -> Self {
        Self(start(directory(User::named("nobody")), |port| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_metrics-example"));
            command.arg(format!("127.0.0.1:{port}"));
            command
        }))
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port
    }
}

/// A Prometheus that scrapes one program each second.
pub(crate) struct Prometheus(Daemon, reqwest::Client);

impl Prometheus {
    pub(crate) fn start(scraped: u16, alerts: &Path) -> Self {
        let dir = directory(User::named("nobody"));
        let config = dir.path().join("prometheus.yml");
        let alerts = alerts.display();
        let text = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             rule_files: ['{alerts}']\n\
             scrape_configs:\n\
             - job_name: redfence\n  \
               static_configs: [{{ targets: ['127.0.0.1:{scraped}'] }}]\n"
        );
        fs::write(&config, text).unwrap();
        let (server, data) = (program("prometheus"), dir.path().join("data"));
        let command = move |port: u16| {
            let mut command = Command::new(&server);
            command.arg(format!("--config.file={}", config.display()));
            command.arg(format!("--storage.tsdb.path={}", data.display()));
            command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
            command
        };
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build().unwrap();
        Self(start(dir, command), client)
    }

    /// The values of an instant query, one for each series; or what the server says against it.
    pub(crate) async fn query(&self, query: &str) -> Result<Vec<f64>, String> {
        let page = format!("http://127.0.0.1:{}/api/v1/query", self.0.port);
        let url = reqwest::Url::parse_with_params(&page, [("query", query)]).unwrap();
        let answer = self.1.get(url).send().await.map_err(|error| error.to_string())?;
        let bytes = answer.bytes().await.map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        if answer["status"] != "success" {
            return Err(answer.to_string());
        }
        let series = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        Ok(series.iter().filter_map(|series| series["value"][1].as_str()?.parse().ok()).collect())
    }
}
