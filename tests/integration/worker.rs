//! One worker through the pool's own handle: ping, interrupt, the dump of where Python was, memory.
//! docs/worker_protocol.md 3 to 6.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portpool::allowance::Allowance;
use portpool::call::{Body, CallId, Mfa, WorkerId};
use portpool::codec::{self, PickleWriter};
use portpool::worker::{
    self, Children, Ended, Event, Exit, FromWorker, Handle, Launcher, Log, Recipe, Reply, SpawnLauncher, Stacks,
    TemplateLauncher,
};
use rustix::process::Signal;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::harness::processes::{assert_dies, is_alive, signal};
use crate::harness::{SOON, python, unique, workers};

const MAX_FRAME: usize = 1 << 20;

fn recipe() -> Recipe {
    Recipe {
        python: PathBuf::from(python()),
        venv: None,
        python_path: vec![workers()],
        env: Vec::new(),
        cd: None,
        max_frame: MAX_FRAME,
        start_timeout: SOON,
        preload: Vec::new(),
        warmup: None,
        init: None,
        busy_poll: Duration::ZERO,
        max_memory: None,
        memory_limit: None,
        rlimits: Vec::new(),
        no_new_privs: false,
        cgroup: None,
        log: Log::Stderr,
        numeric_threads: Vec::new(),
    }
}

/// A worker that is ready.
struct Worker {
    handle: Handle,
    events: mpsc::Receiver<(WorkerId, Event)>,
    calls: u64,
    /// It has said that it takes no other call.
    is_last: bool,
}

impl Worker {
    async fn start(recipe: Recipe) -> Self {
        let mut worker = Self::begin(recipe);
        assert!(matches!(worker.event().await, Event::Started(_)));
        worker
    }

    fn begin(recipe: Recipe) -> Self {
        let launcher = SpawnLauncher::new(recipe, Arc::new(Children::default())).unwrap();
        Self::launch(Arc::new(launcher), 1, 1)
    }

    fn launch(launcher: Arc<dyn Launcher>, number: u64, generation: u64) -> Self {
        let (sender, events) = mpsc::channel(16);
        let handle =
            worker::start(WorkerId(number), generation, launcher, MAX_FRAME, Allowance::new(MAX_FRAME), sender);
        Self { handle, events, calls: 0, is_last: false }
    }

    async fn event(&mut self) -> Event {
        timeout(SOON, self.events.recv()).await.expect("nothing happens").expect("no more events").1
    }

    /// Hands it a call of a function with one argument or none.
    fn call(&mut self, module: &str, function: &str, argument: Option<&str>) -> CallId {
        self.calls += 1;
        let mut pickle = PickleWriter::new();
        pickle.tuple_start();
        pickle.str(module);
        pickle.str(function);
        pickle.tuple_start();
        argument.into_iter().for_each(|argument| pickle.str(argument));
        pickle.tuple_end();
        pickle.none();
        pickle.tuple_end();
        let mfa = Mfa { module: module.into(), function: function.into() };
        self.handle.call(CallId(self.calls), mfa, Body::from(pickle.finish()));
        self.handle.send();
        CallId(self.calls)
    }

    /// Interrupts the call that was made last.
    fn interrupt(&self) {
        self.handle.interrupt(CallId(self.calls), SOON);
    }

    async fn reply(&mut self) -> Reply {
        loop {
            match self.event().await {
                Event::Replied(reply) => return reply,
                // It was interrupted while Python imported something.
                Event::Replace(why) => self.is_last |= why.at_once,
                other => panic!("no reply: {other:?}"),
            }
        }
    }

    /// How often it says that it has grown before it replies.
    async fn grown_before(&mut self, call: CallId) -> u32 {
        let mut grown = 0;
        loop {
            match self.event().await {
                Event::Replace(why) if !why.at_once => grown += 1,
                Event::Replied(reply) if reply.call == call => return grown,
                other => panic!("neither growth nor a reply: {other:?}"),
            }
        }
    }

    async fn ended(&mut self) -> Ended {
        match self.event().await {
            Event::Ended(ended) => ended,
            other => panic!("not the end: {other:?}"),
        }
    }

    /// Makes a call that says in a file when it runs, and waits for that.
    async fn run(&mut self, function: &str) {
        let path = signpost();
        self.call("hangs", function, Some(path.to_str().unwrap()));
        seen(&path).await;
    }
}

/// A path that nothing is at.
fn signpost() -> PathBuf {
    std::env::temp_dir().join(format!("portpool-test-{}-{}", std::process::id(), unique()))
}

/// Waits until somebody makes this file.
async fn seen(path: &Path) {
    let end = Instant::now() + SOON;
    while !path.exists() {
        assert!(Instant::now() < end, "nobody makes {path:?}");
        tokio::task::yield_now().await;
    }
    std::fs::remove_file(path).unwrap();
}

fn fields(reply: &Reply) -> Value {
    codec::read(&reply.body).unwrap().to_json().unwrap()
}

#[tokio::test]
async fn a_worker_whose_time_is_over_says_where_it_is_and_is_killed() {
    for (state, says) in [("sleeping", "in sleeping"), ("busy", "in busy"), ("in_c_holding_the_gil", "in in_c_holding")]
    {
        let mut worker = Worker::start(recipe()).await;
        worker.run(state).await;
        let start = Instant::now();
        worker.handle.time_out();
        let Event::Stopped(Stacks::Dumped(text)) = worker.event().await else { panic!("{state}: no stacks") };
        println!("{state}: {:?}", start.elapsed());
        assert!(text.contains("hangs.py") && text.contains(says), "{state}: {text}");
        let ended = worker.ended().await;
        assert_eq!((ended.read, ended.oom), (vec![CallId(1)], false));
        assert_dies(ended.pid.unwrap());
    }
}

#[tokio::test]
async fn all_threads_are_in_the_dump() {
    let mut worker = Worker::start(recipe()).await;
    worker.run("with_a_thread").await;
    worker.reply().await;
    worker.run("busy").await;
    worker.handle.time_out();
    let Event::Stopped(Stacks::Dumped(text)) = worker.event().await else { panic!("no stacks") };
    assert!(text.contains("in busy") && text.matches("most recent call first").count() == 2, "{text}");
    worker.ended().await;
}

#[tokio::test]
async fn a_stopped_process_is_killed_at_once_and_called_stopped() {
    let mut worker = Worker::start(recipe()).await;
    worker.run("stopped").await;
    let pid = worker.handle.pid().unwrap();
    let end = Instant::now() + SOON;
    while !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ") {
        assert!(Instant::now() < end, "it does not stop");
    }
    worker.handle.time_out();
    assert!(matches!(worker.event().await, Event::Stopped(Stacks::WasStopped)));
    assert_eq!(worker.ended().await.exit, Some(Exit::Signal(9)));
}

#[tokio::test]
async fn a_process_that_does_not_say_where_it_is_is_killed_all_the_same() {
    let mut worker = Worker::start(recipe()).await;
    worker.run("deaf").await;
    worker.handle.time_out();
    assert!(matches!(worker.event().await, Event::Stopped(Stacks::None)));
    assert_eq!(worker.ended().await.exit, Some(Exit::Signal(9)));
}

#[tokio::test]
async fn a_start_that_hangs_says_where_it_is() {
    let path = signpost();
    let env = vec![("SAYS".to_owned(), Some(path.clone().into_os_string()))];
    let mut worker = Worker::begin(Recipe { preload: vec!["never_imports".to_owned()], env, ..recipe() });
    seen(&path).await;
    worker.handle.time_out();
    let Event::Stopped(Stacks::Dumped(text)) = worker.event().await else { panic!("no stacks") };
    assert!(text.contains("never_imports.py\", line "), "{text}");
    worker.ended().await;
}

#[tokio::test]
async fn an_interrupt_raises_keyboard_interrupt_in_the_call_and_the_worker_lives() {
    let mut worker = Worker::start(recipe()).await;
    for state in ["sleeping", "busy"] {
        worker.run(state).await;
        worker.interrupt();
        let reply = worker.reply().await;
        assert_eq!(
            (reply.kind, &fields(&reply)["type"]),
            (FromWorker::Raised, &Value::from("KeyboardInterrupt")),
            "{state}"
        );
    }
    worker.call("echo", "pid", None);
    assert_eq!(worker.reply().await.kind, FromWorker::Result);
}

#[tokio::test]
async fn interrupts_that_cross_replies_hit_no_later_call() {
    let mut worker = Worker::start(recipe()).await;
    let mut interrupted = 0;
    for round in 0..1000 {
        // It ends at about the time of the interrupt, a little earlier or later.
        let microseconds = 500 + round * 37 % 2000;
        let call = worker.call("hangs", "for_a_moment", Some(&microseconds.to_string()));
        let reply = match timeout(Duration::from_millis(1), worker.reply()).await {
            Ok(reply) => reply,
            Err(_) => {
                worker.interrupt();
                worker.reply().await
            }
        };
        assert_eq!(reply.call, call);
        interrupted += u32::from(reply.kind == FromWorker::Raised);
        if worker.is_last {
            worker = Worker::start(recipe()).await;
            continue;
        }
        // The one that follows is not meant, however late the interrupt is.
        worker.call("hangs", "for_a_moment", Some("50"));
        worker.handle.interrupt(call, SOON);
        assert_eq!(worker.reply().await.kind, FromWorker::Result, "round {round}");
    }
    println!("{interrupted} of 1000 were interrupted");
    assert!(interrupted > 0);
}

#[tokio::test]
async fn an_idle_worker_ignores_interrupts_and_so_does_a_busy_one_that_is_not_meant() {
    let mut worker = Worker::start(recipe()).await;
    let pid = worker.handle.pid().unwrap();
    for _ in 0..1000 {
        signal(pid, Signal::INT);
    }
    for _ in 0..100 {
        worker.call("echo", "pid", None);
        signal(pid, Signal::INT);
        assert_eq!(worker.reply().await.kind, FromWorker::Result);
    }
}

#[tokio::test]
async fn a_process_that_a_call_forks_takes_interrupts_as_any_python() {
    let mut worker = Worker::start(recipe()).await;
    worker.call("hangs", "a_child_that_is_interrupted", None);
    assert_eq!(fields(&worker.reply().await), Value::from("KeyboardInterrupt"));
}

#[tokio::test]
async fn an_idle_worker_answers_a_ping_also_when_a_call_follows_at_once() {
    let mut worker = Worker::start(recipe()).await;
    worker.handle.ping();
    assert!(matches!(worker.event().await, Event::Pong));
    for _ in 0..100 {
        worker.handle.ping();
        worker.call("echo", "pid", None);
        assert!(matches!(worker.event().await, Event::Pong));
        assert_eq!(worker.reply().await.kind, FromWorker::Result);
    }
}

#[tokio::test]
async fn a_worker_that_is_stopped_answers_no_ping() {
    let mut worker = Worker::start(recipe()).await;
    signal(worker.handle.pid().unwrap(), Signal::STOP);
    worker.handle.ping();
    assert!(timeout(Duration::from_millis(200), worker.events.recv()).await.is_err());
    worker.handle.kill();
    worker.ended().await;
}

#[tokio::test]
async fn a_worker_that_grows_says_so_once_and_garbage_does_not_count() {
    let mut worker = Worker::start(Recipe { max_memory: Some(64 << 20), ..recipe() }).await;
    worker.call("starts", "makes_garbage", None);
    assert_eq!(worker.reply().await.kind, FromWorker::Result);
    worker.call("starts", "keeps", None);
    assert_eq!(worker.reply().await.kind, FromWorker::Result);
    // It looks at most every 100 ms, and after a call.
    let (end, mut grown) = (Instant::now() + SOON, 0);
    while grown == 0 {
        assert!(Instant::now() < end, "it does not say so");
        let call = worker.call("echo", "pid", None);
        grown += worker.grown_before(call).await;
    }
    assert!(worker.handle.memory().unwrap() > 64 << 20);
    for _ in 0..3 {
        worker.call("starts", "keeps", None);
        assert_eq!(worker.reply().await.kind, FromWorker::Result);
    }
    worker.handle.retire();
    worker.ended().await;
}

#[tokio::test]
async fn a_worker_that_ran_out_of_memory_asks_to_be_replaced() {
    let mut worker = Worker::start(Recipe { memory_limit: Some(256 << 20), ..recipe() }).await;
    worker.call("starts", "takes_too_much", None);
    let Event::Replace(why) = worker.event().await else { panic!("it does not ask") };
    assert!(!why.at_once && why.reason.contains("ran out of memory"), "{why:?}");
    assert_eq!(fields(&worker.reply().await)["type"], Value::from("MemoryError"));
}

#[tokio::test]
async fn a_retired_worker_that_does_not_end_can_be_terminated() {
    let mut worker = Worker::start(recipe()).await;
    worker.run("with_a_thread").await;
    worker.reply().await;
    worker.handle.terminate();
    assert_eq!(worker.ended().await.exit, Some(Exit::Signal(15)));
}

#[tokio::test]
async fn a_failed_start_says_what_was_raised() {
    let mut worker = Worker::begin(Recipe { preload: vec!["raises_at_import".to_owned()], ..recipe() });
    let ended = worker.ended().await;
    let error = ended.start_error.expect("no start error");
    assert!(error.message.contains("no licence for this machine"), "{}", error.message);
    assert_eq!(error.detail["type"], Value::from("RuntimeError"));
    assert_eq!(ended.exit, Some(Exit::Status(1)));
}

#[tokio::test]
async fn a_forked_worker_says_where_it_is_and_is_interrupted_by_a_file_of_its_own() {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    let recipe = Recipe { preload: vec!["hangs".to_owned()], ..recipe() };
    let launcher = Arc::new(TemplateLauncher::new(recipe, Arc::new(Children::default())).unwrap());
    let mut workers = [1, 2].map(|number| Worker::launch(Arc::<TemplateLauncher>::clone(&launcher), number, 1));
    for worker in &mut workers {
        assert!(matches!(worker.event().await, Event::Started(_)));
        worker.run("busy").await;
    }
    let [one, other] = &mut workers;
    one.interrupt();
    assert_eq!(fields(&one.reply().await)["type"], Value::from("KeyboardInterrupt"));
    other.handle.time_out();
    let Event::Stopped(Stacks::Dumped(text)) = other.event().await else { panic!("no stacks") };
    assert!(text.contains("in busy") && text.matches("most recent call first").count() == 1, "{text}");
    other.ended().await;
    one.call("echo", "pid", None);
    assert_eq!(one.reply().await.kind, FromWorker::Result);
}

#[tokio::test]
async fn workers_of_one_generation_have_the_same_code_and_a_new_one_has_the_code_as_it_is() {
    // So that what a template forks becomes a child of ours.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    let folder = signpost();
    std::fs::create_dir(&folder).unwrap();
    let module = folder.join("reloaded.py");
    let write = |version: &str| {
        std::fs::write(&module, format!("import os\ntemplate = os.getpid()\ndef version():\n    return '{version}'\ndef by():\n    return template\n")).unwrap()
    };
    write("old");
    let recipe = Recipe { preload: vec!["reloaded".to_owned()], python_path: vec![folder.clone()], ..recipe() };
    let launcher = Arc::new(TemplateLauncher::new(recipe, Arc::new(Children::default())).unwrap());
    let mut templates = Vec::new();
    for (number, generation, version) in [(1, 1, "old"), (2, 1, "old"), (3, 2, "new!"), (4, 1, "old")] {
        let mut worker = Worker::launch(Arc::<TemplateLauncher>::clone(&launcher), number, generation);
        assert!(matches!(worker.event().await, Event::Started(_)));
        worker.call("reloaded", "version", None);
        assert_eq!(fields(&worker.reply().await), Value::from(version), "worker {number}");
        worker.call("reloaded", "by", None);
        templates.push(u32::try_from(fields(&worker.reply().await).as_u64().unwrap()).unwrap());
        write("new!");
        worker.handle.kill();
        worker.ended().await;
    }
    assert!(templates[0] == templates[1] && templates[0] == templates[3] && templates[0] != templates[2]);
    launcher.settled(2);
    timeout(SOON, async {
        while is_alive(templates[0]) {
            tokio::task::yield_now().await
        }
    })
    .await
    .unwrap();
    assert!(is_alive(templates[2]));
    std::fs::remove_dir_all(folder).unwrap();
}
