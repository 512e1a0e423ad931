//! What a worker gives up before it looks at its input: memory and time without bounds, files,
//! the network, other processes.

use super::Task;
use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use seccompiler::{
    BackendError, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition, SeccompRule,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::collections::BTreeMap;
use std::io;

/// Files that a worker may have open: its input three times over, its output, some spare.
const MAX_FILES: u64 = 64;

/// Confines this process, and the threads that it starts later, for good.
pub(super) fn confine(task: &Task) -> io::Result<()> {
    limit(task)?;
    let files = forbid_files(task.live.is_none());
    let calls = forbid_calls();
    if task.require_sandbox {
        files?;
        calls?;
    }
    Ok(())
}

fn limit(task: &Task) -> io::Result<()> {
    // A worker must not outlive the service that waits for it.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let limits = [
        (Resource::As, task.memory, task.memory),
        // The soft limit ends the process by a signal of its own, the hard one kills.
        (Resource::Cpu, task.cpu_s, task.cpu_s.saturating_add(1)),
        (Resource::Fsize, 0, 0),
        (Resource::Core, 0, 0),
        (Resource::Nofile, MAX_FILES, MAX_FILES),
    ];
    for (resource, current, maximum) in limits {
        let (current, maximum) = (Some(current), Some(maximum));
        setrlimit(resource, Rlimit { current, maximum })?;
    }
    Ok(())
}

/// Landlock: no file but the input, if that is one; no network, no signals to others.
fn forbid_files(has_input_file: bool) -> io::Result<()> {
    let abi = ABI::V6;
    let input = has_input_file.then(|| Ok(PathBeneath::new(io::stdin(), AccessFs::ReadFile)));
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(abi)))
        .and_then(|rules| rules.scope(Scope::from_all(abi)))
        .and_then(|rules| rules.create())
        .and_then(|rules| rules.add_rules(input))
        .and_then(|rules| rules.restrict_self())
        .map_err(io::Error::other)?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(io::Error::other("the kernel has no Landlock")),
        _ => Ok(()),
    }
}

/// Closes all files but the standard ones, whoever left them open.
pub(super) fn close_other_files() -> io::Result<()> {
    // SAFETY: nothing of this process owns a file beyond the standard ones: it was forked a moment ago,
    // and what the fork server had open has been dropped.
    match unsafe { libc::close_range(3, libc::c_uint::MAX, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Seccomp: everything else that reaches beyond this process fails as if it did not exist.
fn forbid_calls() -> io::Result<()> {
    let mut allowed: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    allowed.extend(bounded().map_err(io::Error::other)?);
    let arch = std::env::consts::ARCH
        .try_into()
        .map_err(io::Error::other)?;
    let refuse = SeccompAction::Errno(libc::ENOSYS as u32);
    let filter = SeccompFilter::new(allowed, refuse, SeccompAction::Allow, arch)
        .and_then(BpfProgram::try_from)
        .map_err(io::Error::other)?;
    seccompiler::apply_filter(&filter).map_err(io::Error::other)
}

/// Calls that are allowed with some arguments only. Rules of a call stand side by side.
fn bounded() -> Result<Vec<(i64, Vec<SeccompRule>)>, BackendError> {
    let masked = |argument, mask: i32, value: i32| {
        let compare = SeccompCmpOp::MaskedEq(mask as u32 as u64);
        SeccompCondition::new(argument, Dword, compare, value as u32 as u64)
    };
    let one_of = |argument, values: &[i32]| -> Result<Vec<SeccompRule>, BackendError> {
        let rule = |value: &i32| SeccompRule::new(vec![masked(argument, -1, *value)?]);
        values.iter().map(rule).collect()
    };
    let only = |condition| SeccompRule::new(vec![condition]).map(|rule| vec![rule]);
    let own = std::process::id() as i32;
    // To read, and not by a mere path, which needs no right to read.
    let other_ways = libc::O_ACCMODE | libc::O_CREAT | libc::O_PATH;
    // Threads, not processes, which would have limits and a life of their own. The C library does
    // without clone3, whose arguments cannot be seen here.
    let clone = only(masked(0, libc::CLONE_THREAD, libc::CLONE_THREAD)?)?;
    // Not: having signals sent when a file is ready, to whomever.
    let fcntl = [
        libc::F_GETFD,
        libc::F_SETFD,
        libc::F_GETFL,
        libc::F_DUPFD_CLOEXEC,
    ];
    // Not: outliving the service.
    let prctl = [libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_SET_VMA];
    Ok(vec![
        (libc::SYS_clone, clone),
        (libc::SYS_fcntl, one_of(1, &fcntl)?),
        (libc::SYS_openat, only(masked(2, other_ways, 0)?)?),
        (libc::SYS_prctl, one_of(0, &prctl)?),
        // Aborting raises a signal in this very process.
        (libc::SYS_tgkill, one_of(0, &[own])?),
    ])
}

/// What decoding with several threads takes: memory, threads, time, and files that are open or
/// that Landlock lets through.
const ALLOWED: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getcwd,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_sigaltstack,
    libc::SYS_statx,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_write,
    libc::SYS_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::id;

    fn task() -> Task {
        Task {
            command: Vec::new(),
            dense: true,
            audio: true,
            video: true,
            memory: 1 << 40,
            cpu_s: 60,
            wall_s: 60.0,
            media_s: 60.0,
            pixels: 1 << 20,
            frames: 1000,
            require_sandbox: true,
            live: None,
        }
    }

    /// Whether something holds in a process of its own.
    fn holds_elsewhere(holds: impl FnOnce() -> bool) -> bool {
        // SAFETY: the new process does what a test wants and ends, without any lock of this one: what
        // it allocates with is made ready by `fork`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let status = i32::from(!holds());
            // SAFETY: nothing of the copy of this process is needed any more.
            unsafe { libc::_exit(status) };
        }
        let mut status = 0;
        // SAFETY: it waits for the process that was started above, and `status` outlives the call.
        let ended = unsafe { libc::waitpid(child, &mut status, 0) };
        assert!(child > 0 && ended == child);
        status == 0
    }

    /// A system call with numbers for arguments, and whether it succeeds.
    fn call(number: i64, arguments: [i64; 3]) -> bool {
        let [a, b, c] = arguments;
        // SAFETY: none of the calls made here changes memory; the one that reads some gets a string
        // that ends in zero and lives as long as the program.
        unsafe { libc::syscall(number, a, b, c) >= 0 }
    }

    /// A new process, which ends at once.
    fn fork() -> bool {
        // SAFETY: as of `holds_elsewhere`.
        match unsafe { libc::fork() } {
            // SAFETY: nothing of the copy is needed.
            0 => unsafe { libc::_exit(0) },
            child => child > 0,
        }
    }

    #[test]
    fn the_confined_reach_nobody() {
        let (parent, root) = (i64::from(id()), c"/".as_ptr() as i64);
        let here = i64::from(libc::AT_FDCWD);
        let open = |how: i32| (libc::SYS_openat, [here, root, i64::from(how)]);
        let owner = [0, i64::from(libc::F_SETOWN), parent];
        let stay = [i64::from(libc::PR_SET_PDEATHSIG), 0, 0];
        let internet = [i64::from(libc::AF_INET), i64::from(libc::SOCK_STREAM), 0];
        for (name, (number, arguments)) in [
            ("a signal", (libc::SYS_kill, [parent, 0, 0])),
            ("to a thread", (libc::SYS_tgkill, [parent, parent, 0])),
            ("by a file", (libc::SYS_fcntl, owner)),
            ("a longer life", (libc::SYS_prctl, stay)),
            ("a file", open(libc::O_RDONLY)),
            ("a path", open(libc::O_PATH)),
            ("the network", (libc::SYS_socket, internet)),
        ] {
            let attempt = || call(number, arguments);
            assert!(holds_elsewhere(attempt), "{name}, not confined");
            let refused = || confine(&task()).is_ok() && !attempt();
            assert!(holds_elsewhere(refused), "{name}");
        }
        assert!(holds_elsewhere(fork));
        assert!(holds_elsewhere(|| confine(&task()).is_ok() && !fork()));
    }

    #[test]
    fn the_confined_have_threads_and_may_abort() {
        let threads = || {
            std::thread::spawn(|| 7)
                .join()
                .is_ok_and(|seven| seven == 7)
        };
        assert!(holds_elsewhere(|| confine(&task()).is_ok() && threads()));
        let own = || {
            let process = i64::from(id());
            call(libc::SYS_tgkill, [process, process, 0])
        };
        assert!(holds_elsewhere(|| confine(&task()).is_ok() && own()));
    }

    #[test]
    fn no_file_is_inherited() {
        let open = |file: i64| call(libc::SYS_fcntl, [file, i64::from(libc::F_GETFD), 0]);
        let closed = || {
            let there = call(libc::SYS_dup3, [2, 50, 0]) && open(50);
            there && close_other_files().is_ok() && !open(50) && open(2)
        };
        assert!(holds_elsewhere(closed));
    }
}
