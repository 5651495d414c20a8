//! The life of a template: it becomes ready, forks a worker on each request, and ends when nobody holds it any more.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tracing::warn;

use super::process::{Ending, TemplateProcess};
use crate::call::WorkerId;
use crate::worker::launcher::Launched;
use crate::worker::log::ToRead;

/// A request to the template.
#[derive(Debug)]
enum Request {
    /// To fork.
    Fork(Fork),
    /// To log what it has printed.
    Flush(ToRead),
}

/// A fork that somebody waits for.
#[derive(Debug)]
struct Fork {
    worker: WorkerId,
    answer: oneshot::Sender<Launched>,
}

/// A template. Dropping it kills its process; the workers that it has forked live on.
#[derive(Debug)]
pub(super) struct Template {
    /// Unbounded, but a worker asks only once.
    requests: mpsc::UnboundedSender<Request>,
    ending: Arc<OnceLock<Ending>>,
    /// Closed when the process has ended.
    life: watch::Receiver<()>,
}

impl Template {
    /// Makes a newly started process a template, in the background.
    pub(super) fn new(process: TemplateProcess, start_limit: Duration) -> Self {
        let (sender, requests) = mpsc::unbounded_channel();
        let ending = Arc::new(OnceLock::new());
        let (alive, over) = watch::channel(());
        let life = Life { process, requests, waiting: VecDeque::new(), _alive: alive };
        tokio::spawn(life.live(start_limit, Arc::clone(&ending)));
        Self { requests: sender, ending, life: over }
    }

    /// Lets it fork a worker as soon as it is ready.
    ///
    /// Cancellation: may be dropped; a worker that is forked anyway is killed.
    pub(super) async fn fork(&self, worker: WorkerId) -> Result<Launched, Ending> {
        let (answer, answered) = oneshot::channel();
        // If it has ended, the request is dropped, and with it the answer.
        let _ = self.requests.send(Request::Fork(Fork { worker, answer }));
        let unknown = || Ending::Broken("it is gone".to_owned());
        answered.await.map_err(|_| self.ending.get().cloned().unwrap_or_else(unknown))
    }

    /// Gives it up, and waits until it has ended.
    pub(super) async fn end(self: Arc<Self>) {
        let mut life = self.life.clone();
        drop(self);
        while life.changed().await.is_ok() {}
    }

    /// Logs everything that it has printed so far, then drops `to_read`.
    pub(super) fn flush(&self, to_read: &ToRead) {
        let _ = self.requests.send(Request::Flush(to_read.clone()));
    }
}

#[derive(Debug)]
struct Life {
    process: TemplateProcess,
    requests: mpsc::UnboundedReceiver<Request>,
    /// Requests that came before it was ready.
    waiting: VecDeque<Fork>,
    /// Dropped at the end.
    _alive: watch::Sender<()>,
}

impl Life {
    async fn live(mut self, start_limit: Duration, ending: Arc<OnceLock<Ending>>) {
        let end = match timeout(start_limit, self.start()).await {
            Ok(Ok(())) => match self.serve().await {
                Ok(()) => {
                    self.process.leave().await;
                    Ok(())
                }
                Err(trouble) => Err(Ending::Broken(trouble)),
            },
            Ok(Err(why)) => Err(why),
            Err(_) => Err(self.process.is_too_slow(start_limit).await),
        };
        let last_words = self.process.end().map_or_else(String::new, |line| format!("; its last line was: {line}"));
        if let Err(why) = end {
            if let Ending::Unfit(trouble) | Ending::Broken(trouble) = &why {
                warn!("workers start without a template: {trouble}{last_words}");
            }
            // Before the requests are dropped: a worker that waits for an answer looks here next.
            let _ = ending.set(why);
        }
    }

    /// Waits until it is ready, or nobody wants it any more.
    async fn start(&mut self) -> Result<(), Ending> {
        loop {
            tokio::select! {
                ready = self.process.ready() => return ready,
                request = self.requests.recv() => match request {
                    Some(request) => self.take(request),
                    None => return Ok(()),
                }
            }
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Fork(fork) => self.waiting.push_back(fork),
            Request::Flush(_to_read) => self.process.flush(),
        }
    }

    async fn serve(&mut self) -> Result<(), String> {
        while let Some(Fork { worker, answer }) = self.next().await? {
            let launched = self.process.fork(worker).await?;
            // If its requester has given up, dropping it kills it.
            drop(answer.send(launched));
        }
        Ok(())
    }

    /// The next fork that somebody still waits for; `None` when there will be no more.
    async fn next(&mut self) -> Result<Option<Fork>, String> {
        loop {
            while let Some(fork) = self.waiting.pop_front() {
                if !fork.answer.is_closed() {
                    return Ok(Some(fork));
                }
            }
            tokio::select! {
                request = self.requests.recv() => match request {
                    Some(request) => self.take(request),
                    None => return Ok(None),
                },
                trouble = self.process.trouble() => return Err(trouble),
            }
        }
    }
}
