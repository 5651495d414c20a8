//! `portpool serve`: the rooms put together, from hello to the end. docs/protocol.md 2 and 12.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tracing::{debug, error, info, warn};

use crate::call::Failure;
use crate::cgroup::Group;
use crate::config::{Config, MAX_FRAME, Signals};
use crate::dispatcher::{Dispatcher, DispatcherOptions, End, Reply, Request};
use crate::outbox::{Outbox, Outgoing, outbox};
use crate::port::{self, Hello, Output, Packet, Reader, Ready, Rules, Writer};
use crate::relay::Relay;
use crate::shutdown::Blocked;
use crate::{shutdown, startup};

/// Exit status for failures of the operating system.
const BROKEN: u8 = 1;
/// Exit status for a refused `hello` or wrong usage.
const REFUSED: u8 = 2;
/// Exit status when workers keep failing and the owner wants to know.
const CRASH_LOOP: u8 = 75;
/// How long the server may continue after `drain_timeout`, to ask workers to end, ask again, and kill them.
const DRAIN_MARGIN: Duration = Duration::from_secs(5);
/// The number of requests read but not yet taken by the dispatcher, which never waits.
const REQUESTS: usize = 1024;
/// How long the workers may take to die, and the last replies to be written.
const LAST_WORDS: Duration = Duration::from_millis(700);

/// Serves one owner on stdin and stdout; returns the exit status. The relay passes warnings to an owner that wants the
/// log. The signals that ask for the end are blocked until they have handlers.
pub async fn serve(relay: Relay, blocked: Blocked) -> anyhow::Result<u8> {
    if io::IsTerminal::is_terminal(&io::stdin()) {
        error!(
            "`portpool serve` is started by an Erlang or Elixir program, which speaks to it on stdin; try `portpool call`"
        );
        return Ok(REFUSED);
    }
    // From now on no signal ends this process. `hello` decides what a signal does.
    let stop = shutdown::Requests::listen()?;
    drop(blocked);
    let (input, mut output) = port::take_stdio()?;
    let mut reader = Reader::new(input, MAX_FRAME);
    let (Ended { status, owner_lives }, cgroup) = match session(&mut reader, &mut output, &relay).await? {
        Session::Over(status) => (Ended { status, owner_lives: false }, None),
        Session::Open(session, cgroup) => (session.serve(reader, output, stop).await, cgroup),
    };
    shutdown::leave_nothing_behind(cgroup.as_deref(), owner_lives).await;
    Ok(status)
}

/// How a session has ended.
struct Ended {
    status: u8,
    /// Whether the session ended for another reason than that the owner is gone.
    owner_lives: bool,
}

/// The result of `hello`.
enum Session {
    /// With the cgroup to remove at the end.
    Open(Box<Opened>, Option<Arc<Group>>),
    Over(u8),
}

/// A session with an accepted `hello`.
struct Opened {
    config: Config,
    dispatcher: Dispatcher,
    requests: (mpsc::Sender<Request>, mpsc::Receiver<Request>),
    replies: (Outbox<Reply>, Outgoing<Reply>),
    ready: Ready,
}

async fn session(reader: &mut Reader, output: &mut Output, relay: &Relay) -> io::Result<Session> {
    let Some(packet) = reader.packet().await? else { return Ok(Session::Over(0)) };
    // Python may be slow to report its version. An owner that goes away in the meantime is not waited for.
    let opened = tokio::select! {
        opened = open(packet, relay) => opened,
        end = reader.end() => return end.map(|()| Session::Over(0)),
    };
    match opened {
        Ok((opened, cgroup)) => Ok(Session::Open(Box::new(opened), cgroup)),
        Err(failure) => {
            let mut packet = BytesMut::new();
            port::write_error(&failure, &mut packet);
            let mut rest = packet.as_ref();
            while !rest.is_empty() {
                let written = output.write(rest).await?;
                rest = rest.get(written..).unwrap_or_default();
            }
            Ok(Session::Over(REFUSED))
        }
    }
}

async fn open(packet: Packet, relay: &Relay) -> Result<(Opened, Option<Arc<Group>>), Failure> {
    let Packet::Whole(packet) = packet else {
        return Err(Failure::bad_request("the first packet must be {hello, 1, Options}: this one is too long"));
    };
    let Hello(config) = port::read_hello(&packet, MAX_FRAME)?;
    let startup::Opened { pool, python, cgroup } = startup::open(&config, relay).await?;
    debug!(python = %python.executable.display(), version = python.version, "python found");
    let replies = outbox();
    let options = DispatcherOptions {
        wait: config.wait,
        latest: Instant::now() + config.start_timeout,
        on_start_failure: config.on_start_failure,
        on_crash_loop: config.on_crash_loop,
        max_decoding_bytes: config.max_queue_bytes,
        busy_poll: config.busy_poll,
    };
    let opened = Opened {
        dispatcher: Dispatcher::new(pool, replies.0.clone(), options),
        requests: mpsc::channel(REQUESTS),
        replies,
        ready: Ready { python, max_frame: config.max_frame },
        config,
    };
    Ok((opened, cgroup))
}

impl Opened {
    /// Runs the three tasks until the owner is gone or a signal ends the server.
    async fn serve(self, mut reader: Reader, output: Output, mut stop: shutdown::Requests) -> Ended {
        let Self { config, dispatcher, requests, replies, ready } = self;
        reader.set_max_frame(config.max_frame);
        let mut dispatcher = tokio::spawn(dispatcher.run(requests.1));
        let mut writer = tokio::spawn(Writer::new(output, ready).run(replies.1));
        let mut intake =
            tokio::spawn(port::read_requests(reader, Rules::of(&config), requests.0.clone(), replies.0.clone()));
        let mut last_words = LAST_WORDS;
        let mut owner_lives = true;
        let status = tokio::select! {
            end = &mut intake => {
                owner_lives = false;
                broken(end.unwrap_or(Ok(())), "stdin cannot be read")
            }
            end = &mut writer => {
                owner_lives = false;
                broken(end.unwrap_or(Ok(())), "stdout cannot be written")
            }
            () = stop_asked(&mut stop, &requests.0, &config) => 0,
            end = &mut dispatcher => match end {
                Ok(End::Closed) => 0,
                Ok(End::Drained) => {
                    // The owner is still there and wants the results of finished calls.
                    last_words = DRAIN_MARGIN;
                    0
                }
                Ok(End::StartFailed) => REFUSED,
                Ok(End::CrashLoop) => CRASH_LOOP,
                Err(_) => BROKEN,
            },
        };
        // No more requests: the dispatcher kills the workers and replies to what is in flight. Then nobody has a reply
        // to send any more.
        intake.abort();
        drop((requests.0, replies.0));
        finish(dispatcher, writer, last_words).await;
        Ended { status, owner_lives }
    }
}

/// Handles a signal that asks the server to end. With `signals` set to `drain`, the pool is drained, which ends the
/// dispatcher; a second signal, or a drain that takes too long, ends the server at once. With `ignore`, the owner
/// decides.
async fn stop_asked(stop: &mut shutdown::Requests, requests: &mpsc::Sender<Request>, config: &Config) {
    stop.requested().await;
    if config.signals == Signals::Ignore {
        info!("ignored a signal: the owner decides when the server ends (option signals)");
        return std::future::pending().await;
    }
    let limit = config.drain_timeout;
    // This can only fail once the dispatcher has ended.
    let _ = requests.send(Request::Stop(limit)).await;
    match limit.and_then(|limit| limit.checked_add(DRAIN_MARGIN)) {
        Some(limit) => drop(timeout(limit, stop.requested()).await),
        None => stop.requested().await,
    }
}

/// The exit status. An owner that goes away is the usual end, however the system reports it.
fn broken(end: io::Result<()>, what: &str) -> u8 {
    match end {
        Ok(()) => 0,
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => 0,
        Err(error) => {
            warn!("{what}: {error}");
            BROKEN
        }
    }
}

async fn finish(dispatcher: JoinHandle<End>, writer: JoinHandle<io::Result<()>>, limit: Duration) {
    let end = async {
        if !dispatcher.is_finished() {
            let _ = dispatcher.await;
        }
        if !writer.is_finished() {
            let _ = writer.await;
        }
    };
    if timeout(limit, end).await.is_err() {
        debug!("the owner does not read: the last replies are lost");
    }
}
