//! The writers: tasks that take the waiting requests and commit their events together.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Instant,
};

use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::spawn_blocking,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Outcome, Submission,
    commit::{Item, Place, Refusal, WriterContext, place, too_many_attributes},
    event::NewEvent,
    rejection::{KEPT_OF_REQUEST, Rejection},
    upsert::{Upserted, Upserts, Wish},
};
use crate::{leads::ResolveError, platform::db};

/// How many writers there are by default, each with a connection of its own.
pub const WRITERS: u32 = 4;
/// How many items may wait or be written at once. A request that would exceed this is refused.
const MOST_WAITING: usize = 65_536;
/// About how many items a writer takes into one batch. The last request of a batch may bring more.
const BATCH: usize = 2_000;
/// The most items that are written on a thread that also answers requests. They keep the thread for less than
/// a millisecond at a time.
const FEW: usize = 8;
/// The most bytes that these items may have.
const SMALL: usize = 32 * 1024;

/// Why the events of a request were not written. None of them was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// Too many items are waiting.
    #[error("too many events are waiting to be written")]
    Full,
    /// The database failed, or the service is stopping.
    #[error("events cannot be written just now")]
    Unavailable,
}

/// A request that waits to be written, with the channel for the outcomes of its items.
struct Waiting<S, O> {
    said: S,
    reply: oneshot::Sender<Result<Vec<O>, Busy>>,
    _held: OwnedSemaphorePermit,
}

/// A request for the writers.
#[derive(Debug)]
enum Work {
    Events(Waiting<Submission, Outcome>),
    Upserts(Waiting<Upserts, Upserted>),
}

impl Work {
    /// How many items the request has.
    fn items(&self) -> usize {
        match self {
            Work::Events(waiting) => waiting.said.events.len(),
            Work::Upserts(waiting) => waiting.said.events.len(),
        }
    }

    /// The approximate size of the items as they came, in bytes.
    fn size(&self) -> usize {
        match self {
            Work::Events(waiting) => waiting.said.size,
            Work::Upserts(waiting) => waiting.said.events.iter().map(NewEvent::traits_size).sum(),
        }
    }
}

/// The channel to the writers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Writers {
    queue: mpsc::UnboundedSender<Work>,
    room: Arc<Semaphore>,
}

impl<S, O> std::fmt::Debug for Waiting<S, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiting")
    }
}

impl Writers {
    /// Starts as many writers as the pool has connections. After `stop`, they end when no request waits.
    pub(crate) fn start(context: &WriterContext, tasks: &TaskTracker, stop: &CancellationToken) -> Writers {
        // The semaphore limits the channel: each request holds as many permits as it has items.
        let (queue, waiting) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..context.lifecycle.db.options().get_max_connections() {
            tasks.spawn(work(context.clone(), Arc::clone(&waiting), stop.clone()));
        }
        Writers { queue, room: Arc::new(Semaphore::new(MOST_WAITING)) }
    }

    /// Writes the events of a request. Returns their outcomes, in order.
    pub async fn write(&self, submission: Submission) -> Result<Vec<Outcome>, Busy> {
        self.ask(submission.events.len() + submission.refused.len(), submission, Work::Events).await
    }

    /// Writes upserts. Returns their results, in order.
    pub async fn upsert(&self, upserts: Upserts) -> Result<Vec<Upserted>, Busy> {
        self.ask(upserts.events.len(), upserts, Work::Upserts).await
    }

    /// Sends a request to the writers and waits for the outcomes.
    async fn ask<S, O>(
        &self,
        items: usize,
        said: S,
        work: impl FnOnce(Waiting<S, O>) -> Work,
    ) -> Result<Vec<O>, Busy> {
        let permits = u32::try_from(items).unwrap_or(u32::MAX);
        let held = Arc::clone(&self.room).try_acquire_many_owned(permits).map_err(|_| Busy::Full)?;
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting { said, reply, _held: held };
        self.queue.send(work(waiting)).map_err(|_| Busy::Unavailable)?;
        answer.await.unwrap_or(Err(Busy::Unavailable))
    }

    /// How many items wait or are being written.
    pub fn waiting(&self) -> usize {
        MOST_WAITING - self.room.available_permits()
    }
}

type Queue = Arc<Mutex<mpsc::UnboundedReceiver<Work>>>;

/// Runs one writer: takes the waiting requests, writes them and answers, until the service stops and no
/// request waits.
async fn work(context: WriterContext, queue: Queue, stop: CancellationToken) {
    while let Some(batch) = gather(&queue, &stop).await {
        let [items, size] =
            [Work::items, Work::size].map(|of: fn(&Work) -> usize| batch.iter().map(of).sum::<usize>());
        let writing = write(context.clone(), batch);
        // Each batch is a task of its own, so a panic fails one batch and does not end the writer. A large
        // batch runs on a blocking thread, so that no request waits for it.
        let ended = if items <= FEW && size <= SMALL {
            #[expect(
                clippy::disallowed_methods,
                reason = "the service waits for this task, and this task waits for the spawned one"
            )]
            tokio::spawn(writing).await
        } else {
            spawn_blocking(|| Handle::current().block_on(writing)).await
        };
        if let Err(error) = ended {
            tracing::error!(%error, "a panic ended the writing of a batch of events");
        }
    }
}

/// Takes the requests of the next batch from the channel. `None`: the service stops and no request waits.
async fn gather(queue: &Queue, stop: &CancellationToken) -> Option<Vec<Work>> {
    let mut queue = queue.lock().await;
    let first = tokio::select! {
        biased;
        first = queue.recv() => first,
        () = stop.cancelled() => {
            queue.close();
            queue.recv().await
        }
    }?;
    let mut items = first.items();
    let mut batch = vec![first];
    while items < BATCH {
        let Ok(next) = queue.try_recv() else { break };
        items += next.items();
        batch.push(next);
    }
    Some(batch)
}

/// Writes a batch: first the events, then the upserts.
async fn write(context: WriterContext, batch: Vec<Work>) {
    let (mut events, mut upserts) = (Vec::new(), Vec::new());
    for work in batch {
        match work {
            Work::Events(waiting) => events.push(waiting),
            Work::Upserts(waiting) => upserts.push(waiting),
        }
    }
    if !events.is_empty() {
        write_events(&context, events).await;
    }
    if !upserts.is_empty() {
        write_upserts(&context, upserts).await;
    }
}

/// Writes the events of several requests together, and answers each request.
async fn write_events(context: &WriterContext, batch: Vec<Waiting<Submission, Outcome>>) {
    let items: Vec<Item<'_>> = batch
        .iter()
        .flat_map(|waiting| {
            let want_lead = waiting.said.want_leads;
            waiting.said.events.iter().map(move |(_, event)| Item { event, want_lead })
        })
        .collect();
    let refused: Vec<Refusal<'_>> = batch
        .iter()
        .flat_map(|waiting| {
            let arrival = waiting.said.arrival;
            let kept = waiting.said.refused.iter().take(KEPT_OF_REQUEST);
            kept.map(move |one| (arrival.api_key, arrival.at, one))
        })
        .collect();
    let began = Instant::now();
    let mut outcomes = write_items(context, &items, &refused).await.into_iter();
    metrics::histogram!("leadscore_commit_seconds").record(began.elapsed());
    metrics::histogram!("leadscore_commit_events").record(items.len() as f64);
    for waiting in batch {
        let own = outcomes.by_ref().take(waiting.said.events.len());
        // Sending fails if the client has gone. The events stay written.
        let _ = waiting.reply.send(own.collect());
    }
}

/// Writes items together. If the database refuses the content of an item, the batch is halved until that item
/// stands alone, and only that item is rejected.
async fn write_items(
    context: &WriterContext,
    items: &[Item<'_>],
    refused: &[Refusal<'_>],
) -> Vec<Result<Outcome, Busy>> {
    let mut outcomes = Vec::with_capacity(items.len());
    let mut parts = vec![(items, refused)];
    while let Some((part, refused)) = parts.pop() {
        match commit(context, part, refused).await {
            Ok(written) => outcomes.extend(written.into_iter().map(Ok)),
            Err(error) if is_content(&error) && part.len() > 1 => {
                let (left, right) = part.split_at(part.len() / 2);
                parts.push((right, &[]));
                parts.push((left, refused));
            }
            Err(error) if is_content(&error) && !refused.is_empty() => {
                parts.push((part, &[]));
            }
            Err(error) if is_content(&error) && part.len() == 1 => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the database refused an event");
                outcomes.push(Ok(Outcome::Rejected(unprocessable())));
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot write events");
                outcomes.extend(part.iter().map(|_| Err(Busy::Unavailable)));
            }
        }
    }
    outcomes
}

/// Commits items. Begins again if another transaction changes the same leads, or without the items that would
/// give a lead too many attributes.
async fn commit(
    context: &WriterContext,
    items: &[Item<'_>],
    refused: &[Refusal<'_>],
) -> Result<Vec<Outcome>, ResolveError> {
    let mut full: HashSet<Place> = HashSet::new();
    loop {
        let fits = |item: &&Item<'_>| !full.contains(&place(item.event));
        let kept: Vec<Item<'_>> = items.iter().filter(fits).copied().collect();
        match db::retrying(|| context.commit(&kept, refused)).await {
            Err(ResolveError::Overfull(events)) if !events.is_empty() => full.extend(events),
            Ok(outcomes) if !full.is_empty() => {
                let mut outcomes = outcomes.into_iter();
                let outcome = |item: &Item<'_>| {
                    if full.contains(&place(item.event)) {
                        Some(Outcome::Rejected(too_many_attributes()))
                    } else {
                        outcomes.next()
                    }
                };
                return Ok(items.iter().filter_map(outcome).collect());
            }
            done => return done,
        }
    }
}

/// Writes the upserts of several requests, and answers each request.
async fn write_upserts(context: &WriterContext, batch: Vec<Waiting<Upserts, Upserted>>) {
    let wishes: Vec<Wish<'_>> = batch
        .iter()
        .flat_map(|waiting| {
            let seen = waiting.said.seen.as_ref();
            waiting.said.events.iter().map(move |event| Wish { event, seen })
        })
        .collect();
    let mut outcomes = settle(context, &wishes).await.into_iter();
    for waiting in batch {
        let own = outcomes.by_ref().take(waiting.said.events.len());
        let _ = waiting.reply.send(own.collect());
    }
}

/// Writes upserts together. Upserts that are put off are written in later transactions. If the database
/// refuses the content of one, each is written by itself.
async fn settle(context: &WriterContext, wishes: &[Wish<'_>]) -> Vec<Result<Upserted, Busy>> {
    let mut outcomes: Vec<Result<Upserted, Busy>> = vec![Err(Busy::Unavailable); wishes.len()];
    let mut open: VecDeque<usize> = (0..wishes.len()).collect();
    let mut together = wishes.len();
    while !open.is_empty() {
        let round: Vec<usize> = open.drain(..together.min(open.len())).collect();
        let part: Vec<Wish<'_>> = round.iter().map(|index| wishes[*index]).collect();
        match upsert(context, &part).await {
            Ok(done) => {
                let mut later = Vec::new();
                for (index, outcome) in round.into_iter().zip(done) {
                    match outcome {
                        Some(outcome) => outcomes[index] = Ok(outcome),
                        None => later.push(index),
                    }
                }
                later.into_iter().rev().for_each(|index| open.push_front(index));
            }
            Err(ResolveError::Overfull(_)) if round.len() == 1 => {
                outcomes[round[0]] = Ok(Upserted::Rejected(too_many_attributes()));
            }
            Err(error) if is_content(&error) && round.len() > 1 => {
                together = 1;
                round.into_iter().rev().for_each(|index| open.push_front(index));
            }
            Err(error) if is_content(&error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the database refused an upsert");
                outcomes[round[0]] = Ok(Upserted::Rejected(unprocessable()));
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot write upserts");
            }
        }
    }
    outcomes
}

/// The rejection of an item that the database refuses.
fn unprocessable() -> Rejection {
    Rejection::new("unprocessable", "the database cannot store something in the event")
}

/// Decides about upserts and commits. Begins again if another transaction changes the same leads.
async fn upsert(context: &WriterContext, wishes: &[Wish<'_>]) -> Result<Vec<Option<Upserted>>, ResolveError> {
    db::retrying(|| context.upsert(wishes)).await
}

/// Whether an error is due to the content of one item, so that the other items can be written.
///
/// The database refuses the content (data exception, violated constraint, exceeded limit), or what is stored
/// of the item's lead cannot be read.
fn is_content(error: &ResolveError) -> bool {
    match error {
        ResolveError::Changed => false,
        ResolveError::Overfull(_)
        | ResolveError::Database(
            sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. },
        ) => true,
        ResolveError::Database(error) => ["22", "23", "54"].iter().any(|class| state(error).begins(class)),
    }
}

/// The SQLSTATE code of a database error.
struct SqlState<'a>(Option<std::borrow::Cow<'a, str>>);

fn state(error: &sqlx::Error) -> SqlState<'_> {
    SqlState(error.as_database_error().and_then(sqlx::error::DatabaseError::code))
}

impl SqlState<'_> {
    /// Whether the code belongs to a class: its first two characters.
    fn begins(&self, class: &str) -> bool {
        self.0.as_deref().is_some_and(|code| code.starts_with(class))
    }
}
