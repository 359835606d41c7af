//! The `serve` process under measurement.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::upstream::Cloud;

pub(crate) struct Sidecar {
    child: Child,
    pub(crate) port: u16,
    /// From exec to the log's `ready`.
    pub(crate) ready: Duration,
}

impl Sidecar {
    /// Starts it under `tool` (a command line in front, perhaps empty) against `upstream`.
    pub(crate) fn start(cloud: Cloud, upstream: &str, tool: &[String]) -> Self {
        let directory =
            std::env::temp_dir().join(format!("faas-sidecar-bench-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let config = directory.join("config.yaml");
        let provider = match cloud {
            Cloud::Ncp => "ncp",
            Cloud::FunctionGraph => {
                "functiongraph\n    region: cn-north-4\n    project_id: 0123456789abcdef0123456789abcdef"
            }
        };
        std::fs::write(
            &config,
            format!("listen: 127.0.0.1:0\nlog: {{format: json}}\ntargets:\n  bench:\n    provider: {provider}\n    base_url: {upstream}\n"),
        )
        .unwrap();
        let binary = std::env::var("FAAS_SIDECAR")
            .unwrap_or_else(|_| env!("CARGO_BIN_EXE_faas-sidecar").to_owned());
        let line: Vec<String> = tool
            .iter()
            .cloned()
            .chain([binary, "serve".to_owned()])
            .collect();
        let began = Instant::now();
        let mut child = Command::new(&line[0])
            .args(&line[1..])
            .arg("--config")
            .arg(&config)
            .env("NCLOUD_ACCESS_KEY_ID", "ncp_iam_BENCHACCESSKEY0001")
            .env(
                "NCLOUD_SECRET_ACCESS_KEY",
                "ncp_iam_BENCHSECRETKEY0123456789abcdef",
            )
            .env("HUAWEICLOUD_SDK_AK", "BENCHACCESSKEY000001")
            .env(
                "HUAWEICLOUD_SDK_SK",
                "benchsecretkey0123456789abcdef0000000000",
            )
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut port = 0;
        for line in lines.by_ref() {
            let line = line.unwrap();
            if let Some((_, rest)) = line.split_once("\"address\":\"127.0.0.1:") {
                port = rest.split('"').next().unwrap().parse().unwrap();
            }
            if line.contains("\"ready\"") {
                break;
            }
        }
        let ready = began.elapsed();
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port, ready }
    }

    /// User and system time so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // Linux counts these in USER_HZ, which is 100 on every architecture in use.
        Duration::from_millis(ticks * 10)
    }

    pub(crate) fn rss_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<f64>()
            .unwrap()
            / 1024.0
    }

    /// Ends it the way Kubernetes does.
    pub(crate) fn stop(mut self) {
        Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The `summary:` or `totals:` line of a callgrind file.
pub(crate) fn callgrind_total(file: &Path) -> u64 {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text
        .lines()
        .rev()
        .find(|line| line.starts_with("totals:") || line.starts_with("summary:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
