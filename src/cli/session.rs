//! The command line's own pool: requests in, replies out, without a port in between.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::complaint::describe;
use crate::cgroup::Group;
use crate::config::Config;
use crate::dispatcher::{Answer, Dispatcher, DispatcherOptions, End, PortId, Reply, Request};
use crate::outbox::{Outgoing, outbox};
use crate::relay::Relay;
use crate::startup;

/// A running pool.
#[derive(Debug)]
pub(super) struct Session {
    requests: mpsc::Sender<Request>,
    replies: Outgoing<Reply>,
    dispatcher: JoinHandle<End>,
}

impl Session {
    /// Starts a pool and waits until it is ready. Stores its cgroup, which must be removed when the pool has ended.
    ///
    /// # Errors
    /// Why the pool cannot start, for people.
    pub(super) async fn open(config: &Config, cgroup: &mut Option<Arc<Group>>) -> Result<Self, String> {
        let opened = startup::open(config, &Relay::default()).await.map_err(|failure| failure.message)?;
        *cgroup = opened.cgroup;
        let (requests, inbox) = mpsc::channel(config.max_queue);
        let (replies, mut replied) = outbox();
        let options = DispatcherOptions {
            wait: config.wait,
            latest: tokio::time::Instant::now() + config.start_timeout,
            on_start_failure: config.on_start_failure,
            on_crash_loop: config.on_crash_loop,
            max_decoding_bytes: config.max_queue_bytes,
            busy_poll: config.busy_poll,
        };
        let dispatcher = tokio::spawn(Dispatcher::new(opened.pool, replies, options).run(inbox));
        match replied.take().await {
            Some(Reply::Error(failure)) => Err(describe(&failure)),
            _ => Ok(Self { requests, replies: replied, dispatcher }),
        }
    }

    /// Makes a request.
    pub(super) async fn ask(&self, request: Request) -> anyhow::Result<()> {
        self.requests.send(request).await.context("the dispatcher is gone")
    }

    /// The next answer, and the number of its request.
    ///
    /// Cancellation: may be dropped at any time.
    pub(super) async fn answer(&mut self) -> anyhow::Result<(PortId, Answer)> {
        loop {
            match self.replies.take().await.context("the dispatcher is gone")? {
                Reply::To(id, answer, _) => return Ok((id, answer)),
                Reply::Ready(_) | Reply::Line(_) | Reply::Error(_) => {}
            }
        }
    }

    /// Kills the workers.
    pub(super) async fn close(self) {
        drop(self.requests);
        // A panic in it has already ended the process.
        let _ = self.dispatcher.await;
    }
}
