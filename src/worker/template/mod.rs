//! Forks workers from a template, a process that has already imported everything; starts them on their own where that
//! is not possible.

mod process;
mod task;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;
use tracing::warn;

use self::process::{Ending, TemplateProcess};
use self::task::Template;
use super::boot::{self, Role};
use super::ends;
use super::launcher::{self, Launched, Launcher, NoProcess, SpawnLauncher};
use super::log::ToRead;
use super::orphans::Children;
use super::recipe::Recipe;
use super::token;
use crate::call::WorkerId;

/// How long workers are started on their own after a template has failed for the first time; doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest such time.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Forks workers from one template for each generation.
#[derive(Debug)]
pub struct TemplateLauncher {
    spawn: SpawnLauncher,
    recipe: Recipe,
    start_order: Bytes,
    children: Arc<Children>,
    generations: Mutex<BTreeMap<u64, Generation>>,
}

/// How the workers of one generation are started.
#[derive(Debug, Default)]
struct Generation {
    template: Option<Arc<Template>>,
    /// No template is started before this time.
    rests_until: Option<Instant>,
    pause: Option<Duration>,
    /// What it imports makes it impossible to fork.
    unfit: bool,
}

impl Generation {
    fn may_start(&self) -> bool {
        !self.unfit && self.rests_until.is_none_or(|until| until <= Instant::now())
    }

    fn rest(&mut self) {
        let pause = self.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        self.rests_until = Some(Instant::now() + pause);
        self.pause = Some(pause);
    }
}

impl TemplateLauncher {
    /// Reads the sources of the worker side.
    pub fn new(recipe: Recipe, children: Arc<Children>) -> io::Result<Self> {
        let start_order = boot::start_order(&recipe, Role::Template)?.into();
        let spawn = SpawnLauncher::new(recipe.clone(), Arc::clone(&children))?;
        Ok(Self { spawn, recipe, start_order, children, generations: Mutex::default() })
    }

    fn generations(&self) -> MutexGuard<'_, BTreeMap<u64, Generation>> {
        // Each change is made in one step, so a panic in between leaves nothing half done.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The template of a generation, started now if there is none; `None` if there should be none at this time.
    fn template(&self, generation: u64) -> Option<Arc<Template>> {
        let mut generations = self.generations();
        let state = generations.entry(generation).or_default();
        if state.template.is_none() && state.may_start() {
            match self.start(generation) {
                Ok(template) => state.template = Some(Arc::new(template)),
                Err(error) => {
                    warn!("workers are started on their own, because a template cannot be started: {error}");
                    state.rest();
                }
            }
        }
        state.template.clone()
    }

    fn start(&self, generation: u64) -> io::Result<Template> {
        let number = token::of_template(generation);
        let mut command = boot::command(&self.recipe, boot::TEMPLATE, number);
        // Threads of numeric libraries do not survive a fork: the template has none, and workers get theirs.
        command.envs(self.recipe.numeric_threads.iter().map(|(name, _)| (name, "1")));
        let channel = ends::of_template()?;
        let launched =
            launcher::spawn(command, channel, number, self.start_order.clone(), &self.recipe, &self.children)?;
        // If a template hangs, the workers that wait for it must still have time to start on their own.
        let fork_limit = process::FORK_LIMIT.min(self.recipe.start_timeout / 4);
        let process = TemplateProcess::new(launched, Arc::clone(&self.children), self.recipe.max_frame, fork_limit)?;
        // A little less than a worker has, so that workers that wait for the template can report where it hangs.
        Ok(Template::new(process, self.recipe.start_timeout / 10 * 9))
    }

    /// Records how a template ended, the first time that it is noticed.
    fn ended(&self, generation: u64, template: &Arc<Template>, ending: &Ending) {
        let mut generations = self.generations();
        let Some(state) = generations.get_mut(&generation) else { return };
        if state.template.take_if(|current| Arc::ptr_eq(current, template)).is_some() {
            match ending {
                // The pool counts failed starts and has a back-off for them.
                Ending::Failed(_) => {}
                Ending::Unfit(_) => state.unfit = true,
                Ending::Broken(_) => state.rest(),
            }
        }
    }

    fn proved(&self, generation: u64) {
        if let Some(state) = self.generations().get_mut(&generation) {
            state.pause = None;
        }
    }
}

#[async_trait]
impl Launcher for TemplateLauncher {
    async fn launch(&self, worker: WorkerId, generation: u64) -> Result<Launched, NoProcess> {
        let Some(template) = self.template(generation) else { return Ok(self.spawn.spawn(worker)?) };
        match template.fork(worker).await {
            Ok(launched) => {
                self.proved(generation);
                Ok(launched)
            }
            Err(ending) => {
                self.ended(generation, &template, &ending);
                match ending {
                    Ending::Failed(error) => Err(NoProcess::Failed(error)),
                    Ending::Unfit(_) | Ending::Broken(_) => Ok(self.spawn.spawn(worker)?),
                }
            }
        }
    }

    fn flush(&self, to_read: ToRead) {
        let generations = self.generations();
        generations.values().filter_map(|state| state.template.as_ref()).for_each(|template| template.flush(&to_read));
    }

    async fn close(&self) {
        let generations = std::mem::take(&mut *self.generations());
        for template in generations.into_values().filter_map(|generation| generation.template) {
            template.end().await;
        }
    }

    fn settled(&self, generation: u64) {
        self.generations().retain(|known, _| *known == generation);
    }
}
