//! A server's process: starts it on its core and measures what it used.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// What a process has used in total, or between two moments.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// User and system time of all its threads, in nanoseconds, from the scheduler.
    pub(crate) cpu: u64,
    /// User time alone, in nanoseconds, in ticks of the system's clock.
    pub(crate) user: u64,
    /// Growth of resident memory, in bytes, if it was measured.
    pub(crate) resident: u64,
}

impl Usage {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            user: self.user.saturating_sub(before.user),
            resident: self.resident.saturating_sub(before.resident),
        }
    }
}

/// A running process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    pid: u32,
}

impl Process {
    #[cfg(test)]
    pub(crate) fn own() -> Self {
        Self {
            pid: std::process::id(),
        }
    }

    /// Returns what the process has used since its start. Exact while it sleeps.
    pub(crate) fn usage(self) -> io::Result<Usage> {
        let pid = self.pid;
        let mut cpu = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread that has ended is skipped; the threads that matter stay.
            let Ok(stat) = fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            cpu += number(stat.split(' ').next())?;
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The fields after the name, which may contain anything. utime is field 14, and the first
        // one after the name is 3.
        let user = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split(' ').nth(12));
        let user = number(user)? * (1_000_000_000 / clock_ticks_per_second());
        Ok(Usage {
            cpu,
            user,
            resident: 0,
        })
    }

    /// Returns its resident memory, in bytes.
    pub(crate) fn resident(self) -> io::Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/statm", self.pid))?;
        Ok(number(stat.split(' ').nth(1))? * page_size() as u64)
    }
}

fn number(text: Option<&str>) -> io::Result<u64> {
    text.and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| io::Error::other("/proc is not as it was"))
}

/// A server that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// The command that starts a server.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<PathBuf>,
    pub(crate) env: Vec<(&'static str, String)>,
}

impl Launch {
    /// Starts the server on these cores and waits until it prints that it listens.
    pub(crate) fn start(&self, cores: &[usize], own: &[usize]) -> io::Result<Server> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        // The child inherits this thread's cores.
        pin(cores)?;
        // The child ends with this program, however that ends.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.program)
            .args(&self.args)
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .env("PORT", address.port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        pin(own)?;
        let child = child.map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", self.program.display()))
        })?;
        let mut server = Server { child, address };
        let stdout = server.child.stdout.take();
        let stdout = stdout.ok_or_else(|| io::Error::other("no standard output"))?;
        for line in BufReader::new(stdout).lines() {
            if line?.contains(&address.port().to_string()) {
                return Ok(server);
            }
        }
        let program = self.program.display();
        Err(io::Error::other(format!(
            "{program} {:?} ended without an address",
            self.args
        )))
    }
}

impl Server {
    pub(crate) fn process(&self) -> Process {
        Process {
            pid: self.child.id(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Restricts this thread, and its children, to these cores.
pub(crate) fn pin(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        set.set(core);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Raises the limit of open files to `count` connections, here and in child processes.
pub(crate) fn allow_files(count: u64) -> io::Result<()> {
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= count) {
        return Ok(());
    }
    let maximum = now.maximum.map(|maximum| maximum.max(count));
    let wanted = Rlimit {
        current: Some(count),
        maximum,
    };
    Ok(setrlimit(Resource::Nofile, wanted)?)
}
