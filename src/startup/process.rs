//! What the process asks of the system for itself.

use std::{
    env, ffi::OsString, os::unix::process::CommandExt as _, process::Command,
    thread::available_parallelism,
};

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};

/// The GNU C library's setting of the most heaps that threads share.
const HEAPS: &str = "MALLOC_ARENA_MAX";
/// From which size on a block of memory is the system's own and goes back to it at once, and how much may lie free at
/// a heap's end. Without a word on them the first grows with what is freed, up to 32 MiB.
const OWN_BLOCKS: [&str; 2] = ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"];
const OWN_BLOCK_BYTES: &str = "131072";

/// Has the threads of this process share a few heaps, one a core, two to eight, and keeps large outputs out of them.
/// An operator's own word on the number stays, and everything with it.
///
/// The C library makes eight heaps for each core, and each keeps what the largest outputs took there. It reads its
/// settings when a process begins, so this one begins anew, with the same arguments, id and streams: to be called
/// before there are threads. Where that cannot be, the process goes on as it is and takes more memory.
pub fn bound_heaps() {
    if !cfg!(target_env = "gnu") || env::var_os(HEAPS).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let heaps = available_parallelism().map_or(2, usize::from).clamp(2, 8);
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| OsString::from("showrunner"));
    // It only comes back with an error.
    let _ = Command::new(program)
        .arg0(name)
        .args(arguments)
        .env(HEAPS, heaps.to_string())
        .envs(OWN_BLOCKS.map(|setting| (setting, OWN_BLOCK_BYTES)))
        .exec();
}

/// A session holds up to four descriptors; many systems start programs with 1024 although they allow more.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Refused only where the hard limit is lower, which it is not: it is the one that is asked for.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Passwords pass through this memory: nobody gets a copy of it, neither with a crash nor with a debugger.
pub fn keep_memory_private() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if setrlimit(Resource::Core, none).is_err()
        || set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err()
    {
        tracing::warn!("the system does not let core dumps be switched off");
    }
}
