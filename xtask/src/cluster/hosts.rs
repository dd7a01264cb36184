//! Hosts for the processes of a cluster: network namespaces on one bridge, so that the network between any two of them
//! can be cut, also in one direction only. What listens on this machine's loopback (broker, object store) is there on
//! the loopback of every host, by a relay that is not touched by cuts.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::runtime::Runtime;

use crate::process;
use crate::services::debian;

/// What the names of bridges and namespaces begin with; the number of the process that made them follows.
const PREFIX: &str = "tgate";

/// The hosts of one process. Dropping it removes them.
pub(crate) struct Hosts {
    tag: String,
    subnet: u8,
    count: u8,
    relays: Runtime,
}

impl Hosts {
    /// Whether this user can make hosts here, after installing what that takes; else why not.
    pub(crate) fn possible() -> Result<()> {
        if !rustix::process::geteuid().is_root() {
            bail!("network namespaces need root");
        }
        debian::ensure(debian::HOSTS)
    }

    /// Makes so many hosts, after removing those that ended processes have left.
    pub(crate) fn create(count: u8) -> Result<Self> {
        remove_left_behind()?;
        let id = std::process::id();
        let relays = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("relay")
            .enable_all()
            .build()
            .context("start the relays")?;
        let subnet = u8::try_from(id % 250).unwrap_or(0);
        let hosts = Self { tag: format!("{PREFIX}{id}"), subnet, count, relays };
        let bridge = &hosts.tag;
        ip(&["link", "add", bridge, "type", "bridge"])?;
        ip(&["addr", "add", &format!("{}/24", hosts.address(0)), "dev", bridge])?;
        ip(&["link", "set", bridge, "up"])?;
        for host in 1..=count {
            hosts.add(host).with_context(|| format!("make host {host}"))?;
        }
        Ok(hosts)
    }

    fn add(&self, host: u8) -> Result<()> {
        let (space, end) = (self.namespace(host), format!("{}v{host}", self.tag));
        ip(&["netns", "add", &space])?;
        ip(&["link", "add", &end, "type", "veth", "peer", "name", "eth0", "netns", &space])?;
        ip(&["link", "set", &end, "master", &self.tag, "up"])?;
        let address = format!("{}/24", self.address(host));
        ip(&["-n", &space, "addr", "add", &address, "dev", "eth0"])?;
        ip(&["-n", &space, "link", "set", "eth0", "up"])?;
        ip(&["-n", &space, "link", "set", "lo", "up"])?;
        self.nft(host, &["add", "table", "ip", "cuts"])?;
        let hook = "{ type filter hook input priority 0 ; }";
        self.nft(host, &["add", "chain", "ip", "cuts", "input", hook])
    }

    /// Address of a host; 0 is this machine.
    pub(crate) fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.subnet, host + 1)
    }

    /// What runs a program on a host.
    pub(crate) fn command(&self, host: u8, program: &std::path::Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(host)]).arg(program);
        command
    }

    /// Makes a port of this machine's loopback reachable at the same port of every host's loopback.
    pub(crate) fn relay(&self, port: u16) -> Result<()> {
        for host in 1..=self.count {
            let space = format!("/run/netns/{}", self.namespace(host));
            // A socket stays where it was made, whoever uses it.
            let listen = move || -> Result<TcpListener> {
                let file = std::fs::File::open(&space).with_context(|| format!("open {space}"))?;
                let fd = std::os::fd::AsFd::as_fd(&file);
                move_into_link_name_space(fd, Some(LinkNameSpaceType::Network))
                    .with_context(|| format!("enter {space}"))?;
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                    .with_context(|| format!("listen on port {port} in {space}"))?;
                listener.set_nonblocking(true)?;
                Ok(listener)
            };
            let listener = std::thread::spawn(listen)
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            let entered = self.relays.enter();
            let listener = tokio::net::TcpListener::from_std(listener)?;
            drop(entered);
            self.relays.spawn(accept(listener, SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
        }
        Ok(())
    }

    /// From now on nothing that the one sends arrives at the other.
    pub(crate) fn cut(&self, from: u8, to: u8) -> Result<()> {
        let from = self.address(from).to_string();
        self.nft(
            to,
            &["add", "rule", "ip", "cuts", "input", "ip", "saddr", &from, "counter", "drop"],
        )
    }

    /// Everything arrives again.
    pub(crate) fn heal(&self) -> Result<()> {
        (1..=self.count)
            .try_for_each(|host| self.nft(host, &["flush", "chain", "ip", "cuts", "input"]))
    }

    /// How many packets cuts have swallowed since the last [`Self::heal`]; none means that nothing was cut.
    pub(crate) fn swallowed(&self) -> Result<u64> {
        let mut sum = 0;
        for host in 1..=self.count {
            let mut command = self.command(host, "nft".as_ref());
            let text = process::run_quietly(command.args(["list", "ruleset"]))?;
            let counts = text.lines().filter_map(|line| line.split("packets ").nth(1));
            let numbers = counts.filter_map(|rest| rest.split(' ').next()?.parse::<u64>().ok());
            sum += numbers.sum::<u64>();
        }
        Ok(sum)
    }

    fn namespace(&self, host: u8) -> String {
        format!("{}n{host}", self.tag)
    }

    fn nft(&self, host: u8, arguments: &[&str]) -> Result<()> {
        let mut command = self.command(host, "nft".as_ref());
        process::run_quietly(command.args(arguments)).map(drop)
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.tag) {
            eprintln!("remove hosts: {error:#}");
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, to: SocketAddr) {
    loop {
        // An error is one of a connection, or a lack of descriptors that passes.
        let Ok((mut near, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        tokio::spawn(async move {
            // Without the other side the connection closes, as it would there.
            let Ok(mut far) = tokio::net::TcpStream::connect(to).await else { return };
            let _ = near.set_nodelay(true).and(far.set_nodelay(true));
            // An error is an end like any other.
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    process::run_quietly(Command::new("ip").args(arguments)).map(drop)
}

/// Removes the hosts of processes that have ended without doing so.
fn remove_left_behind() -> Result<()> {
    let text =
        process::run_quietly(Command::new("ip").args(["-o", "link", "show", "type", "bridge"]))?;
    for line in text.lines() {
        let Some(name) = line.split(": ").nth(1).and_then(|name| name.split(':').next()) else {
            continue;
        };
        let owner = name.strip_prefix(PREFIX).and_then(|id| id.parse::<u32>().ok());
        if owner.is_some_and(|id| process::ProcessId::of(id).is_err()) {
            remove(name)?;
        }
    }
    Ok(())
}

/// Removes a bridge and its namespaces.
fn remove(tag: &str) -> Result<()> {
    let text = process::run_quietly(Command::new("ip").args(["netns", "list"]))?;
    let spaces = text.lines().filter_map(|line| line.split_whitespace().next());
    let begin = format!("{tag}n");
    for space in spaces.filter(|space| space.starts_with(&begin)) {
        ip(&["netns", "del", space])?;
    }
    ip(&["link", "del", tag])
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::time::Duration;

    use super::*;

    #[test]
    fn hosts_reach_each_other_and_the_relay_until_they_are_cut() {
        if let Err(why) = Hosts::possible() {
            eprintln!("not shown here: {why:#}");
            return;
        }
        let hosts = Hosts::create(2).unwrap();
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        hosts.relay(port).unwrap();
        let said = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        });
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; echo hello >&3");
        let status = hosts.command(1, "bash".as_ref()).args(["-c", &script]).status().unwrap();
        assert!(status.success());
        assert_eq!(said.join().unwrap(), "hello\n");

        // This machine is on the same bridge.
        let server = TcpListener::bind((hosts.address(0), 0)).unwrap();
        let address = server.local_addr().unwrap();
        let script = format!("exec 3<>/dev/tcp/{}/{}", address.ip(), address.port());
        let limited = ["3", "bash", "-c", script.as_str()];
        let reaches =
            || hosts.command(2, "timeout".as_ref()).args(limited).status().unwrap().success();
        assert!(reaches());
        hosts.cut(0, 2).unwrap();
        assert!(!reaches());
        assert!(hosts.swallowed().unwrap() > 0);
        hosts.heal().unwrap();
        assert!(reaches());
        server.set_nonblocking(true).unwrap();
        let mut accepted = server.accept().unwrap().0;
        accepted.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let _ = accepted.write(b"x");
        let tag = hosts.tag.clone();
        drop(hosts);
        let left = process::run_quietly(Command::new("ip").args(["netns", "list"])).unwrap();
        assert!(!left.contains(&tag), "{left}");
    }
}
