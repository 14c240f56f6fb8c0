//! Processes on a core of their own, and what they used.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use nix::{
    sched::{CpuSet, sched_setaffinity},
    time::ClockId,
    unistd::Pid,
};

/// The core of what is measured.
pub(crate) const MEASURED: usize = 0;
/// The core of the devices and of whoever asks.
pub(crate) const OTHERS: usize = 1;

/// A running program that answers a line with a line, until it is dropped.
pub(crate) struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    /// Starts this program in another role, on a core.
    pub(crate) fn role(core: usize, arguments: &[String]) -> Self {
        let mut command = on_core(core, &std::env::current_exe().unwrap());
        command.args(arguments);
        Self::start(command)
    }

    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the program has ended");
        line.trim().to_owned()
    }

    pub(crate) fn ask(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").unwrap();
        self.line()
    }

    pub(crate) fn used(&self) -> Used {
        Used::of(self.child.id())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has used so far.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    /// Seconds of user and system time of all its threads.
    pub(crate) cpu: f64,
    /// The most memory it ever held, in bytes.
    pub(crate) peak_rss_bytes: u64,
    pub(crate) threads: u64,
}

impl Used {
    pub(crate) fn of(pid: u32) -> Self {
        // `/proc` has the same in steps of 10 ms: too coarse for ten devices.
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(pid.cast_signed())).unwrap();
        let cpu = Duration::from(clock.now().unwrap());
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        Self {
            cpu: cpu.as_secs_f64(),
            peak_rss_bytes: number("VmHWM:") * 1024,
            threads: number("Threads:"),
        }
    }
}

/// Keeps this program, which asks and reads the service's log, off the core of what is measured.
pub(crate) fn stay_with_the_others() {
    if has_core_of_its_own() {
        let mut others = CpuSet::new();
        others.set(OTHERS).unwrap();
        sched_setaffinity(Pid::from_raw(0), &others).unwrap();
    }
}

/// True if there is a second core and a program to give processes theirs.
fn has_core_of_its_own() -> bool {
    // Asked once: behind this program's own move there is one core.
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        std::thread::available_parallelism().is_ok_and(|cores| cores.get() > OTHERS)
            && find("taskset").is_some()
    })
}

/// A command that runs on one core, where it can.
pub(crate) fn on_core(core: usize, program: &Path) -> Command {
    if !has_core_of_its_own() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

/// Where a program is, if it is installed.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The middle one; the lower of two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}

/// The middle one of the rounds' ratios: what slows both down for a while does not count.
pub(crate) fn median_ratio(over: &[f64], under: &[f64]) -> f64 {
    median(over.iter().zip(under).map(|(over, under)| over / under).collect())
}
