//! What a ban does to packets.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use ringfence::engine::Target;
use ringfence::fence::{Block, Fence, FenceSettings};
use ringfence_event::Span;
use socket2::{Domain, Protocol, Socket, Type};

use crate::net::{
    HOUR, Line, Net, about, address, ban, held, installed, installed_keeping, installed_with, nth, prefix,
    socket, unban,
};

/// Bans `target`: nothing from `caller` arrives any more, everything from `other` does; until it is unbanned.
fn stops(fence: &mut dyn Fence, line: &Line<'_>, target: Target, caller: &str, other: &str) {
    let (caller, other) = (line.caller(caller), line.caller(other));
    assert!(line.arrives(&caller), "before the ban of {target}");
    fence.apply(&[ban(target, HOUR)]).unwrap();
    assert!(!line.arrives(&caller), "{target} is banned");
    assert!(line.arrives(&other), "another is not banned with {target}");
    let held = held(fence, target).expect("it is listed");
    assert_eq!(held.packets, Some(1));
    about(held.remaining, HOUR);
    fence.apply(&[unban(target)]).unwrap();
    assert!(line.arrives(&caller), "{target} is banned no longer");
    assert!(fence.list().unwrap().is_empty());
}

#[test]
fn a_banned_address_is_dropped_until_it_is_unbanned() {
    Net::test(|net| {
        let mut fence = installed();
        stops(
            &mut *fence,
            &Line::v4(net),
            address("192.0.2.10"),
            "192.0.2.10:0",
            "192.0.2.11:0",
        );
        stops(
            &mut *fence,
            &Line::v6(net),
            address("2001:db8::10"),
            "[2001:db8::10]:0",
            "[2001:db8::11]:0",
        );
    });
}

#[test]
fn a_banned_prefix_drops_every_address_in_it() {
    Net::test(|net| {
        let mut fence = installed();
        // .10 and .11 are in it, .12 is not.
        stops(
            &mut *fence,
            &Line::v4(net),
            prefix("192.0.2.10/31"),
            "192.0.2.11:0",
            "192.0.2.12:0",
        );
        stops(
            &mut *fence,
            &Line::v6(net),
            prefix("2001:db8::10/127"),
            "[2001:db8::11]:0",
            "[2001:db8::12]:0",
        );
    });
}

#[test]
fn a_banned_socket_leaves_the_other_ports_of_its_address_alone() {
    Net::test(|net| {
        let mut fence = installed();
        stops(
            &mut *fence,
            &Line::v4(net),
            socket("192.0.2.10:5060"),
            "192.0.2.10:5060",
            "192.0.2.10:5061",
        );
        stops(
            &mut *fence,
            &Line::v6(net),
            socket("[2001:db8::10]:5060"),
            "[2001:db8::10]:5060",
            "[2001:db8::10]:5061",
        );
        // ICMP is no UDP: the bytes where a port would be are its type (8) and code (0).
        fence.apply(&[ban(socket("192.0.2.10:2048"), HOUR)]).unwrap();
        net.elsewhere(|| {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap();
            socket
                .bind(&SocketAddr::from(([192, 0, 2, 10], 0)).into())
                .unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let echo = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
            socket
                .send_to(&echo, &SocketAddr::from(([192, 0, 2, 1], 0)).into())
                .unwrap();
            let mut reply = [0; 64];
            let length = (&socket).read(&mut reply).expect("an echo reply");
            assert!(length > 20);
            assert_eq!(reply[20], 0, "the type of an echo reply, behind the IP header");
        });
    });
}

/// A connection from `from` to the PBX at `to`.
fn connect(net: &Net, to: &str, from: &str) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(to).unwrap();
    let to = listener.local_addr().unwrap();
    let from: SocketAddr = from.parse().unwrap();
    let theirs = net.elsewhere(|| {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
        socket.bind(&from.into()).unwrap();
        socket
            .connect_timeout(&to.into(), Duration::from_secs(5))
            .unwrap();
        TcpStream::from(socket)
    });
    let (ours, _) = listener.accept().unwrap();
    ours.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    (theirs, ours)
}

#[test]
fn an_established_connection_stops_at_once() {
    Net::test(|net| {
        let mut fence = installed();
        // Connection tracking with a rule that accepts whatever is established: what most machines have.
        net.nft("add table inet host");
        net.nft("add chain inet host input { type filter hook input priority 0 ; policy accept ; }");
        net.nft("add rule inet host input ct state established,related accept");
        for (to, from, target) in [
            ("192.0.2.1:0", "192.0.2.10:0", address("192.0.2.10")),
            ("[2001:db8::1]:0", "[2001:db8::10]:0", address("2001:db8::10")),
            ("192.0.2.1:0", "192.0.2.11:6060", socket("192.0.2.11:6060")),
        ] {
            let (mut theirs, mut ours) = connect(net, to, from);
            let mut buffer = [0; 8];
            theirs.write_all(b"one").unwrap();
            assert_eq!(ours.read(&mut buffer).unwrap(), 3);
            fence.apply(&[ban(target, HOUR)]).unwrap();
            theirs.write_all(b"two").unwrap();
            let error = ours.read(&mut buffer).expect_err("nothing arrives any more");
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            fence.apply(&[unban(target)]).unwrap();
            ours.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            assert_eq!(
                ours.read(&mut buffer).unwrap(),
                3,
                "sent again by TCP, and let through"
            );
        }
    });
}

#[test]
fn the_kernel_ends_a_ban_by_itself() {
    Net::test(|net| {
        let mut fence = installed();
        let line = Line::v4(net);
        let caller = line.caller("192.0.2.10:0");
        let start = Instant::now();
        fence
            .apply(&[ban(address("192.0.2.10"), Span::from_millis(300))])
            .unwrap();
        fence
            .apply(&[ban(prefix("192.0.2.10/32"), Span::from_millis(300))])
            .unwrap();
        drop(fence);
        assert!(!line.arrives(&caller));
        while !line.arrives(&caller) {
            assert!(start.elapsed() < Duration::from_secs(5), "the ban never ended");
        }
        let elapsed = start.elapsed();
        assert!(
            elapsed > Duration::from_millis(290) && elapsed < Duration::from_millis(600),
            "{elapsed:?}"
        );
    });
}

#[test]
fn with_reject_the_sender_is_told() {
    Net::test(|net| {
        let mut fence = installed_with(&FenceSettings {
            block: Block::Reject,
            ..FenceSettings::default()
        });
        let all = ["192.0.2.10", "2001:db8::10"].map(|text| ban(address(text), HOUR));
        for (to, from, errno) in [
            ("192.0.2.1", "192.0.2.10", nix::libc::EHOSTUNREACH),
            ("2001:db8::1", "2001:db8::10", nix::libc::EACCES),
        ] {
            let to: std::net::IpAddr = to.parse().unwrap();
            let udp = std::net::UdpSocket::bind((to, 0)).unwrap();
            let tcp = TcpListener::bind((to, 0)).unwrap();
            let from: std::net::IpAddr = from.parse().unwrap();
            fence.apply(&all).unwrap();
            let (udp, tcp) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
            net.elsewhere(|| {
                let socket = std::net::UdpSocket::bind((from, 0)).unwrap();
                socket.connect(udp).unwrap();
                socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                socket.send(b"hello").unwrap();
                let told = socket.recv(&mut [0; 8]).expect_err("refused");
                assert_eq!(told.raw_os_error(), Some(errno));
                let socket = Socket::new(Domain::for_address(tcp), Type::STREAM, None);
                let socket = socket.unwrap();
                socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
                let told = socket
                    .connect_timeout(&tcp.into(), Duration::from_secs(5))
                    .expect_err("refused");
                assert_eq!(told.raw_os_error(), Some(errno));
            });
        }
    });
}

#[test]
fn banning_again_sets_the_new_time_whether_longer_equal_or_shorter() {
    Net::test(|_| banning_again(installed()));
    Net::test(|_| banning_again(installed_keeping(&FenceSettings::default())));
}

fn banning_again(mut fence: Box<dyn Fence>) {
    for target in [
        address("192.0.2.10"),
        socket("[2001:db8::10]:5060"),
        prefix("198.51.100.0/24"),
    ] {
        for remaining in [
            HOUR,
            HOUR.times(2),
            Span::FOREVER,
            Span::from_secs(60),
            Span::from_secs(20),
        ] {
            fence.apply(&[ban(target, remaining)]).unwrap();
            about(held(&mut *fence, target).unwrap().remaining, remaining);
        }
        std::thread::sleep(Duration::from_millis(1200));
        fence.apply(&[ban(target, Span::from_secs(20))]).unwrap();
        let refreshed = held(&mut *fence, target).unwrap().remaining;
        assert!(
            refreshed > Span::from_millis(19_500),
            "the same time again begins anew: {refreshed}"
        );
        fence.apply(&[ban(target, Span::ZERO)]).unwrap();
        assert_eq!(held(&mut *fence, target), None, "no time left is no ban");
        fence.apply(&[unban(target)]).unwrap();
    }
}

#[test]
fn times_at_the_edges_are_held() {
    Net::test(|_| {
        let mut fence = installed();
        let longest = Span::from_millis(ringfence::fence::LONGEST.as_millis() - 1);
        let spans = [
            Span::from_millis(u64::MAX - 1),
            longest,
            Span::from_secs(40 * 365 * 86_400),
        ];
        for (n, span) in (0..).zip(spans) {
            fence.apply(&[ban(Target::Address(nth(n)), span)]).unwrap();
        }
        let remaining = |fence: &mut dyn Fence, n| held(fence, Target::Address(nth(n))).unwrap().remaining;
        assert_eq!(remaining(&mut *fence, 0), Span::FOREVER);
        about(remaining(&mut *fence, 1), longest);
        about(remaining(&mut *fence, 2), spans[2]);
    });
}
