//! The operations on the server: mostly calls, with faults of all kinds in between.

use eetf::Term;

use super::{Chaos, Due, Owed};
use crate::harness::term::{atom, int, map, text};

impl Chaos {
    /// One operation, chosen at random. The numbers are the shares in 10,000.
    pub(super) fn operate(&mut self) {
        match self.random.below(10_000) {
            0..6500 => self.echo(&[], &[]),
            6500..8700 => self.work(),
            8700..8800 => self.fault("dies in a call", ("dies", "by_signal"), vec![int(9)], &[]),
            8800..8850 => self.fault("exits in a call", ("dies", "by_exit"), vec![int(0)], &[]),
            8850..8950 => self.time_out("runs too long", ("echo", "forever"), 50),
            8950..8980 => self.time_out("is stopped", ("dies", "stop"), 100),
            8980..9080 => self.too_large(),
            9080..9200 => self.fault("raises", ("echo", "fails"), vec![text("no")], &["exception"]),
            9200..9250 => self.fault("cannot be encoded", ("builtins", "object"), vec![], &["unencodable"]),
            9250..9450 => self.cancel(),
            9450..9550 => self.check_out(),
            9550..9750 => self.use_lease(),
            9750..9790 => self.leave_a_daemon(),
            9790..9820 => self.kill(),
            9820..9900 => self.send_garbage(),
            9900..9910 => self.resize(),
            9910..9912 => self.reload(),
            _ => self.large(),
        }
    }

    fn owe(&mut self, id: u64, due: Due, reasons: &'static [&'static str]) {
        assert!(self.owed.insert(id, Owed { due, reasons }).is_none(), "{id} was given twice");
        self.expected += 1;
    }

    fn count(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }

    fn echo(&mut self, opts: &[(&str, Term)], reasons: &'static [&'static str]) {
        let value = int(self.random.below(1 << 60));
        let id = self.server.cast(("echo", "echo"), [value.clone()], opts);
        self.owe(id, Due::Value(value), reasons);
    }

    /// A call that takes up to two milliseconds.
    fn work(&mut self) {
        let microseconds = self.random.below(2000);
        let id = self.server.cast(("hangs", "for_a_moment"), [int(microseconds)], &[]);
        self.owe(id, Due::Value(atom("nil")), &[]);
    }

    /// A result of up to 500 kB.
    fn large(&mut self) {
        let size = self.random.below(500_000);
        let id = self.server.cast(("operator", "mul"), [text("x"), int(size)], &[]);
        self.owe(id, Due::Value(text(&"x".repeat(usize::try_from(size).unwrap()))), &[]);
    }

    fn fault(&mut self, what: &'static str, call: (&str, &str), args: Vec<Term>, reasons: &'static [&'static str]) {
        self.count(what);
        let id = self.server.cast(call, args, &[]);
        self.owe(id, Due::Failure, reasons);
    }

    fn time_out(&mut self, what: &'static str, call: (&str, &str), limit: u64) {
        self.count(what);
        let id = self.server.cast(call, [], &[("timeout", int(limit))]);
        self.owe(id, Due::Failure, &["timeout"]);
    }

    fn too_large(&mut self) {
        if self.random.below(2) == 0 {
            let args = vec![text("x"), int(2 << 20)];
            self.fault("too large a reply", ("operator", "mul"), args, &["too_large"]);
        } else {
            let args = vec![text(&"x".repeat(2 << 20))];
            self.fault("too large a request", ("builtins", "len"), args, &["too_large"]);
        }
    }

    /// Cancels a call that has just been made.
    fn cancel(&mut self) {
        self.count("cancelled");
        let microseconds = self.random.below(500);
        let id = self.server.cast(("hangs", "for_a_moment"), [int(microseconds)], &[]);
        self.owe(id, Due::Value(atom("nil")), &["cancelled"]);
        self.server.send_cancel(id);
    }

    fn check_out(&mut self) {
        let id = self.server.request("checkout", [map([])]);
        self.owe(id, Due::Lease, &[]);
    }

    /// Calls in a lease, or ends it in one way or another; or leaves that to its timeout.
    fn use_lease(&mut self) {
        let Some(lease) = self.random.one_of(&self.leases).copied() else { return };
        match self.random.below(8) {
            0 => {
                self.leases.retain(|other| *other != lease);
                self.count("lease cancelled");
                self.server.send_cancel(lease);
            }
            how @ 1..4 => {
                self.leases.retain(|other| *other != lease);
                let broken = atom(if how == 1 { "true" } else { "false" });
                let id = self.server.request("checkin", [int(lease), map([("broken", broken)])]);
                self.owe(id, Due::Anything, &[]);
            }
            _ => self.echo(&[("lease", int(lease))], &["lease_lost", "cancelled"]),
        }
    }

    /// A process in a session of its own, which is to go with its worker.
    fn leave_a_daemon(&mut self) {
        self.count("daemon left behind");
        let id = self.server.cast(("forked", "daemon"), [], &[]);
        self.owe(id, Due::Anything, &[]);
    }

    /// Kills a worker, whatever it does, as soon as it is known which ones there are.
    fn kill(&mut self) {
        self.count("worker killed");
        let id = self.server.request("status", []);
        self.owe(id, Due::Victims, &[]);
    }

    fn send_garbage(&mut self) {
        self.count("garbage");
        self.errors_due += 1;
        self.expected += 1;
        self.server.send_packet(b"\x83 no term");
    }

    fn resize(&mut self) {
        self.count("resized");
        let size = 2 + self.random.below(4);
        let id = self.server.request("resize", [int(size)]);
        self.owe(id, Due::Anything, &[]);
    }

    fn reload(&mut self) {
        self.count("reloaded");
        let id = self.server.request("reload", []);
        self.owe(id, Due::Anything, &["worker_start"]);
    }
}
