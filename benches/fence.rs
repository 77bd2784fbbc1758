//! How long a ban takes until the kernel has it, in a network namespace of its own.
//!
//! `cargo bench --bench fence`, as root. Prints medians, of the time on the clock and of the processor's (the kernel's
//! part included; on a busy machine that is the one to compare). Changes nothing outside its namespace.

use std::error::Error;
use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use ringfence::engine::Target;
use ringfence::fence::{Fence, FenceSettings, KernelOp, open, plan};
use ringfence_event::Span;

const HOUR: Span = Span::from_secs(3600);

fn main() -> Result<(), Box<dyn Error>> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
    Command::new("ip").args(["link", "set", "lo", "up"]).status()?;
    let mut fence = open(&FenceSettings::default())?;
    floor()?;
    report("install, first, with proof", time(|| fence.install().map(drop))?);
    let runs = (0..200)
        .map(|_| time(|| fence.install().map(drop)))
        .collect::<Result<Vec<_>, _>>()?;
    report("install, nothing to do, with proof", median(runs));
    let runs = (0..1000)
        .map(|_| time(|| fence.intact().map(drop)))
        .collect::<Result<Vec<_>, _>>()?;
    report("intact", median(runs));
    for size in [0, 10_000, 100_000] {
        fill(&mut *fence, size)?;
        single(&mut *fence, size)?;
    }
    let wanted: Vec<_> = (0..100_000).map(|n| (nth(n), HOUR)).collect();
    report("list 100,000", time(|| fence.list().map(drop))?);
    let list = fence.list()?;
    report(
        "plan, 100,000 wanted and held",
        time(|| {
            if plan(&wanted, &list, HOUR).is_empty() {
                Ok(())
            } else {
                Err("they agree")
            }
        })?,
    );
    prefixes(&mut *fence)?;
    fence.purge()?;
    fence.install()?;
    let runs = (0..2000)
        .map(|n| ban(&mut *fence, n, HOUR))
        .sum::<Result<Took, _>>()?;
    report("2,000 bans one by one", runs);
    fence.purge()?;
    fence.install()?;
    let ops = plan(&wanted, &fence.list()?, Span::from_secs(1));
    report("100,000 bans: apply alone", time(|| fence.apply(&ops))?);
    fence.purge()?;
    fence.install()?;
    report(
        "100,000 bans restored: list, plan, apply",
        time(|| restore(&mut *fence, &wanted))?,
    );
    fence.purge()?;
    Ok(())
}

fn restore(fence: &mut dyn Fence, wanted: &[(Target, Span)]) -> Result<(), Box<dyn Error>> {
    let ops = plan(wanted, &fence.list()?, Span::from_secs(1));
    Ok(fence.apply(&ops)?)
}

/// What any question to the kernel costs at least.
fn floor() -> Result<(), Box<dyn Error>> {
    let mut socket = netlink_sys::Socket::new(netlink_sys::protocols::NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&netlink_sys::SocketAddr::new(0, 0))?;
    let question = ringfence_nfnl::request::generation(1);
    let mut answer = Vec::with_capacity(4096);
    let mut ask = || -> std::io::Result<()> {
        answer.clear();
        socket.send(&question, 0)?;
        socket.recv(&mut answer, 0).map(drop)
    };
    let runs = (0..1000).map(|_| time(&mut ask)).collect::<Result<Vec<_>, _>>()?;
    report("a question that asks for nothing: the floor", median(runs));
    Ok(())
}

fn fill(fence: &mut dyn Fence, size: u32) -> Result<(), Box<dyn Error>> {
    let wanted: Vec<_> = (0..size).map(|n| (nth(n), HOUR)).collect();
    restore(fence, &wanted)
}

fn single(fence: &mut dyn Fence, size: u32) -> Result<(), Box<dyn Error>> {
    let range = 200_000..201_000;
    let fresh = range
        .clone()
        .map(|n| ban(fence, n, HOUR))
        .collect::<Result<Vec<_>, _>>()?;
    report(&format!("one ban, {size} held"), median(fresh));
    let again = range
        .clone()
        .map(|n| ban(fence, n, HOUR.times(2)))
        .collect::<Result<Vec<_>, _>>()?;
    report(&format!("one ban extended, {size} held"), median(again));
    let lifted = range.map(|n| lift(fence, n)).collect::<Result<Vec<_>, _>>()?;
    report(&format!("one ban lifted, {size} held"), median(lifted));
    Ok(())
}

fn prefixes(fence: &mut dyn Fence) -> Result<(), Box<dyn Error>> {
    for size in [1_u32, 100, 1000] {
        let net = |n: u32| {
            Target::Prefix(ipnet::IpNet::from(IpAddr::from(
                (0xCB00_0000 + n * 256).to_be_bytes(),
            )))
        };
        let ops: Vec<_> = (0..size)
            .map(|n| KernelOp::Add {
                target: net(n),
                remaining: HOUR,
            })
            .collect();
        fence.apply(&ops)?;
        let runs = (0..50)
            .map(|n| {
                time(|| {
                    fence.apply(&[KernelOp::Add {
                        target: net(10_000 + n),
                        remaining: HOUR,
                    }])
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        report(&format!("one prefix, {size} held"), median(runs));
    }
    Ok(())
}

fn ban(fence: &mut dyn Fence, n: u32, remaining: Span) -> Result<Took, ringfence::fence::FenceError> {
    time(|| {
        fence.apply(&[KernelOp::Add {
            target: nth(n),
            remaining,
        }])
    })
}

fn lift(fence: &mut dyn Fence, n: u32) -> Result<Took, ringfence::fence::FenceError> {
    time(|| fence.apply(&[KernelOp::Delete { target: nth(n) }]))
}

/// An address that nobody has.
fn nth(n: u32) -> Target {
    Target::Address(IpAddr::from((0xC633_0000 + n).to_be_bytes()))
}

/// Time on the clock and the processor's.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Took {
    clock: Duration,
    processor: Duration,
}

impl std::iter::Sum for Took {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, took| Self {
            clock: sum.clock + took.clock,
            processor: sum.processor + took.processor,
        })
    }
}

fn time<E>(body: impl FnOnce() -> Result<(), E>) -> Result<Took, E> {
    let (start, processor) = (Instant::now(), processor());
    body()?;
    let processor = self::processor().saturating_sub(processor);
    Ok(Took {
        clock: start.elapsed(),
        processor,
    })
}

fn processor() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .map_or(Duration::ZERO, Duration::from)
}

fn median(mut runs: Vec<Took>) -> Took {
    runs.sort_unstable();
    runs.get(runs.len() / 2).copied().unwrap_or_default()
}

fn report(what: &str, took: Took) {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "{what:<45} {:>12.1} µs clock {:>12.1} µs processor",
        micros(took.clock),
        micros(took.processor)
    );
}
