//! A server's process: started on its core, and asked for what it used.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// What a process has used so far, or between two moments.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// User and system time of all its threads, in nanoseconds, from the scheduler.
    pub(crate) cpu: u64,
    /// User time alone, in nanoseconds, in ticks of the system's clock.
    pub(crate) user: u64,
    /// Resident memory it gained, in bytes, where that was asked for.
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

    /// What it has used since it began. Exact while it sleeps.
    pub(crate) fn usage(self) -> io::Result<Usage> {
        let pid = self.pid;
        let mut cpu = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread that ended meanwhile is gone; those that matter stay.
            let Ok(stat) = fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            cpu += number(stat.split(' ').next())?;
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // Behind the name, which may hold anything; utime is field 14, the first behind it is 3.
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

    /// Its resident memory, in bytes.
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

/// How a server is started.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<PathBuf>,
    pub(crate) env: Vec<(&'static str, String)>,
}

impl Launch {
    /// Starts it on these cores and waits until it listens, which it says in a line.
    pub(crate) fn start(&self, cores: &[usize], own: &[usize]) -> io::Result<Server> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        // What is started inherits where this thread may run.
        pin(cores)?;
        // Nor does it outlive this program, however that ends.
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

/// Lets this thread, and what it starts, run on these cores only.
pub(crate) fn pin(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        set.set(core);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Room for a socket of each of so many connections, here and in what is started.
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
