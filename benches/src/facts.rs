//! Facts about the servers that ran, and about the machine.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::peers::Peer;

/// Returns the machine's facts and the servers' versions.
pub(crate) fn gather(peers: &[&Peer]) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cores = cpu
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let (family, model) = (field("cpu family"), field("model\t"));
    facts.insert(
        "CPU".to_owned(),
        format!(
            "{} (family {}, model {}), {cores} cores",
            field("model name").unwrap_or_default(),
            family.unwrap_or_default(),
            model.unwrap_or_default()
        ),
    );
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    facts.insert("kernel".to_owned(), kernel.trim().to_owned());
    facts.insert(
        "rustc".to_owned(),
        said(Command::new("rustc").arg("--version")),
    );
    for peer in peers {
        if let Some(version) = version(peer) {
            facts.insert(peer.label.to_owned(), version);
        }
    }
    facts
}

/// Returns a foreign server's versions, which it prints on request instead of serving.
fn version(peer: &Peer) -> Option<String> {
    if peer.is_of_this_crate() {
        return None;
    }
    let mut command = Command::new(&peer.launch.program);
    command.args(&peer.launch.args).arg("--version");
    let said = said(&mut command);
    (!said.is_empty()).then_some(said)
}

fn said(command: &mut Command) -> String {
    match command.output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => String::new(),
    }
}
